"""Means, spreads and sums that look away from NaN."""
from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ir.types import BOOL, FLOAT
from ..ops import elementwise as ops
from ..ops.dot import dot_general
from ..ops.movement import reshape, transpose
from . import reductions
from .axes import axis_tuple, keep
from .joining import concatenate
from .promotion import as_array, cast, checked_dtype, common_dtype
from .register import implements, known, refuse
from .shaping import broadcast_to
from .ufuncs import divide, maximum, multiply, subtract

_none = np._NoValue
_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)


# -- mean
def _count(x, axes: tuple[int, ...], where):
    """How many elements each result is made from: a number, or an array where a mask says which."""
    if where is True or where is _none:
        return math.prod(x.shape[a] for a in axes)
    mask = broadcast_to(cast(as_array(where), BOOL), x.shape)
    return reductions.sum(mask, axes)


@implements(np.mean)
def mean(a, axis=None, dtype=None, out=None, keepdims=_none, *, where=_none):
    """As `numpy.mean`; float16 is summed in float32."""
    refuse("np.mean", out=out)
    x = as_array(a)
    made = checked_dtype(dtype) if dtype is not None else FLOAT if x.dtype.kind in "biu" else x.dtype
    summed = _SINGLE if dtype is None and made == _HALF else made
    axes = axis_tuple(axis, x.ndim)
    total = reductions.sum(x, axes, dtype=summed, where=where)
    result = divide(total, _count(x, axes, where))
    return keep(cast(result, made), keepdims, x.shape, axes)


def lined_up_weights(weights, x, axis, axes: tuple[int, ...]):
    """The weights of the elements of x, one each or one for each place along `axes`, with axes that line up with those of x. NumPy's errors."""
    w = as_array(weights)
    if w.shape == x.shape:
        return w
    if axis is None:
        raise TypeError(at_user_line("Axis must be specified when shapes of a and weights differ."))
    if w.shape != tuple(x.shape[d] for d in axes):
        raise ValueError(at_user_line("Shape of weights must be consistent with shape of a along specified axis."))
    return reshape(w, shape=tuple(n if d in axes else 1 for d, n in enumerate(x.shape)))


@implements(np.average)
def average(a, axis=None, weights=None, returned=False, *, keepdims=_none):
    """As `numpy.average`. Weights that sum to zero give NaN or infinity where they are traced."""
    x = as_array(a)
    axes = axis_tuple(axis, x.ndim)
    if weights is None:
        result = mean(x, axes, keepdims=keepdims)
        scale = broadcast_to(result.dtype.type(x.size / result.size), result.shape)
        return (result, scale) if returned else result
    w = lined_up_weights(weights, x, axis, axes)
    dtype = common_dtype(x, w, np.empty((), FLOAT)) if x.dtype.kind in "biu" else common_dtype(x, w)
    x, w = cast(x, dtype), cast(w, dtype)
    spread = broadcast_to(w, x.shape)
    scale = reductions.sum(spread, axes, keepdims=keepdims)
    result = reductions.sum(multiply(x, w), axes, keepdims=keepdims) / scale
    return (result, scale) if returned else result


# -- spread
@implements(np.var)
def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=_none, *, where=_none, mean=_none, correction=_none):
    """As `numpy.var`."""
    refuse("np.var", out=out)
    x = as_array(a)
    if correction is not _none:
        if ddof != 0:
            raise ValueError(at_user_line("ddof and correction can't be provided simultaneously."))
        ddof = correction
    x = cast(x, checked_dtype(dtype) if dtype is not None else FLOAT if x.dtype.kind in "biu" else x.dtype)
    axes = axis_tuple(axis, x.ndim)
    count = _count(x, axes, where)
    if mean is _none:
        kept = reductions.sum(x, axes, keepdims=True, where=where)
        many = count if np.ndim(count) == 0 else reshape(count, shape=kept.shape)
        mean = cast(divide(kept, many), x.dtype)
    deviation = subtract(x, mean)
    squared = ops.square(deviation) if x.dtype.kind != "c" else ops.real(ops.multiply(deviation, ops.conjugate(deviation)))
    total = reductions.sum(squared, axes, where=where)
    left = count - ddof
    left = max(left, 0) if isinstance(left, (int, float)) else ops.maximum(left, left.dtype.type(0), tie=0.5)
    return keep(cast(divide(total, left), squared.dtype if dtype is None else x.dtype), keepdims, x.shape, axes)


@implements(np.std)
def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=_none, *, where=_none, mean=_none, correction=_none):
    """As `numpy.std`. Where all elements are equal its slope is 0."""
    return root(var(a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction))


def root(x):
    """The square root of a sum of squares: its slope at 0 is 0, the least-norm choice."""
    return ops.root(x)


