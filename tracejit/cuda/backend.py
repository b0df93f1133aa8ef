"""The one way to a device: CuPy on a GPU, NumPy and Numba's simulator without one.

`backend()` starts it, at the first need: importing tracejit touches neither CuPy nor Numba nor a driver.  The environment variable
NUMBA_ENABLE_CUDASIM decides which one it is, as for Numba itself; with TRACEJIT_CUDA=host kernels are native code of the host, for tests.
"""

from __future__ import annotations

import abc
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .. import residence
from .flags import Flag
from .products import ProductType

Parameters = Sequence[tuple[np.dtype, str]]
"""Of a kernel: the dtype of each parameter, and whether it is a "pointer" to such numbers or a "value"."""


class Backend(abc.ABC):
    """Arrays on devices, and kernels that compute with them. Work is queued on the current stream of the current device."""

    kind = "cuda"
    simulated: bool
    array: type
    """The class of arrays on a device."""
    xp: Any
    """The namespace that computes with them."""

    special: Any
    scipy_linalg: Any
    """What `scipy.special` and `scipy.linalg` are for its arrays, as far as it goes."""

    # -- arrays
    @abc.abstractmethod
    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        """A new array on the current device. Raises `DeviceMemoryError`."""

    @abc.abstractmethod
    def from_host(self, x: Any) -> Any:
        """A copy, on the current device, of an array or number of NumPy's. Large arrays go through pinned memory."""

    @abc.abstractmethod
    def to_host(self, x: Any) -> np.ndarray:
        """A copy on the host of an array on a device, once what computes it has ended."""

    @abc.abstractmethod
    def adopt(self, x: Any) -> Any:
        """An array of any library that says where on a device its memory is, as one of `array` over the same memory."""

    @abc.abstractmethod
    def pinned(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """A new array of NumPy's in page-locked memory."""

    @abc.abstractmethod
    def device_of(self, x: Any) -> int:
        """The number of the device that an array lives on."""

    @abc.abstractmethod
    def address(self, x: Any) -> int:
        """Where the memory of an array begins."""

    @abc.abstractmethod
    def copy_to(self, x: Any, device: int) -> Any:
        """A copy of an array on another device."""

    def is_device_array(self, x: Any) -> bool:
        """Whether x is an array on a device, of the class of this backend."""
        return type(x) is self.array

    def contiguous(self, x: Any) -> Any:
        """x in C order; itself where it is."""
        return x if x.flags.c_contiguous else self.xp.ascontiguousarray(x)

    def copy(self, x: Any) -> Any:
        """A new array of the same contents, in C order."""
        return self.xp.array(x, order="C")

    def write(self, target: Any, value: Any) -> None:
        """Give `target` the contents of `value`, which lives on a device or on the host, and may be `target` itself."""
        if value is target:
            return
        if isinstance(value, np.ndarray):
            value = self.from_host(value) if value.ndim else value[()]
        target[...] = value

    def shares_memory(self, x: Any, y: Any) -> bool:
        """Whether the extents of two arrays in memory overlap."""
        (a, b), (c, d) = self._extent(x), self._extent(y)
        return a < d and c < b

    def _extent(self, x: Any) -> tuple[int, int]:
        begin = end = self.address(x)
        if not x.size:
            return begin, begin
        for extent, stride in zip(x.shape, x.strides):
            begin += min(0, (extent - 1) * stride)
            end += max(0, (extent - 1) * stride)
        return begin, end + x.dtype.itemsize

    def run(self, op: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """The result of an op by its own `run`, on this device."""
        from .running import run

        return run(self, op, args, params)

    def multiply(self, x: Any, y: Any, out: Any) -> None:
        """The product of two matrices, or of two stacks of them, into `out`; of float32 as `config.cuda_products` says."""
        self.xp.matmul(x, y, out=out)

    def product(self, type_: ProductType) -> Any:
        """What computes a product between addresses, as `products.Product` does; None where `multiply` is all there is."""
        return None

    def epilogues(self, dtype: np.dtype) -> frozenset[str]:
        """What can be done to a product of floats while it is written: "bias", "relu"."""
        return frozenset(("bias", "relu")) if dtype.char in "ef" else frozenset()

    def runs_on_host(self, op: Any) -> bool:
        """Whether `run` is known to go to the host for an op."""
        from .running import on_host

        return on_host(op)

    # -- kernels
    def listings(self, source: str, name: str, parameters: Parameters) -> list[tuple[str, str]]:
        """What the compiler makes of a kernel for the current device: texts, with what each is."""
        return []

    @abc.abstractmethod
    def compile(self, kernels: Sequence[tuple[str, str, Parameters]]) -> None:
        """Compile kernels that `load` will be asked for, side by side."""

    @abc.abstractmethod
    def load(self, source: str, name: str, parameters: Parameters) -> Any:
        """The function `name` of a kernel's source, ready to be launched on the current device.

        A pointer is given an array of any dtype, whose memory it is read as: floats for complex numbers, bytes for booleans.
        """

    @abc.abstractmethod
    def launch(self, kernel: Any, grid: int, block: int, args: Sequence[Any]) -> None:
        """Queue a kernel for `grid` blocks of `block` threads; `args` are C-ordered arrays on the device, and NumPy scalars for values."""

    @abc.abstractmethod
    def flag(self, message: str) -> Flag:
        """A number that kernels set where an index is out of range, and what is said then."""

    @abc.abstractmethod
    def record(self, queue: Callable[[], Any]) -> Any:
        """What `queue` launches, as a graph that `replay` launches at once; it need not be run by this."""

    @abc.abstractmethod
    def replay(self, graph: Any) -> None:
        """Queue a recorded graph on the current stream."""

    # -- devices and streams
    @abc.abstractmethod
    def device_count(self) -> int: ...

    @abc.abstractmethod
    def current_device(self) -> int: ...

    @abc.abstractmethod
    def on(self, device: int) -> AbstractContextManager:
        """While it lasts, the current device is that one."""

    @abc.abstractmethod
    def properties(self, device: int) -> dict[str, Any]:
        """Of a device: `name`, `capability` (a pair), `memory` in bytes, `processors`."""

    @abc.abstractmethod
    def stream(self, foreign: Any = None) -> Any:
        """A new stream of the current device, or one over that of another library."""

    @abc.abstractmethod
    def current_stream(self) -> Any: ...

    @abc.abstractmethod
    def event(self, timing: bool) -> Any: ...

    @abc.abstractmethod
    def elapsed(self, start: Any, end: Any) -> float:
        """Seconds between two events that were recorded."""

    @abc.abstractmethod
    def synchronize(self, device: int | None = None) -> None:
        """Wait for all that is queued on a device, the current one if none is given."""

    @abc.abstractmethod
    def memory(self) -> dict[str, int]:
        """Bytes of the current device: `free`, `total`, `used` by arrays and `held` by the pool that they come from."""

    @abc.abstractmethod
    def empty_cache(self) -> None:
        """Give the blocks that no array uses back to the device."""


_lock = threading.RLock()
_backend: Backend | None = None
_failed: Callable[[], Exception] | None = None


def simulator_wanted() -> bool:
    """Whether the environment asks for the simulator."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0").strip() not in ("", "0")


def host_wanted() -> bool:
    """Whether the environment asks for device code that runs on the host."""
    return os.environ.get("TRACEJIT_CUDA", "").strip().lower() == "host"


def started() -> bool:
    """Whether a backend runs: no array on a device has been met before."""
    return _backend is not None


def backend() -> Backend:
    """The backend, started if need be.

    Raises `CudaError` where there is none to be had: a package, the driver or a device is missing.
    """
    global _backend
    if _backend is None:
        with _lock:
            if _backend is None:
                made = _start()
                residence.classes[made.array] = made
                _backend = made
    return _backend


def _start() -> Backend:
    if simulator_wanted():
        from .simulated import Simulated

        return Simulated()
    if host_wanted():
        from .on_host import OnHost

        return OnHost()
    from .real import Real

    return Real()


__all__ = ["Backend", "Parameters", "backend", "host_wanted", "simulator_wanted", "started"]
