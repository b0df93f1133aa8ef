"""Other dtypes, copies into tensors, fills."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...trace import Tracer
from ...trace.constants import active_traces
from .. import dtypes, nodes
from ..devices import device
from ..dispatch import Primitive, function
from ..inplace import assign, check_writable, overwrite
from ..modes import state
from ..storage import here
from ..tensor import Tensor, wrap
from .operands import cast, number_in, tensor_of

_to = Primitive("ToCopy", lambda x, dtype: cast(x, dtype) if x.dtype != dtype else np.copy(x))


@function("to", namespace=False)
def to(
    self: Tensor, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False, copy: bool = False, memory_format: Any = None
) -> Tensor:
    """The tensor in another dtype, or on another device: itself where it is so already, unless `copy`."""
    for a in args:
        if isinstance(a, Tensor):
            dtype, device = a.dtype, a.device
        elif isinstance(a, (dtypes.dtype, type)):
            dtype = a
        elif isinstance(a, bool):
            continue
        elif a is not None:
            device = a
    if device is not None and (self.is_cuda or _device(device).type != "cpu"):
        from ..resident import move

        moved = move(self, device, copy and dtype is None)
        if moved is not self or dtype is None:
            return moved if dtype is None else to(moved, dtype=dtype)
    wanted = self._data.dtype if dtype is None else dtypes.as_numpy(dtype)
    if wanted == self._data.dtype and not copy:
        return self
    return _to(self, dtype=wanted)


_device = device


def _method(name: str, d: dtypes.dtype) -> None:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return self if self._data.dtype == d.numpy else _to(self, dtype=d.numpy)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"The tensor as {d!r}."
    setattr(Tensor, name, convert)


for _name, _d in dtypes.NAMES.items():
    if _name in ("float", "double", "half", "int", "long", "short", "bool", "cfloat", "cdouble"):
        _method(_name, _d)
_method("byte", dtypes.uint8)
_method("char", dtypes.int8)


@function("type", namespace=False)
def type_(self: Tensor, dtype: Any = None) -> Any:
    """The legacy name of the type, or the tensor in another dtype."""
    if dtype is None:
        return f"torch.{self.dtype.legacy}Tensor"
    if isinstance(dtype, str):
        named = [d for d in dtypes.DTYPES.values() if dtype == f"torch.{d.legacy}Tensor"]
        if not named:
            raise ValueError(f"invalid type: {dtype!r}. Write x.to(torch.float64)")
        dtype = named[0]
    return to(self, dtype=dtype)


@function("type_as", namespace=False)
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in the dtype of another."""
    return to(self, other.dtype)


@function("cpu", namespace=False)
def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor in the memory of the CPU: itself where it is there."""
    return to(self, device="cpu") if self.is_cuda else self


@function("cuda", namespace=False)
def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """The tensor in the memory of a CUDA device, the current one if none is given."""
    return to(self, device="cuda" if device is None else device)


@function("is_signed", namespace=False)
def is_signed(self: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return self.dtype.is_signed


@function("element_size", namespace=False)
def element_size(self: Tensor) -> int:
    """The bytes of an element."""
    return self._data.dtype.itemsize


# -- writing
_copy = Primitive(
    "Copy", lambda x, y: np.broadcast_to(y, x.shape) + x.dtype.type(0) if y.dtype == x.dtype and x.dtype.kind != "b" else _converted(x, y)
)


def _converted(x, y):
    return np.copy(np.broadcast_to(cast(y, x.dtype), x.shape))


@function("copy_", namespace=False)
def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Write the elements of `src`, broadcast and converted, into the tensor."""
    src = tensor_of(src)
    check_writable(self)
    try:
        np.broadcast_shapes(src._data.shape, self._data.shape)
        extra = len(src._data.shape) - len(self._data.shape)
        fits = extra <= 0 or all(n == 1 for n in src._data.shape[:extra])
    except ValueError:
        fits = False
    if not fits or (self._data.size and np.broadcast_shapes(src._data.shape, self._data.shape)[-self._data.ndim or None :] != self._data.shape):
        raise RuntimeError(
            f"The expanded size of the tensor {list(self._data.shape)} must match that of what is copied into it, {list(src._data.shape)}"
        )
    if not (state.levels or state.grad and (self.requires_grad or src.requires_grad)):
        _write(self, src._array)
        return self
    start = nodes.count()
    return assign(self, _copy(self, src), start)


def _write(t: Tensor, value: Any) -> None:
    target = t._array
    if value.ndim > target.ndim:
        value = np.reshape(value, target.shape)
    if isinstance(target, Tracer) or isinstance(value, Tracer):
        value = np.broadcast_to(cast(value, target.dtype), target.shape)
    elif value.dtype.kind == "c" and target.dtype.kind != "c":
        value = value.real
    overwrite(t, value)


_fill = Primitive("Fill", lambda x, v: np.broadcast_to(cast(v, x.dtype), x.shape) + x.dtype.type(0))


@function("fill_", namespace=False)
def fill_(self: Tensor, value: Any) -> Tensor:
    """Let every element be `value`."""
    check_writable(self)
    if isinstance(value, str) or value is None:
        raise TypeError(f"fill_() takes a number or a 0-d tensor, not {type(value).__name__}")
    if isinstance(value, Tensor) and value._data.ndim:
        raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor with {value._data.ndim} dimensions.")
    if state.levels or state.grad and (self.requires_grad or isinstance(value, Tensor) and value.requires_grad):
        start = nodes.count()
        return assign(self, _fill(self, value if isinstance(value, Tensor) else tensor_of(value)), start)
    overwrite(self, value._array if isinstance(value, Tensor) else number_in(value, self._data.dtype))
    return self


@function("zero_", namespace=False)
def zero_(self: Tensor) -> Tensor:
    """Let every element be zero."""
    if type(self._data) is not np.ndarray or self._base is not None or self._requires or active_traces() or state.levels:
        return fill_(self, 0)
    check_writable(self)
    self._data.fill(0)
    self._storage.version += 1
    self._storage.written_at = here(2)
    return self


@function("set_", namespace=False)
def set_(self: Tensor, source: Tensor) -> Tensor:
    """Let the tensor lie in the memory of another."""
    self.data = source
    return self


@function("resize_", namespace=False)
def resize_(self: Tensor, *sizes: Any) -> Tensor:
    """Give the tensor another shape; new elements are zero. Raises `RuntimeError` for one that requires a gradient."""
    from .operands import extents

    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    self.data = wrap(np.resize(self._data, extents(sizes)) if self._data.size else np.zeros(extents(sizes), self._data.dtype))
    return self