@implements(np.cov)
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    """As `numpy.cov`. Traced weights are taken to be valid."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError(at_user_line("ddof must be integer"))
    x = _variables(as_array(m), rowvar, dtype)
    if y is not None:
        x = concatenate([x, _variables(as_array(y), rowvar, dtype)])
    x = cast(x, common_dtype(x, np.empty((), FLOAT)) if dtype is None else checked_dtype(dtype))
    ddof = ddof if ddof is not None else 0 if bias else 1
    w = _observation_weights(fweights, aweights, x.shape[1])
    if w is None:
        left = max(x.shape[1] - ddof, 0)
        deviation = subtract(x, mean(x, 1, keepdims=True))
        weighted = deviation
    else:
        total = reductions.sum(w)
        deviation = subtract(x, divide(reductions.sum(multiply(x, w), 1, keepdims=True), total))
        weighted = multiply(deviation, w)
        left = total - ddof * (1 if aweights is None else divide(reductions.sum(multiply(w, as_array(aweights))), total))
        left = maximum(left, 0)
    other = ops.conjugate(weighted) if x.dtype.kind == "c" else weighted
    result = divide(dot_general(deviation, cast(other, deviation.dtype), contract=((1,), (1,)), batch=((), ())), left)
    return reshape(result, shape=()) if result.shape == (1, 1) else result


def _observation_weights(frequencies, importances, n: int):
    """The product of both weights of each observation; None where there are none."""
    result = None
    for name, given in (("fweights", frequencies), ("aweights", importances)):
        if given is None:
            continue
        w, values = as_array(given), known(given)
        if w.ndim > 1:
            raise RuntimeError(at_user_line(f"cannot handle multidimensional {name}"))
        if w.shape != (n,):
            raise RuntimeError(at_user_line(f"incompatible numbers of samples and {name}"))
        if values is not None and np.any(np.asarray(values) < 0):
            raise ValueError(at_user_line(f"{name} cannot be negative"))
        if name == "fweights" and values is not None and np.any(np.asarray(values) != np.around(values)):
            raise TypeError(at_user_line("fweights must be integer"))
        w = cast(w, FLOAT)
        result = w if result is None else multiply(result, w)
    return result


def _variables(x, rowvar: bool, dtype):
    if x.ndim > 2:
        raise ValueError(at_user_line("m has more than 2 dimensions"))
    if x.ndim < 2:
        return reshape(x, shape=(1, x.size))
    return x if rowvar else transpose(x, permutation=(1, 0))


@implements(np.corrcoef)
def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    """As `numpy.corrcoef`."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.shape == ():
        return divide(c, c)
    from .matrices import diagonal
    spread = ops.sqrt(ops.real(diagonal(c)) if c.dtype.kind == "c" else diagonal(c))
    n = spread.shape[0]
    return c / reshape(spread, shape=(n, 1)) / reshape(spread, shape=(1, n))


# -- without NaN
def _present(x):
    return ops.logical_not(ops.isnan(x)) if x.dtype.kind in "fc" else np.True_


def _without_nan(name: str, reduce):
    def nan_reduce(a, axis=None, dtype=None, out=None, keepdims=_none, initial=_none, where=_none):
        x = as_array(a)
        mask = _present(x)
        if where is not True and where is not _none:
            mask = ops.logical_and(mask, cast(as_array(where), BOOL))
        return reduce(x, axis, dtype, out, keepdims, initial, mask)
    nan_reduce.__name__ = name
    return nan_reduce


nansum = implements(np.nansum)(_without_nan("nansum", reductions.sum))
nanprod = implements(np.nanprod)(_without_nan("nanprod", reductions.prod))


@implements(np.nanmean)
def nanmean(a, axis=None, dtype=None, out=None, keepdims=_none, *, where=_none):
    """As `numpy.nanmean`."""
    x = as_array(a)
    mask = _present(x)
    if where is not True and where is not _none:
        mask = ops.logical_and(mask, cast(as_array(where), BOOL))
    return mean(x, axis, dtype, out, keepdims, where=_none if mask is np.True_ else mask)


@implements(np.nanvar)
def nanvar(a, axis=None, dtype=None, out=None, ddof=0, keepdims=_none, *, where=_none, mean=_none, correction=_none):
    """As `numpy.nanvar`."""
    x = as_array(a)
    mask = _present(x)
    if where is not True and where is not _none:
        mask = ops.logical_and(mask, cast(as_array(where), BOOL))
    if mask is np.True_:
        return var(x, axis, dtype, out, ddof, keepdims, mean=mean, correction=correction)
    return var(ops.select(mask, x, x.dtype.type(0)), axis, dtype, out, ddof, keepdims, where=mask, mean=mean, correction=correction)


@implements(np.nanstd)
def nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=_none, *, where=_none, mean=_none, correction=_none):
    """As `numpy.nanstd`."""
    return root(nanvar(a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction))


def _nan_extremum(name: str, reduce, worst: float):
    def nan_reduce(a, axis=None, out=None, keepdims=_none, initial=_none, where=_none):
        refuse(f"np.{name}", out=out)
        x = as_array(a)
        if x.dtype.kind != "f":
            return reduce(x, axis, None, keepdims, initial, where)
        absent = ops.isnan(x)
        found = reduce(ops.select(absent, x.dtype.type(worst), x), axis, None, keepdims, initial, where)
        nothing = reductions.all(absent, axis, keepdims=keepdims, where=where)   # a slice of NaNs alone stays NaN
        if initial is not _none and initial is not None:
            return found
        return ops.select(nothing, x.dtype.type(np.nan), found)
    nan_reduce.__name__ = name
    return nan_reduce


nanmax = implements(np.nanmax)(_nan_extremum("nanmax", reductions.max, -math.inf))
nanmin = implements(np.nanmin)(_nan_extremum("nanmin", reductions.min, math.inf))


def _nan_position(name: str, find, worst: float):
    def nan_find(a, axis=None, out=None, *, keepdims=_none):
        x = as_array(a)
        return find(ops.select(ops.isnan(x), x.dtype.type(worst), x) if x.dtype.kind == "f" else x, axis, out, keepdims=keepdims)
    nan_find.__name__ = name
    return nan_find


nanargmax = implements(np.nanargmax)(_nan_position("nanargmax", reductions.argmax, -math.inf))
nanargmin = implements(np.nanargmin)(_nan_position("nanargmin", reductions.argmin, math.inf))
