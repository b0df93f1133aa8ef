"""`ufunc.reduce`, `accumulate`, `reduceat` and `outer`; `at` is in `writing`."""
from __future__ import annotations

import itertools

import numpy as np

from ..errors import at_user_line
from ..ir.types import BOOL
from ..ops import cumulative, movement
from ..ops import elementwise as ops
from ..ops.indexing import scatter_add
from ..trace import dispatch
from . import reductions
from .axes import axis_index, axis_tuple, keep
from .constants import filled
from .promotion import as_array, cast, checked_dtype
from .register import refuse, static
from .shaping import part

_none = np._NoValue
_REDUCTIONS = {np.add: reductions.sum, np.multiply: reductions.prod, np.maximum: reductions.max, np.minimum: reductions.min,
               np.logical_or: reductions.any, np.logical_and: reductions.all}
_RUNNING = {np.add: cumulative.cumsum, np.multiply: cumulative.cumprod, np.maximum: cumulative.cummax, np.minimum: cumulative.cummin}
# Combined in pairs, in any order, without a change of dtype.
_ASSOCIATIVE = (np.logaddexp, np.logaddexp2, np.hypot, np.fmax, np.fmin, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.logical_xor,
                np.gcd, np.lcm)


def reduce(ufunc, array, axis=0, dtype=None, out=None, keepdims=False, initial=_none, where=True):
    """`ufunc.reduce(array, ...)`."""
    refuse(f"np.{ufunc.__name__}.reduce", out=out)
    function = _REDUCTIONS.get(ufunc)
    if function in (reductions.sum, reductions.prod):
        return function(array, axis, dtype, keepdims=keepdims, initial=initial, where=where)
    if function in (reductions.max, reductions.min):
        x = as_array(array) if dtype is None else cast(as_array(array), checked_dtype(dtype))
        return function(x, axis, keepdims=keepdims, initial=initial, where=where)
    if function is not None:
        result = function(array, axis, keepdims=keepdims, where=where)
        return result if initial is _none or initial is None else dispatch.ufuncs[ufunc](result, initial)
    x = _in_loop(ufunc, as_array(array), dtype)
    neutral = ufunc.identity if initial is _none or initial is None or ufunc.identity is not None else initial
    if where is not True:
        if ufunc not in _ASSOCIATIVE:
            raise TypeError(at_user_line(f"np.{ufunc.__name__}.reduce(..., where=) has no traced form"))
        if neutral is None:
            raise ValueError(at_user_line(f"reduction operation '{ufunc.__name__}' does not have an identity, "
                                          f"so to use a where mask one has to specify 'initial'"))
        x = ops.select(cast(as_array(where), BOOL), x, _number(neutral, x.dtype))
    return _combined(ufunc, x, axis, keepdims, initial, neutral)


def _in_loop(ufunc, x, dtype):
    """x in the dtype that NumPy's reduction computes in."""
    combine = dispatch.ufuncs.get(ufunc)
    if combine is None or ufunc.nin != 2 or ufunc.nout != 1:
        raise TypeError(at_user_line(f"np.{ufunc.__name__} has no traced form that combines two numbers to one"))
    wanted = {} if dtype is None else {"signature": (checked_dtype(dtype), None, None)}
    accumulator, element, result = ufunc.resolve_dtypes((None, x.dtype, None), reduction=True, casting="unsafe", **wanted)
    if not accumulator == element == result:
        raise TypeError(at_user_line(f"np.{ufunc.__name__} has no traced reduction of {x.dtype}: its results are {result}"))
    return cast(x, checked_dtype(element))


def _number(value, dtype: np.dtype):
    """The number in `dtype`; -1 is all bits of an unsigned integer."""
    return np.asarray(value).astype(dtype)[()]


def _combined(ufunc, x, axis, keepdims, initial, neutral):
    combine = dispatch.ufuncs[ufunc]
    axes, shape = axis_tuple(axis, x.ndim, of_scalar=True), x.shape
    if len(axes) > 1 and ufunc not in _ASSOCIATIVE:
        raise ValueError(at_user_line(f"reduction operation '{ufunc.__name__}' is not reorderable, so at most one axis may be specified"))
    result = x
    for axis in axes:
        if shape[axis] == 0:
            if neutral is None:
                raise ValueError(at_user_line(f"zero-size array to reduction operation {ufunc.__name__} which has no identity"))
            result = filled(result, tuple(1 if d == axis else n for d, n in enumerate(result.shape)), _number(neutral, x.dtype), x.dtype)
        elif ufunc in _ASSOCIATIVE:
            result = _in_pairs(combine, result, axis)
        else:
            result = _in_order(combine, result, axis, initial)[-1]
    result = movement.reshape(result, shape=tuple(m for d, m in enumerate(shape) if d not in axes))
    if initial is not _none and initial is not None and ufunc in _ASSOCIATIVE:
        result = combine(result, _number(initial, x.dtype))
    return keep(result, keepdims, shape, axes)


