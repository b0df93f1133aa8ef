"""Loop nests merged: stages that run over the same counters share their loops, recursively, and what they pass to one another loses the axes that
live inside one turn.

Softmax, layer norm and their gradients become one pass over rows that stay in L1, with no rule about any of them.

A `Nest` is a block: a list of stages and loops, in order; a loop has a counter and a block.  A stage is merged into a loop of equal extent only if
everything that it reads from the stages inside was complete in the same turn.  Before the outermost loop that a reduction runs over stands a stage
that stores its identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ..ops.core import by_name
from . import index as ix
from .index import Counter, Index
from .kernel import Buffer, Expression, children, constant, load, loads, size, substitute
from .steps import Host, Library, Partition, Routine, Stage, View, identity

# A loop body stops taking in stages at this many operations: beyond it registers spill and LLVM slows down.
MAX_BODY = 400
# How many earlier nests are tried for a stage that does not depend on the last one.
LOOK_BACK = 12
# Loops of this many turns and more are worth vectors of their own.
VECTOR_TURNS = 16


@dataclass(eq=False)
class Loop:
    counter: Counter
    body: list[Loop | Stage] = field(default_factory=list)


@dataclass(eq=False)
class Nest:
    """A block that becomes one kernel; with `chunks` (see `parallel`), a kernel that runs one chunk of its last loop."""

    body: list[Loop | Stage] = field(default_factory=list)
    size: int = 0
    chunks: Any = None

    def stages(self) -> Iterator[Stage]:
        return _stages(self.body)


Item = Nest | Library | Routine | Host


def _stages(body: list[Loop | Stage]) -> Iterator[Stage]:
    for item in body:
        if isinstance(item, Stage):
            yield item
        else:
            yield from _stages(item.body)


def fuse(partition: Partition, side_by_side: bool = False) -> list[Item]:
    """The steps of a partition with its stages merged into nests, in an order that computes everything before it is read.

    Stages over no elements are left out: every loop of a nest turns at least once.  With `side_by_side`, for targets that run the turns of outermost
    loops on many processors, a stage that reduces over such a loop is not merged into one that nothing else reduces over.
    """
    fuser = _Fuser(side_by_side)
    for step in partition.steps:
        if isinstance(step, Stage):
            if all(c.extent for c in step.counters):
                fuser.add(step)
        else:
            fuser.append(step)
    return fuser.items


class _Fuser:
    def __init__(self, side_by_side: bool) -> None:
        self.side_by_side = side_by_side
        self.items: list[Item] = []
        self.place: dict[Buffer, int] = {}  # of each stored value, the item that makes it
        self.reads: dict[Nest, set[Buffer]] = {}
        self.last_read: dict[Buffer, int] = {}  # the last item that reads a value, behind which it may be changed

    def append(self, step: Library | Routine | Host) -> None:
        self.items.append(step)
        last = len(self.items) - 1
        operands = [o.buffer if isinstance(o, View) else o for o in step.operands]
        self.last_read.update((o, last) for o in operands if isinstance(o, Buffer))
        self.place.update((b, last) for b in ([step.result] if isinstance(step, Library) else step.results))

    def add(self, stage: Stage) -> None:
        read = {e.data[0] for e in reads(stage)}
        earliest = max((self.place[b] for b in read if b in self.place), default=-1)
        if stage.into:
            earliest = max(earliest, self.last_read.get(stage.buffer, -1))
        cost = size(stage.expression)
        tried = 0
        for position in range(len(self.items) - 1, max(earliest, 0) - 1, -1):
            nest = self.items[position]
            if not isinstance(nest, Nest) or nest.size + cost > MAX_BODY:
                continue
            tried += 1
            if tried > LOOK_BACK and position != earliest:
                continue
            near = position == earliest or not stage.counters and position == len(self.items) - 1
            if not near and not (self.reads[nest] & read):
                continue  # nothing in common: sharing a loop would gain nothing
            if self._enter(nest, stage):
                break
        else:
            nest, position = Nest(), len(self.items)
            self.items.append(nest)
            self.reads[nest] = set()
            _append(nest.body, resolved(stage, {}), 0)
        nest.size += cost
        self.reads[nest] |= read
        self.place[stage.buffer] = max(position, self.place.get(stage.buffer, -1))
        self.last_read.update((b, max(position, self.last_read.get(b, -1))) for b in read)

    def _enter(self, nest: Nest, stage: Stage) -> bool:
        """Put the stage into the nest, sharing its outermost loop; a stage without loops goes to the end."""
        if not stage.counters:
            nest.body.append(stage)
            return True
        return _merge(nest.body, stage, {}, 0, top=True, side_by_side=self.side_by_side)


def _merge(body: list, stage: Stage, names: dict[Counter, Counter], depth: int, top: bool = False, side_by_side: bool = False) -> bool:
    """Put `stage`, whose first `depth` loops are shared under `names`, into the block. At the top only where a loop can be shared."""
    if depth == len(stage.counters):
        body.append(resolved(stage, names))
        return True
    counter = stage.counters[depth]
    for position in range(len(body) - 1, -1, -1):
        item = body[position]
        apart = side_by_side and isinstance(item, Loop) and _reduces(stage, counter) != any(_reduces(s, item.counter) for s in _stages(item.body))
        if not apart and _is_shared(item, stage, depth) and _allowed(item, stage, {**names, counter: item.counter}, item.counter):
            renamed = {**names, counter: item.counter}
            if depth == _first_reduced(stage):
                body.insert(position, None)  # the identity goes in front of the shared loop
                body[position : position + 1] = _identity_items(stage, renamed, depth)
            return _merge(item.body, stage, renamed, depth + 1)
        if _comes_before(item, stage):
            break
    if top:
        return False
    _append(body, resolved(stage, names), depth)
    return True


def _reduces(stage: Stage, counter: Counter) -> bool:
    """Whether the turns of a loop all write to one place."""
    return not any(counter in i.counters() for i in stage.target)


def _is_shared(item: Loop | Stage, stage: Stage, depth: int) -> bool:
    """Whether the item is a loop that the stage's loop at `depth` may be one with.

    Vector functions stay in innermost loops: to compute a number in every turn of an outer one takes as long as a vector of them.
    """
    if not isinstance(item, Loop) or item.counter.extent != stage.counters[depth].extent:
        return False
    becomes_outer = depth + 1 < len(stage.counters) and all(isinstance(s, Stage) for s in item.body)
    return not (becomes_outer and item.counter.extent >= VECTOR_TURNS and any(map(_is_dear, item.body)))


def _is_dear(stage: Stage) -> bool:
    """Whether the stage computes functions that are dearer than memory."""
    seen: set[Expression] = set()
    stack = [stage.expression]
    while stack:
        e = stack.pop()
        if e not in seen:
            seen.add(e)
            if e.op == "apply" and e.data in by_name and by_name[e.data].dear:
                return True
            stack.extend(children(e))
    return False


def _append(body: list, stage: Stage, depth: int) -> None:
    """The loops of the stage from `depth` on, as new loops at the end of the block."""
    for level in range(depth, len(stage.counters)):
        if level == _first_reduced(stage):
            body += _identity_items(stage, {}, level)
        loop = Loop(stage.counters[level])
        body.append(loop)
        body = loop.body
    body.append(stage)


def reads(stage: Stage) -> list[Expression]:
    """What the stage loads; one that changes an array depends on all that was written there before."""
    own = [load(stage.buffer, stage.target)] if stage.into else []
    return loads(stage.expression) + own + [e for i in stage.target for c in i.computed() for e in loads(c.expression)]


def _first_reduced(stage: Stage) -> int | None:
    """The depth of the outermost loop that the stage reduces over, in front of which its identity is stored; None for a stage that does not
    reduce."""
    if not stage.combine or stage.into:
        return None
    kept = {a for i in stage.target for a, _ in i.terms}
    return next(d for d, c in enumerate(stage.counters) if c not in kept)


def _identity_items(stage: Stage, names: dict[Counter, Counter], depth: int) -> list:
    """The stage that stores the identity of a reduction, with loops over the kept axes that run inside the reduced one."""
    kept = {a for i in stage.target for a, _ in i.terms}
    inner = [c for c in stage.counters[depth:] if c in kept]
    fresh = {c: Counter(c.extent) for c in inner}
    dtype = stage.buffer.type.dtype
    target = tuple(i.substitute({**names, **fresh}) for i in stage.target)
    start = Stage(stage.buffer, [fresh[c] for c in inner], target, constant(identity(stage.combine, dtype), dtype), None, stage.node)
    body: list = []
    _append(body, start, 0)
    return body


def resolved(stage: Stage, names: dict[Counter, Counter]) -> Stage:
    """The stage in other loop counters."""
    if not names:
        return stage
    renamed = lambda x: substitute(x, names)
    return replace(
        stage,
        counters=[names.get(c, c) for c in stage.counters],
        target=tuple(i.substitute(names, renamed) for i in stage.target),
        expression=renamed(stage.expression),
    )


def _comes_before(item: Loop | Stage, stage: Stage) -> bool:
    """Whether the stage reads what the item makes, or changes what it reads."""
    stages = [item] if isinstance(item, Stage) else list(_stages(item.body))
    made = {s.buffer for s in stages}
    return any(e.data[0] in made for e in reads(stage)) or stage.into and any(e.data[0] is stage.buffer for s in stages for e in reads(s))


def _allowed(loop: Loop, stage: Stage, names: dict[Counter, Counter], counter: Counter) -> bool:
    """May the stage run inside this loop?  Only if what it reads from the stages there is complete in the same turn, and was made at the same
    counter; and if what it changes was read there in the same turn, at the same counter."""
    own = ix.of(counter)

    def meet(made: tuple[Index, ...], read: tuple[Index, ...]) -> bool:
        axes = [d for d, i in enumerate(made) if i == own]
        return bool(axes) and all(read[d] == own for d in axes)

    def renamed(index: tuple[Index, ...]) -> tuple[Index, ...]:
        return tuple(i.substitute(names, lambda x: substitute(x, names)) for i in index)

    writers: dict[Buffer, list[Stage]] = {}
    for s in _stages(loop.body):
        writers.setdefault(s.buffer, []).append(s)
    for e in reads(stage):
        for writer in writers.get(e.data[0], ()):
            if not meet(writer.target, renamed(e.data[1])):
                return False
    if stage.into:
        target = renamed(stage.target)
        return all(meet(target, e.data[1]) for s in _stages(loop.body) for e in reads(s) if e.data[0] is stage.buffer)
    return True


__all__ = ["Item", "Loop", "Nest", "fuse", "reads", "resolved"]
