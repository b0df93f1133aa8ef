"""Arrays from outside of a traced function that it writes into: `jit` does what NumPy does, `grad` and its like write into copies."""

from __future__ import annotations

import copy
import dataclasses
import functools

import numpy as np
import pytest

import tracejit as tj

DT = np.array([0.3, 0.7])
FIELD = np.linspace(0.0, 1.0, 6)
COUNTS = np.zeros(4, dtype=int)
TUPLE = (np.zeros(3), [np.ones(2), {"deep": np.arange(3.0)}])


@dataclasses.dataclass
class Grid:
    u: np.ndarray
    steps: np.ndarray


@dataclasses.dataclass(frozen=True)
class Slotted:
    __slots__ = ("u",)
    u: np.ndarray


class Simulation:
    def __init__(self):
        self.u = np.linspace(0.0, 1.0, 7) ** 2
        self.grid = Grid(np.zeros(3), np.zeros(2, dtype=np.int32))
        self.slotted = Slotted(np.ones(2))
        self.buffers = [np.zeros(3), np.zeros(3, dtype=np.float32)]
        self.work = np.empty(7)

    def diffuse(self, dt):
        self.u[1:-1] += dt * (self.u[2:] - 2 * self.u[1:-1] + self.u[:-2])

    def step(self, dt):
        self.diffuse(dt[0])
        inner = self.u[2:5]
        inner *= dt[1]
        self.grid.u[...] = inner
        self.grid.steps[0] += 1
        self.slotted.u[0] -= dt[0]
        for buffer in self.buffers:
            buffer[1] = dt[0] + buffer[0]
            buffer[0] += 1
        np.multiply(self.u, 2.0, out=self.work)
        return np.sum(self.u) + self.work[3]


def contents(simulation):
    return [simulation.u, simulation.grid.u, simulation.grid.steps, simulation.slotted.u, *simulation.buffers, simulation.work]


