"""`interp1d`: interpolation of all of SciPy's simple kinds."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...api.implicit import known_value
from ...errors import at_user_line
from ...trace import type_of
from .cubic import CubicSpline, data
from .piecewise import axis_in_place, float_array

KINDS = ("linear", "nearest", "nearest-up", "previous", "next", "zero", "slinear", "cubic")
_SAME = {1: "linear", "slinear": "linear", 0: "previous", "zero": "previous", 3: "cubic"}


class interp1d:
    """As `scipy.interpolate.interp1d` of the kinds "linear", "nearest", "nearest-up", "previous", "next" and "cubic".

    Points outside of x raise `ValueError`, unless there is a `fill_value` (one, a pair for below and above, or "extrapolate"); where they are not
    known yet, under `jit` and `vmap`, they give NaN. Differentiable in x, y, the fill values and the points of evaluation.
    Raises `ValueError` for other kinds and shapes that do not fit.

    >>> import numpy as np, tracejit as tj
    >>> from tracejit.scipy.interpolate import interp1d
    >>> f = lambda y: interp1d(np.arange(3.0), y)(1.25)
    >>> f(np.array([0.0, 1.0, 4.0])), tj.grad(f)(np.array([0.0, 1.0, 4.0]))
    (array(1.75), array([0.  , 0.75, 0.25]))
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        kind: str | int = "linear",
        axis: int = -1,
        copy: bool = True,
        bounds_error: bool | None = None,
        fill_value: Any = np.nan,
        assume_sorted: bool = False,
    ):
        kind = _SAME.get(kind, kind)
        if kind not in KINDS:
            raise ValueError(at_user_line(f"interp1d: kind is one of {', '.join(map(repr, KINDS))}, got {kind!r}"))
        x, y, self.axis = data("interp1d", x, y, axis)
        if not assume_sorted:
            order = np.argsort(x, kind="stable")
            x, y = x[order], y[order]
        self.x, self.y, self.kind = x, y, kind
        self._extrapolate = isinstance(fill_value, str) and fill_value == "extrapolate"
        plain = isinstance(fill_value, float) and np.isnan(fill_value)
        self._bounds_error = plain if bounds_error is None else bounds_error
        self._below, self._above = fill_value if isinstance(fill_value, tuple) and len(fill_value) == 2 else (fill_value, fill_value)
        if self._extrapolate and kind in ("previous", "next"):  # there is none before the first, and none after the last
            self._extrapolate = False
            self._below, self._above = (np.nan, y[-1]) if kind == "previous" else (y[0], np.nan)
        self._spline = CubicSpline(x, y) if kind == "cubic" else None

    def __call__(self, x: Any) -> Any:
        """Values at points x of any shape, which stands in place of the interpolation axis of y."""
        points = float_array(x)
        shape = type_of(points).shape
        flat = np.reshape(points, (-1,))
        column = np.reshape(flat, (-1, *(1,) * (type_of(self.y).ndim - 1)))
        values = self._inside(flat, column)
        if not self._extrapolate:
            below, above = flat < self.x[0], flat > self.x[-1]
            if self._bounds_error:
                outside = known_value(np.any(below | above))
                if outside:
                    raise ValueError(at_user_line("interp1d: a value in x_new is outside of the interpolation range"))
            below, above = (np.reshape(b, type_of(column).shape) for b in (below, above))
            values = np.where(below, self._below, np.where(above, self._above, values))
        return axis_in_place(np.reshape(values, (*shape, *type_of(self.y).shape[1:])), len(shape), self.axis)

    def _inside(self, flat: Any, column: Any) -> Any:
        last = type_of(self.x).shape[0] - 1
        if self._spline is not None:
            return self._spline(flat)
        if self.kind == "linear":
            after = np.clip(np.searchsorted(self.x, flat), 1, last)
            before = after - 1
            start, end = (np.reshape(self.x[i], type_of(column).shape) for i in (before, after))
            return self.y[before] + (self.y[after] - self.y[before]) / (end - start) * (column - start)
        if self.kind in ("nearest", "nearest-up"):
            middles = (self.x[1:] + self.x[:-1]) / 2
            place = np.searchsorted(middles, flat, side="left" if self.kind == "nearest" else "right")
        elif self.kind == "previous":
            place = np.searchsorted(self.x, flat, side="right") - 1
        else:
            place = np.searchsorted(self.x, flat)
        return self.y[np.clip(place, 0, last)]
