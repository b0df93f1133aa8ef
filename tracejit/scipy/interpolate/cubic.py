"""Cubic interpolation: `CubicSpline`, whose second derivative is continuous, and `PchipInterpolator`, which keeps what is monotonic.

Both are cubics in Hermite's form, made of the slopes at the knots: those of a spline solve a system with three diagonals, by elimination in a `scan`.

Sources: de Boor, A Practical Guide to Splines (1978), chapter IV; Fritsch and Butland (1984); Moler, Numerical Computing with MATLAB (2004), 3.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...api import scan
from ...api.implicit import known_value
from ...errors import at_user_line
from ...trace import type_of
from .piecewise import PPoly, float_array, register

NAMED = {"natural": (2, 0.0), "clamped": (1, 0.0)}


def data(what: str, x: Any, y: Any, axis: int) -> tuple[Any, Any, int]:
    """Knots and values as floats, with the axis of the knots in front, and that axis counted from the left."""
    x, y = float_array(x), float_array(y)
    if type_of(x).ndim != 1 or type_of(x).shape[0] < 2:
        raise ValueError(at_user_line(f"{what}: x is a vector of at least two numbers, got shape {type_of(x).shape}"))
    axis = axis % max(type_of(y).ndim, 1)
    if type_of(y).ndim == 0 or type_of(y).shape[axis] != type_of(x).shape[0]:
        raise ValueError(at_user_line(f"{what}: x has {type_of(x).shape[0]} elements, y has shape {type_of(y).shape}, axis {axis}"))
    return x, np.moveaxis(y, axis, 0), axis


def require_rising(what: str, x: Any) -> None:
    values = known_value(x)
    if values is not None and not np.all(np.diff(values) > 0):
        raise ValueError(at_user_line(f"{what}: x must be strictly increasing"))


def _columns(x: Any, y: Any) -> Any:
    """x with as many axes as y."""
    return np.reshape(x, (-1, *(1,) * (type_of(y).ndim - 1)))


def hermite(widths: Any, y: Any, rises: Any, slopes: Any) -> Any:
    """Coefficients of the cubics with given values and slopes at the knots; `rises` are the slopes of the chords."""
    bend = (slopes[:-1] + slopes[1:] - 2 * rises) / widths
    return np.stack([bend / widths, (rises - slopes[:-1]) / widths - bend, slopes[:-1], y[:-1]])


def tridiagonal(lower: Any, diagonal: Any, upper: Any, right: Any) -> Any:
    """The solution of a system with three diagonals and many right sides, without pivoting; lower[0] and upper[-1] are not used."""

    def eliminate(state, row):
        above, value = state
        a, b, c, r = row
        pivot = b - a * above
        new = c / pivot, (r - a * value) / pivot
        return new, new

    def substitute(x, row):
        above, value = row
        x = value - above * x
        return x, x

    start = 0.0 * diagonal[0], 0.0 * right[0]
    _, (above, values) = scan(eliminate, start, (lower, diagonal, upper, right))
    _, x = scan(substitute, 0.0 * right[0], (above, values), reverse=True)
    return x


def _periodic_slopes(h: Any, wide: Any, rises: Any) -> Any:
    """Slopes of a periodic spline: three diagonals and two corners, by the formula of Sherman and Morrison."""
    n = type_of(h).shape[0]
    if n == 1:
        return 0.0 * np.concatenate([rises, rises])
    if n == 2:
        slope = np.sum(rises / wide, axis=0) / np.sum(1 / wide, axis=0)
        return np.stack([slope, slope, slope])
    before = np.concatenate([h[-1:], h[:-1]])
    diagonal = 2 * (before + h)
    right = 3 * (wide * np.concatenate([rises[-1:], rises[:-1]]) + np.concatenate([wide[-1:], wide[:-1]]) * rises)
    corner, other = before[-1], h[0]  # last row, first column; first row, last column
    gamma = -diagonal[0]
    inner = np.concatenate([diagonal[:1] - gamma, diagonal[1:-1], diagonal[-1:] - corner * other / gamma])
    border = np.concatenate([np.stack([gamma]), 0.0 * h[1:-1], np.stack([corner])])
    rest = type_of(right).shape[1:]
    columns = np.concatenate([np.reshape(right, (n, -1)), border[:, None]], axis=1)
    solved = tridiagonal(h, inner, before, columns)
    y, z = solved[:, :-1], solved[:, -1]
    factor = (y[0] + other / gamma * y[-1]) / (1 + z[0] + other / gamma * z[-1])
    slopes = np.reshape(y - z[:, None] * factor, (n, *rest))
    return np.concatenate([slopes, slopes[:1]])


def _end(kind: Any, h: Any, y: Any, rises: Any) -> tuple[Any, Any, Any]:
    """The row of an end: diagonal, entry beside it, right side; everything counted from that end, with h and rises inwards."""
    if isinstance(kind, str):
        whole = h[0] + h[1]
        right = ((h[0] + 2 * whole) * h[1] * rises[0] + h[0] ** 2 * rises[1]) / whole
        return h[1], whole, right
    order, value = kind
    if order == 1:
        return 1.0 + 0 * h[0], 0 * h[0], value + 0 * y[0]
    return 2 * h[0], h[0], 3 * h[0] * rises[0] - 0.5 * value * h[0] ** 2


def _spline_slopes(h: Any, wide: Any, y: Any, rises: Any, kinds: list[Any]) -> Any:
    n = type_of(y).shape[0]
    free = [kind == "not-a-knot" if isinstance(kind, str) else False for kind in kinds]
    if n == 2 and any(free):
        kinds = [(1, rises[0]) if f else kind for f, kind in zip(free, kinds)]
    if n == 3 and all(free):  # one parabola
        bend = (rises[1] - rises[0]) / (h[0] + h[1])
        return np.stack([rises[0] - bend * h[0], rises[0] + bend * h[0], rises[1] + bend * h[1]])
    (order, value) = (None, None) if isinstance(kinds[1], str) else kinds[1]
    mirrored = kinds[1] if order is None else (order, -value if order == 2 else value)
    first, beside_first, right_first = _end(kinds[0], h, y, rises)
    last, beside_last, right_last = _end(mirrored, h[::-1], y[::-1], rises[::-1])
    zero = np.stack([0.0 * h[0]])
    lower = np.concatenate([zero, h[1:], np.stack([beside_last])])
    diagonal = np.concatenate([np.stack([first]), 2 * (h[:-1] + h[1:]), np.stack([last])])
    upper = np.concatenate([np.stack([beside_first]), h[:-1], zero])
    right = np.concatenate([right_first[None], 3 * (wide[1:] * rises[:-1] + wide[:-1] * rises[1:]), right_last[None]])
    return tridiagonal(lower, diagonal, upper, right)


def _kinds(bc_type: Any) -> list[Any]:
    """The conditions at both ends: "not-a-knot", "periodic", or the order of a derivative and its value."""
    given = (bc_type, bc_type) if isinstance(bc_type, str) else tuple(bc_type)
    kinds = []
    for kind in given:
        if isinstance(kind, str) and kind in NAMED:
            kinds.append(NAMED[kind])
        elif isinstance(kind, str) and kind in ("not-a-knot", "periodic"):
            kinds.append(kind)
        elif isinstance(kind, tuple) and len(kind) == 2 and kind[0] in (1, 2):
            kinds.append((kind[0], float_array(kind[1])))
        else:
            known = "'not-a-knot', 'periodic', 'clamped', 'natural', (1, value), (2, value)"
            raise ValueError(at_user_line(f"CubicSpline: bc_type {kind!r} is none of {known}"))
    if len(kinds) != 2 or kinds.count("periodic") == 1:
        raise ValueError(at_user_line(f"CubicSpline: bc_type is one condition or a pair of them, and periodic at both ends or none, got {bc_type!r}"))
    return kinds


@register
class CubicSpline(PPoly):
    """As `scipy.interpolate.CubicSpline`: the cubic spline through y at x, with the `bc_type` "not-a-knot", "natural", "clamped", "periodic", or a
    pair of these or of (order of a derivative, value) for the two ends.

    Calls give values or derivatives (`nu`); `derivative`, `antiderivative` and `integrate` as in SciPy. Differentiable in x, y, the values of bc_type
    and the points of evaluation.
    Raises `ValueError` for shapes that do not fit, x that is known not to rise, and conditions that do not exist.

    >>> import numpy as np, tracejit as tj
    >>> from tracejit.scipy.interpolate import CubicSpline
    >>> x = np.linspace(0.0, 2.0, 9)
    >>> middle = lambda y: CubicSpline(x, y, bc_type="natural").integrate(0.0, 2.0)
    >>> middle(x**2).round(2), tj.grad(middle)(x**2).sum().round(12)
    (np.float64(2.67), np.float64(2.0))
    """

    def __init__(self, x: Any, y: Any, axis: int = 0, bc_type: Any = "not-a-knot", extrapolate: bool | str | None = None):
        x, y, axis = data("CubicSpline", x, y, axis)
        require_rising("CubicSpline", x)
        kinds = _kinds(bc_type)
        h = x[1:] - x[:-1]
        wide = _columns(h, y)
        rises = (y[1:] - y[:-1]) / wide
        if kinds[0] == "periodic":
            ends = known_value(np.stack([y[0], y[-1]]))
            if ends is not None and not np.allclose(ends[0], ends[1], rtol=1e-15, atol=1e-15):
                raise ValueError(at_user_line("CubicSpline: a periodic spline needs equal values of y at both ends"))
            slopes = _periodic_slopes(h, wide, rises)
        else:
            slopes = _spline_slopes(h, wide, y, rises, kinds)
        if extrapolate is None:
            extrapolate = "periodic" if kinds[0] == "periodic" else True
        super().__init__(hermite(wide, y, rises, slopes), x, extrapolate, axis)


@register
class PchipInterpolator(PPoly):
    """As `scipy.interpolate.PchipInterpolator`: cubics with slopes that overshoot nowhere.

    >>> import numpy as np
    >>> PchipInterpolator(np.arange(4.0), np.array([0.0, 0.0, 1.0, 1.0]))(np.array([0.5, 1.5, 2.5]))
    array([0. , 0.5, 1. ])
    """

    def __init__(self, x: Any, y: Any, axis: int = 0, extrapolate: bool | None = None):
        x, y, axis = data("PchipInterpolator", x, y, axis)
        require_rising("PchipInterpolator", x)
        wide = _columns(x[1:] - x[:-1], y)
        rises = (y[1:] - y[:-1]) / wide
        slopes = np.concatenate([rises, rises]) if type_of(y).shape[0] == 2 else _monotonic_slopes(wide, rises)
        super().__init__(hermite(wide, y, rises, slopes), x, True if extrapolate is None else extrapolate, axis)


def _monotonic_slopes(h: Any, rises: Any) -> Any:
    """Weighted harmonic means of the chords' slopes, zero where they change sign; at the ends parabolas, bounded."""
    same = rises[:-1] * rises[1:] > 0
    before, after = h[1:] + 2 * h[:-1], 2 * h[1:] + h[:-1]
    safe = np.where(same, rises[:-1], 1.0), np.where(same, rises[1:], 1.0)
    inner = np.where(same, (before + after) / (after / safe[0] + before / safe[1]), 0.0)

    def end(h0: Any, h1: Any, rise: Any, next_rise: Any) -> Any:
        slope = ((2 * h0 + h1) * rise - h0 * next_rise) / (h0 + h1)
        slope = np.where(np.sign(slope) == np.sign(rise), slope, 0.0)
        return np.where((np.sign(rise) != np.sign(next_rise)) & (np.abs(slope) > 3 * np.abs(rise)), 3 * rise, slope)

    return np.concatenate([end(h[0], h[1], rises[0], rises[1])[None], inner, end(h[-1], h[-2], rises[-1], rises[-2])[None]])
