"""Polynomials in pieces: `PPoly`, which splines are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import tree
from ...errors import at_user_line
from ...trace import type_of


class PPoly:
    """As `scipy.interpolate.PPoly`: on [x[i], x[i+1]) the polynomial with coefficients c[:, i], the highest power of (t - x[i]) first.

    `x` has n + 1 elements that rise, `c` the shape (degree + 1, n, ...). `extrapolate` says what is outside: the first and last polynomial (True),
    NaN (False), or the same again ("periodic"). Differentiable in all of x, c and the points of evaluation; a tree of x and c.

    >>> import numpy as np
    >>> PPoly(np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([0.0, 1.0, 2.0]))(np.array([0.5, 1.5]))
    array([0.5, 2. ])
    """

    def __init__(self, c: Any, x: Any, extrapolate: bool | str = True, axis: int = 0):
        self.c, self.x, self.extrapolate, self.axis = c, x, extrapolate, axis
        if type_of(c).ndim < 2 or type_of(x).ndim != 1 or type_of(c).shape[1] + 1 != type_of(x).shape[0]:
            raise ValueError(at_user_line(f"PPoly: c of shape {type_of(c).shape} does not fit to x of shape {type_of(x).shape}"))

    def __call__(self, x: Any, nu: int = 0, extrapolate: bool | str | None = None) -> Any:
        """The value at points x of any shape, or the derivative of order `nu`. The axis of x stands where that of the data was."""
        points = float_array(x)
        shape = type_of(points).shape
        values = self._at(np.reshape(points, (-1,)), nu, self.extrapolate if extrapolate is None else extrapolate)
        values = np.reshape(values, (*shape, *type_of(self.c).shape[2:]))
        return axis_in_place(values, len(shape), self.axis)

    def _at(self, points: Any, nu: int, extrapolate: bool | str) -> Any:
        first, last = self.x[0], self.x[-1]
        if extrapolate == "periodic":
            points = first + (points - first) % (last - first)
        piece = np.clip(np.searchsorted(self.x, points, side="right") - 1, 0, type_of(self.x).shape[0] - 2)
        offset = np.reshape(points - self.x[piece], (-1, *(1,) * (type_of(self.c).ndim - 2)))
        total = 0.0 * self.c[0][piece]
        degree = type_of(self.c).shape[0] - 1
        for row in range(degree + 1 - nu):
            power = degree - row
            total = total * offset + float(np.prod(np.arange(power - nu + 1, power + 1))) * self.c[row][piece]
        if extrapolate is False:
            inside = np.reshape((points >= first) & (points <= last), (-1, *(1,) * (type_of(self.c).ndim - 2)))
            total = np.where(inside, total, np.nan)
        return total

    def derivative(self, nu: int = 1) -> PPoly:
        """The derivative of order `nu` as such a polynomial."""
        degree = type_of(self.c).shape[0] - 1
        if nu > degree:
            return PPoly(0.0 * self.c[:1], self.x, self.extrapolate, self.axis)
        factors = np.array([np.prod(np.arange(power - nu + 1, power + 1), dtype=float) for power in range(degree, nu - 1, -1)])
        return PPoly(_rows(factors, self.c) * self.c[: degree + 1 - nu], self.x, self.extrapolate, self.axis)

    def antiderivative(self) -> PPoly:
        """The integral from x[0] on, as such a polynomial."""
        degree = type_of(self.c).shape[0] - 1
        raised = self.c / _rows(np.arange(degree + 1, 0, -1.0), self.c)
        widths = np.reshape(self.x[1:] - self.x[:-1], (-1, *(1,) * (type_of(self.c).ndim - 2)))
        areas = 0.0 * raised[0]
        for row in range(degree + 1):
            areas = (areas + raised[row]) * widths
        before = np.concatenate([0.0 * areas[:1], np.cumsum(areas, axis=0)[:-1]])
        return PPoly(np.concatenate([raised, before[None]]), self.x, self.extrapolate is not False, self.axis)

    def integrate(self, a: Any, b: Any, extrapolate: bool | str | None = None) -> Any:
        """The integral from a to b, which are numbers."""
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        whole = self.antiderivative()

        def up_to(t: Any) -> Any:
            if extrapolate != "periodic":
                return whole(t, extrapolate=extrapolate)
            turns = np.floor((t - self.x[0]) / (self.x[-1] - self.x[0]))
            return whole(t - turns * (self.x[-1] - self.x[0]), extrapolate=True) + turns * whole(self.x[-1], extrapolate=True)

        return up_to(float_array(b)) - up_to(float_array(a))


def _rows(factors: Any, like: Any) -> Any:
    return np.reshape(factors, (-1, *(1,) * (type_of(like).ndim - 1)))


def axis_in_place(values: Any, new: int, axis: int) -> Any:
    """Values whose `new` first axes are those of the points, with these axes where axis number `axis` of the data was."""
    after = new + axis
    return np.transpose(values, [*range(new, after), *range(new), *range(after, type_of(values).ndim)])


def float_array(x: Any) -> Any:
    return x + 0.0 if hasattr(x, "dtype") else np.asarray(x, float) if np.ndim(x) == 0 else np.stack([float_array(v) for v in x])


def register(cls: type) -> type:
    """Makes a class of such polynomials a tree, of its coefficients and its ends."""

    def rebuild(metadata: tuple, children: Any) -> PPoly:
        result = object.__new__(cls)
        (result.c, result.x), (result.extrapolate, result.axis) = children, metadata
        return result

    return tree.register_node(cls, lambda p: ((p.c, p.x), (p.extrapolate, p.axis), ("c", "x")), rebuild)


register(PPoly)
