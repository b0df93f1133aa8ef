"""CUDA: arrays that live on a GPU, and functions that are compiled for it.

>>> import tracejit as tj
>>> f = tj.jit(lambda x: x * 2.0, target="cuda")  # needs a device when it is called, not before

Arrays on a device are CuPy's.  `tracejit.jit` follows its arguments there, or brings them with `target="cuda"`; nothing here is imported before that.
Without a GPU, NUMBA_ENABLE_CUDASIM=1 simulates one, slowly.
"""

from .devices import (
    Device,
    current_device,
    device,
    device_count,
    device_get,
    device_put,
    devices,
    empty_cache,
    is_available,
    memory,
    pinned,
    synchronize,
)
from .errors import CudaError, DeviceError, DeviceMemoryError
from .streams import Event, Stream, stream

__all__ = [
    "CudaError",
    "Device",
    "DeviceError",
    "DeviceMemoryError",
    "Event",
    "Stream",
    "current_device",
    "device",
    "device_count",
    "device_get",
    "device_put",
    "devices",
    "empty_cache",
    "is_available",
    "memory",
    "pinned",
    "stream",
    "synchronize",
]
