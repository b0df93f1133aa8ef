"""Axis arguments, checked as NumPy checks them."""
from __future__ import annotations

import operator

from numpy import _NoValue
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..ops.movement import reshape
from ..ops.reduction import kept_shape


def axis_index(axis, ndim: int) -> int:
    """One axis, counted from the front. Raises `AxisError`."""
    return normalize_axis_index(operator.index(axis), ndim)


def axis_tuple(axis, ndim: int, of_scalar: bool = False) -> tuple[int, ...]:
    """Axes to reduce, sorted; None means all. With `of_scalar` a 0-d array has the axes 0 and -1, as in the reductions of ufuncs."""
    if axis is None:
        return tuple(range(ndim))
    if of_scalar and ndim == 0 and axis in (0, -1):
        return ()
    if isinstance(axis, list):
        raise TypeError("'list' object cannot be interpreted as an integer")
    return tuple(sorted(normalize_axis_tuple(axis, ndim)))


def keep(reduced, keepdims, shape: tuple[int, ...], axes: tuple[int, ...]):
    """The result of a reduction, with its axes of size one kept where that is asked for."""
    return reshape(reduced, shape=kept_shape(shape, axes)) if keepdims and keepdims is not _NoValue else reduced


