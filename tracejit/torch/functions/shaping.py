"""Views: other shapes and orders of the same elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...trace import Tracer
from .. import dtypes
from ..dispatch import Primitive, function
from ..placing import refuse_overlap
from ..sizes import Size
from ..tensor import Tensor
from .operands import axes, axis, extents

_view = Primitive("View", lambda x, shape: x.reshape(shape), view=True)
_reshape_copied = Primitive("UnsafeView", lambda x, shape: np.reshape(x, shape))
_transpose = Primitive("Transpose", lambda x, order: x.transpose(order), view=True)
_t = Primitive("T", lambda x, order: x.transpose(order), view=True)
_permute = Primitive("Permute", lambda x, order: x.transpose(order), view=True)


def _put_expanded(x: Any, part: Any, shape: tuple[int, ...]) -> Any:
    if math.prod(shape) != x.size:
        refuse_overlap()
    return np.reshape(part, x.shape)


_expand = Primitive("Expand", lambda x, shape: np.broadcast_to(x, shape), view=True, put=_put_expanded)
_squeeze, _squeeze_one, _squeeze_some = (
    Primitive(f"SqueezeBackward{i}", lambda x, shape: x.reshape(shape), view=True) for i in range(3)
)
_unsqueeze = Primitive("Unsqueeze", lambda x, shape: x.reshape(shape), view=True)
_clone = Primitive("Clone", lambda x: np.copy(x))
_in_order = Primitive("Clone", lambda x: np.array(x, order="C") if type(x) is np.ndarray else np.copy(x))
_alias = Primitive("Alias", lambda x: x[...], view=True)


def _whole(shape: Sequence[int], size: int) -> tuple[int, ...]:
    """A shape in which one extent may be -1. Raises `RuntimeError` where the sizes do not fit."""
    if not all([type(n) is int for n in shape]):
        shape = extents(shape)
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    if -1 in shape:
        rest = math.prod(n for n in shape if n != -1)
        if rest == 0 or size % rest:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
        return tuple([size // rest if n == -1 else n for n in shape])
    if math.prod(shape) != size or min(shape, default=0) < 0:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return shape


@function("size", namespace=False)
def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or one extent."""
    return Size(self._data.shape) if dim is None else self._data.shape[axis(dim, self._data.ndim)]


@function("dim", "ndimension", namespace=False)
def dim(self: Tensor) -> int:
    """The number of dimensions."""
    return self._data.ndim


@function("numel", "nelement")
def numel(input: Tensor) -> int:
    """The number of elements."""
    return self_size(input)


def self_size(t: Tensor) -> int:
    return int(t._data.size)


@function("stride", namespace=False)
def stride(self: Tensor, dim: int | None = None) -> Any:
    """How many elements lie between neighbours along each dimension."""
    array = self._data
    if type(array) is Tracer:
        steps = tuple([math.prod(array.shape[i + 1 :]) for i in range(array.ndim)])
    else:
        steps = [s // array.itemsize for s in array.strides]
        if 0 in steps:  # NumPy's for a new dimension of extent one
            for d in range(array.ndim - 1, -1, -1):
                if steps[d] == 0 and array.shape[d] == 1:
                    steps[d] = steps[d + 1] * array.shape[d + 1] if d + 1 < array.ndim else 1
        steps = tuple(steps)
    return steps if dim is None else steps[axis(dim, len(steps))]


@function("is_contiguous", namespace=False)
def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie in memory in the order of their indices."""
    return type(self._data) is Tracer or bool(self._data.flags.c_contiguous)


@function("data_ptr", namespace=False)
def data_ptr(self: Tensor) -> int:
    """The address of the first element."""
    return self._array.__array_interface__["data"][0]


@function("storage_offset", namespace=False)
def storage_offset(self: Tensor) -> int:
    """How many elements of the storage come before the first one."""
    root = self._storage._array
    return (data_ptr(self) - root.__array_interface__["data"][0]) // self._data.itemsize


def _keeps_memory(x: Any, shape: tuple[int, ...]) -> bool:
    """Whether the elements can be given this shape where they lie."""
    if type(x) is Tracer or x.flags.c_contiguous:
        return True
    try:
        np.reshape(x, shape, copy=False)
    except ValueError:
        return False
    return True


@function("reshape")
def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The elements in another shape: a view where the memory allows it, else a copy."""
    whole = _whole(shape, input._data.size)
    if _keeps_memory(input._data, whole):
        return _view.of_one(input, {"shape": whole})
    return _reshape_copied(input, shape=whole)


@function("view", namespace=False)
def view(self: Tensor, *shape: Any) -> Tensor:
    """The elements in another shape, in the same memory; with a dtype, the bytes as numbers of that dtype.

    Raises `RuntimeError` where a copy is needed.
    """
    if len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
        return _of_bytes(self, shape[0])
    whole = _whole(shape, self._data.size)
    if not _keeps_memory(self._data, whole):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two contiguous subspaces). "
            "Use .reshape(...) instead."
        )
    return _view.of_one(self, {"shape": whole})


