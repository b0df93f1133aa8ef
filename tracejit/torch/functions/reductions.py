"""Reductions along dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..dispatch import Primitive, function
from ..return_types import printed_as
from ..tensor import Tensor
from .operands import axes, axis, cast, require_entries, require_ordered


def _sum_impl(x, axis=None, keepdims=False, dtype=None):
    x = cast(x, dtype)
    if type(x) is np.ndarray:
        return np.add.reduce(x, axis, dtype, None, keepdims)  # np.sum takes twice as long to get there
    return np.sum(x, axis=axis, keepdims=keepdims, dtype=dtype)


_sum_all = Primitive("Sum", _sum_impl)
_sum_dims = Primitive("SumBackward1", _sum_impl)
_INTEGERS = "biu"


def _summed(x: Tensor, dtype: Any) -> np.dtype | None:
    """The dtype to sum in: that which is asked for, or int64 for smaller integers."""
    d = x._data.dtype
    if dtype is not None:
        return dtypes.as_numpy(dtype)
    return np.dtype(np.int64) if d.kind in _INTEGERS and d != np.int64 else None


@function("sum")
def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of all elements, or along `dim` (a number or a tuple of them)."""
    d = _summed(input, dtype)
    static = {} if d is None or d == input._data.dtype else {"dtype": d}
    if dim is None or dim == () or dim == []:
        return _sum_all.of_one(input, static) if not keepdim else _sum_dims(input, axis=None, keepdims=True, **static)
    return _sum_dims(input, axis=axes(dim, input._data.ndim), keepdims=bool(keepdim), **static)


def _mean_impl(x, axis=None, keepdims=False, dtype=None):
    x = cast(x, dtype)
    if type(x) is np.ndarray and x.dtype.char in "fd":  # np.mean takes thrice as long to do the same
        n = x.size if axis is None else math.prod([x.shape[a] for a in axis])
        return np.add.reduce(x, axis=axis, keepdims=keepdims) / x.dtype.type(n)
    return np.mean(x, axis=axis, keepdims=keepdims)


_mean_all = Primitive("Mean", _mean_impl)
_mean_dims = Primitive("MeanBackward1", _mean_impl)


@function("mean")
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of all elements, or along `dim`. Raises `RuntimeError` for integers, unless `dtype` is floating."""
    d = None if dtype is None else dtypes.as_numpy(dtype)
    if (d or input._data.dtype).kind not in "fc":
        raise RuntimeError(
            f"mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: {input.dtype}. "
            "Convert it first: x.float().mean()"
        )
    static = {} if d is None else {"dtype": d}
    if dim is None or dim == () or dim == []:
        return _mean_all(input, **static) if not keepdim else _mean_dims(input, axis=None, keepdims=True, **static)
    return _mean_dims(input, axis=axes(dim, input._data.ndim), keepdims=bool(keepdim), **static)


def _prod_impl(x, axis=None, keepdims=False, dtype=None):
    return np.prod(cast(x, dtype), axis=axis, keepdims=keepdims, dtype=dtype)


_prod, _prod_dim = (Primitive(n, _prod_impl) for n in ("Prod", "ProdBackward1"))


@function("prod")
def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product of all elements, or along `dim`."""
    if isinstance(dim, (tuple, list)):
        raise TypeError(f"prod(): dim must be one int, got {dim}: take the product along one dimension after the other")
    return (_prod if dim is None else _prod_dim)(input, axis=axes(dim, input._data.ndim), keepdims=bool(keepdim), dtype=_summed(input, dtype))


def _nan_sum(x, axis=None, keepdims=False, dtype=None):
    return np.nansum(cast(x, dtype), axis=axis, keepdims=keepdims)


_nansum, _nanmean = Primitive("Nansum", _nan_sum), Primitive("Nanmean", lambda x, axis, keepdims: np.nanmean(x, axis=axis, keepdims=keepdims))


@function("nansum")
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of the elements that are not NaN."""
    return _nansum(input, axis=axes(dim, input._data.ndim), keepdims=bool(keepdim), dtype=_summed(input, dtype))


@function("nanmean")
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The mean of the elements that are not NaN."""
    return _nanmean(input, axis=axes(dim, input._data.ndim), keepdims=bool(keepdim))


