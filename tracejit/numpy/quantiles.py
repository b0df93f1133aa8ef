"""Quantiles, percentiles and medians by all of NumPy's methods, with and without NaN.

A quantile is an element of the sorted sample, or lies between two neighbours.  `_METHODS` says at which position; everything else is shared.  The
quantile and, where NaN is left out, the size of the sample may be traced.
"""
from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ir.types import FLOAT, INT
from ..ops import elementwise as ops
from ..ops import movement, sorting
from ..trace import Tracer
from . import reductions
from .axes import axis_tuple
from .comparing import where
from .promotion import as_array, cast
from .register import implements, refuse
from .shaping import broadcast_to
from .statistics import lined_up_weights
from .taking import take_along_axis
from .ufuncs import ceil, floor, remainder, rint


# -- methods: (n, q) -> the element below, and how far the quantile is from it to the one above
def _between(alpha: float, beta: float):
    """The continuous methods of Hyndman and Fan."""
    def position(n, q):
        at = n * q + (alpha + q * (1 - alpha - beta)) - 1
        low = floor(at)
        return low, at - low
    return position


def _linear(n, q):
    at = (n - 1) * q   # not n q + ... - q: that would round whole positions to others
    low = floor(at)
    return low, at - low


def _whole(rounded):
    """A method that takes an element as it is."""
    return lambda n, q: (rounded((n - 1) * q), None)


def _inverted_cdf(n, q):
    return ceil(n * q) - 1, None


def _averaged_inverted_cdf(n, q):
    at = n * q - 1
    low = floor(at)
    return low, where(at == low, 0.5, 1.0)


def _closest_observation(n, q):
    """Rounded, a half to the odd position."""
    at = n * q - 1.5
    low = floor(at)
    return where((at == low) & (remainder(low, 2) == 1), low, low + 1), None


def _midpoint(n, q):
    at = (n - 1) * q
    low = floor(at)
    return low, where(at == low, 0.0, 0.5)


_METHODS = {
    "inverted_cdf": _inverted_cdf, "averaged_inverted_cdf": _averaged_inverted_cdf, "closest_observation": _closest_observation,
    "interpolated_inverted_cdf": _between(0, 1), "hazen": _between(0.5, 0.5), "weibull": _between(0, 0), "linear": _linear,
    "median_unbiased": _between(1 / 3, 1 / 3), "normal_unbiased": _between(3 / 8, 3 / 8),
    "lower": _whole(floor), "higher": _whole(ceil), "nearest": _whole(rint), "midpoint": _midpoint,
}


# -- the sample
def _lined_up(x, axes: tuple[int, ...]):
    """x with the axes of the sample in one, behind the others."""
    rest = tuple(d for d in range(x.ndim) if d not in axes)
    count = math.prod(x.shape[d] for d in axes)
    return movement.reshape(movement.transpose(x, permutation=(*rest, *axes)), shape=(*(x.shape[d] for d in rest), count))


def _checked_q(q, scale: int, name: str):
    """q as numbers between 0 and 1, as NumPy scales and checks them; and whether it is a Python number, which does not widen the result."""
    weak = isinstance(q, (int, float)) or type(q) is Tracer and q.weak
    q = as_array(q)
    if q.ndim > 2:
        raise ValueError(at_user_line("q must be a scalar or 1d"))
    if q.dtype.kind == "c":
        raise TypeError(at_user_line(f"np.{name}: q must be real"))
    q = q if q.dtype.kind == "f" else cast(q, FLOAT)
    q = q / scale if scale != 1 else q
    if type(q) is not Tracer and not np.all((0 <= q) & (q <= 1)):
        raise ValueError(at_user_line("Quantiles must be in the range [0, 1]" if scale == 1 else "Percentiles must be in the range [0, 100]"))
    return q, weak


