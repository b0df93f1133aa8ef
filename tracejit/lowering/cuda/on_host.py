"""Kernels for a device run on the host: the same LLVM IR, with threads of the operating system for the threads of a block.

    kernel = HostKernel(source, "kernel", parameters, warp=32)
    kernel.launch(grid, block, [x, y, np.int32(n)])

What is imitated is little: special registers are read from a record that each thread has, barriers are POSIX's, and lanes hand values over through
the exchange of a shuffle.  Arithmetic, elementary functions, control flow and atomic updates are what the device is given, so they can be tested
without one, at native speed.  Blocks run one after another; a kernel without barriers runs on one thread.  A thread that returns before a barrier
at which others wait is an error on a device, and hangs here.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from functools import cache

import numpy as np

from ..cpu.emit import Value
from ..cpu.llvm import compile_module
from .device_functions import WARP
from .front_end import Parameters, llvm_text
from .thread import DeviceThread

_REGISTERS = ("tid.x", "tid.y", "tid.z", "ctaid.x", "ctaid.y", "ctaid.z", "ntid.x", "ntid.y", "ntid.z", "nctaid.x", "nctaid.y", "nctaid.z", "warp")
_BARRIER_BYTES = 128  # more than a pthread_barrier_t has anywhere


class _Record(ctypes.Structure):
    """What a thread knows of its place."""

    _fields_ = [("registers", ctypes.c_int32 * len(_REGISTERS)), ("barrier", ctypes.c_void_p), ("warp_barrier", ctypes.c_void_p)]


class HostThread(DeviceThread):
    """The emitter of a thread that finds its place in a record."""

    buffer = "ptr"
    linkage = ""
    scope = ""
    record = (("ptr", "record"),)

    def register(self, name: str) -> Value:
        place = self.gep(Value("%record", "ptr"), "i32", self.const("i64", _REGISTERS.index(name)))
        return self.function.let("i32", 1, f"load i32, {place.typed}, align 4, !invariant.load !{{}}")

    @staticmethod
    def shared_memory(name: str, kind: str, count: int) -> tuple[Value, str]:
        return Value(f"@{name}", "ptr"), f"@{name} = internal global [{count} x {kind}] zeroinitializer, align 16"

    @staticmethod
    def vector_alignment(itemsize: int, count: int) -> int:
        return itemsize  # arrays of the host are not aligned as those of a device are

    def barrier(self) -> None:
        self._wait_at(_Record.barrier.offset)

    def warp_barrier(self) -> None:
        self._wait_at(_Record.warp_barrier.offset)

    def _wait_at(self, offset: int) -> None:
        self.function.module.declare("pthread_barrier_wait", "i32", ["ptr"])
        place = self.gep(Value("%record", "ptr"), "i8", self.const("i64", offset))
        barrier = self.function.let("ptr", 1, f"load ptr, {place.typed}, align 8")
        self.function.effect("i32", 1, f"call i32 @pthread_barrier_wait({barrier.typed})")

    def shuffle_lanes(self, mode: str, x: Value, offset: Value, exchange) -> Value:
        thread, warp = self.register("tid.x"), self.register("warp")
        size = exchange.dtype.itemsize
        self.store(x, self.at(exchange.pointer, x.kind, thread), size)
        self.warp_barrier()
        lane = self.and_(thread, self.isub(warp, self.const("i32", 1)))
        other = self.iadd(lane, offset) if mode == "down" else self.xor(lane, offset)
        place = self.select(self.icmp("ult", other, warp), self.iadd(self.isub(thread, lane), other), thread)
        result = self.load(self.at(exchange.pointer, x.kind, place), x.kind, size)
        self.warp_barrier()
        return result


class HostKernel:
    """A kernel that runs on the host. `warp`, a power of two, is how many lanes its shuffles are across."""

    def __init__(self, source: str, name: str, parameters: Parameters, warp: int = WARP):
        self.name, self.warp = name, warp
        self.parameters = [(np.dtype(dtype), how == "pointer") for dtype, how in parameters]
        self.text = llvm_text(source, name, parameters, thread=HostThread)
        self._waits = "@pthread_barrier_wait" in self.text
        symbols = {"pthread_barrier_wait": _address("pthread_barrier_wait")} if self._waits else {}
        self._library = compile_module(self.text, symbols, [name])
        types = [ctypes.c_void_p if pointer else _c_type(dtype) for dtype, pointer in self.parameters]
        self._call = ctypes.CFUNCTYPE(None, *types, ctypes.c_void_p)(self._library.address(name))

    def launch(self, grid: int, block: int, args: Sequence[np.ndarray | int | np.generic]) -> None:
        """Run `grid` blocks of `block` threads; arguments are C-ordered arrays or addresses for pointers, and numbers for values."""
        given = [self._pointer(x) if pointer else dtype.type(x).item() for x, (dtype, pointer) in zip(args, self.parameters, strict=True)]
        if not self._waits:
            for thread in range(block):
                self._run(thread, grid, block, given, [])
            return
        libc = _libc()
        # Of the block, and of each of its warps.
        sizes = [block, *(min(self.warp, block - start) for start in range(0, block, self.warp))]
        barriers = [ctypes.create_string_buffer(_BARRIER_BYTES) for _ in sizes]
        for barrier, size in zip(barriers, sizes):
            libc.pthread_barrier_init(barrier, None, ctypes.c_uint(size))
        threads = [threading.Thread(target=self._run, args=(thread, grid, block, given, barriers)) for thread in range(block)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for barrier in barriers:
            libc.pthread_barrier_destroy(barrier)

    def _pointer(self, x: np.ndarray | int) -> int:
        if type(x) is int:
            return x
        if not x.flags.c_contiguous:
            raise ValueError(f"the kernel {self.name} is given an array that is not in C order")
        return x.ctypes.data

    def _run(self, thread: int, grid: int, block: int, args: list, barriers: list[ctypes.Array]) -> None:
        record = _Record()
        values = {"tid.x": thread, "ntid.x": block, "nctaid.x": grid, "warp": self.warp, "ntid.y": 1, "ntid.z": 1, "nctaid.y": 1, "nctaid.z": 1}
        for name, value in values.items():
            record.registers[_REGISTERS.index(name)] = value
        if barriers:
            record.barrier = ctypes.addressof(barriers[0])
            record.warp_barrier = ctypes.addressof(barriers[1 + thread // self.warp])
        for number in range(grid):
            record.registers[_REGISTERS.index("ctaid.x")] = number
            self._call(*args, ctypes.addressof(record))
            if barriers:
                _libc().pthread_barrier_wait(barriers[0])  # the next block has the same shared memory


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _address(name: str) -> int:
    return ctypes.cast(getattr(_libc(), name), ctypes.c_void_p).value


def _c_type(dtype: np.dtype) -> type:
    if dtype.kind == "b":
        return ctypes.c_uint8
    if dtype == np.float16:
        raise TypeError("a half is no argument of a C function: pass an array of one")
    return np.ctypeslib.as_ctypes_type(dtype)


__all__ = ["HostKernel", "HostThread"]
