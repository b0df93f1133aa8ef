"""Loops that stay on the device: one whose turns are small, or a scan whose rows are independent of one another, is one kernel.

Its turns are a loop of the kernel.  The state is kept in arrays of the kernel's own: the body reads it, makes the next one beside it, and copies that
over at the end of a turn.  There are two forms:

    rows    every value of the body has an axis of N rows, and no row looks at another one: N threads each run the whole loop, and what they compute
            stays in their registers
    block   one block runs the loop, and its threads wait for each other between the steps of a turn
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...ir import Graph, Literal, Var
from ...ops.reduction import reduce_any
from .. import index as ix
from ..fuse import Loop, fuse, reads
from ..index import Counter, Index
from ..kernel import Buffer, Expression, Expressions, constant, load
from ..steps import Partition, Progression, Routine, Stage
from .rewrite import Rewriter
from .schedule import Geometry, InOrder, Launch, Until, is_independent, launch_of, longest, stages, work

# One block runs a loop whose turns compute up to this many elements in all: beyond, the other multiprocessors are missed.
BLOCK_WORK = 1 << 13

Item = Loop | Stage
Sources = Mapping[Buffer, tuple[Buffer | Progression, tuple[Index, ...]]]
Targets = Mapping[Buffer, tuple[Buffer, tuple[Index, ...]]]


def scan_launch(step: Routine, body: Partition, outside: set[Buffer], geometry: Geometry) -> Launch | None:
    """The kernel of a scan, given the steps of its body; None where the loop must be driven from outside: a turn has library steps, or too much work.

    `outside` are the buffers that other steps read or make.
    """
    if not all(isinstance(s, Stage) for s in body.steps) or not step.node.params["length"]:
        return None
    items = _written(step, body)
    rows = _by_rows(items, {r for r in step.results if isinstance(r, Buffer)}, geometry)
    if rows is not None:
        counter, inside = rows
        return launch_of([counter], inside, 1, outside, geometry)
    turn = next(item.body for item in items if isinstance(item, InOrder))
    return launch_of([], items, geometry.block, outside, geometry) if work(turn) <= BLOCK_WORK else None


def while_launch(step: Routine, cond: Partition, body: Partition, outside: set[Buffer], geometry: Geometry) -> Launch | None:
    """The kernel of a while loop, given the steps of its condition and body; None where the loop must be driven from outside.

    In a loop over `rows` the condition is that of one row, an array.
    """
    params = step.node.params
    (holds,) = cond.outputs
    if params["limit"] is not None or isinstance(holds, Literal) or not all(isinstance(s, Stage) for s in (*cond.steps, *body.steps)):
        return None
    for_cond, for_body = params["cond_consts"], params["body_consts"]
    first = step.operands[for_cond + for_body :]
    states = [Buffer(b.type, "temporary") for b in body.inputs[for_body:]]
    test = _moved(cond, [*step.operands[:for_cond], *states])
    turn = _moved(body, [*step.operands[for_cond : for_cond + for_body], *states])
    turn += [item for s, b in zip(states, body.outputs) for item in _copy(s, b)]
    before = [item for s, x in zip(states, first) for item in _copy(s, x)]
    after = [item for r, s in zip(step.results, states) for item in _copy(r, s)]
    loop = Until(Counter(1), [*test, *turn], holds, len(test))
    if params.get("rows"):
        found = _by_rows([*before, loop, *after], set(step.results), geometry)
        return launch_of([found[0]], found[1], 1, outside, geometry) if found else None
    if work(loop.body) > BLOCK_WORK:
        return None
    return launch_of([], [*before, loop, *after], geometry.block, outside, geometry)


def row_condition(cond: Graph) -> Graph | None:
    """The condition of each row, of a loop over rows."""
    (holds,) = cond.outputs
    made = next((n for n in cond.nodes if holds in n.outputs), None)
    return Graph(cond.inputs, cond.nodes, made.inputs) if made is not None and made.op is reduce_any and type(made.inputs[0]) is Var else None


# -- the loop as stages
def _moved(body: Partition, inputs: Sequence[Buffer]) -> list[Item]:
    """The turn of a body that takes its inputs from where they are."""
    moved = _Moved({b: (x, ()) for b, x in zip(body.inputs, inputs)}, {})
    return [item for nest in fuse(body) for item in moved.block(nest.body)]


def _written(step: Routine, body: Partition) -> list[Item]:
    """The states' first values, the loop, and the results made of the last ones."""
    params = step.node.params
    consts, carry, length = params["consts"], params["carry"], params["length"]
    counter = Counter(length)
    now = ix.of(counter) * -1 + (length - 1) if params["reverse"] else ix.of(counter)
    first, rows = step.operands[consts : consts + carry], step.operands[consts + carry :]
    last, made = step.results[:carry], step.results[carry:]
    states = [Buffer(b.type, "temporary") for b in body.inputs[consts : consts + carry]]
    given = [*((x, ()) for x in (*step.operands[:consts], *states)), *((x, (now,)) for x in rows)]
    targets = {b: (r, (now,)) for b, r in zip(body.outputs[carry:], made) if isinstance(b, Buffer)}
    moved = _Moved(dict(zip(body.inputs, given)), targets)
    turn = [item for nest in fuse(body) for item in moved.block(nest.body)]
    turn += [item for s, b in zip(states, body.outputs[:carry]) for item in _copy(s, b)]
    turn += [item for r, b in zip(made, body.outputs[carry:]) if isinstance(b, Literal) for item in _copy(r, b, (now,))]
    before = [item for s, x in zip(states, first) for item in _copy(s, x)]
    after = [item for r, s in zip(last, states) for item in _copy(r, s)]
    return [*before, InOrder(counter, turn), *after]