def _element(ordered, at):
    """The elements of the last axis at positions of the shape (*q, *rows), which arrive as floats and may lie outside."""
    n = ordered.shape[-1]
    if type(at) is not Tracer and at.ndim == 0:
        i = int(min(max(at, 0), n - 1))
        lead = ordered.shape[:-1]
        found = movement.slice_(ordered, start=(*(0,) * len(lead), i), stop=(*lead, i + 1), step=(1,) * ordered.ndim)
        return movement.reshape(found, shape=lead)
    at = cast(ops.minimum(ops.maximum(at, at.dtype.type(0), tie=0.5), at.dtype.type(n - 1), tie=0.5), INT)
    rows, lead = ordered.shape[:-1], at.shape[:at.ndim - ordered.ndim + 1]
    many = math.prod(lead)
    behind = movement.transpose(movement.reshape(at, shape=(many, *rows)), permutation=(*range(1, len(rows) + 1), 0))
    found = take_along_axis(ordered, behind, -1)
    return movement.reshape(movement.transpose(found, permutation=(len(rows), *range(len(rows)))), shape=(*lead, *rows))


def _interpolated(below, above, weight, weak: bool):
    """From the nearer end, so that a weight of 1 gives `above` exactly."""
    weight = float(weight) if weak and type(weight) is not Tracer and np.ndim(weight) == 0 else weight
    if weak and type(weight) is Tracer and below.dtype.kind == "f":
        weight = cast(weight, below.dtype)
    gap = above - below
    return where(weight >= 0.5, above - gap * (1 - weight), below + gap * weight)


def _found(ordered, n, q, method: str, weak: bool):
    """The quantiles q of sorted rows, of which the first n elements count."""
    rows = ordered.ndim - 1
    if ordered.shape[-1] == 0:
        return broadcast_to(ordered.dtype.type(np.nan if ordered.dtype.kind in "fc" else 0), (*q.shape, *ordered.shape[:-1]))
    traced_size = type(n) is not int
    if q.ndim or traced_size:
        q = movement.reshape(q, shape=(*q.shape, *(1,) * rows))
    low, weight = _METHODS[method](n, q)
    if traced_size or type(low) is Tracer and q.ndim == 0 or q.ndim:
        low, weight = (v if v is None else broadcast_to(v, (*q.shape[:q.ndim - rows], *ordered.shape[:-1])) for v in (low, weight))
    elif type(low) is Tracer:
        low, weight = (v if v is None else broadcast_to(v, ordered.shape[:-1]) for v in (low, weight))
    last = n - 1
    if weight is None:
        return _element(ordered, _at_most(low, last))
    below, above = _element(ordered, _at_most(low, last)), _element(ordered, _at_most(low + 1, last))
    return _interpolated(below, above, weight, weak)


def _at_most(at, last):
    if type(at) is not Tracer and type(last) is int:
        return np.minimum(at, last)
    return where(at > last, last, at)


