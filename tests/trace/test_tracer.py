"""The proxy looks like an ndarray: operators, methods, attributes, NumPy's protocols, and what it yields to."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import tracejit as tj
from tracejit.trace import Tracer

x23 = np.arange(1.0, 7.0).reshape(2, 3)
n23 = np.arange(1, 7).reshape(2, 3)


def agrees(f, *args) -> None:
    """Symbolically and concretely, with the arguments traced and as closed-over arrays: NumPy's dtype, shape and values."""
    want = f(*args)
    for got in (tj.jit(f)(*args), tj.vjp(lambda *xs: f(*xs), *args)[0]):
        got = np.asarray(got)
        assert got.dtype == np.asarray(want).dtype and got.shape == np.shape(want), (got, want)
        np.testing.assert_allclose(got, want, rtol=1e-13)


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow]
COMPARE = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
BITS = [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]
OTHERS = [2, 2.0, np.float32(2), np.int8(2), np.array(2.0), x23 * 2, np.arange(1.0, 4.0), np.array([[2], [3]])]


@pytest.mark.parametrize("op", BINARY + COMPARE, ids=lambda f: f.__name__)
def test_operators(op):
    for other in OTHERS:
        agrees(lambda x: op(x, other), x23)
        agrees(lambda x: op(other, x), x23)
        agrees(op, x23, np.asarray(other))
        agrees(lambda n: op(n, other), n23)
        agrees(lambda n: op(other, n), n23)


@pytest.mark.parametrize("op", BITS, ids=lambda f: f.__name__)
def test_bits(op):
    for other in (1, n23, np.array([1, 2, 0])):
        agrees(lambda n: op(n, other), n23)
        agrees(lambda n: op(other, n), n23)
    if op not in (operator.lshift, operator.rshift):
        agrees(lambda b: op(b > 2, b < 5), x23)
        agrees(lambda b: op(b > 2, True), x23)


def test_unary_operators():
    for op in (operator.neg, operator.pos, abs):
        agrees(op, x23)
        agrees(op, -n23)
    agrees(operator.invert, n23)
    agrees(lambda x: ~(x > 2), x23)
    agrees(lambda x: divmod(x, 2)[0] + divmod(7, x)[1], x23)
    agrees(lambda x: x @ x.T, x23)
    agrees(lambda x: np.ones((4, 2)) @ x, x23)
    agrees(lambda x: pow(x, 2) + 2**x, x23)


def test_python_numbers_among_themselves():
    for op in (*BINARY, *COMPARE):
        for a, b in ((7, 3), (7.5, 2), (2, 0.5), (7, True)):
            got = tj.jit(op)(a, b)
            assert got.dtype == np.asarray(op(a, b)).dtype
            np.testing.assert_allclose([got, tj.jit(lambda x: op(x, b))(a), tj.jit(lambda x: op(a, x))(b)], op(a, b), rtol=1e-15)
    assert tj.jit(lambda n: np.where(n > 3, np.minimum(n, 5), np.less(n, 2)))(7) == 5


def test_python_scalars_stay_weak_among_themselves():
    f32 = x23.astype(np.float32)
    for expression in (
        lambda x, s: x * (s * 2 + 1),
        lambda x, s: x * -s,
        lambda x, s: x + abs(s) / 2,
        lambda x, s: x * s**2,
        lambda x, s: (3 - s) * x,
    ):
        assert tj.jit(expression)(f32, 2.5).dtype == np.float32
        assert tj.jit(expression)(f32, np.float64(2.5)).dtype == np.float64
    assert tj.jit(lambda x, s: x * s.astype(float))(f32, 2.0).dtype == np.float64  # asked for
    assert tj.jit(lambda s: s * np.float32(2))(2.0).dtype == np.float32


