"""Kernels of every kind, planned for a device and run on the host by real threads."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tests.cuda.host_target import TARGET, check, compiled
from tracejit import config
from tracejit.lowering.cuda.program import Program
from tracejit.lowering.cuda.schedule import Launch
from tracejit.ops.conv import conv_general


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def groups(program) -> list[int]:
    """How many threads share a turn, in each launch."""
    return [step.group for step in program.plan.steps if isinstance(step, Launch)]


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def layer_norm(x, scale, shift):
    mean, deviation = x.mean(-1, keepdims=True), x.std(-1, keepdims=True)
    return (x - mean) / deviation * scale + shift


def test_elementwise_by_threads(rng):
    program = check(lambda x, y: np.sin(x) * y + 1, rng.normal(size=(300, 7)), rng.normal(size=7))
    assert groups(program) == [1]


def test_large_elementwise_several_at_once(rng):
    program, (got,) = compiled(lambda x: x * np.float32(2), np.ones((1 << 18) + 3, np.float32))
    assert got.sum() == 2 * got.size
    assert "load_vector(b0, v1, 4)" in program.kernels[0].source and "store_vector" in program.kernels[0].source
    program = check(lambda z: z * z, rng.normal(size=(1 << 18) + 3) + 1j)
    assert "i0 + 3 * step" in program.kernels[0].source


@pytest.mark.parametrize("shift", [0, 1])
def test_vectors_of_arrays_that_begin_anywhere(rng, shift):
    graph = tj.trace(lambda x, y, s: (np.sqrt(np.abs(x)) * s + y, x > s))(*[np.ones(1 << 18, np.float32)] * 2, np.float64(2.0))
    program, home = Program(graph, target=TARGET), TARGET.backend
    assert "load_vector" in program.kernels[0].source
    x, y = rng.normal(size=(2, (1 << 18) + 1)).astype(np.float32)
    results = program.run([home.from_host(x)[shift:][: 1 << 18], home.from_host(y)[: 1 << 18], home.from_host(np.float64(0.5))])
    a, b = x[shift:][: 1 << 18], y[: 1 << 18]
    np.testing.assert_allclose(home.to_host(results[0]), np.sqrt(np.abs(a)) * 0.5 + b, rtol=1e-6)
    np.testing.assert_array_equal(home.to_host(results[1]), a > 0.5)


@pytest.mark.parametrize(("shape", "group"), [((400, 5), 1), ((100, 100), 32), ((130, 1500), 64)])
def test_rows_by_threads_warps_and_blocks(rng, shape, group):
    assert groups(check(softmax, rng.normal(size=shape))) == [group]


@pytest.mark.parametrize("shape", [(400, 5), (60, 70)])
def test_gradient_of_rows(rng, shape):
    weights = rng.normal(size=shape[1])
    check(tj.grad(lambda x: (softmax(x) * weights).sum()), rng.normal(size=shape))


def test_layer_norm_and_its_gradient(rng):
    args = rng.normal(size=(200, 48)), rng.normal(size=48), rng.normal(size=48)
    check(layer_norm, *args)
    check(tj.grad(lambda *a: (layer_norm(*a) ** 2).sum(), argnums=(0, 1, 2)), *args)


def test_large_sums_in_two_steps(rng):
    x = rng.normal(size=(150, 300))
    program = check(lambda x: x.sum(), x)
    assert len(program.kernels) == 2 and program.kernels[0].turns > 10
    check(lambda x: x.sum(axis=0), x)
    check(lambda x: (x.max(), x.min(axis=0), (x > 3).any(), (x > -9).all(axis=1)), x)


def test_reductions_over_several_axes(rng):
    x = rng.normal(size=(20, 30, 50)).astype(np.float32)
    check(lambda x: (x.sum(axis=(0, 2)), x.max(axis=(0, 1)), x.prod(axis=1)), x, rtol=2e-5)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "uint64", "float16", "float32", "complex64", "complex128"])
def test_sums_of_every_dtype(rng, dtype):
    x = rng.integers(0, 2, size=(40, 70)).astype(dtype)
    check(lambda x: (np.max(x, axis=1) if x.dtype.kind != "c" else x.sum(axis=1), x.any(), x * x), x)


def test_small_programs_are_one_block(rng):
    program = check(lambda x: x / np.sqrt((x * x).sum()), rng.normal(size=50))
    assert groups(program) == [64]


@pytest.mark.parametrize("shape", [(256, 256), (250, 300), (3, 200, 129)])
def test_transposes_by_tiles(rng, shape):
    program = check(lambda x: np.swapaxes(x, -1, -2) + 1, rng.normal(size=shape))
    assert any("cuda.shared.array(1056, float64)" in k.source for k in program.kernels)


def test_gather_and_scatter(rng):
    x, at = rng.normal(size=(100, 9)), rng.integers(-100, 100, size=700)
    check(lambda x, at: x[at], x, at)
    check(tj.grad(lambda x, at: (x[at] ** 3).sum()), x, at)


@pytest.mark.parametrize("ufunc", [np.add, np.maximum, np.minimum])
def test_many_updates_of_one_place(rng, ufunc):
    def update(values, at):
        total = np.ones(50)
        ufunc.at(total, at, values)
        return total

    check(update, rng.uniform(0.9, 1.1, size=900), rng.integers(0, 50, size=900))


def test_index_out_of_range_is_reported(rng):
    with pytest.raises(IndexError, match="out of bounds"):
        compiled(lambda x, i: x[i], rng.normal(size=10), np.array([3, 12]))


def test_numbers_by_value_are_no_arrays():
    graph = tj.trace(lambda x, s: x * s + s.real)(np.ones(5), np.complex128(2 + 1j))
    program = Program(graph, by_value=frozenset({1}), target=TARGET)
    home = TARGET.backend
    (result,) = program.run([home.from_host(np.arange(5.0)), np.complex128(2 + 1j)])
    np.testing.assert_array_equal(home.to_host(result), np.arange(5.0) * (2 + 1j) + 2)


# -- whole programs
def test_products_between_kernels(rng):
    def loss(w, v, x):
        return (np.tanh(x @ w) @ v).sum() ** 2

    program = check(tj.grad(loss, argnums=(0, 1)), rng.normal(size=(4, 6)), rng.normal(size=(6, 3)), rng.normal(size=(5, 4)))
    assert set(program.fallbacks) == {"dot_general"}


def test_attention(rng):
    def attention(q, k, v):
        return softmax(q @ np.swapaxes(k, -1, -2) / 2.0) @ v

    args = rng.normal(size=(2, 9, 4)), rng.normal(size=(2, 11, 4)), rng.normal(size=(2, 11, 3))
    check(attention, *args)
    check(tj.grad(lambda *a: (attention(*a) ** 2).sum(), argnums=(0, 1, 2)), *args)


def test_the_same_arrays_again_are_replayed(rng):
    graph = tj.trace(tj.grad(lambda w, x: (np.tanh(x @ w) ** 2).sum()))(np.ones((4, 6)), np.ones((5, 4)))
    program, home = Program(graph, target=TARGET), TARGET.backend
    w, x = (home.from_host(rng.normal(size=s)) for s in ((4, 6), (5, 4)))
    held = None
    for _ in range(9):
        w[...] = w * 1.01
        (got,) = program.run([w, x])
        want = tj.grad(lambda w, x: (np.tanh(x @ w) ** 2).sum())(home.to_host(w), home.to_host(x))
        np.testing.assert_allclose(home.to_host(got), want, rtol=1e-9)
        if held is not None:
            np.testing.assert_array_equal(home.to_host(held[0]), held[1])  # results that someone holds are not overwritten
        held = got, home.to_host(got)
    assert len(program._replays._recordings) == 2


@pytest.mark.parametrize("shape", [(30,), (30, 7), (5, 30, 3)])
def test_the_last_of_several_assignments_counts(rng, shape):
    axis = shape.index(30)
    at = rng.integers(-30, 30, size=200)
    place = (slice(None),) * axis + (at,)
    values = rng.normal(size=np.zeros(shape)[place].shape)

    def assign(x, at, values):
        x = x.copy()
        x[(slice(None),) * axis + (at,)] = values
        return x

    program = check(assign, rng.normal(size=shape), at, values)
    assert not program.fallbacks


def test_deterministic_updates_are_made_in_order(rng, monkeypatch):
    monkeypatch.setattr(config, "cuda_deterministic", True)
    x, at = rng.normal(size=(50, 40)), rng.integers(0, 50, size=300)
    program = check(tj.grad(lambda x, at: (x[at] ** 2).sum()), x, at)
    assert not any("atomic" in k.source for k in program.kernels)
    assert 40 in [step.turns for step in program.plan.steps if isinstance(step, Launch)]


def test_an_index_out_of_range_is_raised_by_the_next_call_where_nothing_waits(rng, monkeypatch):
    graph = tj.trace(lambda x, i: x[i])(np.ones(10), np.array([1, 2]))
    program, home = Program(graph, target=TARGET), TARGET.backend
    x, good, bad = home.from_host(np.arange(10.0)), home.from_host(np.array([1, 2])), home.from_host(np.array([3, 12]))
    monkeypatch.setattr(type(home), "simulated", False)
    monkeypatch.setattr(Program, "_temporaries", lambda self, arena: [])
    program.run([x, bad])
    with pytest.raises(IndexError, match=r"test_kernels.py:\d+, in an earlier call"):
        program.run([x, good])
    (result,) = program.run([x, good])
    np.testing.assert_array_equal(home.to_host(result), [1.0, 2.0])


def test_updates_of_parameters_run_side_by_side(rng):
    parameters = [rng.normal(size=s) for s in ((300, 40), (4000,), (70, 90), (2500,))]

    def step(*arrays):
        half = len(arrays) // 2
        return tuple(p - 0.1 * np.sign(g) * g**2 for p, g in zip(arrays[:half], arrays[half:]))

    program = check(step, *parameters, *[p + 1 for p in parameters])
    assert len(program.kernels) == 1 and program.kernels[0].turns == sum(p.size for p in parameters)
    check(lambda x, y: (x.sum(axis=0), y * 2, np.exp(y), x[::-1] + 1), rng.normal(size=(60, 70)), rng.normal(size=5000))


@pytest.mark.parametrize(("groups_", "stride"), [(1, 1), (1, 2), (4, 1), (2, 2)])
def test_convolutions_and_their_gradients_are_products(rng, groups_, stride):
    def loss(x, w):
        params = {"strides": (stride, stride), "padding": ((1, 1), (1, 0)), "lhs_dilation": (1, 1), "rhs_dilation": (1, 1)}
        return (conv_general(x, w, **params) ** 2).sum()

    x, w = rng.normal(size=(groups_, 3, 4 // groups_, 9, 8)), rng.normal(size=(groups_, 5, 4 // groups_, 3, 3))
    program = check(tj.value_and_grad(loss, argnums=(0, 1)), x, w)
    assert set(program.fallbacks) <= {"dot_general"}
