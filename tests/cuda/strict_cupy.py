"""A stand-in for CuPy and the driver behind it, as strict as they are: the backend on a GPU (`tracejit.cuda.real`) runs over it where there is none.

    strict_cupy.install()     # before tracejit meets CUDA; `import cupy` then gives the stand-in

Arrays are those of the simulator, and a kernel's device code runs on the host's processors; plans, launches and recordings are those of a device.
What a driver would refuse, or take for something else without a word, raises here:

- a launch whose arguments are not, in number, order, type and size, those that the PTX of the kernel declares; an address that no memory in use has;
  an array that has gaps, lives on another device, or does not begin where a vector may;
- blocks, grids and shared memory beyond the limits of every device;
- while work is recorded: memory that is allocated, waiting, and copies from and to the host.

PTX is made for each kernel; machine code is not, so that no assembler is needed.
"""

from __future__ import annotations

import ctypes
import math
import re
import sys
import threading
import types
import weakref
from typing import Any

import numpy as np

from tracejit.cuda import products, simulated_array
from tracejit.cuda.simulated_array import Namespace, SimulatedArray
from tracejit.lowering.cuda import assemble as assembler
from tracejit.lowering.cuda.elements import memory_dtype
from tracejit.lowering.cuda.on_host import HostKernel

from .strict_products import StrictLt

DEVICES, PROCESSORS, CAPABILITY = 2, 2, (8, 0)
ALIGNMENT, UNIT = 512, 512  # of allocations on a device, and in pinned memory
MAX_BLOCK, MAX_GRID, MAX_SHARED = 1024, (1 << 31) - 1, 48 << 10
VECTOR = 16


class CUDARuntimeError(RuntimeError):
    def __init__(self, status: str):
        super().__init__(status)
        self.status = 1


class CUDADriverError(RuntimeError):
    pass


class OutOfMemoryError(MemoryError):
    pass


class _State(threading.local):
    """What each thread has of its own."""

    def __init__(self) -> None:
        self.device = 0
        self.streams: list[list[Stream]] = [[Stream.null] for _ in range(DEVICES)]
        self.handles: set[int] = set()

    @property
    def stream(self) -> Stream:
        return self.streams[self.device][-1]


def _refuse_while_recording(what: str) -> None:
    if _state.stream.recording is not None:
        raise CUDARuntimeError(f"cudaErrorStreamCaptureUnsupported: {what} while a stream is captured")


# -- memory
_memory: dict[int, int] = {}  # where the memory in use begins, and its bytes


def _allocated(size: int) -> np.ndarray:
    """Bytes that are known as memory in use until nothing refers to them."""
    whole = np.ndarray((size + ALIGNMENT,), np.uint8)  # not by a function, for which a trace may have put its own
    start = -whole.ctypes.data % ALIGNMENT
    _memory[whole.ctypes.data + start] = size
    weakref.finalize(whole, _memory.pop, whole.ctypes.data + start)
    return whole[start : start + size]


