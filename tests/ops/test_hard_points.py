"""What the derivative is at ties, zeros, infinities and NaN: one row for each point, for grad, jvp and compiled grad, in both precisions.

The principles: the true derivative where there is one (it may be infinite); at a kink the subgradient of least norm, so that ties share evenly
and |x| has slope 0 at 0; `clip` keeps the slope of the inside at its bounds, which lets a parameter leave them; a branch of `where` that is not
taken contributes nothing.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import tracejit as tj
from tracejit import nn
from tracejit.ops.sorting import top_k

INF, NAN, PI = np.inf, np.nan, np.pi


class Point(NamedTuple):
    """The sum of `f` has the gradients `want` at `args`; `second`, if given, is the diagonal of its second derivative in the first argument."""

    name: str
    f: Callable
    args: tuple
    want: tuple
    second: float | list | None = None


def kinks():
    yield Point("abs(0)", np.abs, (0.0,), (0,), 0)
    yield Point("abs(-0)", np.abs, (-0.0,), (0,), 0)
    for f in (np.sign, np.floor, np.ceil, np.round, np.trunc, np.rint):
        yield Point(f"{f.__name__}(1)", f, (1.0,), (0,), 0)
    yield Point("sign(0)", np.sign, (0.0,), (0,), 0)
    yield Point("heaviside(0, .5)", np.heaviside, (0.0, 0.5), (0, 1), 0)
    yield Point("copysign(0, -1)", np.copysign, (0.0, -1.0), (0, 0))
    yield Point("copysign(2, -1)", np.copysign, (2.0, -1.0), (-1, 0))
    for f in (np.maximum, np.minimum, np.fmax, np.fmin):
        yield Point(f"{f.__name__}(1, 1)", f, (1.0, 1.0), (0.5, 0.5), 0)
    yield Point("maximum(x, 0.) at 0", lambda x: np.maximum(x, 0.0), (0.0,), (0,), 0)
    yield Point("maximum(0., x) at 0", lambda x: np.maximum(0.0, x), (0.0,), (0,), 0)
    yield Point("minimum(x, 0.) at 0", lambda x: np.minimum(x, 0.0), (0.0,), (0,), 0)
    yield Point("fmax(nan, 1)", np.fmax, (NAN, 1.0), (0, 1))
    yield Point("fmin(nan, 1)", np.fmin, (NAN, 1.0), (0, 1))
    yield Point("where(x > 0, x, 0) at 0", lambda x: np.where(x > 0, x, 0.0), (0.0,), (0,), 0)
    yield Point("clip(x, 0, 1) at both bounds", lambda x: np.clip(x, 0.0, 1.0), ([0.0, 0.5, 1.0, 2.0],), ([1, 1, 1, 0],), [0, 0, 0, 0])
    yield Point("clip wrt its bounds at a tie", np.clip, (0.0, 0.0, 1.0), (1, 0, 0))
    yield Point("relu(0)", nn.relu, (0.0,), (0,), 0)
    yield Point("leaky_relu(0)", nn.leaky_relu, (0.0,), (0.01,), 0)
    yield Point("elu(0)", nn.elu, (0.0,), (1,))
    yield Point("mod(2, 1)", np.mod, (2.0, 1.0), (1, -2))
    yield Point("mod(5.5, -2)", np.mod, (5.5, -2.0), (1, 3))
    yield Point("fmod(-5.5, 2)", np.fmod, (-5.5, 2.0), (1, 2))
    yield Point("interp at a knot", lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 1.0, 3.0]), (1.0,), (2,))


def reductions():
    for f in (np.max, np.amax, lambda x: np.max(x, axis=0), lambda x: np.maximum.reduce(x), np.nanmax):
        yield Point("max [1, 1, 0]", f, ([1.0, 1.0, 0.0],), ([0.5, 0.5, 0],))
    yield Point("max with nan", np.max, ([1.0, NAN],), ([0, 1],))
    yield Point("min [1, 0, 0]", np.min, ([1.0, 0.0, 0.0],), ([0, 0.5, 0.5],))
    yield Point("nanmax tie with nan", np.nanmax, ([1.0, NAN, 1.0],), ([0.5, 0, 0.5],))
    yield Point("cummax [1, 1, 1]", np.maximum.accumulate, ([1.0, 1.0, 1.0],), ([1, 1, 1],))
    yield Point("cummax [2, 1, 2, 0]", np.maximum.accumulate, ([2.0, 1.0, 2.0, 0.0],), ([2, 0, 2, 0],))
    yield Point("cummin [1, 1, 1]", np.minimum.accumulate, ([1.0, 1.0, 1.0],), ([1, 1, 1],))
    yield Point("top_k tie", lambda x: top_k(x, 1)[0], ([2.0, 2.0, 1.0],), ([1, 0, 0],))
    yield Point("sort ties", lambda x: np.sort(x) * np.arange(1.0, 4.0, dtype=x.dtype), ([2.0, 2.0, 1.0],), ([2, 3, 1],))
    yield Point("median of four", np.median, ([1.0, 2.0, 3.0, 4.0],), ([0, 0.5, 0.5, 0],))
    yield Point("median of three", np.median, ([2.0, 2.0, 3.0],), ([0, 1, 0],))
    yield Point("quantile .5", lambda x: np.quantile(x, 0.5), ([1.0, 2.0, 3.0, 4.0],), ([0, 0.5, 0.5, 0],))
    yield Point("std of a constant", np.std, ([3.0, 3.0, 3.0],), ([0, 0, 0],))
    yield Point("std of one, ddof 1", lambda x: np.std(x, ddof=1), ([3.0],), ([NAN],))
    yield Point("prod with a zero", np.prod, ([0.0, 2.0, 3.0],), ([6, 0, 0],), [0, 0, 0])
    yield Point("prod with two zeros", np.prod, ([0.0, 0.0, 3.0],), ([0, 0, 0],), [0, 0, 0])
    yield Point("cumprod [2, 0, 3]", np.cumprod, ([2.0, 0.0, 3.0],), ([1, 8, 0],), [0, 0, 0])
    yield Point("nansum", np.nansum, ([1.0, NAN],), ([1, 0],))
    yield Point("nanmean", np.nanmean, ([1.0, NAN],), ([1, 0],))


def norms():
    zeros = [0.0, 0.0, 0.0]
    yield Point("norm(0)", np.linalg.norm, (zeros,), ([0, 0, 0],))
    yield Point("norm(0), p = 3", lambda x: np.linalg.norm(x, 3), (zeros,), ([0, 0, 0],))
    yield Point("norm(0), p = 1", lambda x: np.linalg.norm(x, 1), (zeros,), ([0, 0, 0],))
    yield Point("norm(0), frobenius", np.linalg.norm, ([[0.0, 0.0]],), ([[0, 0]],))
    yield Point("norm, p = inf, tie", lambda x: np.linalg.norm(x, np.inf), ([1.0, -1.0],), ([0.5, -0.5],))
    yield Point("hypot(0, 0)", np.hypot, (0.0, 0.0), (0, 0))
    yield Point("arctan2(0, 0)", np.arctan2, (0.0, 0.0), (0, 0))
    yield Point("sinc(0)", np.sinc, (0.0,), (0,), -PI ** 2 / 3)


def powers():
    for x, y, dx, dy in ((0, 0, 0, 0), (0, 2, 0, 0), (0, 1, 1, 0), (0, 0.5, INF, 0), (0, -1, -INF, NAN), (-2, 2, -4, NAN)):
        yield Point(f"pow({x}, {y})", np.power, (float(x), float(y)), (dx, dy))
    yield Point("x ** 0 at 0", lambda x: x ** 0, (0.0,), (0,), 0)
    yield Point("x ** 0. at 0", lambda x: x ** 0.0, (0.0,), (0,), 0)
    yield Point("x ** 1 at 0", lambda x: x ** 1, (0.0,), (1,), 0)
    yield Point("x ** 2 at 0", lambda x: x ** 2, (0.0,), (0,), 2)
    yield Point("x ** 2. at 0", lambda x: x ** 2.0, (0.0,), (0,), 2)
    yield Point("x ** 3. at 0", lambda x: x ** 3.0, (0.0,), (0,), 0)
    yield Point("third derivative of x ** 2. at 0", lambda x: _second(lambda x: x ** 2.0, x), (0.0,), (0,))
    yield Point("sqrt(0)", np.sqrt, (0.0,), (INF,))
    yield Point("cbrt(0)", np.cbrt, (0.0,), (INF,))
    yield Point("0 * sqrt(x) at 0", lambda x: 0.0 * np.sqrt(x), (0.0,), (NAN,))
    yield Point("sqrt(x ** 2) at 0", lambda x: np.sqrt(x ** 2), (0.0,), (NAN,))


def edges_of_domains():
    yield Point("log(0)", np.log, (0.0,), (INF,))
    yield Point("log1p(-1)", np.log1p, (-1.0,), (INF,))
    yield Point("1 / x at 0", lambda x: 1.0 / x, (0.0,), (-INF,))
    yield Point("x log x at 0", lambda x: x * np.log(x), (0.0,), (NAN,))
    yield Point("arccos(1)", np.arccos, (1.0,), (-INF,))
    yield Point("arctanh(1)", np.arctanh, (1.0,), (INF,))
    for x in (-INF, INF, 1.0):
        yield Point(f"logaddexp({x}, {x})", np.logaddexp, (x, x), (0.5, 0.5))
    yield Point("logaddexp(-inf, 0)", np.logaddexp, (-INF, 0.0), (0, 1))
    yield Point("softmax of nothing but -inf", nn.softmax, ([-INF, -INF],), ([NAN, NAN],))
    yield Point("log_softmax [-inf, 0]", lambda x: nn.log_softmax(x)[1], ([-INF, 0.0],), ([0, 0],))
    yield Point("softplus", nn.softplus, ([0.0, 1000.0, -1000.0],), ([0.5, 1, 0],), [0.25, 0, 0])
    yield Point("sigmoid far out", nn.sigmoid, ([1000.0, -1000.0],), ([0, 0],), [0, 0])
    yield Point("nan_to_num", np.nan_to_num, ([NAN, INF, 1.0],), ([0, 0, 1],))


def branches():
    """The branch that is not taken has an infinite slope there."""
    singular = (np.sqrt, np.log, lambda x: 1.0 / x, lambda x: x ** 0.5, lambda x: np.log(x) * np.sqrt(x), lambda x: np.exp(1.0 / x), np.cbrt)
    for i, f in enumerate(singular):
        yield Point(f"where(x > 0, f(x), 0), f {i}", lambda x, f=f: np.where(x > 0, f(x), 0.0), ([0.0, 1.0],), ([0, float(tj.grad(f)(1.0))],))
        yield Point(f"where(x <= 0, 3x, f(x)), f {i}", lambda x, f=f: np.where(x <= 0, 3.0 * x, f(x)), (0.0,), (3,), 0)
    yield Point("where(x < 1, arccos(x), x) at 1", lambda x: np.where(x < 1, np.arccos(x), x), (1.0,), (1,), 0)
    yield Point("nested where", lambda x: np.where(x > -1, np.where(x > 0, np.sqrt(x), x), np.log(x)), ([0.0, -2.0, 4.0],), ([1, -0.5, 0.25],))
    yield Point("select", lambda x: np.select([x > 0, x <= 0], [np.sqrt(x), x]), (0.0,), (1,), 0)
    yield Point("piecewise", lambda x: np.piecewise(x, [x > 0], [np.sqrt, lambda x: 2.0 * x]), ([0.0, 4.0],), ([2, 0.25],))


def gathers():
    yield Point("duplicate indices", lambda x: x[np.array([0, 0, 1])], ([1.0, 2.0],), ([2, 1],), [0, 0])
    yield Point("duplicate set: the last stands", lambda x, v: x.at[np.array([0, 0])].set(v), ([1.0, 2.0], [3.0, 4.0]), ([0, 1], [0, 1]))


def _second(f, x):
    return tj.grad(tj.grad(f))(x)


POINTS = [p for group in (kinks, reductions, norms, powers, edges_of_domains, branches, gathers) for p in group()]
POINT_IDS = [f"{i}-{p.name}" for i, p in enumerate(POINTS)]
points = pytest.mark.parametrize("point", POINTS, ids=POINT_IDS)
precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def _arguments(point: Point, dtype) -> tuple:
    return tuple(np.asarray(a, dtype)[()] for a in point.args)


def _total(f):
    return lambda *args: np.sum(f(*args))


def _agree(got, want, dtype) -> None:
    assert np.asarray(got).dtype == dtype
    np.testing.assert_allclose(got, want, rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-6 if dtype == np.float32 else 1e-12)


def _quiet(f, *args):
    with np.errstate(all="ignore"):
        return f(*args)


@points
@precisions
def test_grad(point, dtype):
    args = _arguments(point, dtype)
    for got, want in zip(_quiet(tj.grad(_total(point.f), argnums=tuple(range(len(args)))), *args), point.want, strict=True):
        _agree(got, want, dtype)


@points
@precisions
def test_jvp(point, dtype):
    """Along each axis. What is infinite or undefined in one argument spoils the directions of the others, since inf * 0 is NaN."""
    args = _arguments(point, dtype)
    for i, want in enumerate(point.want):
        for at in np.ndindex(np.shape(args[i])):
            tangents = [np.zeros_like(a) for a in args]
            tangents[i] = np.asarray(tangents[i])
            tangents[i][at] = 1
            value, got = _quiet(tj.jvp, _total(point.f), args, tuple(tangents))
            if not _spoiled(point, i):
                _agree(got, np.asarray(want)[at], value.dtype)   # np.interp gives float64 for float32


def _spoiled(point: Point, i: int) -> bool:
    """Whether another direction than the one asked has a slope that is not finite: a product with its zero tangent is NaN."""
    others = [w for j, w in enumerate(point.want) if j != i]
    return not all(np.all(np.isfinite(w)) for w in others)


@points
@precisions
def test_compiled_grad(point, dtype):
    args = _arguments(point, dtype)
    for got, want in zip(_quiet(tj.jit(tj.grad(_total(point.f), argnums=tuple(range(len(args))))), *args), point.want, strict=True):
        _agree(got, want, dtype)


@pytest.mark.parametrize("point", [p for p in POINTS if p.second is not None], ids=[p.name for p in POINTS if p.second is not None])
@precisions
def test_second_derivative(point, dtype):
    """Forward over reverse and reverse over reverse, with respect to the first argument."""
    x, *rest = _arguments(point, dtype)

    def gradient(x):
        return tj.grad(_total(point.f))(x, *rest)

    for at, want in np.ndenumerate(np.asarray(point.second, dtype)):
        t = np.asarray(np.zeros_like(x))
        t[at] = 1
        _agree(_quiet(tj.jvp, gradient, (x,), (t,))[1][at], want, dtype)
        _agree(_quiet(tj.grad(lambda x, at=at: gradient(x)[at] if at else gradient(x)), x)[at], want, dtype)


def test_maximum_of_nan():
    """The cotangent goes to the NaN."""
    for f in (np.maximum, np.minimum):
        left, right = tj.grad(f, argnums=(0, 1))(NAN, 1.0)
        assert right == 0 and left != 0


def test_hessian_of_norm_at_zero_is_undefined():
    with np.errstate(all="ignore"):
        assert np.all(np.isnan(tj.hessian(np.linalg.norm)(np.zeros(2))))


def test_complex_zero():
    assert tj.grad(np.abs)(0j) == 0
    assert tj.grad(np.angle)(0j) == 0


@pytest.mark.parametrize("transform", [lambda f: f, tj.grad, tj.vmap, lambda f: tj.jit(tj.grad(f))])
def test_index_out_of_range_is_an_error(transform):
    x = np.ones((2, 3)) if transform is tj.vmap else np.ones(3)
    for read in (lambda x: np.sum(x[[5]]), lambda x: np.sum(x[np.array([-4])]), lambda x: np.take(x, 5), lambda x: x[5]):
        with pytest.raises(IndexError):
            transform(read)(x)


@pytest.mark.parametrize("i", [5, -4])
def test_traced_index_out_of_range_is_an_error(i):
    x = np.ones(3)
    with pytest.raises(IndexError):
        tj.grad(lambda x, i: x[i])(x, i)
    with pytest.raises(IndexError):
        tj.vmap(np.take, in_axes=(None, 0))(x, np.array([0, i]))
    with pytest.raises(IndexError):
        tj.grad(lambda x, i: np.sum(x.at[i].set(0.0)))(x, i)
    with pytest.raises(IndexError):
        tj.jit(np.take)(x, i)
