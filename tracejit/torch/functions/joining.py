"""Tensors made of several, and taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..dispatch import Primitive, function
from ..tensor import Tensor
from .operands import axis, cast, extents

_cat = Primitive("Cat", lambda *xs, axis, dtype=None: np.concatenate([cast(x, dtype) for x in xs], axis))
_stack = Primitive("Stack", lambda *xs, axis, dtype=None: np.stack([cast(x, dtype) for x in xs], axis))


def _shared(tensors: Sequence[Tensor], name: str) -> dict[str, Any]:
    if isinstance(tensors, Tensor):
        raise TypeError(f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor: write [x, y], or x.unbind() for its slices")
    if not len(tensors):
        raise (ValueError if name == "cat" else RuntimeError)(f"{name} expects a non-empty list of tensors")
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(t).__name__}")
    kinds = {t._data.dtype for t in tensors}
    return {} if len(kinds) == 1 else {"dtype": dtypes.result_dtype([t._data for t in tensors])}


@function("cat", "concat", "concatenate", method=False)
def cat(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None, axis: int | None = None) -> Tensor:
    """The tensors, one behind another along `dim`. Raises `RuntimeError` where other extents differ."""
    static = _shared(tensors, "cat")
    tensors = tuple(tensors)
    kept = [t for t in tensors if t._data.shape != (0,)] or list(tensors[:1])
    place = _axis(dim if axis is None else axis, kept[0]._data.ndim)
    if not kept[0]._data.ndim:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    first = kept[0]._data.shape
    for i, t in enumerate(kept[1:], 1):
        if len(t._data.shape) != len(first) or any(a != b for d, (a, b) in enumerate(zip(first, t._data.shape)) if d != place):
            raise RuntimeError(
                f"Sizes of tensors must match except in dimension {place}. "
                f"Expected {list(first)} but got {list(t._data.shape)} for tensor number {i} in the list."
            )
    made = _cat(*kept, axis=place, **static)
    return made if out is None else out.copy_(made)


_axis = axis


@function("stack", method=False)
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors along a new dimension. Raises `RuntimeError` where shapes differ."""
    static = _shared(tensors, "stack")
    tensors = tuple(tensors)
    for i, t in enumerate(tensors):
        if t._data.shape != tensors[0]._data.shape:
            raise RuntimeError(
                "stack expects each tensor to be equal size, "
                f"but got {list(tensors[0]._data.shape)} at entry 0 and {list(t._data.shape)} at entry {i}"
            )
    return _stack(*tensors, axis=axis(dim, tensors[0]._data.ndim + 1), **static)


def _at_least(t: Tensor, n: int) -> Tensor:
    while t._data.ndim < n:
        t = t.unsqueeze(0) if t._data.ndim < 2 else t.unsqueeze(-1)
    return t


@function("hstack", method=False)
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Beside each other: along the second dimension, or the only one."""
    _shared(tensors, "hstack")
    tensors = [_at_least(t, 1) for t in tensors]
    return cat(tensors, 0 if tensors[0]._data.ndim == 1 else 1)


@function("vstack", "row_stack", method=False)
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Below each other: along the first dimension."""
    _shared(tensors, "vstack")
    return cat([_at_least(t, 2) for t in tensors], 0)


@function("dstack", method=False)
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Behind each other: along the third dimension."""
    _shared(tensors, "dstack")
    return cat([_at_least(t, 3) for t in tensors], 2)


@function("column_stack", method=False)
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Vectors as columns, matrices beside each other."""
    return cat([t.reshape(-1, 1) if t._data.ndim < 2 else t for t in tensors], 1)


def _all_at_least(tensors: tuple, n: int) -> Any:
    """One tensor, or a tuple of those that are given one by one or as a sequence."""
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return _at_least(tensors[0], n)
    return tuple([_at_least(t, n) for t in (tensors[0] if len(tensors) == 1 else tensors)])


@function("atleast_1d", method=False)
def atleast_1d(*tensors: Any) -> Any:
    """With one dimension at least: a tensor, or a tuple of several."""
    return _all_at_least(tensors, 1)


@function("atleast_2d", method=False)
def atleast_2d(*tensors: Any) -> Any:
    """With two dimensions at least: a tensor, or a tuple of several."""
    return _all_at_least(tensors, 2)


