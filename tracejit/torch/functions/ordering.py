"""Sorting, the largest k, medians, quantiles, unique elements, counting."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..dispatch import Primitive, function
from ..return_types import printed_as
from ..tensor import Tensor, wrap
from .operands import axis, require_entries, require_ordered, tensor_of


@printed_as("sort")
class sort(NamedTuple):
    """Values and the places that they were at: what `sort` gives."""

    values: Tensor
    indices: Tensor


@printed_as("topk")
class topk(NamedTuple):
    """Values and the places that they were at: what `topk` gives."""

    values: Tensor
    indices: Tensor


@printed_as("kthvalue")
class kthvalue(NamedTuple):
    """Values and the places that they were at: what `kthvalue` gives."""

    values: Tensor
    indices: Tensor


@printed_as("median")
class median(NamedTuple):
    """Values and the places that they were at: what `median` gives."""

    values: Tensor
    indices: Tensor


@printed_as("mode")
class mode(NamedTuple):
    """Values and the places that they were at: what `mode` gives."""

    values: Tensor
    indices: Tensor


def _order(x, axis, descending):
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    last = x.shape[axis] - 1
    return last - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)


def _chosen_impl(x, axis, descending, first, last, drop, missing=False):
    """The elements from `first` to `last` of the sorted ones, and their places; with `missing`, the first NaN where there is one."""
    if not x.ndim:
        return np.copy(x), np.zeros((), np.int64)
    part = (*(slice(None),) * axis, slice(first, last))
    places = _order(x, axis, descending)[part] + 0
    if missing and x.dtype.kind == "f":
        places = np.where(np.any(x != x, axis, keepdims=True), np.expand_dims(np.argmax(x != x, axis), axis), places)
    values = np.take_along_axis(x, places, axis)
    return (np.squeeze(values, axis), np.squeeze(places, axis)) if drop else (values, places)


def _chosen_slope(xs, ys, ts, axis, descending, first, last, drop, missing=False):
    if not xs[0].ndim:
        return ts[0], None
    places = np.expand_dims(ys[1], axis) if drop else ys[1]
    moved = np.take_along_axis(ts[0], places, axis)
    return np.squeeze(moved, axis) if drop else moved, None


def _middle_impl(x, first):
    return _chosen_impl(x, 0, False, first, first + 1, True, True)[0]


def _middle_slope(xs, y, ts, first):
    """All elements that are equal to the median share it."""
    mask = (xs[0] == y) | ((xs[0] != xs[0]) & (y != y))
    return np.sum(np.where(mask, ts[0], y.dtype.type(0))) / np.sum(mask).astype(y.dtype)


_middle = Primitive("Median", _middle_impl, rule=_middle_slope)
_sort, _topk, _kth, _median = (Primitive(n, _chosen_impl, rule=_chosen_slope) for n in ("Sort", "Topk", "Kthvalue", "Median"))


@function("sort")
def sort_(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> sort:
    """The elements in order along `dim`, and the places that they were at. Equal ones keep their order."""
    require_ordered(input, "sort")
    return sort(*_sort(input, axis=axis(dim, input._data.ndim), descending=bool(descending), first=None, last=None, drop=False))


@function("argsort")
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The places of the elements in order."""
    return sort_(input.detach(), dim, descending).indices


@function("msort")
def msort(input: Tensor) -> Tensor:
    """The elements in order along the first dimension."""
    return sort_(input, 0).values


