"""A module that stands for CuPy where there is no GPU: arrays are those of the simulator, and the driver records what it was asked."""

from __future__ import annotations

import contextlib
import types
from typing import Any

import numpy as np

from tracejit.cuda.simulated_array import Namespace, SimulatedArray


class CUDARuntimeError(RuntimeError):
    pass


class CUDADriverError(RuntimeError):
    pass


class OutOfMemoryError(MemoryError):
    pass


class ndarray(SimulatedArray):
    """Made as CuPy's is."""

    __slots__ = ("data",)

    def __init__(self, shape, dtype=float):
        driver.allocations.append((shape, np.dtype(dtype)))
        if driver.fails_to_allocate:
            driver.fails_to_allocate -= 1
            raise OutOfMemoryError("Out of memory allocating 1,024 bytes (allocated so far: 0 bytes).")
        super().__init__(np.empty(shape, dtype))
        self.data = types.SimpleNamespace(ptr=self.host.ctypes.data, device_id=0)


class Driver:
    """What the fake records, and how it is to fail."""

    def __init__(self):
        self.devices = 1
        self.error: Exception | None = None  # of the look for devices
        self.launch_error: Exception | None = None
        self.fails_to_allocate = 0
        self.allocations: list[tuple] = []
        self.loaded: list[bytes] = []
        self.refused: dict[bytes, str] = {}
        self.launches: list[tuple] = []
        self.freed = 0

    def count(self) -> int:
        if self.error is not None:
            raise self.error
        return self.devices


class PinnedMemory(bytearray):
    @property
    def ptr(self) -> int:
        return np.frombuffer(self, np.uint8).ctypes.data


class Module:
    def load(self, code: bytes) -> None:
        if code in driver.refused:
            raise CUDADriverError(driver.refused[code])
        driver.loaded.append(code)

    def get_function(self, name: str):
        def function(grid, block, args):
            if driver.launch_error is not None:
                raise driver.launch_error
            driver.launches.append((name, grid, block, list(args)))

        return function


class Device(contextlib.nullcontext):
    def __init__(self, number=None):
        super().__init__()
        self.id = number or 0

    def synchronize(self) -> None:
        pass


def make() -> Any:
    """The module, as `import cupy` would give it."""
    global driver
    driver = Driver()
    cupy = Namespace(np)
    pool = types.SimpleNamespace(free_all_blocks=lambda: setattr(driver, "freed", driver.freed + 1), used_bytes=lambda: 8, total_bytes=lambda: 16)
    runtime = types.SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError, getDeviceCount=driver.count, memGetInfo=lambda: (1 << 30, 4 << 30),
        getDeviceProperties=lambda n: {"name": b"Fake 9000", "major": 9, "minor": 0, "totalGlobalMem": 4 << 30, "multiProcessorCount": 2},
    )  # fmt: skip
    vars(cupy).update(
        ndarray=ndarray, get_default_memory_pool=lambda: pool, get_default_pinned_memory_pool=lambda: pool,
        cuda=types.SimpleNamespace(
            runtime=runtime, driver=types.SimpleNamespace(CUDADriverError=CUDADriverError),
            memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError), function=types.SimpleNamespace(Module=Module), Device=Device,
            get_device_id=lambda: 0, get_current_stream=lambda: "stream", alloc_pinned_memory=PinnedMemory,
        ),
        driver=driver,
    )  # fmt: skip
    return cupy


driver = Driver()
