"""Loops and branches as blocks of stages, one inside of the other: what a kernel does in their place.

The state of a loop is kept in arrays of the kernel's own: the body reads it, makes the next one beside it, and copies that over at the end of a turn.
Branches all write to the arrays of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ...ir import ArrayType, Graph, Literal, Var
from ...ir.types import INT
from ...ops.reduction import reduce_any
from .. import index as ix
from ..fuse import Loop, Nest, fuse
from ..index import Counter, Index
from ..kernel import Buffer, Expression, Expressions, constant, load
from ..steps import Partition, Progression, Routine, Stage
from .control import Branches, Until, whole_parts
from .partitioner import turn_steps
from .rewrite import Rewriter
from .schedule import InOrder, stages

Item = Loop | Stage
Sources = Mapping[Buffer, tuple[Buffer | Progression, tuple[Index, ...]]]
Targets = Mapping[Buffer, tuple[Buffer, tuple[Index, ...]]]


class Driven(Exception):
    """A loop or branch is not a kernel: the message says why."""


def items_of(step: Routine, rows: Counter | None = None) -> list[Item]:
    """What a loop or branch does, as a block. With `rows`, loops over as many elements stand outside of others, and the loops of a batch of so many
    rows end for each of them by its own condition, which is read at that counter.

    Raises Driven where that has no kernel.
    """
    return _MAKERS[step.node.op.kind](step, rows)


# -- bodies
class _Moved(Rewriter):
    """A body in another place: its inputs and outputs are parts of other arrays, and all else that it makes has memory of its own.

    `side`: turns that run side by side, each of which has its own part of that memory.
    """

    def __init__(self, sources: Sources, targets: Targets, side: Counter | None = None):
        super().__init__({}, self._from)
        self.sources, self.targets, self.side = dict(sources), dict(targets), side

    def block_of(self, body: Partition, rows: Counter | None) -> tuple[list[Item], int]:
        """The items of a body, and how many launches they take where they are none of one."""
        found: list[Item] = []
        steps = 0
        for item in fuse(body if rows is None else _rows_first(body, rows.extent)):
            steps += 1
            if isinstance(item, Nest):
                found += item.body
                steps += 2 * sum(_is_product(s) for s in item.stages())
            elif isinstance(item, Routine) and item.node.op.kind in KERNELS:
                found += items_of(item, rows)
            else:
                raise Driven(f"{item.node.op.name} is a step of its own")
        made = {s.buffer for s in stages(found)} - self.targets.keys() - self.sources.keys()
        self.targets.update((b, self._beside(b)) for b in made)
        return self.block(found), steps

    def _beside(self, b: Buffer) -> tuple[Buffer, tuple[Index, ...]]:
        if self.side is None:
            return Buffer(b.type, "temporary"), ()
        return Buffer(ArrayType((self.side.extent, *b.shape), b.type.dtype), "temporary"), (ix.of(self.side),)

    def _from(self, buffer: Buffer, at: tuple[Index, ...]) -> Expression:
        source, row = self.targets.get(buffer) or self.sources.get(buffer) or (buffer, ())
        if isinstance(source, Progression):
            return Expressions.index_value(row[0] + source.start, buffer.type.dtype)
        return load(source, (*row, *at))

    def stage(self, stage: Stage, counters: list[Counter] | None = None) -> Stage:
        buffer, row = self.targets.get(stage.buffer, (stage.buffer, ()))
        moved = super().stage(stage, counters)
        return replace(moved, buffer=buffer, target=(*row, *moved.target))

    def output(self, b: Buffer | Literal) -> Buffer | Literal:
        """Where an output of the body is, which no target was given for."""
        return b if isinstance(b, Literal) or b not in self.targets else self.targets[b][0]


def _rows_first(body: Partition, extent: int) -> Partition:
    """The steps with loops over an axis of so many rows outside of others."""

    def first(stage: Stage) -> Stage:
        row = next((c for i in stage.target for c in stage.counters if c.extent == extent and i == ix.of(c)), None)
        return replace(stage, counters=sorted(stage.counters, key=lambda c: c is not row)) if row is not None else stage

    return replace(body, steps=[first(step) if isinstance(step, Stage) else step for step in body.steps])


def _is_product(stage: Stage) -> bool:
    return stage.node is not None and stage.node.op.kind == "dot"


def copy(target: Buffer, source: Buffer | Literal, row: tuple[Index, ...] = (), row_of_source: tuple[Index, ...] = ()) -> list[Item]:
    """Loops that copy an array, or a number, to a place."""
    counters = [Counter(n) for n in target.shape[len(row) :]]
    if any(c.extent == 0 for c in counters):
        return []
    at = tuple(map(ix.of, counters))
    value = constant(source.value, source.type.dtype) if isinstance(source, Literal) else load(source, (*row_of_source, *at))
    item: Item = Stage(target, [c for c in counters if c.extent != 1], (*row, *at), value)
    for c in reversed(item.counters):
        item = Loop(c, [item])
    return [item]


def copies(targets: Sequence[Buffer], sources: Sequence[Buffer | Literal]) -> list[Item]:
    return [item for t, s in zip(targets, sources, strict=True) for item in copy(t, s)]


def states_of(inputs: Sequence[Buffer]) -> list[Buffer]:
    """Memory for the state of a loop that takes these inputs."""
    return [Buffer(b.type, "temporary") for b in inputs]


def whole(inputs: Sequence[Buffer], arrays: Sequence[Buffer | Progression]) -> dict[Buffer, tuple[Buffer | Progression, tuple[Index, ...]]]:
    """Inputs of a body that are arrays of their own."""
    return {b: (x, ()) for b, x in zip(inputs, arrays, strict=True)}


# -- loops of a known number of turns
def _scan(step: Routine, rows: Counter | None) -> list[Item]:
    params = step.node.params
    consts, carry, length = params["consts"], params["carry"], params["length"]
    first, last = step.operands[consts : consts + carry], step.results[:carry]
    if not length:
        return copies(last, first)
    body = turn_steps(params["body"])
    states = states_of(body.inputs[consts : consts + carry])
    counter = Counter(length)
    now = ix.of(counter) * -1 + (length - 1) if params["reverse"] else ix.of(counter)
    turn, steps = _turn(step, body, states, now, _Moved, rows)
    return [*copies(states, first), InOrder(counter, turn, steps), *copies(last, states)]


def _turn(
    step: Routine, body: Partition, states: list[Buffer], now: Index, moved: Callable[[Sources, Targets], _Moved], rows: Counter | None
) -> tuple[list[Item], int]:
    params = step.node.params
    consts, carry = params["consts"], params["carry"]
    scanned, made = step.operands[consts + carry :], step.results[carry:]
    sources = whole(body.inputs[: consts + carry], [*step.operands[:consts], *states]) | {
        b: (x, (now,)) for b, x in zip(body.inputs[consts + carry :], scanned, strict=True)
    }
    place = moved(sources, {b: (r, (now,)) for b, r in zip(body.outputs[carry:], made) if isinstance(b, Buffer)})
    turn, steps = place.block_of(body, rows)
    turn += copies(states, [place.output(b) for b in body.outputs[:carry]])
    return turn + [item for r, b in zip(made, body.outputs[carry:]) if isinstance(b, Literal) for item in copy(r, b, (now,))], steps


def side_by_side(step: Routine) -> Loop | None:
    """A scan without a state, whose turns may run in any order: the loop over them, in which each has memory of its own. None for any other loop."""
    params = step.node.params
    if step.node.op.kind != "scan" or params["carry"] or params["length"] < 2:
        return None
    counter = Counter(params["length"])
    turn, _ = _turn(step, turn_steps(params["body"]), [], ix.of(counter), lambda sources, targets: _Moved(sources, targets, counter), rows=None)
    return Loop(counter, turn)


# -- loops that end on a condition
def _while(step: Routine, rows: Counter | None) -> list[Item]:
    params = step.node.params
    for_cond, for_body = params["cond_consts"], params["body_consts"]
    if params["limit"] is not None:
        raise Driven("its turns are limited by max_steps")
    body = turn_steps(params["body"])
    states = states_of(body.inputs[for_body:])
    condition, test = _test(params, step.operands[:for_cond], states, rows)
    place = _Moved(whole(body.inputs, [*step.operands[for_cond : for_cond + for_body], *states]), {})
    turn, steps = place.block_of(body, rows)
    turn += copies(states, [place.output(b) for b in body.outputs])
    inside, ends = whole_parts([test, turn])
    loop = Until(Counter(1), inside, steps + 1, condition, ends)
    return [*copies(states, step.operands[for_cond + for_body :]), loop, *copies(step.results, states)]


def _test(params: Mapping, consts: Sequence[Buffer], states: list[Buffer], rows: Counter | None) -> tuple[Expression, list[Item]]:
    """The condition of a loop: the number that says whether it goes on, and what makes it."""
    single = row_condition(params["cond"]) if rows is not None and params.get("rows") else None
    by_rows = single is not None and single.out_types[0].shape[:1] == (rows.extent,)
    cond = single if by_rows else params["cond"]
    made = turn_steps(cond)
    (holds,) = made.outputs
    place = _Moved(whole(made.inputs, [*consts, *states]), {})
    test, _ = place.block_of(made, rows)
    holds = place.output(holds)
    if isinstance(holds, Literal):
        raise Driven("its condition is a constant")
    return load(holds, (ix.of(rows),) if by_rows else ()), test


def row_condition(cond: Graph) -> Graph | None:
    """The condition of each row, of a loop over rows."""
    (holds,) = cond.outputs
    made = next((n for n in cond.nodes if holds in n.outputs), None)
    return Graph(cond.inputs, cond.nodes, made.inputs) if made is not None and made.op is reduce_any and type(made.inputs[0]) is Var else None


# -- branches
def _switch(step: Routine, rows: Counter | None) -> list[Item]:
    index, *operands = step.operands
    chosen = Buffer(ArrayType((), INT), "temporary")
    parts, most = [], 1
    for branch in step.node.params["branches"]:
        body = turn_steps(branch)
        place = _Moved(whole(body.inputs, operands), {b: (r, ()) for b, r in zip(body.outputs, step.results) if isinstance(b, Buffer)})
        part, steps = place.block_of(body, rows)
        parts.append(part + [item for r, b in zip(step.results, body.outputs) if isinstance(b, Literal) for item in copy(r, b)])
        most = max(most, steps)
    body, ends = whole_parts(parts)
    return [*copy(chosen, index), Branches(Counter(1), body, most, load(chosen, ()), ends)]


_MAKERS = {"scan": _scan, "while": _while, "switch": _switch}
KERNELS = frozenset(_MAKERS)

__all__ = ["KERNELS", "Driven", "Item", "copies", "copy", "items_of", "row_condition", "side_by_side", "states_of", "whole"]
