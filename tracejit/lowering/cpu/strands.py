"""Work that several threads share: a function that takes numbered items until none is left.

A *strand* runs on one thread and has scratch memory of its own, which is why there are no more of them than threads; items differ in length and are
taken in turn, so strands that are slowed down do less.  Which strand does what changes nothing in the results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .counting import Count, Place, call, where
from .emit import Emitter, Function, Module, Value

ALIGNMENT = 64


class Memory:
    """Offsets in work memory; `bytes` is how much of it there is."""

    def __init__(self) -> None:
        self.bytes = 0

    def take(self, size: int) -> int:
        """Room for `size` bytes."""
        at, self.bytes = self.bytes, self.bytes + -(-size // ALIGNMENT) * ALIGNMENT
        return at


class Phase:
    """A function `void name(ptr table, i64 strand)` in the making: `body(f, item)` is written once for all items.

    The table has pointers, `pointer(k)`; the last of them is the memory whose first 8 bytes count the items that are taken.
    """

    def __init__(self, module: Module, name: str, items: int, pointers: int, body: Callable[[Phase, Count], None]):
        self.name, self.items, self.pointers = name, items, pointers
        self.f = f = Function(module, name, [("ptr", "table"), ("i64", "strand")], linkage="internal")
        self.strand = Count(f, f.parameter("strand"))
        table = Place(f, f.parameter("table"))
        self.pointer = [(table + 8 * k).place() for k in range(pointers)]
        entry, take, work, done = f.block, f.fresh_label("take"), f.fresh_label("work"), f.fresh_label("done")
        f.br(take)
        f.label(take, dominator=entry)
        item = Count(f, f.effect("i64", 1, f"atomicrmw add ptr {self.pointer[-1].value.name}, i64 1 monotonic"))
        f.cbr(item.compared("slt", items), work, done)
        f.label(work, dominator=take)
        body(self, item)
        f.br(take)
        f.label(done, dominator=take)
        f.ret()

    def run(self, f: Function, table: Place, strands: int) -> None:
        """Write the call: all items are done when it returns."""
        strands = min(strands, self.items)
        Emitter(f, 1).store(Count(f, 0).value, (table + 8 * (self.pointers - 1)).place().value, 8)
        if strands > 1:
            f.call("parallel_for", "void", [Value(f"@{self.name}", "ptr"), table.value, Count(f, strands).value])
        else:
            call(f, self.name, [table, 0])


def table_of(f: Function, values: Sequence[Place | Count]) -> Place:
    """Pointers and numbers in memory on the stack, to be handed to phases."""
    table = Place(f, f.alloca("i64", len(values)))
    for k, v in enumerate(values):
        Emitter(f, 1).store(v.value, (table + 8 * k).value, 8)
    return table


def clear(f: Function, at: Place, size: int) -> None:
    """Fill with zero bytes."""
    f.module.declare("llvm.memset.p0.i64", "void", ["ptr", "i8", "i64", "i1"])
    f.do(f"call void @llvm.memset.p0.i64(ptr {at.value.name}, i8 0, i64 {size}, i1 false)")


__all__ = ["Memory", "Phase", "clear", "table_of", "where"]