def _known(x: np.ndarray) -> None:
    """What the stand-in has computed is in memory, too."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    address = x.ctypes.data
    if address not in _memory:
        _memory[address] = x.nbytes
        weakref.finalize(x, _memory.pop, address)


def _is_in_use(address: int) -> bool:
    return any(start <= address < start + size for start, size in list(_memory.items()))


class PinnedMemory(ctypes.Array):
    """Pages of the host, which CuPy gives in powers of two."""

    _type_, _length_ = ctypes.c_char, UNIT

    @property
    def ptr(self) -> int:
        return ctypes.addressof(self)


def alloc_pinned_memory(size: int) -> PinnedMemory:
    if not size:
        raise ValueError("no memory is asked for")
    made = type("PinnedMemory", (PinnedMemory,), {"_type_": ctypes.c_char, "_length_": max(UNIT, 1 << (size - 1).bit_length())})()
    _memory[made.ptr] = len(made)
    weakref.finalize(made, _memory.pop, made.ptr)
    return made


def _array_init(self: SimulatedArray, first: Any, second: Any = 0) -> None:
    """As the simulator makes an array, of memory and a device, and as CuPy makes one, of a shape and a dtype."""
    if isinstance(first, np.ndarray):
        self.host, self.device_id = first, second
        _known(first)
        return
    _refuse_while_recording("memory is allocated")
    dtype, shape = np.dtype(second or float), tuple(first)
    self.host = _allocated(math.prod(shape) * dtype.itemsize).view(dtype).reshape(shape)
    self.device_id = _state.device


class _Memory:
    def __init__(self, x: SimulatedArray):
        self.ptr, self.device_id = x.host.__array_interface__["data"][0], x.device_id


def _array_get(self: SimulatedArray, stream: Any = None, order: str = "C", out: np.ndarray | None = None, blocking: bool = True) -> np.ndarray:
    _refuse_while_recording("an array is copied to the host")
    if self.device_id != _state.device and _state.stream is not Stream.null:
        raise CUDARuntimeError("cudaErrorInvalidResourceHandle: the stream is that of another device")
    return self.host.copy()


class Functions(Namespace):
    """CuPy's functions, which may allocate memory, and so are not for what is recorded."""

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        if callable(found) and not isinstance(found, type):
            found = _refused(name, found)
            setattr(self, name, found)
        return found

    def array(self, x: Any, dtype: Any = None, copy: bool = True, order: str = "K") -> SimulatedArray:
        _refuse_while_recording("array")
        made = super().array(x, dtype, copy, order)
        made.device_id = _state.device
        return made

    def asarray(self, x: Any, dtype: Any = None, order: str | None = None) -> SimulatedArray:
        if not isinstance(x, (SimulatedArray, np.ndarray)) and hasattr(x, "__cuda_array_interface__"):
            described = types.SimpleNamespace(__array_interface__={**x.__cuda_array_interface__, "version": 3})
            return SimulatedArray(np.asarray(described))
        return super().asarray(x, dtype, order)

    def from_dlpack(self, x: Any) -> SimulatedArray:
        return SimulatedArray(np.from_dlpack(x))

    def matmul(self, x: SimulatedArray, y: SimulatedArray, out: SimulatedArray | None = None) -> SimulatedArray:
        if _state.stream.recording is None:
            return simulated_array._call(np.matmul, (x, y), {} if out is None else {"out": out})
        for a in (x, y, out):
            if a is None or a.ndim != 2 or not (a.flags.c_contiguous or a.flags.f_contiguous) or a.dtype.char not in "efdFD" or out.size == 1:
                raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: CuPy allocates memory for such a product")
        given = [np.asarray(a.host) for a in (x, y, out)]
        _state.stream.recording.append((lambda: np.matmul(*given[:2], out=given[2]), [a.ctypes.data for a in given]))
        return out


def _refused(name: str, function: Any) -> Any:
    def checked(*args: Any, **kwargs: Any) -> Any:
        _refuse_while_recording(name)
        return function(*args, **kwargs)

    checked.__name__ = name
    for method in ("at", "accumulate", "reduce"):
        if hasattr(function, method):
            setattr(checked, method, getattr(function, method))
    return checked


# -- kernels
_sources: dict[bytes, tuple] = {}  # what a PTX text was made from


def _assembled(source: str, name: str, parameters: Any, cc: tuple[int, int] = CAPABILITY) -> Any:
    made = _assemble(source, name, parameters, cc=cc)
    _sources[made.ptx.encode()] = source, name, tuple(parameters), made.entry_name
    return made


_assemble = assembler.assemble


class Module:
    def __init__(self) -> None:
        self.code: tuple | None = None

    def load(self, code: bytes) -> None:
        if type(code) is not bytes:
            raise TypeError("the code of a module is bytes")
        self.code = *_sources[code], code.decode()

    def get_function(self, name: str) -> Function:
        source, kernel, parameters, entry, ptx = self.code
        if name != entry:
            raise CUDADriverError("CUDA_ERROR_NOT_FOUND: named symbol not found")
        return Function(source, kernel, parameters, ptx)