def _quantile(name: str, scale: int, a, q, axis, method, keepdims, weights, without_nan: bool):
    whole = scale == 1 and as_array(q).dtype.kind in "iu"
    q, weak = _checked_q(q, scale, name)
    if method not in _METHODS:
        raise ValueError(at_user_line(f"{method!r} is not a valid method. Use one of: {', '.join(_METHODS)}"))
    x = as_array(a)
    if x.dtype.kind == "c":
        raise TypeError(at_user_line("a must be an array of real numbers"))
    if x.dtype.kind == "b":
        raise TypeError(at_user_line("numpy boolean subtract, the `-` operator, is not supported"))
    if method == "linear" and whole and x.dtype.kind in "iu":   # the least or the largest, which stays an integer
        method = "lower"
    axes = axis_tuple(axis, x.ndim)
    sample = _lined_up(x, axes)
    if sample.shape[-1] == 0 and not without_nan and name != "median":
        raise IndexError(at_user_line("index -1 is out of bounds for axis 0 with size 0"))
    missing = ops.isnan(sample) if x.dtype.kind == "f" else None
    if weights is not None:
        if method != "inverted_cdf":
            raise ValueError(at_user_line(f"Only method 'inverted_cdf' supports weights. Got: {method}."))
        result = _weighted(sample, _sample_weights(weights, x, axis, axes), q, missing if without_nan else None)
    elif without_nan and missing is not None:
        present = cast(reductions.sum(ops.logical_not(missing), -1), FLOAT)
        result = _found(sorting.sort(sample, axis=sample.ndim - 1), present, q, method, weak)
    else:
        result = _found(sorting.sort(sample, axis=sample.ndim - 1), sample.shape[-1], q, method, weak)
    if missing is not None and sample.shape[-1]:
        spoiled = (reductions.all if without_nan else reductions.any)(missing, -1)
        result = ops.select(spoiled, result.dtype.type(np.nan), result)
    if keepdims and keepdims is not np._NoValue:
        kept = tuple(1 if d in axes else n for d, n in enumerate(x.shape))
        result = movement.reshape(result, shape=(*q.shape, *kept))
    return result


# -- with weights: the first element whose share of the weight, with all before it, reaches q
def _sample_weights(weights, x, axis, axes):
    w = lined_up_weights(weights, x, axis, axes)
    if type(w) is not Tracer and np.any(w < 0):
        raise ValueError(at_user_line("Weights must be non-negative."))
    return _lined_up(broadcast_to(cast(w, FLOAT), x.shape), axes)


def _weighted(sample, w, q, missing):
    from ..ops import cumulative
    last = sample.ndim - 1
    if missing is not None:
        w = ops.select(missing, w.dtype.type(0), w)
    order = sorting.argsort(sample, axis=last, descending=False)
    ordered, w = take_along_axis(sample, order, -1), take_along_axis(w, order, -1)
    share = cumulative.cumsum(w, axis=last, reverse=False)
    share = share / share[..., -1:]
    share = where(share == 0, -1.0, share)   # elements without weight in front are never chosen
    q = movement.reshape(q, shape=(*q.shape, *(1,) * sample.ndim))
    return _element(ordered, cast(reductions.sum(share < q, -1), FLOAT))


# -- NumPy's functions
@implements(np.quantile)
def quantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None):
    """As `numpy.quantile`."""
    refuse("np.quantile", out=out)
    return _quantile("quantile", 1, a, q, axis, method, keepdims, weights, False)


@implements(np.percentile)
def percentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None):
    """As `numpy.percentile`."""
    refuse("np.percentile", out=out)
    return _quantile("percentile", 100, a, q, axis, method, keepdims, weights, False)


@implements(np.nanquantile)
def nanquantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=np._NoValue, *, weights=None):
    """As `numpy.nanquantile`."""
    refuse("np.nanquantile", out=out)
    return _quantile("nanquantile", 1, a, q, axis, method, keepdims, weights, True)


@implements(np.nanpercentile)
def nanpercentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=np._NoValue, *, weights=None):
    """As `numpy.nanpercentile`."""
    refuse("np.nanpercentile", out=out)
    return _quantile("nanpercentile", 100, a, q, axis, method, keepdims, weights, True)


def _median(name: str, a, axis, out, keepdims, without_nan: bool):
    refuse(f"np.{name}", out=out)
    x = as_array(a)
    if x.dtype.kind == "b":
        x = cast(x, FLOAT)
    result = _quantile(name, 1, x, 0.5, axis, "linear", keepdims, None, without_nan)
    return result if result.dtype.kind == "f" else cast(result, FLOAT)


@implements(np.median)
def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """As `numpy.median`."""
    return _median("median", a, axis, out, keepdims, False)


@implements(np.nanmedian)
def nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=np._NoValue):
    """As `numpy.nanmedian`."""
    return _median("nanmedian", a, axis, out, keepdims, True)


__all__ = ["median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]
