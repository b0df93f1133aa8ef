"""Functions of the first elements along a dimension: their sums and products, the largest and the smallest."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..dispatch import Primitive, function
from ..return_types import printed_as
from ..tensor import Tensor, wrap
from .gathering import gather
from .operands import axis, cast, require_ordered
from .reductions import _summed

_cumsum = Primitive("Cumsum", lambda x, axis, dtype=None: np.cumsum(cast(x, dtype), axis=axis, dtype=dtype) if x.ndim else cast(x, dtype) + 0)
_cumprod = Primitive("Cumprod", lambda x, axis, dtype=None: np.cumprod(cast(x, dtype), axis=axis, dtype=dtype) if x.ndim else cast(x, dtype) + 0)


@function("cumsum", inplace=True)
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Sums of the first elements along `dim`."""
    return _cumsum(input, axis=axis(dim, input._data.ndim), dtype=_summed(input, dtype))


@function("cumprod", inplace=True)
def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Products of the first elements along `dim`."""
    return _cumprod(input, axis=axis(dim, input._data.ndim), dtype=_summed(input, dtype))


@printed_as("cummax")
class cummax_result(NamedTuple):
    """What `torch.cummax` gives."""

    values: Tensor
    indices: Tensor


@printed_as("cummin")
class cummin_result(NamedTuple):
    """What `torch.cummin` gives."""

    values: Tensor
    indices: Tensor


def _cumulative_extreme(input: Tensor, dim: int, ufunc: Any) -> tuple[Tensor, Tensor]:
    dim = axis(dim, input._data.ndim)
    require_ordered(input, f"cum{ufunc.__name__[:3]}")
    if not input._data.ndim:
        return input.clone(), wrap(np.zeros((), np.int64))
    array = np.moveaxis(np.asarray(input.detach()._array), dim, 0)
    best = ufunc.accumulate(array, axis=0)
    steps = np.arange(len(array)).reshape(-1, *(1,) * (array.ndim - 1))
    places = np.maximum.accumulate(np.where((array == best) | (array != array), steps, 0), axis=0)
    indices = wrap(np.ascontiguousarray(np.moveaxis(places, 0, dim)))
    return gather(input, dim, indices), indices


@function("cummax")
def cummax(input: Tensor, dim: int) -> cummax_result:
    """The largest of the first elements along `dim`, and where it is."""
    return cummax_result(*_cumulative_extreme(input, dim, np.maximum))


@function("cummin")
def cummin(input: Tensor, dim: int) -> cummin_result:
    """The smallest of the first elements along `dim`, and where it is."""
    return cummin_result(*_cumulative_extreme(input, dim, np.minimum))


_logcumsumexp = Primitive("Logcumsumexp", lambda x, axis: np.logaddexp.accumulate(x, axis=axis) if x.ndim else x + 0)


@function("logcumsumexp")
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """The logarithm of the cumulative sum of exponentials, of real numbers."""
    require_ordered(input, "logcumsumexp")
    return _logcumsumexp(input, axis=axis(dim, input._data.ndim))