class Function:
    def __init__(self, source: str, name: str, parameters: tuple, ptx: str):
        self.device = _state.device
        self.kernel = HostKernel(source, name, parameters)
        self.parameters = [(np.dtype(dtype), how == "pointer") for dtype, how in parameters]
        declared = re.search(rf"\.entry {name}\((.*?)\)", ptx, re.DOTALL).group(1)
        self.sizes = [int(bits) // 8 for bits in re.findall(r"\.param \.[a-z](\d+)", declared)]
        self.shared = sum(map(int, re.findall(r"\.shared \.align \d+ \.b8 \w+\[(\d+)\]", ptx)))
        head = re.search(rf"def {name}\((.*?)\):", source).group(1)
        vectors = set(re.findall(r"(?:load|store)_vector\((\w+),", source))
        self.aligned = [label.strip() in vectors for label in head.split(",")]

    def __call__(self, grid: tuple, block: tuple, args: Any, shared_mem: int = 0, stream: Any = None) -> None:
        if type(grid) is not tuple or type(block) is not tuple or not all(type(n) is int for n in (*grid, *block)):
            raise TypeError("grids and blocks are tuples of ints")
        if not 0 < block[0] <= MAX_BLOCK or not 0 < grid[0] <= MAX_GRID or shared_mem + self.shared > MAX_SHARED:
            raise CUDADriverError("CUDA_ERROR_INVALID_VALUE: a block, a grid or shared memory is too large")
        if self.device != _state.device:
            raise CUDADriverError("CUDA_ERROR_INVALID_HANDLE: the kernel was loaded on another device")
        if not len(args) == len(self.parameters) == len(self.sizes):
            raise TypeError(f"the kernel takes {len(self.sizes)} arguments, and gets {len(args)}")
        given = [self._argument(x, *how) for x, *how in zip(args, self.parameters, self.sizes, self.aligned)]
        addresses = [x for x, (_, is_pointer) in zip(given, self.parameters) if is_pointer]
        run = lambda: self.kernel.launch(grid[0], block[0], given)
        if _state.stream.recording is not None:
            _state.stream.recording.append((run, addresses))
        else:
            run()

    def _argument(self, x: Any, parameter: tuple[np.dtype, bool], size: int, is_aligned: bool) -> Any:
        dtype, is_pointer = parameter
        if not is_pointer:
            if not isinstance(x, np.generic) or x.dtype != dtype or x.itemsize != size:
                raise TypeError(f"a parameter of {dtype} in {size} bytes gets {x!r}")
            return x
        if size != 8:
            raise TypeError(f"an address of {size} bytes")
        address = x
        if isinstance(x, SimulatedArray):
            address = x.data.ptr
            if x.device_id != _state.device or not x.flags.c_contiguous or memory_dtype(x.dtype) != dtype and x.dtype != dtype:
                raise CUDADriverError(f"CUDA_ERROR_ILLEGAL_ADDRESS: {x.dtype} with strides {x.strides} on device {x.device_id}")
        elif type(x) is not int or not _is_in_use(x):
            raise CUDADriverError(f"CUDA_ERROR_ILLEGAL_ADDRESS: {x!r} is the address of no memory in use")
        if address % (VECTOR if is_aligned else dtype.itemsize):
            raise CUDADriverError(f"CUDA_ERROR_MISALIGNED_ADDRESS: {address}")
        return address


# -- streams
class Stream:
    null: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: int | None = None):
        self.ptr = 0 if null else id(self)
        self.is_non_blocking, self.device_id = non_blocking, -1 if null else _state.device
        self.recording: list | None = None

    @classmethod
    def from_external(cls, obj: Any) -> Stream:
        version, address = obj.__cuda_stream__()
        if (type(version), type(address), version) != (int, int, 0):
            raise TypeError("__cuda_stream__() gives 0 and an address")
        made = cls()
        made.ptr, made.device_id, made.foreign = address, -1, obj
        return made

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Stream) and self.ptr == other.ptr

    def __hash__(self) -> int:
        return self.ptr

    def __enter__(self) -> Stream:
        if self.device_id not in (-1, _state.device):
            raise RuntimeError(f"the stream was made on device {self.device_id}, and the current one is {_state.device}")
        _state.streams[_state.device].append(self)
        return self

    def __exit__(self, *exception: Any) -> None:
        _state.streams[_state.device].pop()

    def synchronize(self) -> None:
        _refuse_while_recording("a stream is waited for")

    @property
    def done(self) -> bool:
        return True

    def record(self, event: Event | None = None) -> Event:
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        if not event.recorded:
            raise CUDARuntimeError("cudaErrorInvalidResourceHandle: the event was not recorded")

    def begin_capture(self, mode: int | None = None) -> None:
        if not self.ptr or self.recording is not None:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if not self.is_non_blocking:
            raise CUDARuntimeError("cudaErrorStreamCaptureImplicit: work in the default stream would wait for what is captured")
        self.recording = []

    def end_capture(self) -> Graph:
        recorded, self.recording = self.recording, None
        return Graph(recorded)


