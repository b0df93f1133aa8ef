"""Sorting, searching, quantiles."""
from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ir.types import FLOAT
from ..ops import elementwise as ops
from ..ops import movement, sorting
from .axes import axis_index, axis_tuple, keep
from .constants import filled
from .joining import concatenate
from .promotion import as_array, cast, promote
from .register import implements, refuse, static
from .shaping import part, ravel
from .taking import take


@implements(np.sort)
def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    """As `numpy.sort`; always stable."""
    refuse("np.sort", order=order)
    x = as_array(a)
    if axis is None:
        x, axis = ravel(x), 0
    return sorting.sort(x, axis=axis_index(axis, x.ndim))


@implements(np.argsort)
def argsort(a, axis=-1, kind=None, order=None, *, stable=None):
    """As `numpy.argsort`; always stable."""
    refuse("np.argsort", order=order)
    x = as_array(a)
    if axis is None:
        x, axis = ravel(x), 0
    return sorting.argsort(x, axis=axis_index(axis, x.ndim), descending=False)


@implements(np.searchsorted)
def searchsorted(a, v, side="left", sorter=None):
    """As `numpy.searchsorted`."""
    x, v = promote(as_array(a), as_array(v))
    if x.ndim != 1:
        raise ValueError(at_user_line("object too deep for desired array"))
    if sorter is not None:
        x = take(x, sorter)
    return sorting.searchsorted(x, v, side=side)


@implements(np.digitize)
def digitize(x, bins, right=False):
    """As `numpy.digitize`, for increasing bins."""
    return searchsorted(bins, x, side="left" if right else "right")


@implements(np.quantile)
def quantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None):
    """As `numpy.quantile` with linear interpolation; `q` must be known while tracing."""
    refuse("np.quantile", out=out, weights=weights)
    if method != "linear":
        raise TypeError(at_user_line(f"np.quantile(..., method={method!r}) has no traced form"))
    q = np.asarray(static(q, "np.quantile", "q"))
    if not ((0 <= q) & (q <= 1)).all():
        raise ValueError(at_user_line("Quantiles must be in the range [0, 1]"))
    x = as_array(a)
    x = x if x.dtype.kind == "f" else cast(x, FLOAT)
    axes = axis_tuple(axis, x.ndim)
    rest = tuple(d for d in range(x.ndim) if d not in axes)
    count = math.prod(x.shape[d] for d in axes)
    lined = movement.reshape(movement.transpose(x, permutation=(*rest, *axes)), shape=(*(x.shape[d] for d in rest), count))
    ordered = sorting.sort(lined, axis=len(rest))
    found = [keep(_at_position(ordered, float(p) * (ordered.shape[-1] - 1)), keepdims, x.shape, axes) for p in q.ravel()]
    if q.ndim == 0:
        return found[0]
    stacked = concatenate([movement.reshape(p, shape=(1, *p.shape)) for p in found])
    return movement.reshape(stacked, shape=(*q.shape, *found[0].shape))


def _at_position(ordered, position: float):
    """The element at a position of the last axis, between two neighbours where it is not whole. A NaN, which sorts last, spoils its row."""
    *lead, n = ordered.shape
    if n == 0:
        return filled(ordered, tuple(lead), np.nan, ordered.dtype)

    def element(i):
        return movement.reshape(part(ordered, i, i + 1, len(lead)), shape=tuple(lead))
    low = math.floor(position)
    result = element(low)
    if position != low:
        result = result + (element(low + 1) - result) * (position - low)
    last = element(n - 1)
    return ops.select(ops.isnan(last), last, result)


@implements(np.percentile)
def percentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None):
    """As `numpy.percentile` with linear interpolation; `q` must be known while tracing."""
    return quantile(a, np.true_divide(static(q, "np.percentile", "q"), 100), axis, out, overwrite_input, method, keepdims, weights=weights)


@implements(np.median)
def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """As `numpy.median`."""
    return quantile(a, 0.5, axis, out, keepdims=keepdims)
