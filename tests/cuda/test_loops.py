"""Loops and branches as kernels, against what they compute on the host: their threads take turns at barriers, or behind every store."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tests.cuda.host_target import TARGET, check
from tests.cuda.interleaved import TARGETS
from tracejit.lowering.cuda.program import Program
from tracejit.lowering.cuda.schedule import Launch
from tracejit.lowering.cuda.show import summary

everywhere = pytest.mark.parametrize("target", [TARGET, *TARGETS.values()], ids=["device", *TARGETS])
targets = pytest.mark.parametrize("target", [TARGET, TARGETS["small"]], ids=["device", "small"])


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def groups(program: Program) -> list[int]:
    """How many threads share a turn, in each kernel that is a loop."""
    return [launch.group for launch in program.plan.loops]


def kernels_only(program: Program) -> bool:
    return all(isinstance(step, Launch) for step in program.plan.steps)


# -- rows of a batch
def lorenz(state):
    def step(s, _):
        x, y, z = s
        return s + 0.01 * np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]), s

    return tj.scan(step, state, np.arange(20))


def test_rows_of_a_scan_run_in_registers(rng):
    program = check(tj.vmap(lorenz), rng.normal(size=(100, 3)))
    assert groups(program)[0] == 1 and "shared" not in program.kernels[0].source


def test_gradient_through_rows_of_a_scan(rng):
    check(tj.grad(lambda x: (tj.vmap(lorenz)(x)[1] ** 2).sum()), rng.normal(size=(100, 3)), rtol=1e-8)


def newton(a):
    return tj.while_loop(lambda x: np.abs(x * x - a) > 1e-10, lambda x: 0.5 * (x + a / x), a)


def test_rows_of_a_while_loop_take_their_own_number_of_turns(rng):
    program = check(tj.vmap(newton), rng.uniform(0.1, 1e4, size=200))
    assert groups(program) == [1] and "while True" in program.kernels[0].source

    def trajectory(x, speed):
        fall = lambda x, v: (x + 0.05 * np.stack([v, -0.1 * x[1] - 0.2]), v * 0.99)
        return tj.while_loop(lambda s: s[0][1] > 0, lambda s: fall(*s), (x, speed))

    program = check(tj.vmap(trajectory), rng.uniform(0.5, 1, size=(100, 2)), rng.normal(size=100))
    assert groups(program) == [1]


@everywhere
def test_longer_rows_are_warps(rng, target):
    smooth = lambda x: tj.scan(lambda h, _: (0.5 * h + 0.25 * (np.roll(h, 1) + np.roll(h, -1)), h.max()), x, np.arange(4))
    program = check(tj.vmap(smooth), rng.normal(size=(9, 20)), target=target)
    assert groups(program) == [target.geometry.warp if target.geometry.long >= 20 else target.geometry.block]


def test_what_is_the_same_for_all_rows_each_computes(rng):
    def step(state, x):
        time, scale, y = state
        return (time + 0.5, scale * 0.9, y * scale[0] + np.sin(time) * x), (time, y.sum())

    program = check(tj.vmap(lambda y, xs: tj.scan(step, (0.0, np.ones(2), y), xs)), rng.normal(size=(80, 2)), rng.normal(size=(80, 6)))
    assert groups(program) == [1] and len(program.kernels[0].parameters) > 3


@targets
def test_a_map_has_a_thread_or_more_for_each_turn(rng, target):
    program = check(lambda x: tj.map(lambda row: np.sin(row) * (row * row).sum(), x), rng.normal(size=(70, 9)), target=target)
    assert program.plan.loops and all(step.outer for step in program.plan.loops)


# -- one block
@targets
def test_a_scan_in_one_block(rng, target):
    w, h, xs = rng.normal(size=40), rng.normal(size=40), rng.normal(size=(5, 40))
    program = check(lambda w, h, xs: tj.scan(lambda h, x: (np.tanh(h * w + x[::-1]), h.sum()), h, xs), w, h, xs, target=target)
    assert groups(program) == [target.geometry.block]
    check(lambda xs: tj.scan(lambda h, x: (h + x, h), xs[0], xs, reverse=True), xs, target=target)


@targets
def test_a_while_loop_in_one_block(rng, target):
    program = check(lambda h: tj.while_loop(lambda h: h.sum() < 1e4, lambda h: h * 2, h), np.abs(rng.normal(size=30)), target=target)
    assert groups(program) == [target.geometry.block]


# -- products
def cell(w, u, bias, h, xs):
    return tj.scan(lambda h, x: (np.tanh(w @ h + u @ x + bias), h.sum()), h, xs)


def cell_arguments(rng, n=12, m=5, turns=4):
    return rng.normal(size=(n, n)) / n, rng.normal(size=(n, m)), rng.normal(size=n), rng.normal(size=n), rng.normal(size=(turns, m))


def loss(f):
    return lambda *args: sum((np.sum(y**2) for y in f(*args)), 0.0)


@everywhere
def test_a_recurrent_cell_is_one_kernel(rng, target):
    args = cell_arguments(rng)
    program = check(cell, *args, target=target)
    assert groups(program) == [target.geometry.block] and kernels_only(program)
    check(tj.grad(loss(cell), argnums=(0, 1, 2, 3, 4)), *args, target=target)


@targets
def test_examples_of_a_recurrent_cell_run_apart(rng, target):
    w, u, bias, _, _ = cell_arguments(rng)
    batched = tj.vmap(cell, in_axes=(None, None, None, 0, 0))
    args = w, u, bias, rng.normal(size=(7, 12)), rng.normal(size=(7, 4, 5))
    program = check(batched, *args, target=target)
    assert groups(program) == [target.geometry.warp if target.geometry.long >= 144 else target.geometry.block]
    assert next(iter(program.plan.loops)).turns == 7
    check(tj.grad(loss(batched), argnums=(0, 3)), *args, target=target)


def test_small_products_of_many_rows_stay_in_registers(rng):
    turned = lambda a, x: tj.scan(lambda x, _: (a @ x / 3, x), x, np.arange(4))
    program = check(tj.vmap(turned), rng.normal(size=(70, 3, 3)), rng.normal(size=(70, 3)))
    assert groups(program) == [1] and "shared" not in program.kernels[0].source


def kalman(mean, spread, seen):
    move, noise, look = np.array([[1, 0.1, 0], [0, 1, 0.1], [0, 0, 1.0]]), np.eye(3) * 0.01, np.array([[1.0, 0, 0]])

    def step(state, z):
        mean, spread = state
        mean, spread = move @ mean, move @ spread @ move.T + noise
        gain = (spread @ look.T)[:, 0] / ((look @ spread @ look.T)[0, 0] + 0.1)
        return (mean + gain * (z - (look @ mean)[0]), spread - np.outer(gain, look @ spread)), mean

    return tj.scan(step, (mean, spread), seen)


@everywhere
def test_a_kalman_filter_is_one_kernel(rng, target):
    args = np.zeros(3), np.eye(3), rng.normal(size=6)
    program = check(kalman, *args, target=target)
    assert groups(program) == [target.geometry.block]
    check(tj.grad(lambda *a: (kalman(*a)[1] ** 2).sum(), argnums=(0, 1, 2)), *args, target=target)


def test_kalman_filters_run_side_by_side(rng):
    program = check(tj.vmap(kalman, in_axes=(None, None, 0)), np.zeros(3), np.eye(3), rng.normal(size=(80, 6)))
    assert groups(program) == [1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64, np.complex128])
def test_products_of_other_types(rng, dtype):
    w, x = rng.integers(-3, 4, size=(5, 5)).astype(dtype), rng.integers(-3, 4, size=5).astype(dtype)
    check(lambda w, x: tj.scan(lambda x, _: (w @ x, x), x, np.arange(3)), w, x, rtol=1e-3 if dtype is np.float16 else 1e-6)


def test_large_products_are_driven_from_outside():
    f = lambda w, h: tj.scan(lambda h, _: (np.tanh(w @ h), h), h, np.arange(9))
    program = Program(tj.trace(f)(np.ones((600, 600)), np.ones(600)), target=TARGET)
    assert program.fallbacks == ["scan"] and "one block takes longer" in next(iter(program.plan.driven.values()))


# -- branches
def turned_back(x, xs):
    return tj.scan(lambda h, t: (tj.cond(h.sum() > 0, lambda h: h * 0.5 - t, lambda h: np.sin(h) + t.sum(), h), h[0]), x, xs)


@targets
def test_branches_in_a_loop(rng, target):
    args = rng.normal(size=5), rng.normal(size=(6, 5))
    program = check(turned_back, *args, target=target)
    assert groups(program) == [target.geometry.block] and "else:" in program.kernels[0].source
    check(tj.grad(loss(turned_back), argnums=(0, 1)), *args, target=target)
    check(tj.vmap(turned_back, in_axes=(0, None)), rng.normal(size=(70, 5)), args[1], target=target)


def chosen(x, numbers):
    ways = [lambda h: h + 1, lambda h: h[::-1] * 2, lambda h: np.zeros_like(h) + h.sum(), lambda h: np.ones(5)]
    return tj.scan(lambda h, i: (tj.switch(i, ways, h), h), x, numbers)


@targets
def test_a_number_out_of_range_is_the_nearest_branch(rng, target):
    program = check(chosen, rng.normal(size=5), np.array([0, 1, 2, 3, -4, 9, 1]), target=target)
    assert "elif" in program.kernels[0].source
    check(tj.vmap(chosen, in_axes=(0, None)), rng.normal(size=(70, 5)), np.array([0, 1, 2, 3, -4, 9, 1]), target=target)


@targets
@pytest.mark.parametrize("n", [5, 400])
def test_a_branch_alone_is_a_kernel(rng, n, target):
    program = check(lambda x: tj.cond(x[0] > 0, lambda x: x * 2, lambda x: x - 1, x), rng.normal(size=n), target=target)
    assert kernels_only(program)


@pytest.mark.parametrize("size", [5, 70])
def test_what_only_one_branch_reads_is_not_looked_at_before(rng, size):
    def f(x, at):
        step = lambda h, t: (tj.cond(t > at, lambda h: h + h[at], lambda h: h * 2, h), h[0])
        return tj.scan(step, x, np.arange(4))

    program = Program(tj.trace(f)(np.ones(size), np.int64(0)), target=TARGET)
    assert program.plan.loops
    home = TARGET.backend
    results = program.run([home.from_host(np.ones(size)), home.from_host(np.int64(size + 5))])  # out of range, if it were looked at
    np.testing.assert_array_equal(home.to_host(results[0]), np.full(size, 16.0))


# -- loops in loops
def settled(x, xs):
    def step(h, t):
        found = tj.while_loop(lambda v: np.abs(v).sum() > 1.0, lambda v: v * 0.7, h + t)
        return found, found.sum()

    return tj.scan(step, x, xs)


@targets
def test_a_while_loop_in_a_scan(rng, target):
    program = check(settled, rng.normal(size=5), 3 * rng.normal(size=(5, 5)), target=target)
    assert groups(program) == [target.geometry.block]
    program = check(tj.vmap(settled), rng.normal(size=(70, 5)), 3 * rng.normal(size=(70, 5, 5)), target=target)
    assert groups(program)[0] < target.geometry.block or target.geometry.block == target.geometry.warp * 2


@targets
def test_scans_in_a_scan(rng, target):
    def f(x, xs):
        def step(h, t):
            inner = tj.fori_loop(0, 3, lambda i, v: v * 0.9 + i * t, h)
            return tj.scan(lambda c, z: (c + z * 0.1, c.sum()), inner, np.outer(t, inner))

        return tj.scan(step, x, xs)

    program = check(f, rng.normal(size=4), rng.normal(size=(3, 4)), target=target)
    assert groups(program) == [target.geometry.block]
    check(tj.vmap(f), rng.normal(size=(9, 4)), rng.normal(size=(9, 3, 4)), target=target)


@targets
def test_a_counted_loop_in_a_while_loop(rng, target):
    def f(x):
        return tj.while_loop(lambda s: s[1] < 20, lambda s: (tj.fori_loop(0, 3, lambda i, v: v * 0.9 + i, s[0]), s[1] + s[0].max()), (x, 0.0))

    assert groups(check(f, np.abs(rng.normal(size=5)), target=target)) == [target.geometry.block]


# -- driven
def test_what_is_a_kernel_and_why_the_rest_is_none_is_told():
    f = lambda x: tj.scan(lambda h, _: (np.tanh(h), h), x, np.arange(4))[0]
    g = lambda x: tj.while_loop(lambda x: x.sum() < 3, lambda x: np.sort(x) + 1, x)
    told = summary(Program(tj.trace(lambda x: (f(x), g(x)))(np.ones(9)), target=TARGET))
    assert "loops and branches that are kernels: scan" in told
    assert "that Python drives, over programs of its own: while_loop (sort is a step of its own)" in told


def test_derivatives_of_derivatives_of_a_while_loop_are_driven():
    program = check(tj.grad(tj.grad(newton)), np.float64(7.0))
    assert program.fallbacks == ["sweeps"]


# -- reverse mode through a while loop
def counted(x, w, turns):
    """Coupled steps, as many as are asked for."""
    step = lambda s: (np.sin(w @ s[0] + x) * 1.1, s[1] + 1)
    return tj.while_loop(lambda s: s[1] < turns, step, (x, 0))[0].sum()


@targets
@pytest.mark.parametrize("turns", [0, 1, 7, 70])
def test_the_way_back_of_any_number_of_turns(rng, target, turns):
    program = check(tj.grad(counted, argnums=(0, 1)), rng.normal(size=3), rng.normal(size=(3, 3)), np.int64(turns), target=target)
    assert kernels_only(program) and "sweeps" in program.plan.loops.values()


@everywhere
def test_rows_have_their_own_way_back(rng, target):
    a = rng.uniform(0.1, 1e3, size=70)
    for f in (tj.vmap(tj.grad(newton)), tj.grad(lambda a: tj.vmap(newton)(a).sum())):
        program = check(f, a, target=target)
        assert kernels_only(program) and 1 in groups(program)


@targets
def test_a_while_loop_in_a_scan_and_back(rng, target):
    program = check(tj.grad(loss(settled), argnums=(0, 1)), rng.normal(size=4), 3 * rng.normal(size=(3, 4)), target=target)
    assert kernels_only(program)


def test_sums_over_rows_leave_their_loop(rng):
    """The gradient of what all rows share: the rows are then independent of one another on the way back too."""
    batched = tj.vmap(cell, in_axes=(None, None, None, 0, 0))
    args = *cell_arguments(rng, n=6)[:3], rng.normal(size=(150, 6)), rng.normal(size=(150, 5, 5))
    program = check(tj.grad(loss(batched), argnums=(0, 1, 2, 3)), *args, rtol=1e-8)
    assert groups(program) == [1, 1]


@targets
def test_a_loop_that_takes_too_many_turns_is_told_of(rng, target):
    f = lambda a: tj.while_loop(lambda x: np.abs(x * x - a) > 1e-10, lambda x: 0.5 * (x + a / x), a, max_steps=9)
    for g in (f, tj.grad(f)):
        program = check(g, np.float64(7.0), target=target)
        assert kernels_only(program)
        with pytest.raises(RuntimeError, match=r"test_loops.py:\d+.* still holds after max_steps=9 turns"):
            program.run([target.backend.from_host(np.float64(1e9))])
    assert kernels_only(check(tj.vmap(f), rng.uniform(1, 9, size=70), target=target))


def test_rows_may_be_any_axis(rng):
    def flow(state, speed):
        def step(state, _):
            x, y, z = state
            return state + 0.01 * np.stack([speed * (y - x), x * (2 - z) - y, x * y - z]), state[0]

        return tj.scan(step, state, np.arange(6))

    assert groups(check(flow, rng.normal(size=(3, 100)), 1.5)) == [1]
    shared = tj.grad(lambda state, speed: (tj.vmap(lambda s: flow(s[:, None], speed)[0])(state) ** 2).sum(), argnums=(0, 1))
    assert groups(check(shared, rng.normal(size=(100, 3)), 1.5)) == [1, 1]


@targets
def test_rows_in_forward_mode_and_one_by_one(rng, target):
    a = rng.uniform(0.1, 50, size=70)
    assert 1 in groups(check(lambda a: tj.jvp(tj.vmap(newton), (a,), (a * 0 + 1,)), a, target=target))
    table = np.arange(20)  # an index may be out of range in turns that a row does not take: the rows run one by one, side by side
    walk = lambda i: tj.while_loop(lambda s: s[0] < 15, lambda s: (s[0] + s[1] % 3 + 1, s[1] + table[s[0]]), (i, i))
    assert groups(check(tj.vmap(walk), np.arange(70) % 13, target=target)) == [1]


@targets
def test_states_of_other_types(target):
    z = np.arange(4) + 1j
    turned = lambda h: tj.cond(np.abs(h).sum() > 3, lambda h: h * 0.5j, lambda h: h * (1 + 0.3j) + 1, h)
    check(lambda z: tj.scan(lambda h, _: (turned(h), h), z, np.arange(4)), z, target=target)
    halved, numbers = lambda h: tj.while_loop(lambda v: v.sum() > 50, lambda v: v // 2, h), np.arange(5, dtype=np.int32)
    check(lambda z: tj.scan(lambda h, x: (halved(h * 3 + x), h.sum() > 9), z, numbers), numbers, target=target)
    check(lambda z: tj.while_loop(lambda s: ~s[0], lambda s: (s[1] > 20, s[1] * 2), (np.False_, z)), np.float64(1.0), target=target)
    check(lambda z: tj.scan(lambda h, x: ((h[0] + 1, h[1]), x * 2), (z, np.zeros(0)), np.zeros((3, 2))), np.float64(1.0), target=target)


def test_too_many_turns_are_raised_by_the_next_call_where_nothing_waits(monkeypatch):
    f = lambda a: tj.while_loop(lambda x: np.abs(x * x - a) > 1e-10, lambda x: 0.5 * (x + a / x), a, max_steps=9)
    program, home = Program(tj.trace(f)(np.float64(2.0)), target=TARGET), TARGET.backend
    near, far = home.from_host(np.float64(4.0)), home.from_host(np.float64(1e9))
    monkeypatch.setattr(type(home), "simulated", False)
    program.run([far])
    with pytest.raises(RuntimeError, match=r"max_steps=9 turns.*an earlier call on a device"):
        program.run([near])
    (result,) = program.run([near])
    np.testing.assert_allclose(home.to_host(result), 2.0)
