"""CUDA devices, as `torch.cuda`: whether there are any, which is current, and their streams.

>>> from tracejit import torch
>>> device = "cuda" if torch.cuda.is_available() else "cpu"
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .. import cuda as _cuda
from ..cuda import Event, Stream
from .absent import of_module
from .devices import device as _device


def is_available() -> bool:
    """Whether tensors can live on a GPU."""
    return _cuda.is_available()


def device_count() -> int:
    """The number of GPUs."""
    return _cuda.device_count()


def current_device() -> int:
    """The number of the device that "cuda" stands for."""
    return _cuda.current_device().index


def device(which: Any) -> AbstractContextManager:
    """`with torch.cuda.device(1):` makes another device the current one; -1 and the CPU change nothing."""
    number = _number(which)
    return nullcontext() if number is None or number < 0 else _cuda.device(number)


def get_device_name(device: Any = None) -> str:
    """What a device is called."""
    return _properties(device)["name"]


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The compute capability of a device: (major, minor)."""
    return _properties(device)["capability"]


def synchronize(device: Any = None) -> None:
    """Wait for all that is queued on a device; nothing where there is none."""
    if is_available():
        _cuda.synchronize(_number(device))


def empty_cache() -> None:
    """Give memory that no tensor uses back; nothing where there is no device."""
    if is_available():
        _cuda.empty_cache()


def memory_allocated(device: Any = None) -> int:
    """Bytes that arrays on the current device take; 0 where there is none."""
    return _cuda.memory()["used"] if is_available() else 0


def manual_seed(seed: int) -> None:
    """Nothing: numbers are drawn from the stream of `torch.manual_seed` on every device."""


def manual_seed_all(seed: int) -> None:
    """Nothing: numbers are drawn from the stream of `torch.manual_seed` on every device."""


def stream(stream: Any) -> AbstractContextManager:
    """`with torch.cuda.stream(s):` queues what follows in another stream; None changes nothing."""
    return nullcontext() if stream is None else _cuda.stream(stream)


def _number(which: Any) -> int | None:
    if which is None or isinstance(which, int):
        return which
    found = _device(which)
    return None if found.type == "cpu" else found.index if found.index is not None else current_device()


def _properties(which: Any) -> dict[str, Any]:
    number = _number(which)
    return _cuda.Device("cuda", current_device() if number is None else number).properties


__all__ = [
    "Event", "Stream", "current_device", "device", "device_count", "empty_cache", "get_device_capability", "get_device_name", "is_available",
    "manual_seed", "manual_seed_all", "memory_allocated", "stream", "synchronize",
]  # fmt: skip
__getattr__ = of_module(globals())
