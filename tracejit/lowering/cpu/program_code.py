"""The LLVM module of a program: its kernels, and one function for each run of steps that needs no Python."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from ..contract import Storage
from ..fuse import Nest
from ..kernel import Buffer
from ..partition import Library, Routine
from ..structure import structure
from . import blas, routines, special_library, threads
from .emit import Emitter, Function, Module, Value
from .kernel_code import KernelCode, in_memory
from .llvm import Library as Code
from .llvm import compile_module


class Place(NamedTuple):
    """Where a buffer is: a slot of the argument table, and bytes from there."""

    slot: int
    offset: int


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


def compile_segments(
    segments: Sequence[Sequence[Nest | Library | Routine]],
    storages: dict[Nest, dict[Buffer, Storage]],
    places: dict[tuple[Nest | None, Buffer], Place],
) -> Segments:
    """Compile runs of native steps. `places` says where each buffer is; a nest's own temporaries are found under the nest."""
    module = Module()
    kernels: dict[Hashable, Function] = {}  # equal nests are one function
    names: dict[Nest, tuple[str, list[Buffer]]] = {}
    chunked = False
    for segment in segments:
        for nest in segment:
            if isinstance(nest, Nest):
                key = structure(nest, storages[nest])
                buffers = in_memory(storages[nest])
                if key not in kernels:
                    kernels[key] = KernelCode(module, f"kernel{len(kernels)}", nest, storages[nest]).function
                    if nest.chunks:
                        chunked = True
                        _chunk_function(module, kernels[key].name, len(buffers))
                names[nest] = kernels[key].name, buffers
    functions = []
    for number, segment in enumerate(segments):
        function = Function(module, f"segment{number}", [("ptr", "slots")], "i64")
        _write_segment(function, segment, names, places)
        functions.append(function)
    text = module.text()
    kinds = {type(step) for segment in segments for step in segment}
    symbols = blas.find().symbols if Library in kinds else {}
    for kind in {step.node.op.kind for segment in segments for step in segment if isinstance(step, Routine)}:
        symbols = {**symbols, **routines.LIBRARIES[kind].symbols()}
    if chunked:
        symbols = {**symbols, "parallel_for": threads.parallel_for()}
    used = {name: address for name, address in symbols.items() if f"@{name}(" in text or f"@{name} = external" in text}
    used |= special_library.symbols(text)
    code = compile_module(text, used, [f.name for f in functions])
    return Segments(code, [code.address(f.name) for f in functions], [Kernel(f.name, f.text()) for f in kernels.values()], text)


def _write_segment(f: Function, segment, names, places) -> None:
    e = Emitter(f, 1)
    slots: dict[int, Value] = {}

    def pointer(nest: Nest | None, buffer: Buffer) -> Value:
        place = places.get((None, buffer)) or places[nest, buffer]
        if place.slot not in slots:
            slots[place.slot] = e.load(e.gep(f.parameter("slots"), "ptr", e.const("i64", place.slot)), "ptr", 8)
        return e.gep(slots[place.slot], "i8", e.const("i64", place.offset)) if place.offset else slots[place.slot]

    status = e.const("i64", 0)
    for step in segment:
        if isinstance(step, Nest):
            name, buffers = names[step]
            at = [pointer(step, b) for b in buffers]
            result = (
                _run_chunks(f, name, at, step.chunks.counter.extent)
                if step.chunks
                else f.effect("i64", 1, f"call i64 @{name}({', '.join(p.typed for p in at)})")
            )
            status = e.or_(status, result)
        elif isinstance(step, Routine):
            at = [pointer(None, b) for b in (*step.operands, *step.results)]
            status = e.or_(status, routines.LIBRARIES[step.node.op.kind].write(f, step.node, at[: len(step.operands)], at[len(step.operands) :]))
        else:
            _write_product(f, step, pointer)
    f.ret(status)


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


def _write_product(f: Function, step: Library, pointer) -> None:
    """A product of matrices, or one for each of a stack."""
    x, y = step.operands
    *batch, m, k = x.shape
    n = y.shape[-1]
    dtype = step.result.type.dtype
    kind, size, e = blas.KINDS[dtype], dtype.itemsize, Emitter(f, 1)
    out = pointer(None, step.result)
    at_x, at_y = (e.gep(pointer(None, v.buffer), "i8", e.const("i64", v.offset * size)) for v in (x, y))

    def multiply(px: Value, py: Value, po: Value) -> None:
        blas.product(f, kind, m, n, k, blas.matrix(px, (m, k), x.strides[-2:]), blas.matrix(py, (k, n), y.strides[-2:]), po)

    count = batch[0] if batch else 1
    if count == 1:
        multiply(at_x, at_y, out)
        return
    before, loop, done = f.block, f.fresh_label("stack"), f.fresh_label("done")
    f.br(loop)
    f.label(loop, dominator=before)
    i = f.phi("i64")
    i.add(e.const("i64", 0), before)
    step_of = lambda p, stride: e.gep(p, "i8", e.imul(i.value, e.const("i64", stride * size)))
    multiply(step_of(at_x, x.strides[0]), step_of(at_y, y.strides[0]), step_of(out, m * n))
    following = e.iadd(i.value, e.const("i64", 1))
    i.add(following, f.block)
    f.cbr(e.icmp("slt", following, e.const("i64", count)), loop, done)
    f.label(done, dominator=before)


def multiplies(dtype: np.dtype) -> bool:
    """Whether BLAS has a product for the dtype."""
    return dtype in blas.KINDS