def check(found, expected):
    for a, b in zip(tj.tree.leaves(found), tj.tree.leaves(expected), strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_methods_advance_the_state_of_their_object():
    plain, compiled = Simulation(), Simulation()
    arrays = contents(compiled)
    step = tj.jit(compiled.step)
    for k in range(5):
        check(step(DT / (k + 1)), plain.step(DT / (k + 1)))
        check(contents(compiled), contents(plain))
    assert all(a is b for a, b in zip(arrays, contents(compiled)))
    assert step.cache_info().misses == 1


def test_decorated_methods_share_what_is_compiled_and_not_the_state():
    class Counter:
        def __init__(self, n):
            self.total = np.zeros(n)

        @tj.jit
        def add(self, x):
            self.total += x
            return self.total

    first, second = Counter(2), Counter(2)
    for k in range(4):
        assert first.add(DT) is first.total
        if k % 2:
            second.add(2 * DT)
    check([first.total, second.total], [4 * DT, 4 * DT])


def test_globals_and_containers():
    def f(x):
        FIELD[::2] = FIELD[::2] + x[0]
        COUNTS[np.argmax(x)] += 1
        TUPLE[0][1:] += x
        TUPLE[1][0][...] = x
        TUPLE[1][1]["deep"].sort()
        TUPLE[1][1]["deep"][0] += np.sum(x)
        return TUPLE[0].sum() + FIELD.sum()

    names = ("FIELD", "COUNTS", "TUPLE")
    start = copy.deepcopy([globals()[n] for n in names])
    held = [globals()[n] for n in names]
    compiled = tj.jit(f)
    found = [(compiled(k * DT), copy.deepcopy(held)) for k in range(1, 5)]
    globals().update(zip(names, copy.deepcopy(start)))
    expected = [(f(k * DT), copy.deepcopy([globals()[n] for n in names])) for k in range(1, 5)]
    check(found, expected)
    globals().update(zip(names, held))
    assert type(TUPLE) is tuple and TUPLE is held[2]


def test_partial_arguments_and_defaults():
    def f(buffer, x, other=np.zeros(2)):  # noqa: B008
        buffer += x
        other -= buffer
        return buffer * 1

    first = np.zeros(2)
    compiled = tj.jit(functools.partial(f, first))
    for _ in range(3):
        compiled(DT)
    check([first, f.__defaults__[0]], [3 * DT, -6 * DT])


def test_known_numbers_are_written_at_each_run():
    buffer = np.zeros(3)

    def f(x):
        buffer[0] += 1.0
        buffer[1:] = 5
        return x * buffer[0]

    compiled = tj.jit(f)
    assert [float(compiled(2.0)) for _ in range(4)] == [2.0, 4.0, 6.0, 8.0]
    check(buffer, np.array([4.0, 5.0, 5.0]))


def test_guards_that_fail_and_errors_write_nothing():
    buffer = np.zeros(2)

    def f(x, i):
        buffer[:] += x
        if np.sum(x) > 1:
            buffer[0] = -1
        return np.take(x, i, mode="raise")

    compiled = tj.jit(f)
    for scale in (0.1, 0.1, 0.1, 10.0, 0.1, 10.0):
        expected = buffer + scale * DT
        expected[0] = -1 if scale > 1 else expected[0]
        compiled(scale * DT, 0)
        check(buffer, expected)
    for _ in range(3):
        before = buffer.copy()
        with pytest.raises(IndexError):
            compiled(0.1 * DT, 7)
        check(buffer, before)

    def failing(x):
        buffer[0] += x[0]
        raise KeyError("mine")

    with pytest.raises(KeyError):
        tj.jit(failing)(DT)
    check(buffer, before)


def in_scan(u, x):
    return tj.scan(lambda s, row: (_add(u, row, s), u[0] + s), 0.0, np.stack([x, 2 * x]))


def in_while(u, x):
    def go_on(i):
        return (i < 10) & (np.sum(u) < 8)

    return tj.while_loop(go_on, lambda i: (_add(u, x, 0.0), i + 1)[1], 0)


def in_cond(u, x):
    return tj.cond(x[0] > 0.2, lambda: _add(u, x, 1.0), lambda: np.sum(u)), tj.cond(x[0] < 0.2, lambda: _add(u, x, 9.0), lambda: u[0] + 1)


def in_fori(u, x):
    return tj.fori_loop(0, 3, lambda i, s: s + _add(u, x * i, s), 0.0)


def in_jit(u, x):
    return tj.jit(lambda x: _add(u, x, 1.0))(x) + np.sum(u)


def in_nested_loops(u, x):
    def outer(s, _):
        return tj.scan(lambda s, row: (_add(u, x, row), None), s, x)[0] + u[1], None

    return tj.scan(outer, 0.0, None, length=2)


def in_lifted(u, x):
    for i in range(1000):
        u[i % 2] = u[i % 2] + x[0] * 1e-3
    return u.sum()


def _add(u, row, extra):
    u[:2] += row
    u[2] = extra
    return np.sum(u) + extra


@pytest.mark.parametrize("body", [in_scan, in_while, in_cond, in_fori, in_jit, in_nested_loops])
def test_bodies_of_loops_and_branches(body):
    """Compiled and not compiled, and where the array is an argument of the function around it, the same happens."""
    given, closed, direct = np.arange(3.0), np.arange(3.0), np.arange(3.0)
    as_argument, compiled = tj.jit(body), tj.jit(lambda x: body(closed, x))
    for _ in range(3):
        expected = body(direct, DT)
        check(as_argument(given, DT), expected)
        check(given, direct)
        check(compiled(DT), expected)
        check(closed, direct)


@pytest.mark.parametrize("compiled", [False, True])
def test_conditions_read_what_bodies_write(compiled):
    field, count = np.zeros(3), np.zeros(1, dtype=int)

    def body(i):
        field[:] += 1.0
        count[0] += 1
        return i + 1

    def f(n):
        return tj.while_loop(lambda i: (np.sum(field) < n) & (count[0] < 50), body, 0)

    f = tj.jit(f) if compiled else f
    assert [int(f(n)) for n in (7.0, 12.0, 13.0, 1e9)] == [3, 1, 1, 45]
    check([field, count], [np.full(3, 50.0), np.array([50])])


def test_lifted_loops():
    closed, plain = np.zeros(3), np.zeros(3)
    compiled = tj.jit(functools.partial(in_lifted, closed), lift=True)
    for _ in range(3):
        check(compiled(DT), in_lifted(plain, DT))
    check(closed, plain)


def test_jitted_functions_that_call_each_other():
    state = Simulation()
    step = tj.jit(state.step)

    @tj.jit
    def two(dt):
        return step(dt) + step(2 * dt)

    plain = Simulation()
    for _ in range(3):
        check(two(DT), plain.step(DT) + plain.step(2 * DT))
        check(contents(state), contents(plain))
        check(step(DT), plain.step(DT))


@pytest.mark.parametrize("compiled", [False, True])
def test_derivatives_write_into_copies(compiled):
    simulation = Simulation()
    before = copy.deepcopy(contents(simulation))

    def loss(dt):
        return simulation.step(dt) ** 2 + np.sum(simulation.u) * np.sum(simulation.grid.u)

    def numerically(i):
        def at(h):
            moved = DT.copy()
            moved[i] += h
            fresh = Simulation()
            return fresh.step(moved) ** 2 + np.sum(fresh.u) * np.sum(fresh.grid.u)

        return (at(1e-6) - at(-1e-6)) / 2e-6

    gradient = tj.grad(loss)
    for _ in range(3):
        found = (tj.jit(gradient) if compiled else gradient)(DT)
        np.testing.assert_allclose(found, [numerically(0), numerically(1)], rtol=1e-7)
        np.testing.assert_allclose(tj.jvp(loss, (DT,), (np.array([1.0, 0.0]),))[1], numerically(0), rtol=1e-7)
        check(contents(simulation), before)


def test_derivative_of_a_compiled_function():
    buffer = np.ones(2)

    @tj.jit
    def f(x):
        buffer[:] = x * x
        return np.sum(buffer * x)

    np.testing.assert_allclose(tj.grad(lambda x: f(x) + np.sum(buffer))(DT), 3 * DT**2 + 2 * DT)
    check(buffer, np.ones(2))


def test_vmap_says_that_the_array_is_shared():
    buffer = np.zeros(2)

    def f(x):
        buffer[0] = x
        return x

    for g in (tj.vmap(f), tj.jit(tj.vmap(f))):
        with pytest.raises(tj.LeakedTracerError, match="test_outside_writes.py.*array from outside of it .*which all examples share"):
            g(np.ones(3))
    check(buffer, np.zeros(2))


def test_shared_memory_is_refused():
    whole = np.zeros(6)
    part = whole[1:3]

    def f(x):
        part[:] = x
        return whole.sum()

    with pytest.raises(ValueError, match="shares memory with an argument or with another"):
        tj.jit(f)(DT)
    with pytest.raises(ValueError, match="shares memory with an argument or with another"):
        tj.jit(lambda x: (np.add(part, x, out=part), x)[1])(whole[2:4])
    check(whole, np.zeros(6))


def test_read_only_arrays():
    array = np.zeros(2)
    array.flags.writeable = False

    def f(x):
        array[:] = x
        return x

    for _ in range(2):
        with pytest.raises(ValueError, match="read-only"):
            tj.jit(f)(DT)
    assert not array.flags.writeable


def test_other_arrays_of_the_type():
    class Holder:
        pass

    holder = Holder()
    holder.u = np.zeros(2)
    first = holder.u

    @tj.jit
    def f(x):
        holder.u += x
        return x

    f(DT), f(DT)
    holder.u = np.ones(2)
    f(DT), f(DT)
    check([first, holder.u], [2 * DT, 1 + 2 * DT])
    assert f.cache_info().misses == 1


def test_ahead_of_time():
    buffer = np.zeros(2)

    def f(x):
        buffer[:] += x
        return x

    compiled = tj.jit(f).lower(DT).compile()
    for k in range(1, 4):
        compiled(DT)
        check(buffer, k * DT)