# -- spread
def _var_impl(x, axis, keepdims, correction):
    n = math.prod(x.shape) if axis is None else math.prod(x.shape[a] for a in axis)
    centred = x - np.mean(x, axis=axis, keepdims=True)
    squares = np.real(centred * np.conjugate(centred)) if x.dtype.kind == "c" else centred * centred
    left = n - correction
    total = np.sum(squares, axis=axis, keepdims=keepdims)
    return total / left if left > 0 else total / (0.0 * n)


_var = Primitive("Var", _var_impl)


def _std_slope(xs, y, ts, axis, keepdims, correction):
    """The gradient is zero where the deviation is."""
    x, t = xs[0], ts[0]
    n = math.prod(x.shape) if axis is None else math.prod(x.shape[a] for a in axis)
    centred = x - np.mean(x, axis=axis, keepdims=True)
    along = np.sum(np.real(np.conjugate(centred) * t) if x.dtype.kind == "c" else centred * t, axis=axis, keepdims=keepdims)
    scale = y * (n - correction)
    return np.where(y == 0, 0 * along, along / np.where(y == 0, 1 + 0 * scale, scale))


_std = Primitive("Std", lambda x, axis, keepdims, correction: np.sqrt(_var_impl(x, axis, keepdims, correction)), rule=_std_slope)


def _correction(unbiased: bool | None, correction: Any) -> Any:
    return correction if correction is not None else 1 if unbiased is None else int(unbiased)