@function("topk")
def topk_(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> topk:
    """The k largest elements along `dim`, the largest first, and where they are."""
    dim = axis(dim, input._data.ndim)
    if not 0 <= k <= (input._data.shape[dim] if input._data.ndim else 1):
        raise RuntimeError(f"selected index k out of range: k={k} of {list(input._data.shape)} along dimension {dim}")
    return topk(*_topk(input, axis=dim, descending=bool(largest), first=None, last=int(k), drop=False))


@function("kthvalue")
def kthvalue_(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> kthvalue:
    """The k-th smallest element along `dim`, and where it is."""
    dim = axis(dim, input._data.ndim)
    require_entries("kthvalue", input, dim)
    if not 1 <= k <= (input._data.shape[dim] if input._data.ndim else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}")
    return kthvalue(*_kth(input, axis=dim, descending=False, first=k - 1, last=k, drop=not keepdim))


@function("median")
def median_(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower median of all elements; along `dim`, with its places."""
    if dim is None:
        flat = input.reshape(-1)
        if not flat._data.size and flat._data.dtype.kind == "f":
            return flat.sum() * math.nan
        require_entries("median", flat, None)
        return _middle(flat, first=(flat._data.size - 1) // 2)
    dim = axis(dim, input._data.ndim)
    require_entries("median", input, dim)
    k = (input._data.shape[dim] - 1) // 2 if input._data.ndim else 0
    return median(*_median(input, axis=dim, descending=False, first=k, last=k + 1, drop=not keepdim, missing=True))


@function("mode")
def mode_(input: Tensor, dim: int = -1, keepdim: bool = False) -> mode:
    """The smallest of the most frequent elements along `dim`, and its last place."""
    from .gathering import gather

    dim = axis(dim, input._data.ndim)
    require_entries("mode", input, dim)
    if not input._data.ndim:
        return mode(input.clone(), wrap(np.zeros((), np.int64)))
    rows = np.moveaxis(input.detach()._array, dim, -1)
    counts = (rows[..., :, None] == rows[..., None, :]).sum(-1)
    frequent = np.where(counts == counts.max(-1, keepdims=True), rows, rows.max(-1, keepdims=True))
    value = np.min(np.where(counts == counts.max(-1, keepdims=True), frequent, np.inf), -1, keepdims=True)
    places = rows.shape[-1] - 1 - np.argmax((rows == value)[..., ::-1], -1)
    indices = wrap(np.expand_dims(places, dim))
    values = gather(input, dim, indices)
    return mode(values, indices) if keepdim else mode(values.squeeze(dim), indices.squeeze(dim))


_quantile = Primitive("Quantile", lambda x, q, axis, keepdims, method: np.quantile(x, q, axis=axis, keepdims=keepdims, method=method))


@function("quantile")
def quantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """Quantiles of all elements or along `dim`, for one q in [0, 1] or a vector of them. Raises `RuntimeError` for integers."""
    if not input._data.size:
        raise RuntimeError("quantile() input tensor must be non-empty")
    if input._data.dtype not in (np.float32, np.float64):
        raise RuntimeError(f"quantile() input tensor must be either float or double dtype, got {input.dtype}: convert it first, x.float()")
    if isinstance(q, Tensor) and q._data.ndim > 1:
        raise RuntimeError(f"quantile() q must be a scalar or 1D tensor, got {q._data.ndim}D")
    if isinstance(q, Tensor) and q._data.dtype != input._data.dtype:
        raise RuntimeError(f"quantile() q tensor must be same dtype as the input tensor: {input.dtype}, got {q.dtype}")
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(f"quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}")
    q = tensor_of(q).to(input.dtype)
    if type(q._array) is np.ndarray and q._data.size and not ((q._array >= 0) & (q._array <= 1)).all():
        raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {q.tolist()}")
    if not input._data.ndim:
        dim = None if dim is None else axis(dim, 0)
        return quantile(input.reshape(1), q, dim, interpolation=interpolation)
    return _quantile(input, q, axis=None if dim is None else axis(dim, input._data.ndim), keepdims=bool(keepdim), method=interpolation)


# -- without a derivative
@function("unique")
def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """The different elements, in order; where each element went, and how often each is there, if asked for."""
    values, inverse, counts = np.unique(input.detach()._array, return_inverse=True, return_counts=True, axis=dim, equal_nan=False)
    shape = input._data.shape if dim is None else (input._data.shape[dim],)
    found = [wrap(values), *([wrap(inverse.reshape(shape))] if return_inverse else []), *([wrap(counts)] if return_counts else [])]
    return tuple(found) if len(found) > 1 else found[0]


@function("unique_consecutive")
def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """The elements without those that equal the one before."""
    flat = input.detach()._array.ravel() if dim is None else np.moveaxis(input.detach()._array, dim, 0)
    change = np.ones(len(flat), bool)
    if len(flat):
        differs = flat[1:] != flat[:-1]
        change[1:] = differs if flat.ndim == 1 else differs.reshape(len(differs), -1).any(1)
    kept = flat[change] if dim is None else np.moveaxis(flat[change], 0, dim)
    inverse = np.cumsum(change) - 1
    counts = np.diff(np.append(np.nonzero(change)[0], len(flat)))
    shape = input._data.shape if dim is None else inverse.shape
    found = [wrap(kept), *([wrap(inverse.reshape(shape))] if return_inverse else []), *([wrap(counts)] if return_counts else [])]
    return tuple(found) if len(found) > 1 else found[0]


@function("bincount")
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each number is there."""
    return wrap(np.bincount(input._array, None if weights is None else weights.detach()._array, minlength))


@function("histc")
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """The counts of elements in intervals of one width."""
    array = input.detach()._array
    low, high = (float(array.min()), float(array.max())) if min == max == 0 and array.size else (min, max)
    return wrap(np.histogram(array, bins, (low, high) if low < high else (low - 1, high + 1))[0].astype(array.dtype))


@function("searchsorted", method=False)
def searchsorted(
    sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None, sorter: Tensor | None = None
) -> Tensor:
    """Where elements go in a sorted row, or in one that `sorter` (places) puts in order."""
    if side not in (None, "left", "right"):
        raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError("torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True")
    side = side or ("right" if right else "left")
    rows, values = sorted_sequence.detach()._array, tensor_of(input).detach()._array
    if sorter is not None:
        if sorter._data.shape != rows.shape:
            raise RuntimeError(f"torch.searchsorted(): boundary and sorter must have the same size, but got {rows.shape} and {sorter._data.shape}")
        rows = np.take_along_axis(rows, sorter._array, -1)
    if rows.ndim > 1 and rows.shape[:-1] != values.shape[:-1]:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value tensor "
            f"must match, but we got boundaries tensor {list(rows.shape)} and input value tensor {list(values.shape)}"
        )
    if rows.ndim == 1:
        places = np.searchsorted(rows, values, side)
    else:
        flat = [np.searchsorted(r, v, side) for r, v in zip(rows.reshape(-1, rows.shape[-1]), values.reshape(-1, values.shape[-1]))]
        places = np.stack(flat).reshape(values.shape)
    return wrap(np.asarray(places, np.int32 if out_int32 else np.int64))


@function("bucketize", method=False)
def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """Between which boundaries elements lie."""
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@function("isin", method=False)
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Which elements are among others."""
    return wrap(np.isin(tensor_of(elements).detach()._array, tensor_of(test_elements).detach()._array, invert=invert))


_diff = Primitive("Diff", lambda x, n, axis: np.diff(x, n, axis))


@function("diff")
def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    """Differences of neighbours, n times, of what is in front of the tensor, itself, and what is behind it."""
    from .joining import cat

    if not input._data.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = axis(dim, input._data.ndim)
    if n == 0:
        return input.clone()
    if prepend is not None or append is not None:
        input = cat([t for t in (prepend, input, append) if t is not None], dim)
    n = min(n, input._data.shape[dim])
    return _diff(input, n=n, axis=axis(dim, input._data.ndim))


def _trapezoid_impl(y, *x, dx, axis):
    return np.trapezoid(y, *x, dx=dx, axis=axis)


_trapezoid = Primitive("Trapezoid", _trapezoid_impl)


@function("trapezoid", "trapz", method=False)
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1.0, dim: int = -1) -> Tensor:
    """The integral by the trapezoidal rule."""
    floating = dtypes.get_default_dtype()
    y, x = [t.to(floating) if t is not None and t._data.dtype.kind not in "fc" else t for t in (y, x)]
    return _trapezoid(y, *(() if x is None else (x,)), dx=dx, axis=axis(dim, y._data.ndim))


def _cov_impl(x, *weights, correction, both):
    rows = x if x.ndim == 2 else np.reshape(x, (1, -1))
    if not weights:
        centred = rows - np.mean(rows, axis=1, keepdims=True)
        made = np.matmul(centred, np.conjugate(centred.T)) / (rows.shape[1] - correction)
    else:
        w = weights[0].astype(x.dtype)
        total = np.sum(w)
        lost = correction * np.sum(w * weights[1].astype(x.dtype)) / total if both else correction
        centred = rows - np.sum(rows * w, axis=1, keepdims=True) / total
        made = np.matmul(centred * w, np.conjugate(centred.T)) / (total - lost)
    return np.reshape(made, ()) if made.shape == (1, 1) else made


_cov = Primitive("Cov", _cov_impl)


@function("cov")
def cov(input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
    """The covariance matrix of rows of observations, which count `fweights` times (integers), with importance `aweights`; of one row, a number."""
    if input._data.ndim > 2:
        raise RuntimeError(f"cov(): expected input to have two or fewer dimensions but got an input with {input._data.ndim} dimensions")
    n = input._data.shape[-1] if input._data.ndim else 1
    for name, w in (("fweights", fweights), ("aweights", aweights)):
        if w is not None and (w._data.shape != (n,) or (w._array < 0).any()):
            raise RuntimeError(f"cov(): expected {name} to be {n} numbers, none negative, one for each observation")
    if fweights is not None and fweights._data.dtype.kind not in "iu":
        raise RuntimeError(f"cov(): expected fweights to have integral dtype but got fweights with {fweights.dtype} dtype")
    input = input if input._data.dtype.kind in "fc" else input.to(dtypes.get_default_dtype())
    given = [w for w in (fweights, aweights) if w is not None]
    weights = [] if not given else [given[0] if len(given) == 1 else fweights * aweights, *([] if aweights is None else [aweights])]
    return _cov(input, *weights, correction=correction, both=aweights is not None)


@function("corrcoef")
def corrcoef(input: Tensor) -> Tensor:
    """The correlation matrix of rows of observations."""
    if input._data.ndim > 2:
        raise RuntimeError(f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input._data.ndim} dimensions")
    c = cov(input)
    if not c._data.ndim:
        return c / c
    deviation = c.diagonal().sqrt()
    return c / deviation.unsqueeze(0) / deviation.unsqueeze(1)
