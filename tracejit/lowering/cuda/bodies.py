"""The body of a loop or branch in the place of the kernel where it runs: its inputs and outputs are parts of other arrays there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ...ir import ArrayType, Graph, Literal, Var
from ...ops.reduction import reduce_any
from ...ops.while_loop import Limit
from .. import index as ix
from ..fuse import Loop, Nest, fuse
from ..index import Counter, Index
from ..kernel import Buffer, Expression, Expressions, constant, load
from ..steps import Partition, Progression, Routine, Stage
from .partitioner import turn_steps
from .rewrite import Rewriter
from .schedule import stages

Item = Loop | Stage
Sources = Mapping[Buffer, tuple[Buffer | Literal | Progression, tuple[Index, ...]]]
Targets = Mapping[Buffer, tuple[Buffer, tuple[Index, ...]]]


class Driven(Exception):
    """A loop or branch is not a kernel: the message says why."""


class Form(NamedTuple):
    """How a loop is looked at.

    `tape` is how many turns a tape has at most, and how many states are kept; to `limits` are added those that loops have.  With `rows`, loops over
    as many elements stand outside of others, and the loops of a batch of so many rows end for each of them by its own condition, which is read at
    that counter.
    """

    tape: int
    limits: list[Limit]
    rows: Counter | None = None

    def limited(self, limit: Limit | None) -> tuple[int, int] | None:
        """How many turns a loop may take, and the number that tells of more."""
        if limit is None:
            return None
        if limit not in self.limits:
            self.limits.append(limit)
        return limit.steps, 2 + self.limits.index(limit)


class Moved(Rewriter):
    """A body in another place: its inputs and outputs are parts of other arrays, and all else that it makes has memory of its own.

    `side`: turns that run side by side, each of which has its own part of that memory.
    """

    def __init__(self, sources: Sources, targets: Targets, side: Counter | None = None):
        super().__init__({}, self._from)
        self.sources, self.targets, self.side = dict(sources), dict(targets), side

    def block_of(self, body: Partition, form: Form) -> list[Item]:
        """The items of a body."""
        from .turns import KERNELS, items_of  # which makes bodies too

        found: list[Item] = []
        for item in fuse(body if form.rows is None else _rows_first(body, form.rows.extent)):
            if isinstance(item, Nest):
                found += item.body
            elif isinstance(item, Routine) and item.node.op.kind in KERNELS:
                found += items_of(item, form)
            else:
                raise Driven(f"{item.node.op.name} is a step of its own")
        made = {s.buffer for s in stages(found)} - self.targets.keys() - self.sources.keys()
        self.targets.update((b, self._beside(b)) for b in made)
        return self.block(found)

    def _beside(self, b: Buffer) -> tuple[Buffer, tuple[Index, ...]]:
        if self.side is None:
            return Buffer(b.type, "temporary"), ()
        return Buffer(ArrayType((self.side.extent, *b.shape), b.type.dtype), "temporary"), (ix.of(self.side),)

    def _from(self, buffer: Buffer, at: tuple[Index, ...]) -> Expression:
        source, row = self.targets.get(buffer) or self.sources.get(buffer) or (buffer, ())
        if isinstance(source, Literal):
            return constant(source.value, source.type.dtype)
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


def whole(
    inputs: Sequence[Buffer], arrays: Sequence[Buffer | Progression]
) -> dict[Buffer, tuple[Buffer | Literal | Progression, tuple[Index, ...]]]:
    """Inputs of a body that are arrays of their own."""
    return {b: (x, ()) for b, x in zip(inputs, arrays, strict=True)}


def test_of(params: Mapping, consts: Sequence[Buffer], states: list[Buffer], form: Form) -> tuple[Expression, list[Item]]:
    """The condition of a loop: the number that says whether it goes on, and what makes it."""
    rows = form.rows
    single = row_condition(params["cond"]) if rows is not None and params.get("rows") else None
    by_rows = single is not None and single.out_types[0].shape[:1] == (rows.extent,)
    cond = single if by_rows else params["cond"]
    made = turn_steps(cond)
    (holds,) = made.outputs
    place = Moved(whole(made.inputs, [*consts, *states]), {})
    test = place.block_of(made, form)
    holds = place.output(holds)
    if isinstance(holds, Literal):
        raise Driven("its condition is a constant")
    return load(holds, (ix.of(rows),) if by_rows else ()), test


def row_condition(cond: Graph) -> Graph | None:
    """The condition of each row, of a loop over rows."""
    (holds,) = cond.outputs
    made = next((n for n in cond.nodes if holds in n.outputs), None)
    return Graph(cond.inputs, cond.nodes, made.inputs) if made is not None and made.op is reduce_any and type(made.inputs[0]) is Var else None


__all__ = ["Driven", "Form", "Item", "Moved", "Sources", "Targets", "copies", "copy", "states_of", "test_of", "whole"]
