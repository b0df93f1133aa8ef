"""Large nests cut into chunks for several threads.

The outermost loop of a nest is divided into runs of turns, one a chunk.  Where stages reduce over that loop, each chunk reduces into an array of its
own, and a small nest combines those: the result depends on the number of chunks, which depends on sizes alone, and not on the number of threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..ir import ArrayType
from . import index as ix
from .fuse import Item, Loop, Nest
from .index import Counter
from .kernel import Buffer, Expression, children, constant, load
from .steps import Stage, identity

# Estimated nanoseconds: a vector function, a quotient, another operation, and eight bytes from or to memory, for each element (AVX-512, one core).
DEAR_NS, DIVIDE_NS, CHEAP_NS, MEMORY_NS = 0.8, 0.4, 0.05, 0.25
# A nest is cut from this estimate on. A worker that is awake has a chunk in 0.5 us; waking one takes the caller 10 us, and the worker up to 50.
WORTH_CUTTING_NS = 80_000
# A chunk is not made shorter than this, and there are at most so many.
CHUNK_NS, MAX_CHUNKS = 20_000, 64
# Bytes that the partial results of one reduction may take.
MAX_PARTIAL_BYTES = 1 << 21
# The turns of a chunk of an innermost loop are a multiple of this, so that all but the last are whole vectors.
GRAIN = 256

_CHEAP = {
    "add",
    "subtract",
    "multiply",
    "negative",
    "square",
    "maximum",
    "minimum",
    "select",
    "absolute",
    "less",
    "greater",
    "less_equal",
    "greater_equal",
    "equal",
    "not_equal",
    "logical_and",
    "logical_or",
    "logical_not",
    "isnan",
    "sign",
    "floor",
    "ceil",
    "rint",
    "trunc",
    "convert",
}


@dataclass(eq=False)
class Chunks:
    """`counter` numbers the chunks; each but the last has `turns` turns of the loop."""

    counter: Counter
    turns: int


def parallelize(items: list[Item], threads: int) -> list[Item]:
    """The items with large nests cut; the same list for one thread."""
    if threads < 2:
        return items
    result: list[Item] = []
    for item in items:
        result += _cut(item) if isinstance(item, Nest) and cost(item.body) > WORTH_CUTTING_NS else [item]
    return result


def cost(body: list[Loop | Stage]) -> float:
    """Estimated nanoseconds."""
    return sum(_stage_cost(item) if isinstance(item, Stage) else item.counter.extent * cost(item.body) for item in body)


def _stage_cost(stage: Stage) -> float:
    total = MEMORY_NS * stage.buffer.type.dtype.itemsize / 8
    seen: set[Expression] = set()
    stack = [stage.expression]
    while stack:
        x = stack.pop()
        if x in seen:
            continue
        seen.add(x)
        stack.extend(children(x))
        width = x.dtype.itemsize / 8
        if x.op == "load":
            total += MEMORY_NS * width
        elif x.op in ("apply", "convert"):
            total += width * (CHEAP_NS if x.op == "convert" or x.data in _CHEAP else DIVIDE_NS if x.data == "divide" else DEAR_NS)
    return total


def _cut(nest: Nest) -> list[Item]:
    """The nest in parts, of which the dear loops that can be cut are chunked nests of their own."""
    parts: list[Item] = []
    rest: list[Loop | Stage] = []
    for item in nest.body:
        made = _chunked(item) if isinstance(item, Loop) and cost([item]) > WORTH_CUTTING_NS else None
        if made is None:
            rest.append(item)
        else:
            if rest:
                parts.append(Nest(rest))
                rest = []
            parts += made
    return [*parts, Nest(rest)] if rest else parts


def _chunked(loop: Loop) -> list[Nest] | None:
    n, counter = loop.counter.extent, loop.counter
    grain = GRAIN if all(isinstance(i, Stage) for i in loop.body) else 1
    total = cost([loop])
    wanted = min(MAX_CHUNKS, math.ceil(total / CHUNK_NS), n // grain)
    if wanted < 2:
        return None
    turns = math.ceil(n / wanted / grain) * grain
    chunks = Counter(math.ceil(n / turns))
    if chunks.extent < 2:
        return None
    stages = list(_stages(loop.body))
    if any(s.into and not any(len(i.terms) == 1 and i.terms[0][0] is counter for i in s.target) for s in stages):
        return None  # chunks would write into one another's places
    partial: dict[Buffer, Buffer] = {}
    start: list[Loop | Stage] = []
    finish: list[Nest] = []
    for s in stages:
        if s.combine and not any(counter in i.counters() for i in s.target):
            if chunks.extent * s.buffer.type.nbytes > MAX_PARTIAL_BYTES:
                return None
            own = partial[s.buffer] = Buffer(ArrayType((chunks.extent, *s.buffer.shape), s.buffer.type.dtype), "temporary")
            start += _loops(_over(own, chunks, constant(identity(s.combine, s.buffer.type.dtype), s.buffer.type.dtype)))
            finish.append(_combination(s, own, chunks.extent))
    body = [_moved(item, partial, chunks) for item in loop.body]
    return [Nest([*start, Loop(counter, body)], chunks=Chunks(chunks, turns)), *finish]


def _stages(body):
    for item in body:
        if isinstance(item, Stage):
            yield item
        else:
            yield from _stages(item.body)


def _over(buffer: Buffer, chunks: Counter, expression: Expression) -> Stage:
    """Store an expression in the part of a partial result that a chunk owns."""
    counters = [Counter(n) for n in buffer.shape[1:]]
    return Stage(buffer, [c for c in counters if c.extent != 1], (ix.of(chunks), *map(ix.of, counters)), expression)


def _combination(stage: Stage, own: Buffer, chunks: int) -> Nest:
    """The partial results combined into the array that holds the identity."""
    chunk, kept = Counter(chunks), [Counter(n) for n in stage.buffer.shape]
    at = tuple(map(ix.of, kept))
    counters = [chunk, *(c for c in kept if c.extent != 1)]
    return Nest(_loops(Stage(stage.buffer, counters, at, load(own, (ix.of(chunk), *at)), stage.combine, stage.node, into=True)))


def _loops(stage: Stage) -> list[Loop | Stage]:
    body: list[Loop | Stage] = [stage]
    for c in reversed(stage.counters):
        body = [Loop(c, body)]
    return body


def _moved(item: Loop | Stage, partial: dict[Buffer, Buffer], chunks: Counter) -> Loop | Stage:
    """Reductions over the cut loop go to the chunk's own part."""
    if isinstance(item, Loop):
        return Loop(item.counter, [_moved(i, partial, chunks) for i in item.body])
    if item.combine and item.buffer in partial:
        return replace(item, buffer=partial[item.buffer], target=(ix.of(chunks), *item.target))
    return item


__all__ = ["Chunks", "cost", "parallelize"]
