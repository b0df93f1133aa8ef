"""Elements picked by index arrays, moved round, inserted and removed."""
from __future__ import annotations

import operator as python_operator

import numpy as np

from ..errors import at_user_line
from ..ir.types import BOOL, INT
from ..ops import elementwise as ops
from ..ops import movement
from ..ops.indexing import gather
from ..trace import Tracer
from .axes import axis_index
from .constants import positions
from .joining import concatenate, stack
from .masks import held
from .promotion import as_array, cast, promote
from .register import implements, known, refuse, static
from .shaping import broadcast_to, lined, moveaxis, part, ravel


def _indices(indices):
    """Integer indices as int64. Raises NumPy's `TypeError` for others."""
    i = as_array(indices)
    if i.size == 0 and type(i) is not Tracer:
        return i.astype(INT)
    if i.dtype.kind not in "iub":
        raise TypeError(at_user_line(f"Cannot cast array data from {i.dtype!r} to dtype('int64') according to the rule 'safe'"))
    return cast(i, INT)


def _check_bounds(i, n: int, axis: int) -> None:
    if type(i) is not Tracer:
        wrong = np.asarray(i)[(i < -n) | (i >= n)]
        if wrong.size:
            raise IndexError(at_user_line(f"index {wrong.flat[0]} is out of bounds for axis {axis} with size {n}"))


