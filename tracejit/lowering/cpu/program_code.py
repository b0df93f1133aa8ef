"""The LLVM module of a program: its kernels, its loops, and one function for each run of steps that needs no Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..contract import Storage
from ..fuse import Nest
from ..kernel import Buffer
from ..plan import Plan, may_fail
from ..steps import Library, Progression, Routine
from ..structure import structure
from . import blas, matrix_products, routines, shared_code, special_library, threads
from .emit import Emitter, Function, Module, Value
from .kernel_code import KernelCode, in_memory
from .llvm import Library as Code
from .llvm import compile_module

# A function of more steps calls functions of so many each: LLVM takes longer than in proportion for one with many calls (the gradient of 512 compiled
# layers: 5.6 s in one function, 0.9 in parts).
PART = 32

# Nests of so many elements are vector loops that need no more optimisation in the body of a loop than elsewhere. LLVM's whole pipeline takes ten
# times as long for them (100 ms for 500 operations) and makes nothing quicker.
LONG = 64


class Kernel(NamedTuple):
    """One compiled nest, for people: its name and its LLVM text."""

    name: str
    text: str


class Segments(NamedTuple):
    """Compiled code: the address of one function `i64 (ptr slots)` for each segment."""

    code: Code
    addresses: list[int]
    kernels: list[Kernel]
    text: str


def compile_segments(segments: Sequence[Sequence[Nest | Library | Routine]], plan: Plan) -> Segments:
    """Compile runs of native steps of a plan."""
    code = ModuleCode()
    functions = [_segment(code, f"segment{number}", segment, plan) for number, segment in enumerate(segments)]
    text = code.module.text()
    used = {name: address for name, address in code.symbols().items() if f"@{name}(" in text or f"@{name} = external" in text}
    used |= special_library.symbols(text)
    library = compile_module(text, used, [f.name for f in functions], thorough=code.turns_are_short)
    return Segments(library, [library.address(f.name) for f in functions], [Kernel(f.name, f.text()) for f in code.kernels.values()], text)


def _segment(code: ModuleCode, name: str, steps: Sequence[Nest | Library | Routine], plan: Plan) -> Function:
    """The function `i64 name(ptr slots)` of a run of steps, which ends where one of them fails."""
    f = Function(code.module, name, [("ptr", "slots")], "i64")
    parts, start = _parts(steps), 0
    for part in parts:
        if len(parts) == 1:
            status = code.steps(f, part, plan, _slots(f))
        else:
            own = Function(code.module, f"{name}_from{start}", [("ptr", "slots")], "i64", linkage="internal")
            own.ret(code.steps(own, part, plan, _slots(own)))
            status = f.effect("i64", 1, f"call i64 @{own.name}({f.parameter('slots').typed})")
        start += len(part)
        if part is parts[-1]:
            f.ret(status)
        else:
            failed, well = f.fresh_label("failed"), f.fresh_label("well")
            f.cbr(Emitter(f, 1).icmp("ne", status, Emitter(f, 1).const("i64", 0)), failed, well, likely=False)
            f.label(failed)
            f.ret(status)
            f.label(well)
    return f


def _parts(steps: Sequence[Nest | Library | Routine]) -> list[list[Nest | Library | Routine]]:
    """The steps in runs of up to `PART`, cut behind those that may fail."""
    parts: list[list[Nest | Library | Routine]] = [[]]
    for step in steps:
        if len(parts[-1]) == PART or parts[-1] and may_fail(parts[-1][-1]):
            parts.append([])
        parts[-1].append(step)
    return parts


def _slots(f: Function) -> Callable[[int], Value]:
    """The pointers in the argument table, each read once."""
    e, known = Emitter(f, 1), {}

    def slot(number: int) -> Value:
        if number not in known:
            known[number] = e.load(e.gep(f.parameter("slots"), "ptr", e.const("i64", number)), "ptr", 8)
        return known[number]

    return slot


class ModuleCode:
    """A module in the making: its kernels and loops, each written once, and the steps that call them."""

    def __init__(self) -> None:
        self.module = Module()
        self.kernels: dict[Hashable, Function] = {}  # equal nests are one function
        self.loops: dict[Hashable, Function] = {}  # and equal loops
        self.products: dict[Hashable, Function] = {}  # and equal parts of products
        self.kinds: set[str] = set()  # of the steps
        self.turns_are_short = False
        """Whether a loop has a turn whose steps LLVM should see as one function: what they pass on is to become registers."""
        self._names: dict[Nest, tuple[str, list[Buffer]]] = {}
        self._chunked: set[str] = set()

    def symbols(self) -> dict[str, int]:
        """The addresses that the code needs, and some more."""
        found = blas.find().symbols if "dot" in self.kinds else {}
        if "panels" in self.kinds:
            found = {**found, **shared_code.symbols()}
        for kind in sorted(self.kinds & routines.KINDS):
            found = {**found, **routines.of(kind).symbols()}
        return {**found, "parallel_for": threads.parallel_for()} if "chunks" in self.kinds else found

    def kernel(self, nest: Nest, storage: dict[Buffer, Storage]) -> tuple[str, list[Buffer]]:
        """The function of a nest, and the buffers that it takes pointers to."""
        if nest not in self._names:
            key, buffers = structure(nest, storage), in_memory(storage)
            if key not in self.kernels:
                self.kernels[key] = KernelCode(self.module, f"kernel{len(self.kernels)}", nest, storage).function
            self._names[nest] = self.kernels[key].name, buffers
        return self._names[nest]

    def steps(self, f: Function, items: Iterable[Nest | Library | Routine], plan: Plan, slot: Callable[[int], Value]) -> Value:
        """Write steps of a plan, whose slots are the pointers `slot(number)`; the status that comes back, 0 if all went well."""
        e = Emitter(f, 1)
        stack: dict[tuple[Nest | None, Buffer], Value] = {}

        def pointer(nest: Nest | None, buffer: Buffer) -> Value:
            buffer = plan.same_memory.get(buffer, buffer)
            key = (None, buffer) if (None, buffer) in plan.places else (nest, buffer)
            place = plan.places[key]
            if place.slot is None:
                if key not in stack:
                    stack[key] = f.alloca("i8", place.offset)
                return stack[key]
            at = slot(place.slot)
            return e.gep(at, "i8", e.const("i64", place.offset)) if place.offset else at

        status = e.const("i64", 0)
        for step in items:
            if isinstance(step, Nest):
                self.turns_are_short |= plan.is_body and any(math.prod([c.extent for c in s.counters]) < LONG for s in step.stages())
                name, buffers = self.kernel(step, plan.storages[step])
                at = [pointer(step, b) for b in buffers]
                if step.chunks:
                    result = self.in_chunks(f, name, at, step.chunks.counter.extent)
                else:
                    result = f.effect("i64", 1, f"call i64 @{name}({', '.join(p.typed for p in at)})")
                status = e.or_(status, result)
            elif isinstance(step, Routine):
                self.kinds.add(step.node.op.kind)
                at = [o if isinstance(o, Progression) else pointer(None, o) for o in step.operands], [pointer(None, r) for r in step.results]
                write = self._call_loop if step.node.op.kind in routines.LOOPS else routines.of(step.node.op.kind).write
                status = e.or_(status, write(f, step if step.node.op.kind in routines.LOOPS else step.node, *at))
            else:
                matrix_products.write(self, f, step, pointer, plan)
        return status

    def in_chunks(self, f: Function, name: str, pointers: list[Value], chunks: int) -> Value:
        """Run a function of these pointers and the number of a chunk for all chunks, in the pool. The status that comes back."""
        self.kinds.add("chunks")
        if name not in self._chunked:
            self._chunked.add(name)
            _chunk_function(self.module, name, len(pointers))
        return _run_chunks(f, name, pointers, chunks)

    def _call_loop(self, f: Function, step: Routine, operands: list[Value | Progression], results: list[Value]) -> Value:
        """Call the function of a loop, which takes each array that it reads or makes as a pointer of its own."""
        shared = tuple(step.operands.index(r) if r in step.operands else None for r in step.results)
        ranges = tuple(o for o in operands if isinstance(o, Progression))
        key = (step.node.op.name, tuple(step.node.params.items()), tuple(a.type.strong for a in step.node.inputs), shared, ranges)
        given = {f"x{i}": o for i, o in enumerate(operands) if isinstance(o, Value)}
        given |= {f"y{k}": r for k, (r, operand) in enumerate(zip(results, shared)) if operand is None}
        if key in self.loops:
            self.loops[key].never_inline()  # one that is called often stays one
        else:
            loop = Function(self.module, f"loop{len(self.loops)}", [("ptr noalias", label) for label in given], "i64", linkage="internal")
            self.loops[key] = loop
            own = [o if isinstance(o, Progression) else loop.parameter(f"x{i}") for i, o in enumerate(operands)]
            made = [loop.parameter(f"y{k}") if operand is None else own[operand] for k, operand in enumerate(shared)]
            loop.ret(routines.of(step.node.op.kind).write(self, loop, step, own, made))
        return f.effect("i64", 1, f"call i64 @{self.loops[key].name}({', '.join(p.typed for p in given.values())})")


def _run_chunks(f: Function, name: str, pointers: list[Value], chunks: int) -> Value:
    """Run all chunks of a kernel in the pool. Their table has the kernel's pointers, and in front of them the status that they share."""
    e = Emitter(f, 1)
    table = f.alloca("ptr", len(pointers) + 1)
    e.store(e.const("i64", 0), table, 8)
    for i, p in enumerate(pointers, 1):
        e.store(p, e.gep(table, "ptr", e.const("i64", i)), 8)
    f.call("parallel_for", "void", [Value(f"@{name}_chunk", "ptr"), table, e.const("i64", chunks)])
    return e.load(table, "i64", 8)


def _chunk_function(module: Module, name: str, count: int) -> Function:
    """`void name_chunk(ptr table, i64 chunk)`: what the pool calls."""
    f = Function(module, f"{name}_chunk", [("ptr", "table"), ("i64", "chunk")], linkage="internal")
    e = Emitter(f, 1)
    at = [e.load(e.gep(f.parameter("table"), "ptr", e.const("i64", i)), "ptr", 8) for i in range(1, count + 1)]
    status = f.effect("i64", 1, f"call i64 @{name}({', '.join(p.typed for p in (*at, f.parameter('chunk')))})")
    f.effect("i64", 1, f"atomicrmw or {f.parameter('table').typed}, {status.typed} monotonic")
    f.ret()
    return f


def multiplies(dtype: np.dtype) -> bool:
    """Whether BLAS has a product for the dtype."""
    return dtype in blas.KINDS
