"""Elementwise kernels that read across the lines of memory, by way of tiles in shared memory.

A warp reads 32 neighbouring numbers in one access, and 32 numbers of different lines in 32.  So where a kernel writes along one axis and reads along
another, a block takes a square tile: it reads the tile along the lines of the source into shared memory, and computes from there along the lines of
the result.  The lines of a tile have one place more than they need, which puts a column of it into different banks.
"""

from __future__ import annotations

import math

from ...ir import ArrayType
from .. import index as ix
from ..fuse import Loop
from ..index import Counter, Index
from ..kernel import Buffer, Expression, load, loads
from ..steps import Stage
from .rewrite import Rewriter
from .schedule import Geometry, Launch, launch_of


def tiled(launch: Launch, outside: set[Buffer], geometry: Geometry) -> list[Launch]:
    """The launch itself, or one by tiles and those of what whole tiles do not cover."""
    found = _across(launch, geometry)
    if found is None:
        return [launch]
    along, reads = found
    last, side = launch.outer[-1], geometry.tile
    rest = [c for c in launch.outer[:-1] if c is not along]
    made = [_by_tiles(launch, rest, along, last, reads, outside, geometry)]
    whole_along, whole_last = along.extent // side * side, last.extent // side * side
    if whole_along < along.extent:
        made.append(_part(launch, {along: (whole_along, along.extent)}, outside, geometry))
    if whole_last < last.extent:
        made.append(_part(launch, {along: (0, whole_along), last: (whole_last, last.extent)}, outside, geometry))
    return made


def _across(launch: Launch, geometry: Geometry) -> tuple[Counter, list[Expression]] | None:
    """The loop along whose lines large arrays are read, while the last loop goes across them; and those reads."""
    if launch.group != 1 or launch.turns < geometry.large or not all(isinstance(s, Stage) and not s.into and not s.combine for s in launch.body):
        return None
    last = launch.outer[-1]
    found: dict[Counter, list[Expression]] = {}
    for e in dict.fromkeys(e for s in launch.body for e in loads(s.expression)):
        if any(i.computed() for i in e.data[1]) or math.prod(e.data[0].shape) < geometry.large or launch.storage[e.data[0]].private:
            continue
        position = ix.flatten(e.data[1], e.data[0].shape)
        along = next((c for c in launch.outer[:-1] if position.coefficient(c) == 1), None)
        if along is not None and abs(position.coefficient(last)) >= geometry.tile:
            found.setdefault(along, []).append(e)
    if not found:
        return None
    along, reads = max(found.items(), key=lambda item: len(item[1]))
    return (along, reads) if min(along.extent, last.extent) >= geometry.tile and len(reads) <= 4 else None


def _by_tiles(launch, rest: list[Counter], along: Counter, last: Counter, reads: list[Expression], outside, geometry: Geometry) -> Launch:
    side = geometry.tile
    down, right = Counter(along.extent // side), Counter(last.extent // side)
    place = lambda tile, inside: ix.of(tile) * side + ix.of(inside)
    u, v = Counter(side), Counter(side)  # while reading: of `last`, and of `along`, which is adjacent
    reading = Rewriter({along: place(down, v), last: place(right, u)})
    tiles = {e: Buffer(ArrayType((side, side + 1), e.dtype), "temporary") for e in reads}
    fill = [Stage(tile, [u, v], (ix.of(u), ix.of(v)), reading.expression(e)) for e, tile in tiles.items()]
    a, b = Counter(side), Counter(side)  # while writing: of `along`, and of `last`, which is adjacent
    in_tile = {_key(e): load(tile, (ix.of(b), ix.of(a))) for e, tile in tiles.items()}
    taken = _Taking({along: place(down, a), last: place(right, b)}, in_tile)
    compute = [taken.stage(s, [*rest, down, right, a, b]) for s in launch.body]
    body = [Loop(u, [Loop(v, fill)]), Loop(a, [Loop(b, compute)])]
    return launch_of([*rest, down, right], body, geometry.block, outside, geometry)


def _key(e: Expression) -> tuple[Buffer, tuple[Index, ...]]:
    return e.data[0], e.data[1]


class _Taking(Rewriter):
    """Takes the reads of tiles from there."""

    def __init__(self, counters, in_tile: dict[tuple, Expression]):
        super().__init__(counters)
        self.in_tile = in_tile

    def _made(self, e: Expression) -> Expression:
        return self.in_tile.get(_key(e)) or super()._made(e) if e.op == "load" else super()._made(e)


def _part(launch: Launch, ranges: dict[Counter, tuple[int, int]], outside: set[Buffer], geometry: Geometry) -> Launch:
    """The launch for a part of the turns of some of its loops."""
    own = {c: Counter(stop - start) for c, (start, stop) in ranges.items()}
    moved = Rewriter({c: ix.of(own[c]) + start for c, (start, _) in ranges.items()})
    outer = [own.get(c, c) for c in launch.outer]
    return launch_of(outer, [moved.stage(s, outer) for s in launch.body], 1, outside, geometry)


__all__ = ["tiled"]
