"""The hard points: ties, zeros, infinities and NaN, and what the derivative is there.

The principles:

- the true derivative where there is one; it may be infinite;
- at a kink of a convex or concave function the subgradient of least norm, so |x| has slope 0 at 0 and ties share evenly; against a constant the
  constant's side is flat, so relu'(0) is 0;
- `clip` keeps the slope of its inside at the bounds, which lets a parameter leave them;
- where a derivative has no meaning it is NaN, and an index out of range is an `IndexError`;
- a branch of `where` that is not taken contributes nothing.

Each point is a test, and a row of docs/gradients.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import cond, grad, nn, vmap
from ..ops.sorting import top_k
from ..scipy import special

INF, NAN, PI = np.inf, np.nan, np.pi


class Point(NamedTuple):
    """The sum of `f` has the gradients `want` at `args`, or raises the error `want`.

    `second`, if given, is the diagonal of its second derivative in the first argument.  `elsewhere` says what JAX 0.10.2, PyTorch 2.13 and HIPS
    autograd 1.9.1 were measured to return where they do not agree with it.
    """

    name: str
    f: Callable
    args: tuple
    want: Any
    second: Any = None
    elsewhere: str = ""


def kinks() -> Iterator[Point]:
    """Kinks and steps"""
    yield Point("abs(x) at 0", np.abs, (0.0,), (0,), 0, "JAX 1")
    yield Point("abs(x) at -0", np.abs, (-0.0,), (0,), 0, "JAX 1")
    yield Point("abs(z) at complex 0", np.abs, (0j,), (0,))
    yield Point("angle(z) at complex 0", np.angle, (0j,), (0,))
    for f in (np.sign, np.floor, np.ceil, np.round, np.trunc, np.rint):
        yield Point(f"{f.__name__}(x) at 1", f, (1.0,), (0,), 0)
    yield Point("sign(x) at 0", np.sign, (0.0,), (0,), 0)
    yield Point("heaviside(x, h) at 0, 0.5", np.heaviside, (0.0, 0.5), (0, 1), 0, "PyTorch: error")
    yield Point("copysign(x, y) at 0, -1", np.copysign, (0.0, -1.0), (0, 0), None, "JAX -1")
    yield Point("copysign(x, y) at 2, -1", np.copysign, (2.0, -1.0), (-1, 0))
    for f in (np.maximum, np.minimum):
        yield Point(f"{f.__name__}(x, y) at 1, 1", f, (1.0, 1.0), (0.5, 0.5), 0)
    yield Point("maximum(x, y) at nan, 1", np.maximum, (NAN, 1.0), (1, 0), None, "JAX, autograd 0, 0; PyTorch 1, 1")
    yield Point("minimum(x, y) at nan, 1", np.minimum, (NAN, 1.0), (1, 0))
    yield Point("fmax(x, y) at 1, 1", np.fmax, (1.0, 1.0), (0.5, 0.5), 0, "JAX 0, 1; PyTorch 1, 0")
    yield Point("fmin(x, y) at 1, 1", np.fmin, (1.0, 1.0), (0.5, 0.5), 0)
    yield Point("fmax(x, y) at nan, 1", np.fmax, (NAN, 1.0), (0, 1))
    yield Point("fmin(x, y) at nan, 1", np.fmin, (NAN, 1.0), (0, 1))
    yield Point("maximum(x, 0.) at 0", lambda x: np.maximum(x, 0.0), (0.0,), (0,), 0, "JAX, PyTorch, autograd 0.5")
    yield Point("maximum(0., x) at 0", lambda x: np.maximum(0.0, x), (0.0,), (0,), 0)
    yield Point("minimum(x, 0.) at 0", lambda x: np.minimum(x, 0.0), (0.0,), (0,), 0)
    yield Point("where(x > 0, x, 0) at 0", lambda x: np.where(x > 0, x, 0.0), (0.0,), (0,), 0)
    yield Point(
        "clip(x, 0, 1) at 0, 0.5, 1, 2", lambda x: np.clip(x, 0.0, 1.0), ([0.0, 0.5, 1.0, 2.0],), ([1, 1, 1, 0],), [0, 0, 0, 0],
        "at the bounds JAX 0.5, autograd 0",
    )  # fmt: skip
    yield Point("clip(x, low, high) at 0, 0, 1", np.clip, (0.0, 0.0, 1.0), (1, 0, 0), None, "JAX 0.5 for low")
    yield Point("nn.relu(x) at 0", nn.relu, (0.0,), (0,), 0)
    yield Point("minimum(nn.relu(x), 6.) at 0, 6", lambda x: np.minimum(nn.relu(x), 6.0), ([0.0, 6.0],), ([0, 0],), [0, 0])
    yield Point("minimum(maximum(x, -1.), 1.) at -1, 1", lambda x: np.minimum(np.maximum(x, -1.0), 1.0), ([-1.0, 1.0],), ([0, 0],), [0, 0], "JAX 1")
    yield Point("nn.leaky_relu(x) at 0", nn.leaky_relu, (0.0,), (0.01,), 0, "JAX 1")
    yield Point("nn.elu(x) at 0", nn.elu, (0.0,), (1,))
    yield Point("mod(x, y) at 2, 1", np.mod, (2.0, 1.0), (1, -2))
    yield Point("mod(x, y) at 5.5, -2", np.mod, (5.5, -2.0), (1, 3))
    yield Point("fmod(x, y) at -5.5, 2", np.fmod, (-5.5, 2.0), (1, 2))
    yield Point("interp(x, [0, 1, 2], [0, 1, 3]) at the knot 1", lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 1.0, 3.0]), (1.0,), (2,))
    yield Point("nan_to_num(x) at nan, inf, 1", np.nan_to_num, ([NAN, INF, 1.0],), ([0, 0, 1],))


def reductions() -> Iterator[Point]:
    """Reductions and sorting"""
    yield Point("max(x) at [1, 1, 0]", np.max, ([1.0, 1.0, 0.0],), ([0.5, 0.5, 0],))
    yield Point("max(x, axis=0) at [1, 1, 0]", lambda x: np.max(x, axis=0), ([1.0, 1.0, 0.0],), ([0.5, 0.5, 0],), None, "PyTorch 1, 0, 0")
    yield Point("maximum.reduce(x) at [1, 1, 0]", lambda x: np.maximum.reduce(x), ([1.0, 1.0, 0.0],), ([0.5, 0.5, 0],))
    yield Point("max(x) at [1, nan]", np.max, ([1.0, NAN],), ([0, 1],), None, "JAX, PyTorch, autograd nan")
    yield Point("max(x) at [nan, 1, nan]", np.max, ([NAN, 1.0, NAN],), ([0.5, 0, 0.5],))
    yield Point("min(x) at [1, 0, 0]", np.min, ([1.0, 0.0, 0.0],), ([0, 0.5, 0.5],))
    yield Point("nanmax(x) at [1, nan, 1]", np.nanmax, ([1.0, NAN, 1.0],), ([0.5, 0, 0.5],))
    yield Point("maximum.accumulate(x) at [1, 1, 1]", np.maximum.accumulate, ([1.0, 1.0, 1.0],), ([1, 1, 1],), None, "JAX 1.75, 0.75, 0.5")
    yield Point("maximum.accumulate(x) at [2, 1, 2, 0]", np.maximum.accumulate, ([2.0, 1.0, 2.0, 0.0],), ([2, 0, 2, 0],))
    yield Point("minimum.accumulate(x) at [1, 1, 1]", np.minimum.accumulate, ([1.0, 1.0, 1.0],), ([1, 1, 1],))
    yield Point("top_k(x, 1) at [2, 2, 1]", lambda x: top_k(x, 1)[0], ([2.0, 2.0, 1.0],), ([1, 0, 0],))
    yield Point("sort(x) * [1, 2, 3] at [2, 2, 1]", lambda x: np.sort(x) * np.arange(1.0, 4.0, dtype=x.dtype), ([2.0, 2.0, 1.0],), ([2, 3, 1],))
    yield Point("median(x) at [1, 2, 3, 4]", np.median, ([1.0, 2.0, 3.0, 4.0],), ([0, 0.5, 0.5, 0],), None, "PyTorch 0, 1, 0, 0")
    yield Point("median(x) at [2, 2, 3]", np.median, ([2.0, 2.0, 3.0],), ([0, 1, 0],), None, "PyTorch 0.5, 0.5, 0")
    yield Point("quantile(x, 0.5) at [1, 2, 3, 4]", lambda x: np.quantile(x, 0.5), ([1.0, 2.0, 3.0, 4.0],), ([0, 0.5, 0.5, 0],))
    yield Point("std(x) at [3, 3, 3]", np.std, ([3.0, 3.0, 3.0],), ([0, 0, 0],), None, "JAX, autograd nan")
    yield Point("std(x, ddof=1) at [3]", lambda x: np.std(x, ddof=1), ([3.0],), ([NAN],))
    yield Point("prod(x) at [0, 2, 3]", np.prod, ([0.0, 2.0, 3.0],), ([6, 0, 0],), [0, 0, 0], "autograd nan")
    yield Point("prod(x) at [0, 0, 3]", np.prod, ([0.0, 0.0, 3.0],), ([0, 0, 0],), [0, 0, 0], "autograd nan")
    yield Point("cumprod(x) at [2, 0, 3]", np.cumprod, ([2.0, 0.0, 3.0],), ([1, 8, 0],), [0, 0, 0])
    yield Point("nansum(x) at [1, nan]", np.nansum, ([1.0, NAN],), ([1, 0],))
    yield Point("nanmean(x) at [1, nan]", np.nanmean, ([1.0, NAN],), ([1, 0],))


def norms() -> Iterator[Point]:
    """Norms and angles"""
    zeros = [0.0, 0.0, 0.0]
    yield Point("norm(x) at 0", np.linalg.norm, (zeros,), ([0, 0, 0],), [NAN, NAN, NAN], "JAX, autograd nan")
    yield Point("norm(x, 3) at 0", lambda x: np.linalg.norm(x, 3), (zeros,), ([0, 0, 0],), None, "JAX nan")
    yield Point("norm(x, 1) at 0", lambda x: np.linalg.norm(x, 1), (zeros,), ([0, 0, 0],), None, "JAX 1, 1, 1")
    yield Point("norm(x) at the matrix 0", np.linalg.norm, ([[0.0, 0.0]],), ([[0, 0]],), None, "JAX nan")
    yield Point("norm(x, inf) at [1, -1]", lambda x: np.linalg.norm(x, np.inf), ([1.0, -1.0],), ([0.5, -0.5],))
    yield Point("where(r > 0, x / r, 0), r = norm(x) at 0", _normalized, (zeros,), ([0, 0, 0],))
    yield Point("where(r > 0, x / r, 0), r = sqrt(sum(x * x)) at 0", _normalized_by_hand, (zeros,), ([0, 0, 0],))
    yield Point("hypot(x, y) at 0, 0", np.hypot, (0.0, 0.0), (0, 0), None, "JAX 0.5, 0.5; PyTorch nan, nan")
    yield Point("arctan2(x, y) at 0, 0", np.arctan2, (0.0, 0.0), (0, 0), None, "JAX, autograd nan")
    yield Point("sinc(x) at 0", np.sinc, (0.0,), (0,), -(PI**2) / 3, "second derivative: PyTorch, autograd nan")


def _normalized(x):
    r = np.linalg.norm(x)
    return np.where(r > 0, x / r, 0)


def _normalized_by_hand(x):
    r = np.sqrt(np.sum(x * x))
    return np.where(r > 0, x / r, 0)


def powers() -> Iterator[Point]:
    """Powers and roots"""
    elsewhere = {(0, 0): "JAX nan, 0", (0, -1): "PyTorch -inf, -inf"}
    for x, y, dx, dy in ((0, 0, 0, 0), (0, 2, 0, 0), (0, 1, 1, 0), (0, 0.5, INF, 0), (0, -1, -INF, NAN), (-2, 2, -4, NAN)):
        yield Point(f"power(x, y) at {x}, {y}", np.power, (float(x), float(y)), (dx, dy), None, elsewhere.get((x, y), ""))
    yield Point("x ** 0 at 0", lambda x: x**0, (0.0,), (0,), 0)
    yield Point("x ** 0. at 0", lambda x: x**0.0, (0.0,), (0,), 0, "JAX nan")
    yield Point("x ** 1 at 0", lambda x: x**1, (0.0,), (1,), 0)
    yield Point("x ** 2 at 0", lambda x: x**2, (0.0,), (0,), 2)
    yield Point("x ** 2. at 0", lambda x: x**2.0, (0.0,), (0,), 2)
    yield Point("x ** 3. at 0", lambda x: x**3.0, (0.0,), (0,), 0)
    yield Point("grad(grad(x ** 2.)) at 0", lambda x: grad(grad(lambda x: x**2.0))(x), (0.0,), (0,), None, "JAX nan")
    yield Point("sqrt(x) at 0", np.sqrt, (0.0,), (INF,))
    yield Point("cbrt(x) at 0", np.cbrt, (0.0,), (INF,))
    yield Point("0. * sqrt(x) at 0", lambda x: 0.0 * np.sqrt(x), (0.0,), (NAN,))
    yield Point("sqrt(x ** 2) at 0", lambda x: np.sqrt(x**2), (0.0,), (NAN,))


def edges_of_domains() -> Iterator[Point]:
    """Edges of domains, and infinities"""
    yield Point("log(x) at 0", np.log, (0.0,), (INF,))
    yield Point("log1p(x) at -1", np.log1p, (-1.0,), (INF,))
    yield Point("1 / x at 0", lambda x: 1.0 / x, (0.0,), (-INF,))
    yield Point("x * log(x) at 0", lambda x: x * np.log(x), (0.0,), (NAN,))
    yield Point("arccos(x) at 1", np.arccos, (1.0,), (-INF,))
    yield Point("arctanh(x) at 1", np.arctanh, (1.0,), (INF,))
    yield Point("logaddexp(x, y) at -inf, -inf", np.logaddexp, (-INF, -INF), (0.5, 0.5), None, "JAX, PyTorch, autograd nan")
    yield Point("logaddexp(x, y) at inf, inf", np.logaddexp, (INF, INF), (0.5, 0.5), None, "JAX 1, 1; PyTorch, autograd nan")
    yield Point("logaddexp(x, y) at 1, 1", np.logaddexp, (1.0, 1.0), (0.5, 0.5))
    yield Point("logaddexp(x, y) at -inf, 0", np.logaddexp, (-INF, 0.0), (0, 1))
    yield Point("logsumexp(x) at [-inf, 0]", lambda x: special.logsumexp(x), ([-INF, 0.0],), ([0, 1],))
    yield Point("logsumexp(x) at [-inf, -inf]", lambda x: special.logsumexp(x), ([-INF, -INF],), ([0.5, 0.5],), None, "JAX, PyTorch, autograd nan")
    yield Point("logsumexp(x) at [inf, 0]", lambda x: special.logsumexp(x), ([INF, 0.0],), ([1, 0],), None, "JAX, PyTorch, autograd nan, 0")
    yield Point("nn.softmax(x) at [-inf, -inf]", nn.softmax, ([-INF, -INF],), ([NAN, NAN],))
    yield Point("nn.log_softmax(x)[1] at [-inf, 0]", lambda x: nn.log_softmax(x)[1], ([-INF, 0.0],), ([0, 0],))
    yield Point("nn.softplus(x) at 0, 1000, -1000", nn.softplus, ([0.0, 1000.0, -1000.0],), ([0.5, 1, 0],), [0.25, 0, 0])
    yield Point("nn.sigmoid(x) at 1000, -1000", nn.sigmoid, ([1000.0, -1000.0],), ([0, 0],), [0, 0])
    yield Point("log_expit(x) at -1000, 1000", lambda x: special.log_expit(x), ([-1000.0, 1000.0],), ([1, 0],), [0, 0])
    yield Point("log(nn.sigmoid(x)) at -1000", lambda x: np.log(nn.sigmoid(x)), (-1000.0,), (1,), 0, "JAX, PyTorch nan")
    yield Point("xlogy(x, y) at 0, 0", lambda x, y: special.xlogy(x, y), (0.0, 0.0), (0, 0), None, "JAX -inf, nan; PyTorch 0, nan")
    yield Point("xlog1py(x, y) at 0, -1", lambda x, y: special.xlog1py(x, y), (0.0, -1.0), (0, 0), None, "JAX -inf, nan; PyTorch 0, nan")
    yield Point("entr(x) at 0", lambda x: special.entr(x), (0.0,), (INF,))


def branches() -> Iterator[Point]:
    """Branches that are not taken"""
    # name, function, where its derivative is not finite, and a point where it is, with the slope there
    singular = [
        ("sqrt(x)", np.sqrt, 0.0, 4.0, 0.25), ("log(x)", np.log, 0.0, 4.0, 0.25), ("1 / x", lambda x: 1.0 / x, 0.0, 4.0, -1 / 16),
        ("x ** 0.5", lambda x: x**0.5, 0.0, 4.0, 0.25), ("power(x, x)", lambda x: np.power(x, x), 0.0, 1.0, 1.0),
        ("arccos(x)", np.arccos, 1.0, 0.0, -1.0), ("exp(1 / x)", lambda x: np.exp(1.0 / x), 0.0, 1.0, -np.e),
        ("cbrt(x)", np.cbrt, 0.0, 8.0, 1 / 12), ("x * log(x)", lambda x: x * np.log(x), 0.0, 1.0, 1.0),
    ]  # fmt: skip
    for name, f, bad, good, slope in singular:
        first, second = _beside(f, bad)
        elsewhere = "JAX, PyTorch, autograd nan" if f in (np.sqrt, np.log) else ""
        yield Point(f"where(x != {bad:g}, {name}, 0) at {bad:g}, {good:g}", first, ([bad, good],), ([0, slope],), None, elsewhere)
        yield Point(f"where(x == {bad:g}, 3 * x, {name}) at {bad:g}", second, (bad,), (3,), 0)
    yield Point(
        "where(x > -1, where(x > 0, sqrt(x), x), log(x)) at 0, 4",
        lambda x: np.where(x > -1, np.where(x > 0, np.sqrt(x), x), np.log(x)), ([0.0, 4.0],), ([1, 0.25],),
    )  # fmt: skip
    yield Point("select([x > 0, x <= 0], [sqrt(x), x]) at 0", lambda x: np.select([x > 0, x <= 0], [np.sqrt(x), x]), (0.0,), (1,), 0, "JAX nan")
    yield Point(
        "piecewise(x, [x > 0], [sqrt, 2 * x]) at 0, 4", lambda x: np.piecewise(x, [x > 0], [np.sqrt, lambda x: 2.0 * x]), ([0.0, 4.0],), ([2, 0.25],)
    )
    yield Point("cond(x > 0, sqrt, 2 * x) at 0", _chosen, (0.0,), (2,), 0)
    yield Point("vmap(cond(x > 0, sqrt, 2 * x)) at 0, 4", lambda x: vmap(_chosen)(x), ([0.0, 4.0],), ([2, 0.25],), [0, -1 / 32])
    yield Point("where(isnan(d), 0, (d - x) ** 2), d = [1, nan] at 0", _missing, (0.0,), (-2,), 2)


def _beside(f: Callable, bad: float) -> tuple[Callable, Callable]:
    """f in the one and in the other branch of a `where` that does not take it at `bad`."""
    return lambda x: np.where(x != bad, f(x), 0.0), lambda x: np.where(x == bad, 3.0 * x, f(x))


def _missing(x):
    data = np.array([1.0, NAN], x.dtype)
    return np.where(np.isnan(data), 0, (data - x) ** 2)


def _chosen(x):
    return cond(x > 0, np.sqrt, lambda x: 2.0 * x, x)


def matrices() -> Iterator[Point]:
    """Matrices"""
    identity = [[1.0, 0.0], [0.0, 1.0]]
    yield Point("det(a) at [[1, 2], [2, 4]]", np.linalg.det, ([[1.0, 2.0], [2.0, 4.0]],), ([[4, -2], [-2, 1]],), None, "PyTorch 0, autograd: error")
    yield Point("det(a) at 0", np.linalg.det, ([[0.0, 0.0], [0.0, 0.0]],), ([[0, 0], [0, 0]],))
    yield Point("sum(eigvalsh(a)) at the identity", np.linalg.eigvalsh, (identity,), (identity,))
    yield Point("sum(svdvals(a)) at the identity", np.linalg.svdvals, (identity,), (identity,))
    yield Point("norm(a, 'nuc') at [[1, 0], [0, 0]]", lambda a: np.linalg.norm(a, "nuc"), ([[1.0, 0.0], [0.0, 0.0]],), ([[1, 0], [0, 0]],))


def gathers() -> Iterator[Point]:
    """Indices"""
    two = [1.0, 2.0]
    yield Point("x[[0, 0, 1]] at [1, 2]", lambda x: x[np.array([0, 0, 1])], (two,), ([2, 1],), [0, 0])
    yield Point("x.at[[0, 0]].set(v) at [1, 2], [3, 4]", lambda x, v: x.at[np.array([0, 0])].set(v), (two, [3.0, 4.0]), ([0, 1], [0, 1]))
    yield Point("x[[5]] at two elements", lambda x: x[[5]], (two,), IndexError, None, "JAX: clamped, slope 0")
    yield Point("x[5] at two elements", lambda x: x[5], (two,), IndexError, None, "JAX: clamped")
    yield Point("x[i], i computed, at two elements and i = 5", lambda x: x[np.argmax(x) + 4], (two,), IndexError, None, "JAX: clamped")
    yield Point("x[i], i computed, at two elements and i = -7", lambda x: x[np.argmax(x) - 8], (two,), IndexError, None, "JAX: clamped")
    yield Point("take(x, 5) at two elements", lambda x: np.take(x, 5), (two,), IndexError, None, "JAX nan")
    yield Point("x.at[5].set(0) at two elements", lambda x: x.at[5].set(0.0), (two,), IndexError, None, "JAX: dropped")


GROUPS: tuple[Callable[[], Iterator[Point]], ...] = (kinks, reductions, norms, powers, edges_of_domains, branches, matrices, gathers)
POINTS: dict[str, Point] = {point.name: point for group in GROUPS for point in group()}
