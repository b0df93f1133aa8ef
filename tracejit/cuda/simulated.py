"""The backend without a GPU: kernels run in Numba's simulator, everything else with NumPy.

The simulator runs one launch at a time in a process, a block after another, each thread of a block as a thread of Python.  Two devices are simulated,
so that what happens between devices can be tested.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import at_user_line
from .backend import Backend, Parameters
from .errors import CudaError, DeviceMemoryError, missing_extra, set_too_late
from .flags import Flag
from .simulated_array import Namespace, SimulatedArray, namespace

DEVICES = 2
_launching = threading.Lock()


class Pointer:
    """The memory of an array as a kernel sees it: numbers by their position. An access outside of it, which a GPU may not notice, raises."""

    __slots__ = ("numbers", "size")

    def __init__(self, numbers: np.ndarray):
        self.numbers, self.size = numbers, numbers.size

    def __getitem__(self, place: int) -> np.generic:
        if not 0 <= place < self.size:
            raise IndexError(f"a kernel reads element {place} of {self.size}")
        return self.numbers[place]

    def __setitem__(self, place: int, value: Any) -> None:
        if not 0 <= place < self.size:
            raise IndexError(f"a kernel writes element {place} of {self.size}")
        self.numbers[place] = value


class Kernel:
    """A kernel of the simulator, with the types of its parameters."""

    def __init__(self, function: Any, name: str, parameters: Parameters):
        self.function, self.name = function, name
        self.parameters = [(np.dtype(dtype), kind == "pointer") for dtype, kind in parameters]

    def argument(self, x: Any, dtype: np.dtype, pointer: bool) -> Any:
        if not pointer:
            return dtype.type(x)
        if not x.flags.c_contiguous:
            raise ValueError(f"the kernel {self.name} is given an array that is not in C order")
        return Pointer(x.host.reshape(-1).view(dtype))


class Stream:
    """A queue of the simulator, whose work is done when it is queued."""

    def __init__(self, foreign: Any = None):
        self.foreign = foreign

    def __enter__(self) -> Stream:
        _streams().append(self)
        return self

    def __exit__(self, *exception: Any) -> None:
        _streams().pop()

    def synchronize(self) -> None:
        pass

    def wait_event(self, event: Event) -> None:
        pass

    def record(self, event: Event) -> Event:
        event.record(self)
        return event

    @property
    def done(self) -> bool:
        return True


class Event:
    """A point in a queue of the simulator."""

    def __init__(self) -> None:
        self.time: float | None = None

    def record(self, stream: Stream | None = None) -> None:
        self.time = time.perf_counter()

    def synchronize(self) -> None:
        pass

    @property
    def done(self) -> bool:
        return True


class _State(threading.local):
    def __init__(self) -> None:
        self.device = 0
        self.streams: list[Stream] = [_default]


_default = Stream()
_state = _State()


def _streams() -> list[Stream]:
    return _state.streams


class Simulated(Backend):
    """NumPy and Numba's simulator. Raises `CudaError` where Numba was imported without it."""

    simulated = True
    array = SimulatedArray
    xp = namespace

    def __init__(self) -> None:
        try:
            from numba.core import config
        except ImportError as error:
            raise missing_extra(error) from None
        if not config.ENABLE_CUDASIM:
            raise set_too_late()
        self.limit: int | None = None  # bytes of one array, for tests of what happens when memory runs out

    @cached_property
    def special(self) -> Namespace:
        import scipy.special

        return Namespace(scipy.special)

    @cached_property
    def scipy_linalg(self) -> Namespace:
        import scipy.linalg

        return Namespace(scipy.linalg)

    # -- arrays
    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> SimulatedArray:
        made = np.empty(shape, dtype)
        if self.limit is not None and made.nbytes > self.limit:
            raise DeviceMemoryError(at_user_line(f"the memory of the simulated device is exhausted ({made.nbytes} bytes)"))
        return SimulatedArray(made, _state.device)

    def from_host(self, x: Any) -> SimulatedArray:
        return SimulatedArray(np.array(x, order="C"), _state.device)

    def to_host(self, x: SimulatedArray) -> np.ndarray:
        return x.get()

    def pinned(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        return np.empty(shape, dtype)

    def adopt(self, x: Any) -> SimulatedArray:
        if type(x) is SimulatedArray:
            return x
        found = getattr(x, "_ary", None)  # a device array of Numba's simulator
        if isinstance(found, np.ndarray):
            return SimulatedArray(found)
        interface = getattr(x, "__cuda_array_interface__", None)
        if interface is None:
            raise TypeError(at_user_line(f"the simulator cannot read the memory of a {type(x).__module__}.{type(x).__qualname__}"))
        if type(x).__module__.partition(".")[0] == "cupy":
            raise CudaError(at_user_line("an array on a GPU cannot be used in the simulator (NUMBA_ENABLE_CUDASIM is set)"))
        return SimulatedArray(np.asarray(_Described(interface, x)))

    def device_of(self, x: SimulatedArray) -> int:
        return x.device_id

    def address(self, x: SimulatedArray) -> int:
        return x.host.__array_interface__["data"][0]

    def copy_to(self, x: SimulatedArray, device: int) -> SimulatedArray:
        return SimulatedArray(x.get(), device)

    # -- kernels
    def compile(self, kernels: Sequence[tuple[str, str, Parameters]]) -> None:
        pass  # there is nothing to compile, or it takes no time

    def load(self, source: str, name: str, parameters: Parameters) -> Kernel:
        from numba import cuda

        from ..lowering.cuda.device_functions import namespace as words

        names = words()
        exec(compile(source, f"<kernel {name}>", "exec"), names)
        return Kernel(cuda.jit(names[name]), name, parameters)

    def launch(self, kernel: Kernel, grid: int, block: int, args: Sequence[Any]) -> None:
        from ..lowering.cuda.simulated import quiet

        given = [kernel.argument(x, dtype, pointer) for x, (dtype, pointer) in zip(args, kernel.parameters, strict=True)]
        with _launching, quiet():
            kernel.function[grid, block](*given)

    def flag(self, message: str) -> Flag:
        number = np.zeros(1, np.int32)
        return Flag(SimulatedArray(number), number, message)

    def record(self, queue: Callable[[], Any]) -> Callable[[], Any]:
        return queue

    def replay(self, graph: Callable[[], Any]) -> None:
        graph()

    # -- devices and streams
    def device_count(self) -> int:
        return DEVICES

    def current_device(self) -> int:
        return _state.device

    @contextmanager
    def on(self, device: int) -> Iterator[None]:
        before, _state.device = _state.device, device
        try:
            yield
        finally:
            _state.device = before

    def properties(self, device: int) -> dict[str, Any]:
        return {"name": "Numba simulator", "capability": (8, 0), "memory": sys.maxsize, "processors": 1}

    def stream(self, foreign: Any = None) -> Stream:
        return Stream(foreign)

    def current_stream(self) -> Stream:
        return _streams()[-1]

    def event(self, timing: bool) -> Event:
        return Event()

    def elapsed(self, start: Event, end: Event) -> float:
        return end.time - start.time

    def synchronize(self, device: int | None = None) -> None:
        pass

    def memory(self) -> dict[str, int]:
        return {"free": sys.maxsize, "total": sys.maxsize, "used": 0, "held": 0}

    def empty_cache(self) -> None:
        pass


class _Described:
    """An array at an address, as NumPy's own interface says it; it keeps what owns the memory alive."""

    def __init__(self, interface: dict[str, Any], owner: Any):
        self.__array_interface__ = {name: value for name, value in interface.items() if name not in ("stream", "mask")}
        self.owner = owner


__all__ = ["DEVICES", "Event", "Kernel", "Pointer", "Simulated", "Stream"]
