"""The backend on a GPU: arrays, memory pools and streams are CuPy's, kernels are launched through its driver interface.

Only documented parts of CuPy are used, and CuPy is imported by nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

import numpy as np

from ..config import config
from ..errors import at_user_line
from .backend import Backend, Parameters
from .errors import INSTALL, CudaError, missing_extra, other_libraries, out_of_memory, unavailable
from .flags import Flag, raise_reported
from .products import Products, ProductType

_REFUSED = ("CUDA_ERROR_NO_BINARY_FOR_GPU", "CUDA_ERROR_INVALID_IMAGE", "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "CUDA_ERROR_INVALID_SOURCE")
_WORDS = 1024  # of the flags that share a block of pinned memory


class Real(Backend):
    """CuPy. Raises `CudaError` where it is not installed, or finds no driver or device."""

    simulated = False

    def __init__(self) -> None:
        try:
            import cupy
        except ImportError as error:
            raise missing_extra(error) from None
        self.cupy = self.xp = cupy
        self.array = cupy.ndarray
        self._made: dict[tuple, Any] = {}  # kernels that are compiled and not yet loaded
        self._errors = cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError
        try:
            self._count = cupy.cuda.runtime.getDeviceCount()
        except self._errors as error:
            raise unavailable(error) from None
        if not self._count:
            raise unavailable(RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected"))
        self._properties: dict[int, dict[str, Any]] = {}
        self._stream_of = cupy.cuda.get_current_stream
        self._words: list[Any] = []  # pinned memory for flags, and how many of its last block's words are taken
        self._taken = _WORDS
        self._products = Products(self)

    @cached_property
    def special(self) -> Any:
        import cupyx.scipy.special

        return cupyx.scipy.special

    @cached_property
    def scipy_linalg(self) -> Any:
        import cupyx.scipy.linalg

        return cupyx.scipy.linalg

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of CUDA as ours, with what to do about them."""
        try:
            yield
        except self.cupy.cuda.memory.OutOfMemoryError as error:
            free, total = self.cupy.cuda.runtime.memGetInfo()
            raise out_of_memory(error, free, total) from None
        except self._errors as error:
            raise unavailable(error) from None

    # -- arrays
    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        try:
            return self.array(shape, dtype)
        except (MemoryError, *self._errors):
            with self._explained():
                self.cupy.get_default_memory_pool().free_all_blocks()  # of other streams, too: the pool itself gives back those of this one
                return self.array(shape, dtype)

    def from_host(self, x: Any) -> Any:
        with self._explained():
            return self.xp.array(x, order="C")  # by way of CuPy's pinned memory, so that Python goes on while it is copied

    def to_host(self, x: Any) -> np.ndarray:
        # Not into pinned memory: what lies there is copied to a device while Python goes on, and the owner of this may write to it meanwhile.
        with self._explained():
            if x.data.device_id == self.current_device():
                found = x.get()
            else:
                with self.on(x.data.device_id):  # whose streams are others
                    found = x.get()
        raise_reported()
        return found

    def pinned(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        size = math.prod(shape)
        with self._explained():
            return np.frombuffer(self.cupy.cuda.alloc_pinned_memory(max(1, size * dtype.itemsize)), dtype, size).reshape(shape)

    def adopt(self, x: Any) -> Any:
        if type(x) is self.array:
            return x
        try:
            if hasattr(x, "__cuda_array_interface__"):
                return self.cupy.asarray(x)
            return self.cupy.from_dlpack(x)
        except self._errors as error:
            raise unavailable(error) from None
        except (RuntimeError, TypeError, ValueError, BufferError) as error:
            name = f"{type(x).__module__}.{type(x).__qualname__}"
            raise TypeError(at_user_line(f"the memory of a {name} cannot be used: {error} (of a PyTorch tensor pass `x.detach()`)")) from None

    def device_of(self, x: Any) -> int:
        return x.data.device_id

    def address(self, x: Any) -> int:
        return x.data.ptr

    def copy_to(self, x: Any, device: int) -> Any:
        with self._explained():
            with self.on(x.data.device_id):
                self._stream_of().synchronize()  # the streams of two devices do not wait for one another
            with self.on(device):
                return self.cupy.array(x, order="C")

    def multiply(self, x: Any, y: Any, out: Any) -> None:
        if config.cuda_products != "float32" and x.dtype.kind in "fc" and self._products.library is None:
            raise CudaError(at_user_line(f"products in {config.cuda_products} need cuBLASLt, which was not found: {INSTALL}"))
        try:
            self.cupy.matmul(x, y, out=out)
        except ImportError as error:
            raise other_libraries(error) from None
        except self._errors as error:
            raise unavailable(error) from None

    def product(self, type_: ProductType) -> Any:
        return self._products.product(type_)

    def epilogues(self, dtype: np.dtype) -> frozenset[str]:
        return self._products.epilogues(dtype)

    # -- kernels
    def compile(self, kernels: Sequence[tuple[str, str, Parameters]]) -> None:
        from ..lowering.cuda.assemble import assemble_all

        cc = self.properties(self.current_device())["capability"]
        self._made.update(zip([(cc, *kernel) for kernel in kernels], assemble_all(kernels, cc)))

    def _assembled(self, source: str, name: str, parameters: Parameters) -> Any:
        from ..lowering.cuda.assemble import assemble

        cc = self.properties(self.current_device())["capability"]
        made = self._made.pop((cc, source, name, parameters), None)
        return made or assemble(source, name, parameters, cc=cc)

    def listings(self, source: str, name: str, parameters: Parameters) -> list[tuple[str, str]]:
        from ..lowering.cuda.assemble import disassembler, sass

        made = self._assembled(source, name, parameters)
        texts = [(f"PTX, compiled in {made.seconds:.2f} s", made.ptx)]
        return [*texts, ("SASS", sass(made.cubin))] if made.cubin is not None and disassembler() else texts

    def load(self, source: str, name: str, parameters: Parameters) -> Any:
        made = self._assembled(source, name, parameters)
        with self._explained():
            return self._module(made).get_function(made.entry_name)

    def _module(self, made: Any) -> Any:
        """The machine code, or, where the driver is older than the assembler and refuses it, what the driver makes of the PTX."""
        module = self.cupy.cuda.function.Module
        if made.cubin is not None:
            loaded = module()
            try:
                loaded.load(made.cubin)
                return loaded
            except self.cupy.cuda.driver.CUDADriverError as error:
                if not any(status in str(error) for status in _REFUSED):
                    raise
        loaded = module()
        loaded.load(made.ptx.encode())
        return loaded

    def launch(self, kernel: Any, grid: int, block: int, args: Sequence[Any]) -> None:
        try:
            kernel((grid,), (block,), args)
        except self._errors as error:
            raise unavailable(error) from None

    def flag(self, message: str) -> Flag:
        # Its word stays taken when the program is gone: a kernel that is still queued may write there.
        if self._taken == _WORDS:
            with self._explained():
                self._words.append(self.cupy.cuda.alloc_pinned_memory(4 * _WORDS))  # which the device reaches under the same address
            self._taken = 0
        memory, place = self._words[-1], 4 * self._taken
        self._taken += 1
        return Flag(memory.ptr + place, np.frombuffer(memory, np.int32, 1, place), message)

    def record(self, queue: Callable[[], Any]) -> Any:
        cuda = self.cupy.cuda
        with self._explained():
            cuda.get_cublas_handle()  # of this thread: it cannot be made while work is recorded
            stream = cuda.Stream(non_blocking=True)  # not the default one, which cannot be recorded, nor one that waits for it
            with stream:
                stream.begin_capture()
                try:
                    queue()
                except BaseException:
                    with suppress(*self._errors):
                        stream.end_capture()  # which fails where the recording has
                    raise
                return stream.end_capture()

    def replay(self, graph: Any) -> None:
        try:
            graph.launch(self._stream_of())
        except self._errors as error:
            raise unavailable(error) from None

    # -- devices and streams
    def device_count(self) -> int:
        return self._count

    def current_device(self) -> int:
        return self.cupy.cuda.get_device_id()

    def on(self, device: int) -> Any:
        if not 0 <= device < self._count:
            raise CudaError(at_user_line(f"there is no device cuda:{device}: {self._count} found"))
        return self.cupy.cuda.Device(device)

    def properties(self, device: int) -> dict[str, Any]:
        known = self._properties.get(device)  # to ask the driver takes milliseconds
        if known is not None:
            return known
        found = self.cupy.cuda.runtime.getDeviceProperties(device)
        name = found["name"]
        self._properties[device] = known = {
            "name": name.decode() if isinstance(name, bytes) else name,
            "capability": (found["major"], found["minor"]),
            "memory": found["totalGlobalMem"],
            "processors": found["multiProcessorCount"],
        }
        return known

    def stream(self, foreign: Any = None) -> Any:
        if foreign is None:
            return self.cupy.cuda.Stream()  # which waits for the default one, as that does for it: what is made in one is right in the other
        if isinstance(foreign, self.cupy.cuda.Stream):
            return foreign
        if hasattr(foreign, "__cuda_stream__"):
            return self.cupy.cuda.Stream.from_external(foreign)
        return self.cupy.cuda.Stream.from_external(_ForeignStream(foreign))

    def current_stream(self) -> Any:
        return self._stream_of()

    def event(self, timing: bool) -> Any:
        return self.cupy.cuda.Event(disable_timing=not timing)

    def elapsed(self, start: Any, end: Any) -> float:
        return self.cupy.cuda.get_elapsed_time(start, end) / 1e3

    def synchronize(self, device: int | None = None) -> None:
        with self._explained():
            self.cupy.cuda.Device(device).synchronize()
        raise_reported()

    def memory(self) -> dict[str, int]:
        free, total = self.cupy.cuda.runtime.memGetInfo()
        pool = self.cupy.get_default_memory_pool()
        return {"free": free, "total": total, "used": pool.used_bytes(), "held": pool.total_bytes()}

    def empty_cache(self) -> None:
        self.cupy.get_default_memory_pool().free_all_blocks()
        self.cupy.get_default_pinned_memory_pool().free_all_blocks()


class _ForeignStream:
    """A stream of another library by its address, as the protocol of CUDA's Python packages says it: PyTorch's have `cuda_stream`, others are a
    number."""

    def __init__(self, stream: Any):
        self.stream = stream

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, int(getattr(self.stream, "cuda_stream", self.stream))


__all__ = ["Real"]
