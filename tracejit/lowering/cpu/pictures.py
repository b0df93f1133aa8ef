"""Images with their channels last, and back: what the kernels of convolutions read and write.

In an array of shape (examples, channels, *positions) the elements of one channel are adjacent.  Kernels whose vectors run along channels want all
channels of a position adjacent: a *picture*.  Blocks of lanes x lanes elements are transposed in registers; where a position stands in the picture is
looked up in a table of offsets in bytes, so a picture may have room for zeros around it, or be sorted by phases.
"""

from __future__ import annotations

from .counting import Count, Place, counted, where
from .emit import Emitter, Function, Module, Value

_SIGNATURE = [
    ("ptr", "source"), ("ptr", "target"), ("i64", "pitch"), ("ptr", "table"), ("i64", "channels"), ("i64", "positions"),
]  # fmt: skip


def into_picture(module: Module, kind: str, size: int, lanes: int) -> str:
    """`void f(source, target, pitch, table, channels, positions)`: up to `lanes` channels, `pitch` bytes apart, of adjacent positions become vectors
    at target + table[position]; missing channels are zeros."""
    return _moved(module, f"into_picture_{kind}", kind, size, lanes, _write_into)


def from_picture(module: Module, kind: str, size: int, lanes: int) -> str:
    """`void f(source, target, pitch, table, channels, positions)`: the vectors at source + table[position] become adjacent positions of up to `lanes`
    channels, `pitch` bytes apart."""
    return _moved(module, f"from_picture_{kind}", kind, size, lanes, _write_from)


def _moved(module: Module, name: str, kind: str, size: int, lanes: int, write) -> str:
    if any(g.name == name for g in module.functions):
        return name
    f = Function(module, name, _SIGNATURE, linkage="internal")
    f.never_inline()
    positions = Count(f, f.parameter("positions"))
    channels = Count(f, f.parameter("channels"))
    last = positions - (positions % lanes)
    all_channels = channels.compared("sge", lanes)

    def whole(p: Count) -> None:
        before, plain, masked, done = f.block, f.fresh_label("plain"), f.fresh_label("masked"), f.fresh_label("end")
        f.cbr(all_channels, plain, masked)
        for label, some in ((plain, False), (masked, True)):
            f.label(label, dominator=before)
            write(f, kind, size, lanes, p, Count(f, lanes), channels if some else None)
            f.br(done)
        f.label(done, dominator=before)

    counted(f, 0, last, lanes, whole)
    where(f, last.compared("slt", positions), lambda: write(f, kind, size, lanes, last, positions - last, channels))
    f.ret()
    return name


def _places(f: Function, side: str, lanes: int, p: Count) -> list[Place]:
    """Where the vectors of `lanes` positions from p on stand in the picture."""
    table, base = Place(f, f.parameter("table")) + p * 8, Place(f, f.parameter(side))
    return [base + (table + 8 * j).number() for j in range(lanes)]


def _write_into(f: Function, kind: str, size: int, lanes: int, p: Count, count: Count, channels: Count | None) -> None:
    v, e, zero = Emitter(f, lanes), Emitter(f, 1), Emitter(f, lanes).const(kind, 0.0)
    lines = [Place(f, f.parameter("source")) + p * size + Count(f, f.parameter("pitch")) * i for i in range(lanes)]
    if channels is None:
        columns = transposed(f, [v.load(line.value, kind, size) for line in lines])
        for place, column in zip(_places(f, "target", lanes, p), columns):
            v.store(column, place.value, size)
        return
    inside = v.icmp("slt", v.iota("i64"), count.value)
    read = [
        v.masked_load(line.value, kind, size, v.and_(inside, v.splat(channels.compared("sgt", i))), zero) for i, line in enumerate(lines)
    ]
    for j, column in enumerate(transposed(f, read)):

        def store(j: int = j, column: Value = column) -> None:
            table = Place(f, f.parameter("table")) + p * 8 + 8 * j
            v.store(column, (Place(f, f.parameter("target")) + table.number()).value, size)

        where(f, e.icmp("sgt", count.value, e.const("i64", j)), store)


def _write_from(f: Function, kind: str, size: int, lanes: int, p: Count, count: Count, channels: Count | None) -> None:
    v, e = Emitter(f, lanes), Emitter(f, 1)
    lines = [Place(f, f.parameter("target")) + p * size + Count(f, f.parameter("pitch")) * i for i in range(lanes)]
    if channels is None:
        rows = transposed(f, [v.load(place.value, kind, size) for place in _places(f, "source", lanes, p)])
        for line, row in zip(lines, rows):
            v.store(row, line.value, size)
        return
    # Behind the last position the first one of the block is read again, and not written.
    table = Place(f, f.parameter("table")) + p * 8
    inside = v.icmp("slt", v.iota("i64"), count.value)
    read = []
    for j in range(lanes):
        at = Count(f, e.select(count.compared("sgt", j), e.const("i64", 8 * j), e.const("i64", 0)))
        read.append(v.load((Place(f, f.parameter("source")) + (table + at).number()).value, kind, size))
    for i, row in enumerate(transposed(f, read)):
        v.masked_store(row, lines[i].value, size, v.and_(inside, v.splat(channels.compared("sgt", i))))


def transposed(f: Function, rows: list[Value]) -> list[Value]:
    """As many vectors as they have lanes, transposed: at each distance, from 1 on, pairs of rows exchange every second block of lanes."""
    lanes, distance = len(rows), 1
    while distance < lanes:
        low = [lane if not lane & distance else lanes + lane - distance for lane in range(lanes)]
        high = [lane + distance if not lane & distance else lanes + lane for lane in range(lanes)]
        made = list(rows)
        for i in range(lanes):
            if not i & distance:
                made[i], made[i + distance] = (_mixed(f, rows[i], rows[i + distance], order) for order in (low, high))
        rows, distance = made, 2 * distance
    return rows


def _mixed(f: Function, a: Value, b: Value, order: list[int]) -> Value:
    lanes = ", ".join(f"i32 {lane}" for lane in order)
    return f.let(a.kind, len(order), f"shufflevector {a.typed}, {b.typed}, <{len(order)} x i32> <{lanes}>")


__all__ = ["from_picture", "into_picture", "transposed"]