def _pieces(x, places, axis):
    lead = (slice(None),) * axis
    return tuple([x[(*lead, slice(a, b))] for a, b in places])


_split = Primitive("Split", _pieces, view=True)
_split_with_sizes = Primitive("SplitWithSizes", _pieces, view=True)
_unbind = Primitive("Unbind", lambda x, axis: tuple([x[(*(slice(None),) * axis, i, Ellipsis)] for i in range(x.shape[axis])]), view=True)


@function("split")
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of pieces of one size, or of the sizes listed."""
    if not tensor._data.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    dim = axis(dim, tensor._data.ndim)
    n = tensor._data.shape[dim]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size <= 0 and n:
            raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
        sizes = [min(size, n - i) for i in range(0, n, size)] if n else [0]
    else:
        sizes = list(split_size_or_sections)
        if sum(sizes) != n:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {dim}), but got split_sizes={sizes}"
            )
    ends = np.cumsum(sizes).tolist()
    pieces = _split if isinstance(split_size_or_sections, int) else _split_with_sizes
    return pieces(tensor, places=tuple([(e - s, e) for s, e in zip(sizes, ends)]), axis=dim)


@function("chunk")
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` views of pieces of one size."""
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    if not input._data.ndim:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    n = input._data.shape[axis(dim, input._data.ndim)]
    return split(input, max(1, -(-n // chunks)), dim)


@function("tensor_split")
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of pieces: their number, or the places between them."""
    if not input._data.ndim:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    dim = axis(dim, input._data.ndim)
    n = input._data.shape[dim]
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        if indices_or_sections <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {indices_or_sections}")
        k = indices_or_sections
        ends = np.cumsum([n // k + (i < n % k) for i in range(k)]).tolist()
    else:
        ends = [*indices_or_sections, n]
    index: list[Any] = [slice(None)] * input._data.ndim
    pieces = []
    for start, end in zip([0, *ends[:-1]], ends):
        index[dim] = slice(start, end)
        pieces.append(input[tuple(index)])
    return tuple(pieces)


@function("unbind")
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of the slices along a dimension."""
    return _unbind(input, axis=axis(dim, input._data.ndim)) if input._data.shape[axis(dim, input._data.ndim)] else ()


def _repeat_impl(x, *counts, repeats, axis):
    return np.repeat(x, counts[0] if counts else repeats, axis)


_repeat_interleave = Primitive("RepeatInterleave", _repeat_impl)


@function("repeat_interleave")
def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None) -> Tensor:
    """Each element several times, one behind another; of numbers alone, each place as often as its number says.

    `output_size` is how many there are, where it is known.
    """
    if repeats is None:
        from ..tensor import wrap

        return wrap(np.repeat(np.arange(input._data.size), input._array))
    if dim is None:
        input, dim = input.reshape(-1), 0
    dim = axis(dim, input._data.ndim)
    if isinstance(repeats, Tensor):
        from ..tensor import wrap
        from .gathering import index_select

        counts = repeats.detach()._array
        if counts.size not in (1, input._data.shape[dim]):
            raise RuntimeError(f"repeats must have the same size as input along dim, but got {counts.size} and {input._data.shape[dim]}")
        if (counts < 0).any():
            raise RuntimeError("repeats can not be negative")
        return index_select(input, dim, wrap(np.repeat(np.arange(input._data.shape[dim]), counts)))
    if int(repeats) < 0:
        raise RuntimeError(f"repeats can not be negative, got {int(repeats)}")
    return _repeat_interleave(input, repeats=int(repeats), axis=dim)


_meshgrid = Primitive(
    "Expand", lambda x, shape, place: np.broadcast_to(np.reshape(x, [-1 if i == place else 1 for i in range(len(shape))]), shape), view=True
)


@function("meshgrid", method=False)
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid, from those along each dimension."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    if indexing == "xy" and len(tensors) > 1:
        y, x, *rest = meshgrid(tensors[1], tensors[0], *tensors[2:])
        return (x, y, *rest)
    shape = extents([t._data.size for t in tensors])
    return tuple([_meshgrid(t, shape=shape, place=i) for i, t in enumerate(tensors)])


@function("cartesian_prod", method=False)
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of the elements of vectors, as rows."""
    if len(tensors) == 1:
        return tensors[0]
    return stack([g.reshape(-1) for g in meshgrid(*tensors)], 1)
