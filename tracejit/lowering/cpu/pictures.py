"""Images with their channels last, and back: what the kernels of convolutions read and write.

In an array of shape (examples, channels, *positions) the elements of one channel are adjacent.  Kernels whose vectors run along channels want all
channels of a position adjacent: a *picture*.  Blocks of lanes x lanes elements are transposed in registers; where a position stands in the picture is
looked up in a table of offsets in bytes, so a picture may have room for zeros around it, or be sorted by phases.
"""

from __future__ import annotations

from .counting import Count, Place, counted
from .emit import Emitter, Function, Module, Value
from .shared_code import shared

_SIGNATURE = [
    ("ptr", "source"), ("ptr", "target"), ("i64", "pitch"), ("ptr", "table"), ("i64", "channels"), ("i64", "positions"),
]  # fmt: skip


def into_picture(module: Module, kind: str, size: int, lanes: int) -> str:
    """`void f(source, target, pitch, table, channels, positions)`: up to `lanes` channels, `pitch` bytes apart, of adjacent positions become vectors
    at target + table[position]; missing channels are zeros."""
    return shared(module, f"into_picture_{kind}{lanes}", _SIGNATURE, lambda f: _write_moved(f, kind, size, lanes, _write_into))


def from_picture(module: Module, kind: str, size: int, lanes: int) -> str:
    """`void f(source, target, pitch, table, channels, positions)`: the vectors at source + table[position] become adjacent positions of up to `lanes`
    channels, `pitch` bytes apart."""
    return shared(module, f"from_picture_{kind}{lanes}", _SIGNATURE, lambda f: _write_moved(f, kind, size, lanes, _write_from))


def _write_moved(f: Function, kind: str, size: int, lanes: int, write) -> None:
    positions, channels = Count(f, f.parameter("positions")), Count(f, f.parameter("channels"))
    everything = channels.compared("sge", lanes)
    whole = Count(f, Emitter(f, 1).select(everything, (positions - positions % lanes).value, Count(f, 0).value))
    counted(f, 0, whole, lanes, lambda p: write(f, kind, size, lanes, p, None))
    counted(f, whole, positions, lanes, lambda p: write(f, kind, size, lanes, p, (positions - p, channels)))
    f.ret()


def _places(f: Function, side: str, lanes: int, p: Count, left: Count | None = None) -> list[Place]:
    """Where the vectors of `lanes` positions from p on stand in the picture; where only some are `left`, that of the first for those behind."""
    e, table, base = Emitter(f, 1), Place(f, f.parameter("table")) + p * 8, Place(f, f.parameter(side))
    entries = [8 * j if left is None else Count(f, e.select(left.compared("sgt", j), e.const("i64", 8 * j), e.const("i64", 0))) for j in range(lanes)]
    return [base + (table + entry).number() for entry in entries]


def _lines(f: Function, side: str, size: int, lanes: int, p: Count) -> list[Place]:
    """Where the elements of each channel stand in the array."""
    return [Place(f, f.parameter(side)) + p * size + Count(f, f.parameter("pitch")) * i for i in range(lanes)]


# `some`: how many positions and channels there are, where these may be fewer than lanes.
def _write_into(f: Function, kind: str, size: int, lanes: int, p: Count, some: tuple[Count, Count] | None) -> None:
    v, lines = Emitter(f, lanes), _lines(f, "source", size, lanes, p)
    if some is None:
        columns = transposed(f, [v.load(line.value, kind, size) for line in lines])
        for place, column in zip(_places(f, "target", lanes, p), columns):
            v.store(column, place.value, size)
        return
    left, channels = some
    inside, zero = v.icmp("slt", v.iota("i64"), left.value), v.const(kind, 0.0)
    masks = [v.and_(inside, v.splat(channels.compared("sgt", i))) for i in range(lanes)]
    columns = transposed(f, [v.masked_load(line.value, kind, size, mask, zero) for line, mask in zip(lines, masks)])
    for j, (place, column) in enumerate(zip(_places(f, "target", lanes, p, left), columns)):
        v.masked_store(column, place.value, size, v.splat(left.compared("sgt", j)))


def _write_from(f: Function, kind: str, size: int, lanes: int, p: Count, some: tuple[Count, Count] | None) -> None:
    v, lines = Emitter(f, lanes), _lines(f, "target", size, lanes, p)
    places = _places(f, "source", lanes, p, some and some[0])
    rows = transposed(f, [v.load(place.value, kind, size) for place in places])
    if some is None:
        for line, row in zip(lines, rows):
            v.store(row, line.value, size)
        return
    left, channels = some
    inside = v.icmp("slt", v.iota("i64"), left.value)
    for i, (line, row) in enumerate(zip(lines, rows)):
        v.masked_store(row, line.value, size, v.and_(inside, v.splat(channels.compared("sgt", i))))


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
