"""Elements in another order, repeated, or on and beside diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...trace.constants import as_proxy
from ..dispatch import Primitive, function
from ..tensor import Tensor
from .operands import axes, axis, extents
from .shaping import movedim

_flip = Primitive("Flip", lambda x, axis: np.flip(x, axis))
_roll = Primitive("Roll", lambda x, shift, axis: np.roll(x, shift, axis))
_rot90 = Primitive("Rot90", lambda x, k, axes: np.rot90(x, k, axes))
_repeat = Primitive("Repeat", lambda x, reps: np.tile(x, reps))


def _put_diagonal(x: Any, part: Any, offset: int, axis1: int, axis2: int) -> Any:
    n = part.shape[-1]
    rows, columns = np.arange(n) + max(-offset, 0), np.arange(n) + max(offset, 0)
    front = np.moveaxis(x, (axis1, axis2), (0, 1))
    front = as_proxy(front).at[rows, columns].set(np.moveaxis(part, -1, 0))
    return np.moveaxis(front, (0, 1), (axis1, axis2))


_diagonal = Primitive("Diagonal", lambda x, offset, axis1, axis2: np.diagonal(x, offset, axis1, axis2), view=True, put=_put_diagonal)
_tril = Primitive("Tril", lambda x, k: np.tril(x, k))
_triu = Primitive("Triu", lambda x, k: np.triu(x, k))


@function("flip")
def flip(input: Tensor, *dims: Any) -> Tensor:
    """The elements in reverse order along dimensions: a copy."""
    if not dims:
        raise TypeError("flip() missing 1 required positional argument: dims, the dimensions to reverse")
    return _flip(input, axis=axes(extents(dims), input._data.ndim))


@function("fliplr")
def fliplr(input: Tensor) -> Tensor:
    """Reverse the second dimension."""
    return flip(input, 1)


@function("flipud")
def flipud(input: Tensor) -> Tensor:
    """Reverse the first dimension."""
    return flip(input, 0)


@function("roll")
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Shift elements round along dimensions."""
    shift = tuple(shifts) if isinstance(shifts, (tuple, list)) else (int(shifts),)
    if dims is None and len(shift) == 1:
        return _roll(input, shift=shift[0], axis=None)
    if dims is not None and not input._data.ndim:
        raise IndexError(f"Dimension specified as {dims} but tensor has no dimensions")
    places = () if dims is None else tuple([axis(d, input._data.ndim) for d in (dims if isinstance(dims, (tuple, list)) else (dims,))])
    if len(places) != len(shift):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shift)}, dims:{len(places)}")
    return _roll(input, shift=shift, axis=places)


@function("rot90")
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turn by 90 degrees in the plane of two dimensions."""
    if len(dims) != 2 or input._data.ndim < 2:
        raise RuntimeError(f"rot90 turns in the plane of two dimensions, got dims={list(dims)} of a tensor with {input._data.ndim}")
    if axis(dims[0], input._data.ndim) == axis(dims[1], input._data.ndim):
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    return _rot90(input, k=k, axes=tuple(dims))


@function("repeat", namespace=False)
def repeat(self: Tensor, *repeats: Any) -> Tensor:
    """Copies of the tensor, laid one beside another along each dimension."""
    reps = extents(repeats)
    if len(reps) < self._data.ndim:
        raise RuntimeError(
            f"Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor: got {list(reps)} for {self._data.ndim} "
            "dimensions. Write a 1 for each dimension that is not repeated"
        )
    if min(reps, default=0) < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension: repeat of {list(reps)}")
    return _repeat(self, reps=reps)


@function("tile")
def tile(input: Tensor, *dims: Any) -> Tensor:
    """As `repeat`; missing dimensions count as one."""
    reps = extents(dims)
    return _repeat(input, reps=(1,) * (input._data.ndim - len(reps)) + reps)


@function("diagonal")
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonals of two dimensions, as a last dimension."""
    first, second = axis(dim1, input._data.ndim), axis(dim2, input._data.ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return _diagonal(input, offset=offset, axis1=first, axis2=second)


_diag = Primitive("DiagEmbed", lambda x, k: np.diag(x, k))


@function("diag")
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal."""
    if input._data.ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input._data.ndim}D")
    return _diag(input, k=diagonal)


def _diag_embed_impl(x, offset):
    n = x.shape[-1] + abs(offset)
    made = np.zeros((*x.shape[:-1], n, n), x.dtype)
    i = np.arange(x.shape[-1])
    rows, columns = (i, i + offset) if offset >= 0 else (i - offset, i)
    places = np.zeros((x.shape[-1], n, n), x.dtype)
    places[i, rows, columns] = 1
    return made + np.tensordot(x, places, 1)


_diag_embed = Primitive("DiagEmbed", _diag_embed_impl)


@function("diag_embed")
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices, in the dimensions `dim1` and `dim2` of the result, with the last dimension on their diagonals."""
    n = input._data.ndim + 1
    first, second = axis(dim1, n), axis(dim2, n)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    made = _diag_embed(input, offset=offset if first < second else -offset)
    return made if {first, second} == {n - 2, n - 1} else movedim(made, (n - 2, n - 1), (min(first, second), max(first, second)))


def _require_matrices(input: Tensor, name: str) -> None:
    if input._data.ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions, but it has shape {list(input._data.shape)}")


@function("tril", inplace=True)
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle."""
    _require_matrices(input, "tril")
    return _tril(input, k=diagonal)


@function("triu", inplace=True)
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle."""
    _require_matrices(input, "triu")
    return _triu(input, k=diagonal)