Stream.null = Stream(null=True)
_state = _State()


class Graph:
    def __init__(self, steps: list):
        self.steps, self.device = steps, _state.device

    def launch(self, stream: Stream | None = None) -> None:
        for run, addresses in self.steps:
            lost = [a for a in addresses if not _is_in_use(a)]
            if lost:
                raise CUDADriverError(f"CUDA_ERROR_ILLEGAL_ADDRESS: a graph has the addresses {lost}, whose memory was given back")
            run()


class Event:
    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False):
        self.disable_timing, self.recorded = disable_timing, False

    def record(self, stream: Stream | None = None) -> None:
        self.recorded = True

    def synchronize(self) -> None:
        _refuse_while_recording("an event is waited for")

    @property
    def done(self) -> bool:
        return True


def get_elapsed_time(start: Event, end: Event) -> float:
    if start.disable_timing or end.disable_timing or not (start.recorded and end.recorded):
        raise CUDARuntimeError("cudaErrorInvalidResourceHandle: an event has no time")
    return 0.5


# -- devices
class Device:
    def __init__(self, number: int | None = None):
        self.id = _state.device if number is None else int(number)
        self.before: list[int] = []

    def __enter__(self) -> Device:
        self.before.append(_state.device)
        _state.device = self.id
        return self

    def __exit__(self, *exception: Any) -> None:
        _state.device = self.before.pop()

    def synchronize(self) -> None:
        _refuse_while_recording("a device is waited for")


def get_cublas_handle() -> int:
    if _state.device not in _state.handles:
        _refuse_while_recording("a handle of cuBLAS is made")
        _state.handles.add(_state.device)
    return 1


def _properties(device: int) -> dict[str, Any]:
    major, minor = CAPABILITY
    return {"name": b"Strict", "major": major, "minor": minor, "totalGlobalMem": 4 << 30, "multiProcessorCount": PROCESSORS}


def _pool() -> Any:
    return types.SimpleNamespace(free_all_blocks=lambda: _refuse_while_recording("memory is freed"), used_bytes=lambda: 8, total_bytes=lambda: 16)


def install() -> None:
    """Make `import cupy` give the stand-in, for the rest of the process."""
    import scipy.linalg
    import scipy.special

    SimulatedArray.__init__ = _array_init
    SimulatedArray.data = property(_Memory)
    SimulatedArray.get = _array_get
    assembler.assemble = _assembled
    assembler.machine_code = lambda ptx, cc: None
    cupy = Functions(np)
    cupy.__spec__ = types.SimpleNamespace(name="cupy")
    runtime = types.SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError, getDeviceCount=lambda: DEVICES, memGetInfo=lambda: (1 << 30, 4 << 30), getDeviceProperties=_properties
    )
    cupy.get_default_memory_pool = cupy.get_default_pinned_memory_pool = _pool
    cupy.cuda = types.SimpleNamespace(
        runtime=runtime, driver=types.SimpleNamespace(CUDADriverError=CUDADriverError),
        memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError), function=types.SimpleNamespace(Module=Module),
        Device=Device, Stream=Stream, Event=Event, get_elapsed_time=get_elapsed_time, get_device_id=lambda: _state.device,
        get_current_stream=lambda: _state.stream, alloc_pinned_memory=alloc_pinned_memory, get_cublas_handle=get_cublas_handle,
    )  # fmt: skip
    scipy_modules = types.SimpleNamespace(special=Functions(scipy.special), linalg=Functions(scipy.linalg))
    sys.modules.update(
        {"cupy": cupy, "cupyx": types.SimpleNamespace(scipy=scipy_modules), "cupyx.scipy": scipy_modules,
         "cupyx.scipy.special": scipy_modules.special, "cupyx.scipy.linalg": scipy_modules.linalg}
    )  # fmt: skip
    products.library = lambda: StrictLt(_is_in_use, lambda: _state.stream.recording)
