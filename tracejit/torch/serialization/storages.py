"""Tensors as checkpoints describe them: a storage of equal elements, an offset, extents and strides.

dtypes that NumPy has not: bfloat16 is read as float32, which holds every bfloat16 exactly.
"""

from __future__ import annotations

import math
import pickle
import warnings
from typing import Any

import numpy as np

from ...errors import at_user_line
from ...trace import Tracer
from .. import dtypes
from ..devices import device
from ..dispatch import Primitive
from ..sizes import Size
from ..tensor import Tensor, wrap
from .unpickle import Global, refuse

KINDS = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64", "Int": "int32", "Short": "int16",
    "Char": "int8", "Byte": "uint8", "Bool": "bool", "ComplexFloat": "complex64", "ComplexDouble": "complex128",
}  # fmt: skip
"""torch's names of typed storages, and the dtypes of their elements."""
STORAGE_OF = {np.dtype(name): kind for kind, name in KINDS.items() if name != "bfloat16"}
_UNTYPED = "untyped"


def widened(words: np.ndarray) -> np.ndarray:
    """The float32 numbers whose upper halves are these 16-bit words: what bfloat16 numbers are."""
    return (words.astype(np.uint32) << 16).view(np.float32)


def elements(data: bytes | bytearray, kind: str, swapped: bool = False) -> np.ndarray:
    """The elements that lie in some bytes, as a new array; `swapped` if they come from a machine of the other byte order."""
    if kind == "bool":
        return np.frombuffer(data, np.uint8) != 0  # NumPy counts on bytes that are 0 or 1
    bfloat = kind == "bfloat16"
    stored = np.dtype(np.uint16 if bfloat else kind)
    array = np.frombuffer(data, stored.newbyteorder() if swapped else stored).astype(stored)
    if not bfloat:
        return array
    warnings.warn(at_user_line("bfloat16 numbers are read as float32, which holds each of them exactly"), UserWarning, stacklevel=2)
    return widened(array)


class Stored:
    """A storage of a file: its elements, and the first tensor made of it, in whose memory the others lie."""

    __slots__ = ("data", "kind", "swapped", "base", "array")

    def __init__(self, data: bytes, kind: str, swapped: bool):
        self.data, self.kind, self.swapped = data, kind, swapped
        self.base: Tensor | None = None
        self.array: np.ndarray | None = None

    def tensor(self, kind: str, offset: int, size: tuple, stride: tuple) -> Tensor:
        """The tensor of these extents and strides, counted in elements."""
        if self.array is None:
            self.kind = kind
            self.array = elements(self.data, kind, self.swapped)
            self.data = b""
        elif kind != self.kind:
            raise pickle.UnpicklingError(f"two tensors of dtypes {self.kind} and {kind} lie in the same memory: save copies of them, t.clone()")
        last = offset + sum((n - 1) * s for n, s in zip(size, stride)) if 0 not in size else offset - 1
        if last >= self.array.size:
            raise pickle.UnpicklingError(
                f"the file is damaged: a tensor of size {list(size)} with strides {list(stride)} at offset {offset} "
                f"does not fit into its storage of {self.array.size} elements"
            )
        whole = offset == 0 and math.prod(size) == self.array.size and stride == _contiguous(size)
        if self.base is None:
            self.base = wrap(self.array.reshape(size) if whole else self.array)
        if whole and self.base.shape == size:
            return self.base.detach()
        if 0 in size:
            return wrap(np.zeros(size, self.array.dtype))
        return _strided(self.base, size=size, stride=stride, offset=offset).detach()


def _as_strided(x: Any, size: tuple, stride: tuple, offset: int) -> Any:
    if type(x) is Tracer:
        raise TypeError(at_user_line("a compiled function uses a tensor that shares its memory with others of a file: give it t.clone()"))
    step = x.itemsize
    return np.lib.stride_tricks.as_strided(x.reshape(-1)[offset:], size, tuple(s * step for s in stride))


_strided = Primitive("AsStrided", _as_strided, view=True)


def _contiguous(size: tuple) -> tuple:
    strides, step = [], 1
    for n in reversed(size):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(n) is int and 0 <= n < 2**62 for n in value)


def _tensor(stored: Any, kind: str, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any) -> Tensor:
    if type(stored) is not Stored or not (_is_shape(size) and _is_shape(stride) and _is_shape((offset,))) or len(size) != len(stride):
        raise refuse("the file describes a tensor that is not made of a storage, an offset, extents and strides")
    if type(requires_grad) is not bool or hooks:
        raise refuse("the file has a tensor with hooks")
    made = stored.tensor(kind, offset, size, stride)
    _check_flag(made, requires_grad)
    return made.requires_grad_() if requires_grad else made


def _check_flag(t: Tensor, requires_grad: bool) -> None:
    if requires_grad and not (t.dtype.is_floating_point or t.dtype.is_complex):
        raise pickle.UnpicklingError(f"the file is damaged: a tensor of {t.dtype} cannot require gradients")


def _rebuild_v2(stored: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, metadata: Any = None) -> Tensor:
    if metadata:
        raise refuse(f"the file has a tensor with the unusual properties {metadata!r:.80}")
    kind = getattr(stored, "kind", _UNTYPED)
    if kind == _UNTYPED:
        raise refuse("the file describes a tensor without a dtype")
    return _tensor(stored, kind, offset, size, stride, requires_grad, hooks)


def _rebuild_v3(stored: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, metadata: Any = None) -> Tensor:
    if not isinstance(dtype, dtypes.dtype) or metadata:
        raise refuse("the file describes a tensor of an unusual kind")
    return _tensor(stored, dtype.numpy.name, offset, size, stride, requires_grad, hooks)


def _rebuild_parameter(data: Any, requires_grad: Any, hooks: Any) -> Tensor:
    from ..nn import Parameter

    if not isinstance(data, Tensor) or type(requires_grad) is not bool or hooks:
        raise refuse("the file describes a parameter that is not made of a tensor")
    _check_flag(data, requires_grad)
    return Parameter(data, requires_grad)


def _size(extents: Any) -> Size:
    if not _is_shape(extents):
        raise refuse("the file has a torch.Size that is not made of integers")
    return Size(extents)


NAMES = {
    g.name: g
    for g in (
        Global("torch._utils._rebuild_tensor_v2", _rebuild_v2),
        Global("torch._utils._rebuild_tensor_v3", _rebuild_v3),
        Global("torch._utils._rebuild_parameter", _rebuild_parameter),
        Global("torch.Size", _size),
        Global("torch.device", lambda name="cpu", index=None: device("cpu")),  # wherever it was saved, it is in this memory now
        Global("torch.storage.UntypedStorage"),
        *(Global(f"torch.{kind}Storage") for kind in KINDS),
        *(Global(f"torch.{name}", value=d) for name, d in dtypes.DTYPES.items()),
    )
}
"""What a checkpoint may name besides plain data."""


def kind_of(storage: Any) -> str:
    """The dtype of the elements of a storage that a file names by its torch type."""
    if type(storage) is Global and storage.name == "torch.storage.UntypedStorage":
        return _UNTYPED
    kind = storage.name.removeprefix("torch.").removesuffix("Storage") if type(storage) is Global else ""
    if kind not in KINDS:
        raise refuse(f"the file has a storage of type {storage!r:.80}")
    return KINDS[kind]


def item_size(kind: str) -> int:
    """How many bytes an element takes in a file."""
    return 1 if kind == _UNTYPED else 2 if kind == "bfloat16" else np.dtype(kind).itemsize