METHODS = [
    lambda x: x.sum(axis=0),
    lambda x: x.prod(),
    lambda x: x.mean(axis=1, keepdims=True),
    lambda x: x.var(),
    lambda x: x.std(axis=0),
    lambda x: x.max(),
    lambda x: x.min(axis=0),
    lambda x: x.any() + x.all(),
    lambda x: x.argmax(),
    lambda x: x.argmin(axis=1),
    lambda x: x.cumsum(axis=1),
    lambda x: x.cumprod(),
    lambda x: x.dot(x.T),
    lambda x: (x / 3).round(2),
    lambda x: x.ravel() + x.flatten() + x.reshape(-1) + x.reshape((6,)),
    lambda x: x.reshape(3, -1),
    lambda x: x[None].squeeze(),
    lambda x: x.swapaxes(0, 1),
    lambda x: x.transpose() + x.transpose(1, 0) + x.transpose((1, 0)) + x.T + x.mT,
    lambda x: x.repeat(2, axis=0),
    lambda x: x.take([1, 0], axis=1),
    lambda x: x.trace() + x.diagonal().sum(),
    lambda x: x.copy(),
    lambda x: x.clip(2, 4),
    lambda x: x.astype(np.float32),
    lambda x: x.astype(int) // 2,
    lambda x: x.conj() + x.conjugate() + x.real + x.imag,
    lambda x: x.argsort(axis=1),
    lambda x: x.ptp(axis=0) if hasattr(x, "ptp") else np.ptp(x, axis=0),
    lambda x: np.stack(list(x)),
    lambda x: np.stack(list(x.flat)),
    lambda x: sum(row.sum() * i for i, row in enumerate(x)),
    lambda x: x[0] * len(x) * x.ndim * x.size * x.shape[1],
]


@pytest.mark.parametrize("f", METHODS)
def test_methods_and_attributes(f):
    agrees(f, x23)


INDICES = [
    0,
    -1,
    slice(None),
    slice(1, None),
    slice(None, None, -1),
    (slice(None), 1),
    (0, 2),
    (..., 0),
    (None, 0),
    ([1, 0],),
    ([0, 1], [2, 0]),
    np.array([True, False]),
    (slice(None), [0, 0, 1]),
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_reading_elements(index):
    agrees(lambda x: x[index], x23)
    agrees(lambda x: x.at[index].set(0.0) if isinstance(x, Tracer) else _updated(x, index), x23)


def _updated(x, index):
    out = x.copy()
    out[index] = 0.0
    return out


def test_numpys_protocols():
    trace_of = {}

    def f(x):
        trace_of.update(
            ufunc=type(np.sin(x)),
            function=type(np.concatenate([x, np.ones((1, 3))])),
            reflected=type(np.float64(2.0) * x),
            array=type(np.ones((2, 3)) - x),
        )
        xp = x.__array_namespace__()
        return xp.sum(xp.exp(x)) + np.add.reduce(x, axis=None)

    agrees(f, x23)
    assert set(trace_of.values()) == {Tracer}
    assert not isinstance(tj.jit(lambda x: float(isinstance(x, np.ndarray)))(x23), bool)


def test_what_operators_leave_to_the_other_operand():
    for left, right in (("a", None), ({}, None), (None, "a")):
        with pytest.raises(TypeError, match="unsupported operand|can only concatenate"):
            tj.jit(lambda x: (x if left is None else left) + (x if right is None else right))(1.0)


def test_equality_is_elementwise_and_hashing_is_refused():
    agrees(lambda x: x == 3.0, x23)
    with pytest.raises(TypeError, match="unhashable"):
        tj.jit(lambda x: hash(x))(1.0)


def test_python_numbers_from_values():
    def f(x, n):
        assert int(n) == 2 and float(n) == 2.0 and complex(n) == 2 and [10, 20, 30][n] == 30 and list(range(n)) == [0, 1] and np.asarray(n) == 2
        assert bool(n) and x.item() == 1.5 and x.tolist() == 1.5 and f"{x:.1f} {n:d}" == "1.5 2" and round(x, 0) == 2.0
        return x * n

    assert tj.grad(f)(1.5, 2) == 2.0
    assert tj.grad(lambda x: tj.grad(f)(x, 2) * x)(1.5) == 2.0  # through two traces


def test_lengths():
    with pytest.raises(TypeError, match="len\\(\\) of unsized object"):
        tj.jit(lambda x: len(x))(1.0)
    with pytest.raises(TypeError, match="iteration over a 0-d array"):
        tj.jit(lambda x: list(x))(1.0)
