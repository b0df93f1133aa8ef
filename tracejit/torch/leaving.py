"""How what a tensor holds leaves it: as an array, and as Python's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import residence
from ..trace import Tracer
from ..trace.tracer import OwnOperators, as_number
from .modes import state


class Leaving(OwnOperators):
    """The part of `Tensor` that gives arrays and numbers."""

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The array that the tensor lies in: both share the memory.

        Raises `RuntimeError` where the tensor requires a gradient, unless `force`, or nothing is recorded (`no_grad`).
        """
        if self.requires_grad and state.grad and not force:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if self.is_cuda:
            if not force:
                what = f"can't convert {self.device} device type tensor to numpy."
                raise TypeError(f"{what} Use Tensor.cpu() to copy the tensor to host memory first.")
            return residence.home(self._data).to_host(self._data)
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if type(array) is Tracer:
            return array.__array__(dtype, copy)
        return np.array(array, dtype, copy=copy)

    def __dlpack__(self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None) -> Any:
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return self._array.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    def item(self) -> Any:
        """The Python number of a tensor of one element. Raises `RuntimeError` for any other."""
        array = self._array
        if array.size != 1:
            raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
        if state.compiling is not None and type(array) is Tracer and not state.recordings:
            return as_number(array)
        return array.item()

    def tolist(self) -> Any:
        """The nested list of Python numbers."""
        return self._array.tolist()

    def __bool__(self) -> bool:
        if self._data.size != 1:
            what = "no values" if self._data.size == 0 else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {what} is ambiguous")
        return bool(self._array)

    def __int__(self) -> int:
        return int(self._one(int))

    def __float__(self) -> float:
        return float(self._one(float))

    def __complex__(self) -> complex:
        return complex(self._one(complex))

    def __index__(self) -> int:
        if self._data.dtype.kind not in "iub" or self._data.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self._one(int))

    def _one(self, kind: type) -> Any:
        array = self._array
        if array.size != 1:  # matplotlib, among others, tells arrays from numbers by this type of error
            raise ValueError(f"only one element tensors can be converted to Python scalars, and this one has {array.size}: index it, or use tolist()")
        if array.dtype.kind == "c" and kind is not complex:
            raise RuntimeError(f"value cannot be converted to type {kind.__name__} without overflow: it is complex, take x.real or x.abs()")
        return array.reshape(()) if array.ndim else array

    def __format__(self, spec: str) -> str:
        if self._data.ndim == 0:
            return format(self.item(), spec)
        return object.__format__(self, spec)
