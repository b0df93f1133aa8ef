"""Compiled programs against NumPy: extents around the vector width, every axis subset, layouts, dtypes, gathers, deep and wide programs."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

import tracejit as tj
from tracejit.api.recording import record_types
from tracejit.lowering.program import Program

rng = np.random.default_rng(0)


def compiled(f, *args) -> list:
    made = record_types(f, "test", args, {})
    return Program(made.graph).run([*args, *made.outside])


def agrees(f, *args, rtol: float = 1e-12) -> None:
    with np.errstate(all="ignore"):
        want = f(*args)
    want = want if isinstance(want, tuple) else (want,)
    for got, value in zip(compiled(f, *args), want, strict=True):
        value = np.asarray(value)
        assert np.asarray(got).dtype == value.dtype and np.shape(got) == value.shape
        np.testing.assert_allclose(got, value, rtol=rtol, atol=rtol if value.dtype.kind in "fc" else 0)


# ------------------------------------------------------------------------------------------------------------------- extents
@pytest.mark.parametrize("n", range(1, 34))
def test_extents_around_the_vector_width(n):
    """One program for each length: maps, sums, strided and reversed reads, masked tails."""
    x, y = rng.standard_normal(n), rng.standard_normal((3, n)).astype(np.float32)
    agrees(lambda x: (x * 2 + 1, np.sum(x), np.max(x), x[::-1] * x, x[::2] + 1, np.sum(x * x[::-1])), x)
    agrees(lambda y: (np.sum(y, axis=0), np.sum(y, axis=1), y.T + 1, np.min(y)), y, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 17, 31, 33, 64, 65, 127, 1000, 1025])
def test_reductions_of_every_length(n):
    x = rng.standard_normal(n)
    small = (x * 3).astype(np.int8)
    agrees(lambda x: (np.sum(x), np.prod(x), np.max(x), np.min(x), np.mean(x), np.sum(np.exp(x) + x)), x)
    agrees(lambda s, b: (np.sum(s), np.max(s), np.prod(s), np.any(b), np.all(b), np.sum(b)), small, small > 2)


@pytest.mark.parametrize("shape", [(2, 3, 5), (4, 1, 9), (3, 2, 2, 5)])
def test_reductions_over_every_axis_subset(shape):
    x = rng.standard_normal(shape)
    subsets = [axes for k in range(len(shape) + 1) for axes in itertools.combinations(range(len(shape)), k)]
    agrees(lambda x: tuple(np.sum(x, axis=a) for a in subsets), x)
    agrees(lambda x: tuple(np.max(x.T, axis=a, keepdims=True) for a in subsets), x)
    agrees(lambda x: tuple(np.sum(x * np.sum(x, axis=a, keepdims=True)) for a in subsets), x)


def test_nothing():
    for shape in [(0,), (0, 3), (3, 0), (2, 0, 4)]:
        x = np.zeros(shape)
        agrees(lambda x: (x + 1, np.sum(x), np.sum(x, axis=0), np.prod(x, axis=-1), x.T * 2, np.concatenate([x, x])), x)
    agrees(lambda x: (np.zeros((0, 3)) @ np.ones((3, 2)), np.ones((2, 0)) @ np.zeros((0, 3)) + x), 1.0)
    agrees(lambda x: np.pad(x, 2), np.zeros(0))
    agrees(lambda x: (x[2:2], np.sum(x[2:2])), np.arange(5.0))


# -------------------------------------------------------------------------------------------------------------------- movement
@pytest.mark.parametrize("permutation", list(itertools.permutations(range(3))))
def test_transposes(permutation):
    x = rng.standard_normal((3, 5, 4))
    agrees(lambda x: (np.transpose(x, permutation), np.transpose(x, permutation)[::-1, 1:] * 2, np.sum(np.transpose(x, permutation), axis=1)), x)


@pytest.mark.parametrize(
    "shapes", [((6, 4), (3, 8)), ((2, 3, 4), (4, 6)), ((5, 6), (2, 15)), ((12,), (3, 2, 2)), ((2, 9), (3, 3, 2)), ((4, 1, 6), (8, 3))]
)
def test_reshapes_that_mix_axes(shapes):
    before, after = shapes
    x = rng.standard_normal(before)
    agrees(
        lambda x: (
            x.reshape(after) + 1,
            x.T.reshape(after),
            np.sum(x.reshape(after), axis=0),
            x[::-1].reshape(after).T,
            np.sin(x).T.reshape(after) * x.reshape(after),
        ),
        x,
    )


def test_padding():
    x = rng.standard_normal((3, 4))
    for widths in [((1, 2), (0, 3)), ((0, 0), (2, 0)), ((5, 0), (0, 5))]:
        agrees(lambda x: (np.pad(x, widths), np.sum(np.pad(x, widths, constant_values=2.0), axis=0), np.pad(x, widths) * 2 + 1), x)
    from tracejit.ops.movement import pad

    for low, high, interior in itertools.product([0, 2], [0, 1], [0, 1, 3]):
        params = dict(low=(low, 0), high=(high, 1), interior=(interior, 1), value=-1.0)
        agrees(
            lambda x: (
                (pad(x, **params), np.sum(pad(x, **params), axis=1))
                if not isinstance(x, np.ndarray)
                else (pad.run(np, x, **params), pad.run(np, x, **params).sum(1))
            ),
            x,
        )


def test_joining():
    x, y = rng.standard_normal((3, 4)), rng.standard_normal((3, 1))
    agrees(lambda x, y: (np.concatenate([x, y, x * 2], axis=1), np.concatenate([x, x[:1]]), np.stack([x, x.T.T]), np.concatenate([x[:0], x])), x, y)
    agrees(lambda x: np.concatenate([np.sin(x[:, k]) for k in range(4)] * 5), x)
    agrees(lambda x, y: (np.tile(x, (2, 3)), np.repeat(y, 3, axis=1) + x[:, :3], np.roll(x, 2, axis=1), np.broadcast_to(y, (2, 3, 4)) * x), x, y)


# ----------------------------------------------------------------------------------------------------------------- positions
def test_gathers():
    table, i = rng.standard_normal((5, 4)), np.array([0, -1, 4, -5, 2])
    agrees(lambda t, i: (t[i], t[i, 1], t[:, i[:3] % 4], t[i[None] + 0 * i[:, None]], np.take(t, i, axis=0)), table, i)
    agrees(lambda t, i: (t[i] * np.sin(t[i]), np.sum(t[i], axis=0), np.take_along_axis(t, np.argsort(t, axis=1), axis=1)), table, i)
    for dtype in (np.int8, np.uint8, np.int32, np.uint64):
        agrees(lambda t, i: t[i], table, np.array([1, 3, 0], dtype))


@pytest.mark.parametrize("bad", [5, -6, 1 << 40, -(1 << 62)])
@pytest.mark.parametrize("n", [1, 3, 8, 17])
def test_positions_out_of_range_raise_from_compiled_code(bad, n):
    table = np.arange(5.0)
    f = tj.jit(lambda t, i: np.sum(t[i]) + t[i])
    g = tj.jit(lambda t, i: t.at[i].add(1.0))
    good = np.zeros(n, int)
    for _ in range(3):
        f(table, good), g(table, good)
    wrong = good.copy()
    wrong[-1] = bad
    for h in (f, g):
        for _ in range(2):
            with pytest.raises(IndexError, match=f"index {bad} is out of bounds for axis 0 with size 5"):
                h(table, wrong)
    np.testing.assert_array_equal(f(table, good), np.zeros(n))  # and the next call works
    with pytest.raises(IndexError):
        tj.jit(lambda t, i: t[i])(table, bad if abs(bad) < 1 << 62 else 9)


def test_a_position_in_a_branch_that_is_not_taken_still_counts():
    """As in NumPy, where both branches are computed."""
    with pytest.raises(IndexError):
        tj.jit(lambda t, i: np.where(i < 5, t[i], 0.0))(np.arange(5.0), np.array([1, 7]))
    assert tj.jit(lambda t, i: np.where(i < 5, t[np.minimum(i, 4)], 0.0))(np.arange(5.0), 7) == 0.0


# ---------------------------------------------------------------------------------------------------------------------- dtypes
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers(dtype):
    info = np.iinfo(dtype)
    a = np.array([info.min, info.max, 0, 1, 2, 7, 100, info.max // 2, info.min // 2 + 1, 3, 5], dtype)
    b = np.array([3, 2, 1, 0, info.max, info.max, 7, 2, info.max, info.min, 5], dtype)
    agrees(lambda a, b: (a + b, a - b, a * b, a // b, a % b, np.fmod(a, b), np.maximum(a, b), np.minimum(a, b), a > b, a == b), a, b)
    agrees(
        lambda a, b: (a & b, a | b, a ^ b, ~a, -a, np.abs(a), np.sign(a), np.square(a), a << (b & 3), a >> (b & 3), np.sum(a), np.max(a), np.prod(a)),
        a,
        b,
    )
    agrees(lambda a: (a.astype(np.float64), a.astype(np.float32), a.astype(np.int8), a.astype(np.uint64), a.astype(bool), a / 3), a, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats(dtype):
    rtol = {"float16": 3e-3, "float32": 2e-6, "float64": 1e-13}[dtype]
    special = np.array([0.0, -0.0, 1.0, -1.5, 2.5, np.inf, -np.inf, np.nan, 1e-3, 7.0], dtype)
    a, b = [v.ravel() for v in np.meshgrid(special, special)]
    agrees(lambda a, b: (a + b, a * b, a - b, a / b, np.maximum(a, b), np.fmin(a, b), a < b, a == b, a != b, np.copysign(a, b)), a, b, rtol=rtol)
    agrees(lambda a, b: (a // b, a % b, np.fmod(a, b)), a[np.isfinite(a) & np.isfinite(b)], b[np.isfinite(a) & np.isfinite(b)], rtol=rtol)
    agrees(
        lambda a: (np.floor(a), np.ceil(a), np.trunc(a), np.rint(a), np.abs(a), np.sign(a), np.isnan(a), np.isinf(a), np.signbit(a), a.astype(bool)),
        special,
        rtol=rtol,
    )
    x = rng.standard_normal((5, 9)).astype(dtype)
    agrees(lambda x: (np.exp(x), np.tanh(x), np.sin(x), np.sqrt(np.abs(x)), np.sum(np.abs(x)), np.max(x, axis=0), x @ x.T), x, rtol=30 * rtol)


def test_conversions():
    for source, target in itertools.product(["bool", "int8", "uint16", "int64", "float16", "float32", "float64"], repeat=2):
        x = np.array([0, 1, 3, 100, 27, 5, 2, 1, 0, 9, 1]).astype(source)
        agrees(lambda x: (x.astype(target), (x.astype(target) * 2).astype(source)), x)


# ------------------------------------------------------------------------------------------------------------------ large programs
def test_a_chain_of_three_thousand_operations():
    def f(x):
        for k in range(1000):
            x = x * 0.999 + np.float64(k % 7) * 1e-3 - x * x * 1e-4
        return x

    x = rng.standard_normal(9)
    assert len(tj.trace(f)(x).nodes) >= 3000
    agrees(f, x, rtol=1e-10)


def test_five_hundred_outputs():
    x = rng.standard_normal((4, 5))
    agrees(lambda x: tuple(x * (k + 1.0) + np.sum(x) for k in range(500)), x)
    outs = tj.jit(lambda x: tuple(x + k for k in range(500)))(x)
    assert len({o.ctypes.data for o in outs}) == 500


def test_many_arguments():
    xs = [np.full(3, float(k)) for k in range(300)]
    assert tj.jit(lambda *xs: sum(x[0] for x in xs))(*xs) == sum(range(300))


def test_deep_sharing_does_not_repeat_work():
    def f(x):
        for _ in range(200):
            x = np.cos(x + x[::-1]) * 0.5
        return x

    agrees(f, rng.standard_normal(6), rtol=1e-10)


def test_loop_shapes():
    """Loops of many ranks and odd extents, with reductions between maps."""
    for shape in [(2, 3, 4, 5), (1, 1, 7), (3, 1, 1, 2), (9, 2), (2, 2, 2, 2, 3)]:
        x = rng.standard_normal(shape)
        agrees(
            lambda x: (
                np.cumsum(x, axis=-1),
                x - np.mean(x, axis=-1, keepdims=True),
                np.sum(np.sum(x, axis=-1) ** 2, axis=0),
                np.exp(x - np.max(x)),
                np.var(x, axis=0),
            ),
            x,
        )


# ---------------------------------------------------------------------------------------------------------------------- products
@pytest.mark.parametrize("m, k, n", [(1, 1, 1), (1, 5, 3), (4, 1, 3), (3, 5, 1), (1, 5, 1), (4, 6, 5)])
def test_products(m, k, n):
    for dtype, rtol in ((np.float64, 1e-13), (np.float32, 1e-5), (np.complex128, 1e-13), (np.int64, 0)):
        a, b = (rng.standard_normal((m, k)) * 4).astype(dtype), (rng.standard_normal((k, n)) * 4).astype(dtype)
        agrees(lambda a, b: (a @ b, b.T @ a.T, a[::-1] @ b[:, ::-1], (a * 2) @ b, a[0] @ b, a @ b[:, 0], a[0] @ b[:, 0]), a, b, rtol=rtol)
        agrees(lambda a, b: (np.outer(a[0], b[0]), np.tensordot(a, b, 1), np.einsum("ij,jk->ki", a, b)), a, b, rtol=rtol)


def test_stacks_of_products():
    a, b = rng.standard_normal((3, 2, 4, 5)), rng.standard_normal((3, 2, 5, 6))
    agrees(lambda a, b: (a @ b, a @ b[0, 0], a[0, 0] @ b, np.swapaxes(b, -1, -2) @ np.swapaxes(a, -1, -2), a[:, :1] @ b[:1]), a, b)
    agrees(lambda a, b: (np.einsum("abij,abjk->abik", a, b), np.einsum("abij,abjk->k", a, b), np.einsum("abij,cbjk->ac", a, b)), a, b)
    agrees(lambda a: (np.broadcast_to(a[0, 0], (3, 4, 5)) @ np.ones((5, 2)), np.ones((3, 1, 4)) @ np.broadcast_to(a[0, 0], (3, 4, 5))), a)


# --------------------------------------------------------------------------------------------------------------------- the rest
def test_programs_run_again_and_leave_their_arguments_alone():
    f = lambda x, w: (np.tanh(x @ w) @ w.T + x, np.sum(x @ w))
    x, w = rng.standard_normal((4, 3)), rng.standard_normal((3, 5))
    program = Program(tj.trace(f)(x, w))
    kept = x.copy(), w.copy()
    first = program.run([x, w])
    second = program.run([x * 2, w])
    np.testing.assert_allclose(first[0], f(x, w)[0])
    np.testing.assert_allclose(second[0], f(x * 2, w)[0])
    np.testing.assert_array_equal((x == kept[0]).all() and (w == kept[1]).all(), True)


def test_scattered_writes():
    i = np.array([0, 2, 2, -1, 2])
    for dtype in (float, np.float32, np.int32):
        x, u = np.arange(5).astype(dtype), np.arange(1, 6).astype(dtype)

        def added(x, u):
            if isinstance(x, np.ndarray):
                out = x.copy()
                np.add.at(out, i, u)
                return out
            return x.at[i].add(u)

        def placed(x, u):
            if isinstance(x, np.ndarray):
                out = x.copy()
                out[1:4] = u[1:4]
                return out
            return x.at[1:4].set(u[1:4])

        agrees(added, x, u)
        agrees(placed, x, u)
        agrees(lambda x, u: added(placed(x * 2, u), u) + x, x, u)


def test_signalling_values_pass_through_movement():
    x = np.array([np.nan, -0.0, np.inf, -np.inf, 5e-324, 1.0])
    (got,) = compiled(lambda x: np.concatenate([x[::-1], np.pad(x, 1)]), x)
    want = np.concatenate([x[::-1], np.pad(x, 1)])
    assert got.tobytes() == want.tobytes()


def test_a_function_that_is_used_often_is_written_once():
    """Unrolled loops call one copy of an elementary function, in place of a copy for each step."""

    def recurrence(x):
        for i in range(40):
            x = np.sin(x) + np.exp(-0.1 * i * x)
        return x

    x = np.array([0.3, -2.0, 5.0])
    np.testing.assert_allclose(tj.jit(recurrence)(x), recurrence(x), rtol=1e-13)
    text = Program(record_types(recurrence, "test", (x,), {}).graph).segments.text
    assert len(re.findall("define internal .* @elementary_sin", text)) == 1
    assert text.count("@elementary_sin") > 20


def test_identical_layers_are_compiled_once():
    @tj.jit
    def layer(x, weights):
        return np.tanh(x @ weights)

    def gradient(count):
        def loss(weights, x):
            for each in weights:
                x = layer(x, each)
            return np.mean(x**2)

        weights = [np.full((8, 8), 0.01 * i) for i in range(count)]
        return Program(tj.trace(tj.grad(loss))(weights, np.ones((4, 8))))

    few, many = gradient(4), gradient(32)
    assert len(many.items) > 4 * len(few.items)
    assert len(many.kernels) == len(few.kernels)


def test_many_steps_are_functions_of_some_each():
    from tracejit.lowering.cpu.program_code import PART

    def f(x, w):
        for _ in range(PART + 5):
            x = np.tanh(x @ w)
        return x

    x, w = np.eye(3) * 0.5, np.arange(9.0).reshape(3, 3) / 9
    compiled = tj.jit(f)
    np.testing.assert_allclose(compiled(x, w), f(x, w), rtol=1e-13)
    assert "@segment0_from0(" in compiled.llvm(x, w) and f"@segment0_from{PART}(" in compiled.llvm(x, w)
