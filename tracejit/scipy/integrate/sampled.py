"""Integrals of samples: `trapezoid`, `cumulative_trapezoid`, `simpson`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import at_user_line
from ...numpy.promotion import as_array

__all__ = ["cumulative_trapezoid", "simpson", "trapezoid"]


def _samples(what: str, y: Any, x: Any, dx: Any, axis: int) -> tuple[Any, Any]:
    """The samples with the integration axis last, and the distances between them: an array that broadcasts, or a number."""
    y = as_array(y)
    if y.ndim == 0:
        raise ValueError(at_user_line(f"{what}: expected an array of samples, got a number"))
    if x is None:
        return np.moveaxis(y, axis, -1), dx
    x = as_array(x)
    if x.ndim != 1:
        if x.shape != y.shape:
            raise ValueError(at_user_line(f"{what}: x has shape {x.shape}, expected one axis or the shape of y, {y.shape}"))
        x = np.moveaxis(x, axis, -1)
    y = np.moveaxis(y, axis, -1)
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(at_user_line(f"{what}: x has {x.shape[-1]} points, y has {y.shape[-1]} along axis {axis}"))
    return y, x[..., 1:] - x[..., :-1]


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """As `scipy.integrate.trapezoid`.

    >>> import numpy as np, tracejit as tj
    >>> tj.grad(trapezoid)(np.array([1.0, 2.0, 3.0]), dx=0.5)
    array([0.25, 0.5 , 0.25])
    """
    y, h = _samples("trapezoid", y, x, dx, axis)
    return np.sum(h * (y[..., 1:] + y[..., :-1]), axis=-1) / 2


def cumulative_trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, *, initial: Any = None) -> Any:
    """As `scipy.integrate.cumulative_trapezoid`; `initial` is None or 0.

    >>> cumulative_trapezoid([0.0, 1.0, 2.0], initial=0)
    array([0. , 0.5, 2. ])
    """
    if initial is not None and (np.ndim(initial) or initial != 0):
        raise ValueError(at_user_line(f"cumulative_trapezoid: initial is None or 0, got {initial!r}"))
    y, h = _samples("cumulative_trapezoid", y, x, dx, axis)
    sums = np.cumsum(h * (y[..., 1:] + y[..., :-1]) / 2, axis=-1)
    if initial is not None:
        sums = np.concatenate([0 * sums[..., :1] if sums.shape[-1] else np.zeros((*sums.shape[:-1], 1)), sums], axis=-1)
    return np.moveaxis(sums, -1, axis)


def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    """As `scipy.integrate.simpson`: parabolas through three points at a time; where one interval is left over, the last parabola over that interval.

    Source: Cartwright (2017), Simpson's rule cumulative integration with MS Excel and irregularly-spaced data.

    >>> import numpy as np, tracejit as tj
    >>> simpson(np.linspace(0.0, 1.0, 4) ** 2, dx=1 / 3).round(12)
    np.float64(0.333333333333)
    """
    y, h = _samples("simpson", y, x, dx, axis)
    n = y.shape[-1]
    if x is None:
        h = h * np.ones(max(n - 1, 0))
    if n < 3:
        return np.sum(h * (y[..., 1:] + y[..., :-1]), axis=-1) / 2
    pairs = (n - 1) // 2 * 2
    total = np.sum(_parabolas(h[..., 0:pairs:2], h[..., 1:pairs:2], y[..., 0:pairs:2], y[..., 1 : pairs + 1 : 2], y[..., 2 : pairs + 1 : 2]), axis=-1)
    if pairs == n - 1:
        return total
    before, last = h[..., -2], h[..., -1]
    both = before + last
    outer = last * (2 * last + 3 * before) / (6 * both)
    middle = last * (last + 3 * before) / (6 * before)
    inner = last**3 / (6 * before * both)
    return total + outer * y[..., -1] + middle * y[..., -2] - inner * y[..., -3]


def _parabolas(h0: Any, h1: Any, y0: Any, y1: Any, y2: Any) -> Any:
    """The integrals of parabolas through three points each, at distances h0 and h1."""
    both = h0 + h1
    return both / 6 * (y0 * (2 - h1 / h0) + y1 * (both * both / (h0 * h1)) + y2 * (2 - h0 / h1))