def _copy(target: Buffer, source: Buffer | Literal, row: tuple[Index, ...] = ()) -> list[Item]:
    """Loops that copy an array, or a number, to a place."""
    counters = [Counter(n) for n in target.shape[len(row) :]]
    if any(c.extent == 0 for c in counters):
        return []
    at = tuple(map(ix.of, counters))
    value = constant(source.value, source.type.dtype) if isinstance(source, Literal) else load(source, at)
    item: Item = Stage(target, [c for c in counters if c.extent != 1], (*row, *at), value)
    for c in reversed(item.counters):
        item = Loop(c, [item])
    return [item]


class _Moved(Rewriter):
    """The stages of a body where its inputs and outputs are parts of other arrays."""

    def __init__(self, sources: Sources, targets: Targets):
        super().__init__({}, self._from)
        self.sources, self.targets = sources, targets

    def _from(self, buffer: Buffer, at: tuple[Index, ...]) -> Expression:
        source, row = self.sources.get(buffer) or self.targets.get(buffer) or (buffer, ())
        if isinstance(source, Progression):
            return Expressions.index_value(row[0] + source.start, buffer.type.dtype)
        return load(source, (*row, *at))

    def stage(self, stage: Stage, counters: list[Counter] | None = None) -> Stage:
        buffer, row = self.targets.get(stage.buffer, (stage.buffer, ()))
        moved = super().stage(stage, counters)
        return replace(moved, buffer=buffer, target=(*row, *moved.target))


# -- rows that do not look at one another
def _by_rows(items: Sequence[Item], results: set[Buffer], geometry: Geometry) -> tuple[Counter, list[Item]] | None:
    """The counter of the rows and what each of them does; None where rows depend on one another, or are few."""
    flat = [inner for item in items for inner in (item.body if isinstance(item, InOrder) else [item])]
    loops = [item for item in flat if isinstance(item, Loop)]
    extents = {loop.counter.extent for loop in loops}
    if len(extents) != 1 or min(extents) < geometry.rows or not all(map(is_independent, loops)):
        return None
    if any(isinstance(item, Stage) and item.buffer in results for item in flat):
        return None  # a number that all rows would write
    if max(longest(loop.body) for loop in loops) > geometry.short:
        return None
    if not _aligned(flat):
        return None
    row = Counter(extents.pop())
    inside: list[Item] = []
    for item in items:
        if isinstance(item, Until):
            test, turn = ([x for inner in part for x in _of_row(inner, row)] for part in (item.body[: item.tested], item.body[item.tested :]))
            inside.append(Until(item.counter, [*test, *turn], item.holds, len(test), row))
        elif isinstance(item, InOrder):
            inside.append(InOrder(item.counter, [x for inner in item.body for x in _of_row(inner, row)]))
        else:
            inside += _of_row(item, row)
    return row, inside


def _aligned(flat: Sequence[Item]) -> bool:
    """Whether each row reads, of what is made here, its own part alone."""
    axis: dict[Buffer, int | None] = {}
    for item in flat:
        own = ix.of(item.counter) if isinstance(item, Loop) else None
        for s in stages([item]):
            at = next((d for d, i in enumerate(s.target) if i == own), None)
            if (own is not None and at is None) or axis.setdefault(s.buffer, at) != at:
                return False
    for item in flat:
        own = ix.of(item.counter) if isinstance(item, Loop) else None
        for s in stages([item]):
            for e in reads(s):
                at = axis.get(e.data[0])
                if at is not None and e.data[1][at] != own:
                    return False
    return True


def _of_row(item: Item, row: Counter) -> list[Item]:
    """What an item does for one row."""
    return Rewriter({item.counter: ix.of(row)}).block(item.body) if isinstance(item, Loop) else [item]


__all__ = ["row_condition", "scan_launch", "while_launch"]