def _spread(primitive: Primitive, input: Tensor, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> Tensor:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if input._data.dtype.kind not in "fc":
        raise RuntimeError("std and var only support floating point and complex dtypes")
    return primitive(input, axis=axes(dim, input._data.ndim), keepdims=bool(keepdim), correction=_correction(unbiased, correction))


@function("var")
def var(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> Tensor:
    """The variance, with n - `correction` (1 unless said otherwise) in the denominator."""
    return _spread(_var, input, dim, unbiased, keepdim, correction)


@function("std")
def std(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> Tensor:
    """The standard deviation, as `var`."""
    return _spread(_std, input, dim, unbiased, keepdim, correction)


@function("var_mean", method=False)
def var_mean(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> tuple[Tensor, Tensor]:
    """The variance and the mean."""
    return var(input, dim, unbiased, keepdim, correction=correction), mean(input, None if isinstance(dim, bool) else dim, keepdim)


@function("std_mean", method=False)
def std_mean(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean."""
    return std(input, dim, unbiased, keepdim, correction=correction), mean(input, None if isinstance(dim, bool) else dim, keepdim)


# -- the largest and the smallest
def _extreme_impl(fn: Callable) -> Callable:
    return lambda x, axis=None, keepdims=False: fn(x, axis=axis, keepdims=keepdims)


def _extreme_slope(xs, y, ts, axis=None, keepdims=False):
    """Ties share the tangent, as in torch's amax and full reductions; so do NaN."""
    x, t = xs[0], ts[0]
    largest = y if keepdims or axis is None else np.expand_dims(y, axis)
    mask = (x == largest) | ((x != x) & (largest != largest))
    chosen = np.where(mask, t, x.dtype.type(0))
    return np.sum(chosen, axis=axis, keepdims=keepdims) / np.sum(mask, axis=axis, keepdims=keepdims).astype(x.dtype)


_max_all, _min_all = (Primitive(f"{n}Backward1", _extreme_impl(f), rule=_extreme_slope) for n, f in (("Max", np.max), ("Min", np.min)))
_amax, _amin = (Primitive(n, _extreme_impl(f), rule=_extreme_slope) for n, f in (("Amax", np.max), ("Amin", np.min)))


def _at(x, places, axis, keepdims):
    found = np.take_along_axis(x, np.expand_dims(places, axis), axis)
    return found if keepdims else np.squeeze(found, axis)


def _with_place(arg: Callable) -> Callable:
    def impl(x, axis, keepdims):
        if not x.ndim:
            return np.copy(x), np.zeros((), np.int64)
        places = arg(x, axis=axis)
        return _at(x, places, axis, keepdims), np.expand_dims(places, axis) if keepdims else places + 0

    return impl


def _place_slope(xs, ys, ts, axis, keepdims):
    if not xs[0].ndim:
        return ts[0], None
    places = np.squeeze(ys[1], axis) if keepdims else ys[1]
    return _at(ts[0], places, axis, keepdims), None


_max_dim, _min_dim = (Primitive(n, _with_place(f), rule=_place_slope) for n, f in (("Max", np.argmax), ("Min", np.argmin)))


@printed_as("max")
class max_result(NamedTuple):
    """What `torch.max(x, dim)` gives."""

    values: Tensor
    indices: Tensor


@printed_as("min")
class min_result(NamedTuple):
    """What `torch.min(x, dim)` gives."""

    values: Tensor
    indices: Tensor


def _extreme(input: Tensor, dim: Any, keepdim: bool, whole: Primitive, along: Primitive, two: str, kind: Any) -> Any:
    if isinstance(dim, Tensor):
        from .. import dispatch

        return dispatch.FUNCTIONS[two](input, dim)
    require_ordered(input, two[:3])
    dim = dim if dim is None else axis(dim, input._data.ndim)
    require_entries(two[:3], input, dim)
    if dim is None:
        return whole(input)
    return kind(*along(input, axis=dim, keepdims=bool(keepdim)))


@function("max")
def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element; along a dimension, `(values, indices)`; with a second tensor, elementwise."""
    return _extreme(input, dim, keepdim, _max_all, _max_dim, "maximum", max_result)


@function("min")
def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; along a dimension, `(values, indices)`; with a second tensor, elementwise."""
    return _extreme(input, dim, keepdim, _min_all, _min_dim, "minimum", min_result)


@function("amax")
def amax(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The largest elements along dimensions; ties share the gradient."""
    dim = axes(dim if dim != () else None, input._data.ndim)
    require_entries("amax", input, dim)
    return _amax(input, axis=dim, keepdims=bool(keepdim))


@function("amin")
def amin(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The smallest elements along dimensions; ties share the gradient."""
    dim = axes(dim if dim != () else None, input._data.ndim)
    require_entries("amin", input, dim)
    return _amin(input, axis=dim, keepdims=bool(keepdim))


@printed_as("aminmax")
class aminmax_result(NamedTuple):
    """What `torch.aminmax` gives."""

    min: Tensor
    max: Tensor


@function("aminmax")
def aminmax(input: Tensor, *, dim: Any = None, keepdim: bool = False) -> aminmax_result:
    """The smallest and the largest elements."""
    return aminmax_result(amin(input, dim, keepdim), amax(input, dim, keepdim))


_argmax = Primitive("Argmax", lambda x, axis, keepdims: np.argmax(x, axis=axis, keepdims=keepdims))
_argmin = Primitive("Argmin", lambda x, axis, keepdims: np.argmin(x, axis=axis, keepdims=keepdims))


def _place_of(name: str, primitive: Primitive, input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    dim = None if dim is None or not input._data.ndim else axis(dim, input._data.ndim)
    require_entries(name, input, dim, IndexError)
    return primitive(input.detach(), axis=dim, keepdims=bool(keepdim))


@function("argmax")
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest element is, in all or along `dim`."""
    return _place_of("argmax", _argmax, input, dim, keepdim)


@function("argmin")
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest element is, in all or along `dim`."""
    return _place_of("argmin", _argmin, input, dim, keepdim)


_all = Primitive("All", lambda x, axis, keepdims: np.all(x, axis=axis, keepdims=keepdims))
_any = Primitive("Any", lambda x, axis, keepdims: np.any(x, axis=axis, keepdims=keepdims))


def _truth(made: Tensor, input: Tensor) -> Tensor:
    """uint8 stays uint8, as in torch."""
    return made.to(dtypes.uint8) if input._data.dtype == np.uint8 else made


@function("all")
def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether all elements are true."""
    return _truth(_all(input.detach(), axis=axes(dim, input._data.ndim), keepdims=bool(keepdim)), input)


@function("any")
def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether an element is true."""
    return _truth(_any(input.detach(), axis=axes(dim, input._data.ndim), keepdims=bool(keepdim)), input)


_count_nonzero = Primitive("CountNonzero", lambda x, axis: np.count_nonzero(x, axis=axis))


@function("count_nonzero")
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements are not zero."""
    return _count_nonzero(input.detach(), axis=axes(dim, input._data.ndim))


# -- sums of exponentials
def _logsumexp_impl(x, axis, keepdims):
    if not x.size:  # the logarithm of nothing
        return np.sum(x, axis=axis, keepdims=keepdims) - math.inf
    largest = np.max(np.real(x) if x.dtype.kind == "c" else x, axis=axis, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0 * np.where(np.isfinite(largest), largest, 1))
    total = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True)) + largest
    return total if keepdims else np.squeeze(total, axis)


def _logsumexp_slope(xs, y, ts, axis, keepdims):
    y = y if keepdims else np.expand_dims(y, axis)
    if y.dtype.kind == "f":
        y = np.where(y == -np.inf, y.dtype.type(0), y)
    return np.sum(ts[0] * np.exp(xs[0] - y), axis=axis, keepdims=keepdims)


_logsumexp = Primitive("Logsumexp", _logsumexp_impl, rule=_logsumexp_slope)


@function("logsumexp")
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))) along `dim`, without overflow."""
    input = input if input._data.dtype.kind in "fc" else input.to(dtypes.get_default_dtype())
    return _logsumexp(input, axis=axes(dim, input._data.ndim), keepdims=bool(keepdim))


# -- norms
def _norm_impl(x, p, axis, keepdims, dtype=None):
    size = np.abs(cast(x, dtype))
    if p == 2:
        return np.sqrt(np.sum(size * size, axis=axis, keepdims=keepdims))
    if p == math.inf:
        return np.max(size, axis=axis, keepdims=keepdims)
    if p == -math.inf:
        return np.min(size, axis=axis, keepdims=keepdims)
    if p == 0:
        return np.sum((size != 0).astype(size.dtype), axis=axis, keepdims=keepdims)
    if p == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    return np.power(np.sum(np.power(size, p), axis=axis, keepdims=keepdims), 1.0 / p)


def _norm_slope(xs, y, ts, p, axis, keepdims, dtype=None):
    """The gradient is zero where the norm is."""
    x, t = cast(xs[0], dtype), cast(ts[0], dtype)
    size = np.abs(x)
    along = t * np.sign(x) if x.dtype.kind == "f" else np.real(t * np.conjugate(x)) / np.where(size == 0, 1 + 0 * size, size)
    if p == 0:
        return None
    if p == 1:
        return np.sum(along, axis=axis, keepdims=keepdims)
    big = y if keepdims or axis is None else np.expand_dims(y, axis)
    if p in (math.inf, -math.inf):
        mask = (size == big).astype(size.dtype)
        return np.sum(along * mask, axis=axis, keepdims=keepdims) / np.sum(mask, axis=axis, keepdims=keepdims)
    safe = np.where(big == 0, 1 + 0 * big, big)
    if p == 2:
        weight = size / safe
    elif p < 2:
        weight = np.where(size == 0, 0 * size, np.power(np.where(size == 0, 1 + 0 * size, size) / safe, p - 1))
    else:
        weight = np.power(size / safe, p - 1)
    return np.sum(along * np.where(big == 0, 0 * weight, weight), axis=axis, keepdims=keepdims)


_norm = Primitive("LinalgVectorNorm", _norm_impl, rule=_norm_slope)


def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm sum(|x|^ord)^(1/ord) of vectors along `dim`, or of all elements."""
    if x._data.dtype.kind not in "fc" and dtype is None:
        raise RuntimeError(f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {x.dtype}")
    if abs(float(ord)) == math.inf and not x._data.size:
        raise RuntimeError(f"linalg.vector_norm cannot compute the {ord} norm on an empty tensor because the operation does not have an identity")
    if x._data.dtype == np.float16 and dtype is None:  # powers of numbers of half precision overflow
        return vector_norm(x.to(dtypes.float32), ord, dim, keepdim).to(dtypes.float16)
    static = {} if dtype is None else {"dtype": dtypes.as_numpy(dtype)}
    return _norm(x, p=float(ord), axis=axes(dim, x._data.ndim), keepdims=bool(keepdim), **static)


@function("norm")
def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The vector norm of order p of all elements or along `dim`; "fro" is that of order 2, "nuc" the sum of singular values."""
    if p == "nuc":
        from .. import linalg

        return linalg.matrix_norm(input, "nuc", dim if dim is not None else (-2, -1), keepdim)
    return vector_norm(input, 2.0 if p in ("fro", None) else p, dim, keepdim, dtype=dtype)


@function("dist")
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The norm of the difference."""
    return vector_norm(input - other, p)
