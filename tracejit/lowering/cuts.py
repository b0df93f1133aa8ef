"""How the loops of a stage are cut and ordered before any are fused: short axes by what they were joined from, transposes in tiles, dear functions
along the longest axis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

from . import index as ix
from .index import Counter, Index
from .kernel import Expression, loads, tests
from .steps import Stage

# Axes of up to this many elements are cut where their parts were joined, into at most so many pieces.
SHORT_AXIS, MAX_PIECES = 16, 16
# Dear functions over an innermost axis of up to this many elements run along an outer one that is this many times longer, if what they make stays in
# cache: a vector of 8 lanes takes as long for 3 elements as for 8. A power of 2000 x 3 numbers takes 27 us instead of 76.
FEW_ELEMENTS, TIMES_LONGER, MAX_INTERCHANGED = 6, 32, 1 << 16
# Arrays of this many elements, whose lines are a multiple of so many bytes apart and so share a few sets of the cache, are transposed in tiles of so
# many numbers along the lines that are read and across them: 4096 x 1024 numbers in float32 take 4 ms instead of 28.
LARGE, SHARING_SETS, TILE = 1 << 15, 1024, (128, 8)

Nest = tuple[list[Counter], tuple[Index, ...], Expression]  # loops, the place that a turn stores to, and what it stores
Lower = Callable[[tuple[Index, ...]], Expression]  # what a stage stores at a place


def pieces(nest: Nest, lower: Lower) -> list[Nest]:
    """A stage over a short axis that was put together from parts (a row of numbers computed one by one), part by part: no turn then computes
    all parts and chooses."""
    counters, index, expression = nest
    cuts = {c: {0, c.extent} for c in counters if c.extent <= SHORT_AXIS}
    for test in tests(expression):
        _, at, n = test
        if len(at.terms) == 1 and at.terms[0][1] == 1 and at.terms[0][0] in cuts and test[0] in ("ge", "lt"):
            cuts[at.terms[0][0]].add(min(max(n - at.constant, 0), at.terms[0][0].extent))
    ranges = [[*itertools.pairwise(sorted(cuts[c]))] if c in cuts else [(0, c.extent)] for c in counters]
    if not 1 < math.prod(map(len, ranges)) <= MAX_PIECES:
        return [nest]
    parts = []
    for part in itertools.product(*ranges):
        own = [Counter(stop - start) for start, stop in part]
        moved = iter(ix.of(c) + start for c, (start, _) in zip(own, part))
        at = tuple(next(moved) if i.terms else i for i in index)
        parts.append(([c for c in own if c.extent != 1], at, lower(at)))
    return parts


def tiles(nest: Nest, lower: Lower) -> list[Nest]:
    """A stage that transposes a large array, tile by tile: what a tile reads and writes stays in cache until all of its lines are done."""
    counters, index, expression = nest
    read = _read_along(counters, expression)
    if read is None:
        return [nest]
    outer = [c for c in counters[:-1] if c is not read]
    cut = []
    for cuts in itertools.product(_cuts(read, TILE[0]), _cuts(counters[-1], TILE[1])):
        loops = [own for own, _ in cuts]
        position = {ix.of(c): at for c, (_, at) in zip((read, counters[-1]), cuts)}
        at = tuple(position.get(i, i) for i in index)
        order = [*outer, *(c for own in loops for c in own[:-1]), *(own[-1] for own in loops)]
        cut.append((order, at, lower(at)))
    return cut


def _read_along(counters: list[Counter], expression: Expression) -> Counter | None:
    """The outer loop along whose lines a stage reads a large array that its innermost loop goes through across them, if there is one."""
    if len(counters) < 2 or counters[-1].extent < 2 * TILE[1] or math.prod(c.extent for c in counters) < LARGE:
        return None
    for e in loads(expression):
        position = ix.flatten(e.data[1], e.data[0].shape)
        along = [c for c in counters[:-1] if c.extent >= TILE[0] and position.coefficient(c) == 1]
        across = position.coefficient(counters[-1]) * e.dtype.itemsize
        if along and across and across % SHARING_SETS == 0:
            return along[0]
    return None


def _cuts(counter: Counter, length: int) -> list[tuple[list[Counter], Index]]:
    """The loops over whole tiles of a loop, and the loop over what is left: each with the position in terms of them."""
    whole, rest = divmod(counter.extent, length)
    tile, inside, left = Counter(whole), Counter(length), Counter(rest)
    return [([tile, inside], ix.of(tile) * length + ix.of(inside))] + ([([left], ix.of(left) + whole * length)] if rest else [])


def along_the_long_axis(stage: Stage) -> Stage:
    """A stage of dear functions with its longest loop as the innermost one, where that has few turns: it suits their vectors."""
    if len(stage.counters) < 2 or stage.counters[-1].extent > FEW_ELEMENTS or math.prod(c.extent for c in stage.counters) > MAX_INTERCHANGED:
        return stage
    longest = max(stage.counters, key=lambda c: c.extent)
    if longest.extent < TIMES_LONGER * stage.counters[-1].extent:
        return stage
    return replace(stage, counters=[*(c for c in stage.counters if c is not longest), longest])