@implements(np.take)
def take(a, indices, axis=None, out=None, mode="raise"):
    """As `numpy.take`."""
    refuse("np.take", out=out)
    x, i = as_array(a), _indices(indices)
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(at_user_line(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got '{mode}')"))
    x, axis = lined(x, axis)
    if mode == "raise":
        _check_bounds(i, x.shape[axis], axis)
    rows = gather(x, i, axes=(axis,), mode=mode)
    k = i.ndim
    order = (*range(k, k + axis), *range(k), *range(k + axis, rows.ndim))
    return movement.transpose(rows, permutation=order)


@implements(np.take_along_axis)
def take_along_axis(arr, indices, axis=-1):
    """As `numpy.take_along_axis`."""
    x, i = as_array(arr), as_array(indices)
    if i.dtype.kind not in "iu":
        raise IndexError(at_user_line("`indices` must be an integer array"))
    i = cast(i, INT)
    if axis is None:
        if i.ndim != 1:
            raise ValueError(at_user_line("when axis=None, `indices` must have a single dimension."))
        x, axis = ravel(x), 0
    axis = axis_index(axis, x.ndim)
    if i.ndim != x.ndim:
        raise ValueError(at_user_line("`indices` and `arr` must have the same number of dimensions"))
    try:
        lead = np.broadcast_shapes(*[tuple(1 if d == axis else n for d, n in enumerate(v.shape)) for v in (x, i)])
    except ValueError:
        raise IndexError(at_user_line(f"shape mismatch: indexing arrays could not be broadcast together, got {i.shape} and {x.shape}")) from None
    _check_bounds(i, x.shape[axis], axis)
    x, i = (movement.broadcast_to(v, shape=tuple(v.shape[d] if d == axis else n for d, n in enumerate(lead))) for v in (x, i))
    anchor = x if type(x) is Tracer else i
    at = [i if d == axis else positions(anchor, tuple(n if e == d else 1 for e in range(x.ndim)), d) for d, n in enumerate(lead)]
    return gather(x, *at, axes=tuple(range(x.ndim)), mode="raise")


@implements(np.choose)
def choose(a, choices, out=None, mode="raise"):
    """As `numpy.choose`, with the modes wrap and clip, and with raise where the choice is in range."""
    refuse("np.choose", out=out)
    options = promote(*choices)
    shape = np.broadcast_shapes(np.shape(a), *[np.shape(c) for c in options])
    stacked = concatenate([movement.reshape(broadcast_to(c, shape), shape=(1, *shape)) for c in options])
    i = broadcast_to(_indices(a), shape)
    anchor = stacked if type(stacked) is Tracer else i
    at = [i, *(positions(anchor, tuple(n if e == d else 1 for e in range(len(shape))), d) for d, n in enumerate(shape))]
    if mode == "wrap":
        at[0] = ops.remainder(i, np.int64(len(options)))
    elif mode == "clip":
        at[0] = ops.minimum(ops.maximum(i, np.int64(0), tie=0.5), np.int64(len(options) - 1), tie=0.5)
    return gather(stacked, *at, axes=tuple(range(len(shape) + 1)), mode="raise")


def _positions(condition, function: str) -> tuple:
    """Where the elements are not zero, one array of positions for each axis. The number of those of a traced array is asked of it."""
    values = known(condition)
    if values is not None:
        return np.nonzero(np.asarray(values))
    if not condition.ndim:
        raise ValueError(at_user_line("Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar).nonzero() instead."))
    mask = condition if condition.dtype == BOOL else ops.not_equal(condition, condition.dtype.type(0))
    line = held(mask, function)
    places = []
    for n in reversed(condition.shape[1:]):
        places.append(ops.remainder(line, np.int64(n)))
        line = ops.floor_divide(line, np.int64(n))
    return (line, *reversed(places))


@implements(np.compress)
def compress(condition, a, axis=None, out=None):
    """As `numpy.compress`; of a traced condition the number of elements that hold is asked."""
    refuse("np.compress", out=out)
    if np.ndim(condition) != 1:
        raise ValueError(at_user_line("condition must be a 1-d array"))
    return take(a, _positions(condition, "np.compress")[0], axis)


@implements(np.extract)
def extract(condition, arr):
    """As `numpy.extract`; of a traced condition the number of elements that hold is asked."""
    return take(ravel(arr), _positions(ravel(condition), "np.extract")[0])


@implements(np.nonzero)
def nonzero(a):
    """As `numpy.nonzero`; of a traced array the number of elements that are not zero is asked: it decides the shape of the result."""
    return _positions(a, "np.nonzero")


@implements(np.flatnonzero)
def flatnonzero(a):
    """As `numpy.flatnonzero`; see `nonzero`."""
    return _positions(ravel(a), "np.flatnonzero")[0]


@implements(np.argwhere)
def argwhere(a):
    """As `numpy.argwhere`; see `nonzero`."""
    places = _positions(a, "np.argwhere")
    return stack(places, axis=1) if places else np.argwhere(known(a))


# -- moving round
@implements(np.roll)
def roll(a, shift, axis=None):
    """As `numpy.roll`; the shift may be traced."""
    x = as_array(a)
    if axis is None:
        flat = roll(ravel(x), shift, 0)
        return movement.reshape(flat, shape=x.shape)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = [axis_index(d, x.ndim) for d in axes]
    shifts = [shift] * len(axes) if type(shift) is Tracer or np.ndim(shift) == 0 else list(shift)
    if len(shifts) != len(axes):
        if len(axes) != 1:
            raise ValueError(at_user_line("'shift' and 'axis' should be scalars or 1D sequences"))
        axes = axes * len(shifts)
    for s, d in zip(shifts, axes):
        x = _rolled(x, s, d)
    return x


def _rolled(x, shift, axis: int):
    n = x.shape[axis]
    if n == 0:
        return x
    if type(shift) is Tracer:
        i = ops.remainder(ops.subtract(positions(shift, (n,), 0), cast(shift, INT)), np.int64(n))
        return take(x, i, axis)
    shift = python_operator.index(shift) % n
    return x if shift == 0 else movement.concatenate(part(x, n - shift, n, axis), part(x, 0, n - shift, axis), axis=axis)


@implements(np.append)
def append(arr, values, axis=None):
    """As `numpy.append`."""
    return concatenate([ravel(arr), ravel(values)] if axis is None else [arr, values], axis=0 if axis is None else axis)


@implements(np.delete)
def delete(arr, obj, axis=None):
    """As `numpy.delete`; `obj` must be known while tracing."""
    x = as_array(arr)
    x, axis = (ravel(x), 0) if axis is None else (x, axis_index(axis, x.ndim))
    return take(x, np.delete(np.arange(x.shape[axis]), static(obj, "np.delete", "obj")), axis)


@implements(np.insert)
def insert(arr, obj, values, axis=None):
    """As `numpy.insert`; `obj` must be known while tracing."""
    x, v = as_array(arr), as_array(values)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_index(axis, x.ndim)
    n = x.shape[axis]
    where = static(obj, "np.insert", "obj")
    count = np.size(np.arange(n)[where]) if isinstance(where, slice) else np.size(where)
    if isinstance(where, (int, np.integer)):   # one place, as many rows as the values have along their first axis
        v = moveaxis(movement.reshape(v, shape=(1,) * (x.ndim - v.ndim) + v.shape), 0, axis)
        count = v.shape[axis]
    # NumPy places the numbers of the new rows (n, n+1, ...) among those of the old ones; the rows are then taken in that order.
    order = np.insert(np.arange(n), [int(where)] * count if isinstance(where, (int, np.integer)) else where, np.arange(n, n + count))
    rows = movement.broadcast_to(cast(v, x.dtype), shape=tuple(count if d == axis else m for d, m in enumerate(x.shape)))
    return take(concatenate([x, rows], axis), order, axis)
