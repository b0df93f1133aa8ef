"""`ufunc.reduce`, `accumulate` and `outer`; `at` is in `writing`."""
from __future__ import annotations

import numpy as np

from ..errors import at_user_line
from ..ops import cumulative, movement
from ..trace import dispatch
from . import reductions
from .axes import axis_index, axis_tuple, keep
from .promotion import as_array, cast, checked_dtype
from .register import refuse
from .shaping import part

_none = np._NoValue
_REDUCTIONS = {np.add: reductions.sum, np.multiply: reductions.prod, np.maximum: reductions.max, np.minimum: reductions.min,
               np.logical_or: reductions.any, np.logical_and: reductions.all}
_RUNNING = {np.add: cumulative.cumsum, np.multiply: cumulative.cumprod, np.maximum: cumulative.cummax, np.minimum: cumulative.cummin}
# Combined in pairs, in any order, without a change of dtype.
_ASSOCIATIVE = (np.logaddexp, np.logaddexp2, np.hypot, np.fmax, np.fmin, np.bitwise_and, np.bitwise_or, np.bitwise_xor)


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
        refuse(f"np.{ufunc.__name__}.reduce", initial=initial)
        return function(array, axis, keepdims=keepdims, where=where)
    if ufunc not in _ASSOCIATIVE or dtype is not None or where is not True:
        raise TypeError(at_user_line(f"np.{ufunc.__name__}.reduce has no traced form"))
    return _in_pairs(ufunc, as_array(array), axis, keepdims, initial)


def _in_pairs(ufunc, x, axis, keepdims, initial):
    combine = dispatch.ufuncs[ufunc]
    axes, shape = axis_tuple(axis, x.ndim, of_scalar=True), x.shape
    result = x
    for axis in axes:
        n = shape[axis]
        if n == 0:
            raise ValueError(at_user_line(f"zero-size array to reduction operation {ufunc.__name__} which has no identity"))
        while n > 1:
            half = n // 2
            pairs = combine(part(result, 0, half, axis), part(result, half, 2 * half, axis))
            result = movement.concatenate(pairs, part(result, n - 1, n, axis), axis=axis) if n % 2 else pairs
            n = half + n % 2
    result = movement.reshape(result, shape=tuple(m for d, m in enumerate(shape) if d not in axes))
    if initial is not _none and initial is not None:
        result = combine(result, initial)
    return keep(result, keepdims, shape, axes)


def accumulate(ufunc, array, axis=0, dtype=None, out=None):
    """`ufunc.accumulate(array, ...)` for sums, products and extrema."""
    refuse(f"np.{ufunc.__name__}.accumulate", out=out)
    op = _RUNNING.get(ufunc)
    if op is None:
        raise TypeError(at_user_line(f"np.{ufunc.__name__}.accumulate has no traced form"))
    x = as_array(array)
    if x.ndim == 0:
        raise TypeError(at_user_line("cannot accumulate on a scalar"))
    if dtype is not None:
        x = cast(x, checked_dtype(dtype))
    elif ufunc in (np.add, np.multiply):
        x = cast(x, reductions.wide(x.dtype))
    return op(x, axis=axis_index(axis, x.ndim), reverse=False)


def outer(ufunc, a, b, /, **options):
    """`ufunc.outer(a, b)`."""
    x, y = as_array(a), as_array(b)
    x = movement.reshape(x, shape=(*x.shape, *(1,) * y.ndim))
    return dispatch.ufuncs[ufunc](x, y, **options)


dispatch.ufunc_methods.update(reduce=reduce, accumulate=accumulate, outer=outer)
