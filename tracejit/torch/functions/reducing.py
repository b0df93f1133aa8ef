"""`scatter_reduce` and `index_reduce`: elements that go to the same place are combined there."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...trace import Tracer
from ...trace.constants import as_proxy
from ..dispatch import Primitive, function
from ..tensor import Tensor
from .gathering import _as_row, _check_slices, _checked, _open
from .operands import axis

_UFUNCS = {"sum": np.add, "mean": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


def _neutral(dtype: np.dtype, how: str) -> Any:
    if how in ("sum", "mean", "prod"):
        return dtype.type(how == "prod")
    if dtype.kind == "f":
        return dtype.type(-np.inf if how == "amax" else np.inf)
    info = np.iinfo(dtype) if dtype.kind != "b" else None
    return dtype.type((info.min if how == "amax" else info.max) if info else how != "amax")


def _cut(v: Any, shape: tuple[int, ...]) -> Any:
    return v[tuple([slice(0, n) for n in shape])] if v.shape != shape else v


def _scattered(like: Any, places: tuple, v: Any) -> Any:
    """Zeros with v added in places."""
    zeros = np.zeros(like.shape, v.dtype)
    if isinstance(v, Tracer) or any(isinstance(p, Tracer) for p in places):
        return as_proxy(zeros).at[places].add(v)
    np.add.at(zeros, places, v)
    return zeros


def _reduced_impl(x, i, v, axis, how, own):
    """The elements of x, if they count (`own`), combined with those of v in their places."""
    v = _cut(v, i.shape)
    places = _open(i, axis)
    if any(isinstance(a, Tracer) for a in (x, i, v)):
        made = _traced(x, i, v, axis, how, own)
    else:
        made = x.copy()
        if not own:
            made[places] = _neutral(x.dtype, how)
        _UFUNCS[how].at(made, places, v)
    if how != "mean":
        return made
    counts = _counts(x, i, places, own)
    return made // counts.astype(x.dtype) if x.dtype.kind in "iu" else made / counts


def _counts(x, i, places, own):
    """How many elements are in the mean of each place."""
    dtype = x.dtype if x.dtype.kind in "fc" else np.dtype(np.int64)
    ones = _scattered(x, places, np.ones(i.shape, dtype))
    return ones + 1 if own else np.maximum(ones, 1)


def _traced(x, i, v, axis, how, own):
    """Sums are scattered; else, without writes into places that are not known, each place looks at all elements that may go there."""
    if how in ("sum", "mean"):
        places = _open(i, axis)
        added = as_proxy(np.copy(x) if own else np.zeros(x.shape, x.dtype)).at[places].add(v)
        return added if own else np.where(_scattered(x, places, np.ones(i.shape, np.int64)) > 0, added, x)
    part = tuple([slice(None) if d == axis else slice(0, n) for d, n in enumerate(i.shape)])
    here = x[part]
    i = as_proxy(np.arange(x.shape[axis]))[i]  # the same places, in a read that complains of those out of range
    last = np.moveaxis(i, axis, -1)
    goes = last[..., None, :] == np.arange(x.shape[axis])[:, None]  # (..., places, elements)
    values = np.where(goes, np.moveaxis(v, axis, -1)[..., None, :], _neutral(x.dtype, how))
    combine = {"prod": np.prod, "amax": np.max, "amin": np.min}[how]
    made = np.moveaxis(combine(values, -1), -1, axis)
    hit = np.moveaxis(np.any(goes, -1), -1, axis)
    if own:
        made = _UFUNCS[how](here, made)
    made = np.where(hit, made, here)
    return as_proxy(np.copy(x)).at[part].set(made) if here.shape != x.shape else made


def _slope(xs, y, ts, axis, how, own):
    x, i, v = xs
    v = _cut(v, i.shape)
    places = _open(i, axis)
    counted = _scattered(x, places, np.ones(i.shape, x.dtype))
    mine = np.ones(x.shape, x.dtype) if own else np.where(counted > 0, x.dtype.type(0), x.dtype.type(1))
    if how == "sum":
        of_x, of_v = mine, None
    elif how == "mean":
        counts = _counts(x, i, places, own)
        of_x, of_v = mine / counts, (1 / counts)[places]
    elif how == "prod":
        at_zero, v_zero = (x == 0).astype(x.dtype), (v == 0).astype(x.dtype)
        zeros = mine * at_zero + _scattered(x, places, v_zero)
        safe, v_safe = np.where(x == 0, x.dtype.type(1), x), np.where(v == 0, x.dtype.type(1), v)
        rest = _reduced_impl(safe, i, v_safe, axis, "prod", own)
        of_x = mine * np.where(zeros == 0, rest / safe, np.where(zeros == at_zero, rest, 0 * rest))
        zeros, rest = zeros[places], rest[places]
        of_v = np.where(zeros == 0, rest / v_safe, np.where(zeros == v_zero, rest, 0 * rest))
    else:
        # Where several are the largest, each gets its share, as in torch.
        of_x, of_v = mine * (x == y), (v == y[places]).astype(x.dtype)
        number = of_x + _scattered(x, places, of_v)
        of_x, of_v = of_x / number, of_v / number[places]
    moved = None if ts[0] is None else ts[0] * of_x
    if ts[2] is not None:
        t = _cut(ts[2], i.shape)
        came = _scattered(x, places, t if of_v is None else t * of_v)
        moved = came if moved is None else moved + came
    return moved


_scatter_reduce = Primitive("ScatterReduce", _reduced_impl, rule=_slope)
_index_reduce = Primitive("IndexReduce", _reduced_impl, rule=_slope)


@function("scatter_reduce", inplace=True)
def scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """With elements of `src` combined by "sum", "prod", "mean", "amax" or "amin" in the places along `dim` that `index` names.

    The element that is there counts too, unless `include_self` is off.
    """
    d = axis(dim, input._data.ndim)
    if reduce not in _UFUNCS:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if src._data.dtype != input._data.dtype:
        raise RuntimeError(f"scatter(): Expected self.dtype to be equal to src.dtype, got {input.dtype} and {src.dtype}")
    index = _checked(index, input._data.shape[d] if input._data.ndim else 1, "scatter_reduce")
    if not input._data.ndim:
        return _scatter_reduce(input.reshape(1), index.reshape(1), src.reshape(1), axis=0, how=reduce, own=bool(include_self)).reshape(())
    return _scatter_reduce(input, index, src, axis=d, how=reduce, own=bool(include_self))


@function("index_reduce", inplace=True)
@_as_row
def index_reduce(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """With slices of `source` combined by "prod", "mean", "amax" or "amin" at the places of a vector along `dim`."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    d = axis(dim, input._data.ndim)
    index = _check_slices("index_reduce", input, d, index, source)
    places = index.reshape([-1 if e == d else 1 for e in range(input._data.ndim)]).expand(source._data.shape)
    return _index_reduce(input, places, source, axis=d, how=reduce, own=bool(include_self))
