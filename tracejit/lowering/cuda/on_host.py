"""Kernels for a device run on the host: the same LLVM IR, with a fiber for each thread of a block.

    kernel = HostKernel(source, "kernel", parameters, warp=32)
    kernel.launch(grid, block, [x, y, np.int32(n)])

What is imitated is little: special registers are read from a record that each thread has, and lanes hand values over through the exchange of a
shuffle.  Arithmetic, elementary functions, control flow and atomic updates are what the device is given, so they can be tested without one, at native
speed.  Blocks run one after another.  The threads of a block take turns, each up to the next barrier that it comes to, where the C library's
`swapcontext` leaves its stack and goes on with another (2 us; threads of the system took up to 100).  So a run is always the same, and threads that
wait at different barriers, which would hang a device, are found.
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
_DONE, _AT_WARP, _AT_BLOCK = range(3)
_STACK_BYTES = 1 << 16
_CONTEXT_BYTES = 1 << 13  # more than a ucontext_t has anywhere

_launching = threading.Lock()  # shared memory is the module's


class _Record(ctypes.Structure):
    """What a thread knows of its place, where it waits, and what its kernel is called with."""

    _fields_ = [
        ("registers", ctypes.c_int32 * len(_REGISTERS)),
        ("state", ctypes.c_int32),
        ("own", ctypes.c_void_p),
        ("scheduler", ctypes.c_void_p),
        ("arguments", ctypes.c_void_p),
    ]


class _Context(ctypes.Structure):
    """The head of a ucontext_t of Linux, with its stack."""

    _fields_ = [
        ("flags", ctypes.c_ulong),
        ("link", ctypes.c_void_p),
        ("stack", ctypes.c_void_p),
        ("stack_flags", ctypes.c_int),
        ("stack_size", ctypes.c_size_t),
        ("rest", ctypes.c_char * _CONTEXT_BYTES),
    ]


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
        return Value(f"@{name}", "ptr"), f"@{name} = global [{count} x {kind}] zeroinitializer, align 16"

    @staticmethod
    def vector_alignment(itemsize: int, count: int) -> int:
        return itemsize  # arrays of the host are not aligned as those of a device are

    def barrier(self) -> None:
        self._wait(_AT_BLOCK)

    def warp_barrier(self) -> None:
        self._wait(_AT_WARP)

    def _wait(self, state: int) -> None:
        self.function.module.declare("swapcontext", "i32", ["ptr", "ptr"])
        self.store(self.const("i32", state), self._field("state"), 4)
        own, scheduler = (self.load(self._field(name), "ptr", 8) for name in ("own", "scheduler"))
        self.function.effect("i32", 1, f"call i32 @swapcontext({own.typed}, {scheduler.typed})")

    def _field(self, name: str) -> Value:
        return self.gep(Value("%record", "ptr"), "i8", self.const("i64", getattr(_Record, name).offset))

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
    """A kernel that runs on the host. `warp`, a power of two, is how many lanes its shuffles are across; `thread` is the emitter."""

    def __init__(self, source: str, name: str, parameters: Parameters, warp: int = WARP, thread: type[HostThread] = HostThread):
        self.name, self.warp = name, warp
        self.parameters = [(np.dtype(dtype), how == "pointer") for dtype, how in parameters]
        self.text = f"{llvm_text(source, name, parameters, thread=thread)}\n{self._start()}"
        self._waits = "@swapcontext" in self.text
        declared = self.text[self.text.index(f"@{name}(") :].split(", ")
        self._writes = ["noalias align" in text for text in declared[: len(parameters)]]
        symbols = {"swapcontext": _address(_libc().swapcontext)} if self._waits else {}
        self._library = compile_module(self.text, symbols, ["start"])
        self._address = self._library.address("start")
        self._call = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_int)(self._address)

    def _start(self) -> str:
        """The function that a fiber begins with. It gets the address of the record in halves: `makecontext` hands integers over."""
        lines = ["define void @start(i32 %low, i32 %high) {", "  %l = zext i32 %low to i64", "  %h = zext i32 %high to i64"]
        lines += ["  %s = shl i64 %h, 32", "  %a = or i64 %l, %s", "  %record = inttoptr i64 %a to ptr"]
        lines += [f"  %p = getelementptr i8, ptr %record, i64 {_Record.arguments.offset}", "  %arguments = load ptr, ptr %p"]
        given = []
        for k, (dtype, pointer) in enumerate(self.parameters):
            kind = "ptr" if pointer else _kind(dtype)
            lines += [f"  %p{k} = getelementptr i64, ptr %arguments, i64 {k}", f"  %x{k} = load {kind}, ptr %p{k}"]
            given.append(f"{kind} %x{k}")
        lines += [f"  call void @{self.name}({', '.join([*given, 'ptr %record'])})"]
        lines += [f"  %state = getelementptr i8, ptr %record, i64 {_Record.state.offset}", f"  store i32 {_DONE}, ptr %state", "  ret void", "}"]
        return "\n".join(lines)

    def launch(self, grid: int, block: int, args: Sequence[np.ndarray | int | np.generic]) -> None:
        """Run `grid` blocks of `block` threads; arguments are C-ordered arrays or addresses for pointers, and numbers for values.

        Raises RuntimeError where threads wait for one another for ever, and ValueError for arrays that kernels are not made for.
        """
        self._check(args)
        given = np.zeros(len(self.parameters), np.int64)
        for k, (x, (dtype, pointer)) in enumerate(zip(args, self.parameters, strict=True)):
            if pointer:
                given[k] = x if type(x) is int else x.ctypes.data
            else:
                given[k : k + 1].view(dtype)[0] = x
        with _launching:
            threads = _threads(block)
            shape = {"ntid.x": block, "nctaid.x": grid, "ntid.y": 1, "ntid.z": 1, "nctaid.y": 1, "nctaid.z": 1, "warp": self.warp}
            for place, thread in enumerate(threads):
                for name, value in {"tid.x": place, **shape}.items():
                    thread.record.registers[_REGISTERS.index(name)] = value
                thread.record.arguments = given.ctypes.data
            for number in range(grid):
                for thread in threads:
                    thread.record.registers[_REGISTERS.index("ctaid.x")] = number
                if self._waits:
                    self._run_together(threads)
                else:
                    for thread in threads:
                        self._call(*thread.halves)

    def _check(self, args: Sequence[np.ndarray | int | np.generic]) -> None:
        arrays = [(x, writes) for x, writes, (_, pointer) in zip(args, self._writes, self.parameters) if pointer and isinstance(x, np.ndarray)]
        for k, (x, writes) in enumerate(arrays):
            if not x.flags.c_contiguous:
                raise ValueError(f"the kernel {self.name} is given an array that is not in C order")
            if any((writes or also) and np.may_share_memory(x, y) for y, also in arrays[:k]):
                raise ValueError(f"the kernel {self.name} writes to an array that overlaps another one")

    def _run_together(self, threads: list[_Thread]) -> None:
        """One block: each thread up to its next barrier, then again those that no longer have to wait."""
        swap, scheduler = _libc().swapcontext, ctypes.addressof(_scheduler)
        for thread in threads:
            thread.begin(self._address)
        ready = threads
        while ready:
            for thread in ready:
                swap(scheduler, thread.own)
            left = [thread for thread in threads if thread.record.state != _DONE]
            ready = self._released(threads, left)
            if left and not ready:
                raise RuntimeError(f"threads of the kernel {self.name} wait at different barriers")

    def _released(self, threads: list[_Thread], left: list[_Thread]) -> list[_Thread]:
        if all(thread.record.state == _AT_BLOCK for thread in left):
            return left
        found = []
        for start in range(0, len(threads), self.warp):
            lanes = [thread for thread in threads[start : start + self.warp] if thread.record.state != _DONE]
            if all(thread.record.state == _AT_WARP for thread in lanes):
                found += lanes
        return found


class _Thread:
    """A fiber: its record, its context and its stack."""

    def __init__(self) -> None:
        self.record, self.context, self.stack = _Record(), _Context(), ctypes.create_string_buffer(_STACK_BYTES)
        address = ctypes.addressof(self.record)
        self.halves = ctypes.c_int(address & 0xFFFFFFFF), ctypes.c_int(address >> 32)
        self.own = ctypes.addressof(self.context)
        self.record.own, self.record.scheduler = self.own, ctypes.addressof(_scheduler)

    def begin(self, start: int) -> None:
        """At the next swap, the fiber runs the function `start` from its beginning, and the scheduler goes on behind its end."""
        library, context = _libc(), self.context
        library.getcontext(self.own)
        context.link, context.stack, context.stack_size = ctypes.addressof(_scheduler), ctypes.addressof(self.stack), _STACK_BYTES
        library.makecontext(self.own, start, 2, *self.halves)


_scheduler = _Context()
_made: list[_Thread] = []


def _threads(count: int) -> list[_Thread]:
    while len(_made) < count:
        _made.append(_Thread())
    return _made[:count]


@cache
def _libc() -> ctypes.PyDLL:
    """The C library; calls keep Python's lock, since the stack that they return on may not be the one that they were made on."""
    library = ctypes.PyDLL(None)
    library.getcontext.argtypes = [ctypes.c_void_p]
    library.swapcontext.argtypes = [ctypes.c_void_p] * 2
    library.makecontext.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_int] * 3
    library.makecontext.restype = None
    return library


def _address(function) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value


def _kind(dtype: np.dtype) -> str:
    if dtype.kind == "f":
        return {2: "half", 4: "float", 8: "double"}[dtype.itemsize]
    return f"i{8 * dtype.itemsize}"


__all__ = ["HostKernel", "HostThread"]