def _in_pairs(combine, x, axis: int):
    n = x.shape[axis]
    while n > 1:
        half = n // 2
        pairs = combine(part(x, 0, half, axis), part(x, half, 2 * half, axis))
        x = movement.concatenate(pairs, part(x, n - 1, n, axis), axis=axis) if n % 2 else pairs
        n = half + n % 2
    return x


def _in_order(combine, x, axis: int, initial=_none) -> list:
    """The running results, one for each element."""
    elements = (part(x, i, i + 1, axis) for i in range(x.shape[axis]))
    first = next(elements)
    if initial is not _none and initial is not None:
        first = combine(_number(initial, x.dtype), first)
    return list(itertools.accumulate(elements, combine, initial=first))


def accumulate(ufunc, array, axis=0, dtype=None, out=None):
    """`ufunc.accumulate(array, ...)`; other than sums, products and extrema are combined element by element."""
    refuse(f"np.{ufunc.__name__}.accumulate", out=out)
    op, x = _RUNNING.get(ufunc), as_array(array)
    if x.ndim == 0:
        raise TypeError(at_user_line("cannot accumulate on a scalar"))
    axis = axis_index(axis, x.ndim)
    if op is None:
        x = _in_loop(ufunc, x, dtype)
        return movement.concatenate(*_in_order(dispatch.ufuncs[ufunc], x, axis), axis=axis) if x.shape[axis] else x
    if dtype is not None:
        x = cast(x, checked_dtype(dtype))
    elif ufunc in (np.add, np.multiply):
        x = cast(x, reductions.wide(x.dtype))
    return op(x, axis=axis, reverse=False)


def reduceat(ufunc, array, indices, axis=0, dtype=None, out=None):
    """`ufunc.reduceat(array, indices)`; the indices must be known while tracing."""
    refuse(f"np.{ufunc.__name__}.reduceat", out=out)
    x = as_array(array)
    axis = axis_index(axis, x.ndim)
    starts = np.asarray(static(indices, f"np.{ufunc.__name__}.reduceat", "indices"))
    n = x.shape[axis]
    for i in starts.tolist():
        if not 0 <= i < n:
            raise IndexError(at_user_line(f"index {i} out-of-bounds in {ufunc.__name__}.reduceat [0, {n})"))
    if ufunc is np.add and len(starts) and (np.diff(starts) > 0).all():
        return _summed_between(x, starts, axis, dtype)
    ends = [*starts[1:].tolist(), n]
    pieces = [part(x, i, max(j, i + 1), axis) for i, j in zip(starts.tolist(), ends)]
    return movement.concatenate(*[reduce(ufunc, p, axis, dtype, keepdims=True) for p in pieces], axis=axis)


def _summed_between(x, starts: np.ndarray, axis: int, dtype):
    """Sums of neighbouring pieces, however many: every element is added to that of its piece."""
    x = cast(x, reductions.wide(x.dtype) if dtype is None else checked_dtype(dtype))
    used = movement.transpose(part(x, int(starts[0]), x.shape[axis], axis), permutation=(axis, *(d for d in range(x.ndim) if d != axis)))
    piece = np.searchsorted(starts, np.arange(starts[0], x.shape[axis]), side="right") - 1
    sums = scatter_add(filled(used, (len(starts), *used.shape[1:]), 0, used.dtype), used, piece, axes=(0,), mode="clip")
    return movement.transpose(sums, permutation=(*range(1, axis + 1), 0, *range(axis + 1, x.ndim)))


def outer(ufunc, a, b, /, **options):
    """`ufunc.outer(a, b)`."""
    x, y = as_array(a), as_array(b)
    x = movement.reshape(x, shape=(*x.shape, *(1,) * y.ndim))
    return dispatch.ufuncs[ufunc](x, y, **options)


dispatch.ufunc_methods.update(reduce=reduce, accumulate=accumulate, reduceat=reduceat, outer=outer)
