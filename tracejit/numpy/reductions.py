"""Sums, products, extrema and their positions, `any` and `all`."""
from __future__ import annotations

import operator as python_operator

import numpy as np

from ..errors import at_user_line
from ..ir.types import BOOL, INT
from ..ops import elementwise as ops
from ..ops import reduction
from ..ops.movement import reshape
from .axes import axis_index, axis_tuple, keep
from .promotion import as_array, cast, checked_dtype
from .register import implements, refuse
from .shaping import broadcast_to

_UNSIGNED = np.dtype(np.uint64)
_none = np._NoValue


def wide(dtype: np.dtype) -> np.dtype:
    """What sums and products are made in: small integers would overflow."""
    if dtype.kind in "bi":
        return INT
    return _UNSIGNED if dtype.kind == "u" else dtype


def _masked(x, where, neutral):
    """`x` where the mask holds and the neutral element elsewhere. The mask may be larger than x."""
    if where is True or where is _none:
        return x
    where = as_array(where)
    if where.dtype != BOOL:
        raise TypeError(at_user_line(f"Cannot cast array data from {where.dtype!r} to {BOOL!r} according to the rule 'safe'"))
    return ops.select(where, x, x.dtype.type(neutral))


def _given(value) -> bool:
    return value is not _none and value is not None


def _accumulation(name: str, op, truth, combine, neutral):
    """`truth` is the reduction that sums or multiplies booleans, where dtype=bool asks for that."""
    def reduce(a, axis=None, dtype=None, out=None, keepdims=_none, initial=_none, where=_none):
        refuse(f"np.{name}", out=out)
        x = as_array(a)
        x = cast(x, wide(x.dtype) if dtype is None else checked_dtype(dtype))
        x = _masked(x, where, neutral)
        axes = axis_tuple(axis, x.ndim, of_scalar=True)
        result = keep((truth if x.dtype == BOOL else op)(x, axes=axes), keepdims, x.shape, axes)
        return combine(result, cast(initial, x.dtype)) if _given(initial) else result
    reduce.__name__ = name
    return reduce


sum = implements(np.sum)(_accumulation("sum", reduction.reduce_sum, reduction.reduce_any, ops.add, 0))
prod = implements(np.prod)(_accumulation("prod", reduction.reduce_prod, reduction.reduce_all, ops.multiply, 1))


def _extremum(name: str, op, pairwise, ufunc: str):
    def reduce(a, axis=None, out=None, keepdims=_none, initial=_none, where=_none):
        refuse(f"np.{name}", out=out)
        x = as_array(a)
        if _given(initial):
            initial = cast(initial, x.dtype)
        elif where is not True and where is not _none:
            raise ValueError(at_user_line(f"reduction operation '{ufunc}' does not have an identity, "
                                          f"so to use a where mask one has to specify 'initial'"))
        x = _masked(x, where, initial)
        axes = axis_tuple(axis, x.ndim, of_scalar=True)
        if not _given(initial):
            return keep(op(x, axes=axes), keepdims, x.shape, axes)
        kept = tuple(n for d, n in enumerate(x.shape) if d not in axes)
        if x.size == 0:
            result = broadcast_to(initial, kept)
        else:
            result = pairwise(op(x, axes=axes), initial, tie=0.0)
        return keep(result, keepdims, x.shape, axes)
    reduce.__name__ = name
    return reduce


max = implements(np.max, np.amax)(_extremum("max", reduction.reduce_max, ops.maximum, "maximum"))
min = implements(np.min, np.amin)(_extremum("min", reduction.reduce_min, ops.minimum, "minimum"))


@implements(np.ptp)
def ptp(a, axis=None, out=None, keepdims=_none):
    """As `numpy.ptp`."""
    refuse("np.ptp", out=out)
    return ops.subtract(max(a, axis, keepdims=keepdims), min(a, axis, keepdims=keepdims))


def _truth(name: str, op, neutral: bool):
    def reduce(a, axis=None, out=None, keepdims=_none, *, where=_none):
        refuse(f"np.{name}", out=out)
        x = _masked(cast(as_array(a), BOOL), where, neutral)
        axes = axis_tuple(axis, x.ndim, of_scalar=True)
        return keep(op(x, axes=axes), keepdims, x.shape, axes)
    reduce.__name__ = name
    return reduce


any = implements(np.any)(_truth("any", reduction.reduce_any, False))
all = implements(np.all)(_truth("all", reduction.reduce_all, True))


def _position(name: str, op):
    def reduce(a, axis=None, out=None, *, keepdims=_none):
        refuse(f"np.{name}", out=out)
        x = as_array(a)
        if axis is None:
            found = op(reshape(x, shape=(x.size,)), axis=0)
            return keep(found, keepdims, x.shape, tuple(range(x.ndim)))
        axis = python_operator.index(axis)
        if x.ndim == 0:
            axis_index(axis, 1)
            return op(reshape(x, shape=(1,)), axis=0)
        axis = axis_index(axis, x.ndim)
        return keep(op(x, axis=axis), keepdims, x.shape, (axis,))
    reduce.__name__ = name
    return reduce


argmax = implements(np.argmax)(_position("argmax", reduction.argmax))
argmin = implements(np.argmin)(_position("argmin", reduction.argmin))


@implements(np.count_nonzero)
def count_nonzero(a, axis=None, *, keepdims=False):
    """As `numpy.count_nonzero`, with a 0-d array for the total."""
    return sum(cast(as_array(a), BOOL), axis, keepdims=keepdims)
