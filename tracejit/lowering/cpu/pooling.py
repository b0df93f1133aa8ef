"""The way back through a maximum over windows in native code: each cotangent is added where its window's largest element was.

As an expression of its place, an element of the result would ask every window that it may lie in, with divisions, tests and gathers for each: 4 ns
for windows of 2 x 2, 10 ns for 3 x 3.  Going through the windows takes one addition each.  Lines of the leading axes are apart from one another, so
strands take some of them at a time.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Sequence

import numpy as np

from ...config import config
from ...ir import ArrayType, Node
from .counting import Count, Place, call, counted
from .emit import Emitter, Function, Module, Value
from .image_blocks import KINDS
from .strands import ALIGNMENT, Phase, clear, table_of
from .threads import parallel_for

# Windows that are worth an item (about 30 us), and from how many on threads are.
ITEM, PARALLEL = 1 << 14, 1 << 17


def symbols() -> dict[str, int]:
    """The address of the pool's `parallel_for`."""
    return {"parallel_for": parallel_for()}


def has_routine(node: Node) -> bool:
    """Whether there is code for the dtype."""
    return node.outputs[0].type.dtype in KINDS


def work(node: Node) -> list[ArrayType]:
    """Room for the counter of items."""
    return [ArrayType((ALIGNMENT,), np.dtype(np.uint8))]


def write(f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]) -> Value:
    """Call the code of the node, written once a module. Returns the status, always 0."""
    y = node.inputs[0].type.strong
    described = repr((y.shape, y.dtype.str, sorted(node.params.items()), config.threads))
    name = f"{node.op.name}_{hashlib.sha256(described.encode()).hexdigest()[:12]}"
    if not any(g.name == name for g in f.module.functions):
        _write_place(f.module, name, y, **node.params)
    call(f, name, [*operands, *results])
    return Count(f, 0).value


def _write_place(module: Module, name: str, y: ArrayType, shape: tuple[int, ...], window, strides, dilation) -> None:
    """The function `void name(y, at, out, work)`."""
    lead = len(shape) - len(window)
    lines, places, sizes = math.prod(shape[:lead]), y.shape[lead:], shape[lead:]
    kind, size = KINDS[y.dtype], y.dtype.itemsize
    each = max(1, ITEM // max(1, math.prod(places)))
    items = -(-lines // each)
    steps = [math.prod(sizes[d + 1 :]) * size for d in range(len(sizes))]  # bytes from one element to the next
    table = [sum(k * g * step for k, g, step in zip(tap, dilation, steps)) for tap in itertools.product(*map(range, window))]
    line_bytes = math.prod(sizes) * size

    def some_lines(phase: Phase, item: Count) -> None:
        f = phase.f
        e, offsets = Emitter(f, 1), Place(f, f.module.table("i64", table))
        source, at, target, _ = phase.pointer
        first = item * each

        def windows(axis: int, number: Count, corner: Place) -> None:
            """All windows from an axis on, of which `number` have gone before in multiples of that axis, and which begin at `corner`."""
            if axis < len(places):
                step = strides[axis] * steps[axis]
                counted(f, 0, places[axis], 1, lambda q: windows(axis + 1, number * places[axis] + q, corner + q * step))
                return
            # The number of a tap is never larger than the last one's: the bound keeps a wrong one from writing outside.
            tap = Count(f, e.umin((at + number * 8).number().value, e.const("i64", len(table) - 1)))
            there = (corner + (offsets + tap * 8).number()).value
            value = e.load((source + number * size).value, kind, size)
            e.store(e.fadd(e.load(there, kind, size), value), there, size)

        def line(i: Count) -> None:
            begin = target + i * line_bytes
            clear(f, begin, line_bytes)
            windows(0, i, begin)

        counted(f, first, (first + each).smaller(lines), 1, line)

    phase = Phase(module, f"{name}_lines", items, 4, some_lines)
    f = Function(module, name, [("ptr", p) for p in ("y", "at", "out", "work")], linkage="internal")
    f.never_inline()
    table_at = table_of(f, [Place(f, f.parameter(p)) for p in ("y", "at", "out", "work")])
    phase.run(f, table_at, config.threads if y.size >= PARALLEL else 1)
    f.ret()