_view_dtype = Primitive("ViewDtype", lambda x, dtype: x.view(dtype), view=True)


def _of_bytes(t: Tensor, dtype: dtypes.dtype) -> Tensor:
    """The bytes of a tensor as numbers of another dtype, outside of its graph. Raises `RuntimeError` where they make no whole number of them."""
    have, want = t._data.dtype.itemsize, dtype.itemsize
    if have != want:
        if not t._data.ndim:
            raise RuntimeError(f"self.dim() cannot be 0 to view {t.dtype} as {dtype} (different element sizes)")
        if t._data.shape[-1] * have % want or not is_contiguous(t):
            raise RuntimeError(
                f"self.size(-1) must be divisible by {want // have or 1} to view {t.dtype} as {dtype} (different element sizes), in a contiguous "
                f"tensor, but got a tensor of shape {list(t._data.shape)}"
            )
    return _view_dtype(t.detach() if t.requires_grad else t, dtype=dtype.numpy)


@function("view_as", namespace=False)
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """`view` with the shape of another tensor."""
    return view(self, other._data.shape)


@function("reshape_as", namespace=False)
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """`reshape` to the shape of another tensor."""
    return reshape(self, other._data.shape)


@function("flatten")
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` as one."""
    x = input._data
    if not x.ndim:
        return reshape(input, 1)
    first, last = axis(start_dim, x.ndim), axis(end_dim, x.ndim)
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if first == last:
        return input
    return reshape(input, (*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


@function("unflatten")
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One dimension as several."""
    x = input._data
    dim = axis(dim, x.ndim)
    return reshape(input, (*x.shape[:dim], *_whole(sizes, x.shape[dim]), *x.shape[dim + 1 :]))


@function("ravel")
def ravel(input: Tensor) -> Tensor:
    """The elements in one row."""
    return reshape(input, -1)


@function("transpose", "swapaxes", "swapdims")
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchange two dimensions."""
    n = input._data.ndim
    a, b = axis(dim0, n), axis(dim1, n)
    order = list(range(n))
    if n:
        order[a], order[b] = order[b], order[a]
    return _transpose.of_one(input, {"order": tuple(order)})


@function("t")
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix. Raises `RuntimeError` for more than two dimensions."""
    n = input._data.ndim
    if n > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {n}D")
    return _t.of_one(input, {"order": tuple(range(n - 1, -1, -1))})


@function("permute")
def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order."""
    order = axes(extents(dims), input._data.ndim)
    if len(order) != input._data.ndim:
        raise RuntimeError(
            f"permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions "
            f"i.e. input.dim() = {input._data.ndim} is not equal to len(dims) = {len(order)}"
        )
    return _permute.of_one(input, {"order": order})


@function("movedim", "moveaxis")
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Move dimensions to other places."""
    n = input._data.ndim
    came, go = (axes(d, n) for d in (source, destination))
    if len(came) != len(go):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(came)} dims) should contain the same number of dims as destination "
            f"({list(go)} dims)"
        )
    order = [d for d in range(n) if d not in came]
    for d, s in sorted(zip(go, came)):
        order.insert(d, s)
    return _permute.of_one(input, {"order": tuple(order)})


@function("squeeze")
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without dimensions of extent one: all, or those named."""
    shape = input._data.shape
    chosen = range(len(shape)) if dim is None else axes(dim, len(shape))
    primitive = _squeeze if dim is None else _squeeze_some if isinstance(dim, (tuple, list)) else _squeeze_one
    return primitive.of_one(input, {"shape": tuple([n for i, n in enumerate(shape) if n != 1 or i not in chosen])})


@function("unsqueeze")
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of extent one at `dim`."""
    shape = list(input._data.shape)
    shape.insert(axis(dim, len(shape) + 1), 1)
    return _unsqueeze.of_one(input, {"shape": tuple(shape)})


@function("expand", namespace=False)
def expand(self: Tensor, *sizes: Any) -> Tensor:
    """Repeat dimensions of extent one without copying; -1 keeps an extent."""
    shape, wanted = self._data.shape, extents(sizes)
    lead = len(wanted) - len(shape)
    if lead < 0:
        raise RuntimeError(
            f"expand(torch.{self.dtype.legacy}Tensor{list(shape)}, size={list(wanted)}): "
            f"the number of sizes provided ({len(wanted)}) must be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    whole = []
    for i, n in enumerate(wanted):
        have = shape[i - lead] if i >= lead else 1
        if n == -1 and i >= lead:
            n = have
        elif n < 0:
            raise RuntimeError(f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing dimension {i}")
        elif have not in (1, n):
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({have}) at non-singleton dimension {i}.  "
                f"Target sizes: {list(wanted)}.  Tensor sizes: {list(shape)}"
            )
        whole.append(n)
    return _expand(self, shape=tuple(whole))


@function("expand_as", namespace=False)
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of another tensor."""
    return expand(self, other._data.shape)


@function("broadcast_to")
def broadcast_to(input: Tensor, *shape: Any) -> Tensor:
    """As `expand`."""
    return expand(input, *shape)


@function("broadcast_tensors", method=False)
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors, expanded to their common shape."""
    shape = np.broadcast_shapes(*[t._data.shape for t in tensors])
    return tuple([expand(t, shape) for t in tensors])


@function("clone")
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy that stays in the graph."""
    return _clone(input)


@function("contiguous", namespace=False)
def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself where its elements lie in order, else a copy."""
    return self if is_contiguous(self) else _in_order(self)


@function("alias", method=False)
def alias(input: Tensor) -> Tensor:
    """The same elements in the same memory."""
    return _alias(input)


def _parts(x: Any) -> Any:
    if isinstance(x, Tracer):
        return np.stack((np.real(x), np.imag(x)), -1)
    return np.ascontiguousarray(x).reshape(*x.shape, 1).view(f"f{x.itemsize // 2}") if not x.size else x[..., None].view(f"f{x.itemsize // 2}")


def _joined(x: Any) -> Any:
    if isinstance(x, Tracer) or x.strides[-1] != x.itemsize:
        return x[..., 0] + x[..., 1] * np.result_type(x.dtype, np.complex64).type(1j)
    return x.view(f"c{2 * x.itemsize}")[..., 0]


def _as_complex(x: Any, part: Any) -> Any:
    return np.stack((np.real(part), np.imag(part)), -1)


_view_as_real = Primitive("ViewAsReal", _parts, view=True, put=lambda x, part: part[..., 0] + part[..., 1] * x.dtype.type(1j))
_view_as_complex = Primitive("ViewAsComplex", _joined, view=True, put=_as_complex)


@function("view_as_real", method=False)
def view_as_real(input: Tensor) -> Tensor:
    """A complex tensor as real and imaginary parts along a new last dimension: a view."""
    if input._data.dtype.kind != "c":
        raise RuntimeError(f"view_as_real is only supported for complex tensors, got {input.dtype}")
    return _view_as_real(input)


@function("view_as_complex", method=False)
def view_as_complex(input: Tensor) -> Tensor:
    """Undo `view_as_real`: the last dimension, of extent 2, as complex numbers."""
    if input._data.dtype.kind != "f":
        raise RuntimeError(f"view_as_complex is only supported for floating point tensors, but got a tensor of scalar type: {input.dtype.legacy}")
    if not input._data.ndim or input._data.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    return _view_as_complex(input)


def _reversed(self: Tensor) -> Tensor:
    return _permute.of_one(self, {"order": tuple(range(self._data.ndim - 1, -1, -1))})


def _matrix_transposed(self: Tensor) -> Tensor:
    if self._data.ndim < 2:
        raise RuntimeError(f"tensor.mT is only supported on matrices or batches of matrices. Got {self._data.ndim}-D tensor.")
    return transpose(self, -2, -1)


def _adjoints(self: Tensor) -> Tensor:
    return _matrix_transposed(self).conj() if self._data.dtype.kind == "c" else _matrix_transposed(self)


def _adjoint(self: Tensor) -> Tensor:
    if self._data.ndim not in (0, 2):
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {self._data.ndim}-D tensor. For batches of matrices, consider using tensor.mH"
        )
    return _adjoints(self) if self._data.ndim else self.conj() if self._data.dtype.kind == "c" else self


Tensor.T = property(_reversed, doc="The dimensions in reverse order.")
Tensor.mT = property(_matrix_transposed, doc="The last two dimensions exchanged.")
Tensor.H = property(_adjoint, doc="The transpose of a matrix, conjugated.")
Tensor.mH = property(_adjoints, doc="The last two dimensions exchanged, and conjugated.")
