"""Loops and branches as blocks of stages, one inside of the other: what a kernel does in their place.

The state of a loop is kept in arrays of the kernel's own: the body reads it, makes the next one beside it, and copies that over at the end of a turn.
Branches all write to the arrays of the result.
"""

from __future__ import annotations

from collections.abc import Callable

from ...ir import ArrayType, Literal
from ...ir.types import INT
from .. import index as ix
from ..fuse import Loop
from ..index import Counter, Index
from ..kernel import Buffer, load
from ..steps import Partition, Routine
from .bodies import Form, Item, Moved, Sources, Targets, copies, copy, states_of, test_of, whole
from .control import Branches, Until, whole_parts
from .partitioner import launches_of, turn_steps
from .schedule import InOrder
from .there_and_back import there_and_back


def items_of(step: Routine, form: Form) -> list[Item]:
    """What a loop or branch does, as a block. Raises Driven where that has no kernel."""
    return _MAKERS[step.node.op.kind](step, form)


# -- loops of a known number of turns
def _scan(step: Routine, form: Form) -> list[Item]:
    params = step.node.params
    consts, carry, length = params["consts"], params["carry"], params["length"]
    first, last = step.operands[consts : consts + carry], step.results[:carry]
    if not length:
        return copies(last, first)
    body = turn_steps(params["body"])
    states = states_of(body.inputs[consts : consts + carry])
    counter = Counter(length)
    now = ix.of(counter) * -1 + (length - 1) if params["reverse"] else ix.of(counter)
    turn = _turn(step, body, states, now, Moved, form)
    return [*copies(states, first), InOrder(counter, turn, launches_of(params["body"])), *copies(last, states)]


def _turn(
    step: Routine, body: Partition, states: list[Buffer], now: Index, moved: Callable[[Sources, Targets], Moved], form: Form
) -> list[Item]:
    params = step.node.params
    consts, carry = params["consts"], params["carry"]
    scanned, made = step.operands[consts + carry :], step.results[carry:]
    sources = whole(body.inputs[: consts + carry], [*step.operands[:consts], *states]) | {
        b: (x, (now,)) for b, x in zip(body.inputs[consts + carry :], scanned, strict=True)
    }
    place = moved(sources, {b: (r, (now,)) for b, r in zip(body.outputs[carry:], made) if isinstance(b, Buffer)})
    turn = place.block_of(body, form) + copies(states, [place.output(b) for b in body.outputs[:carry]])
    return turn + [item for r, b in zip(made, body.outputs[carry:]) if isinstance(b, Literal) for item in copy(r, b, (now,))]


def side_by_side(step: Routine, form: Form) -> Loop | None:
    """A scan without a state, whose turns may run in any order: the loop over them, in which each has memory of its own. None for any other loop."""
    params = step.node.params
    if step.node.op.kind != "scan" or params["carry"] or params["length"] < 2:
        return None
    counter = Counter(params["length"])
    turn = _turn(step, turn_steps(params["body"]), [], ix.of(counter), lambda sources, targets: Moved(sources, targets, counter), form)
    return Loop(counter, turn)


# -- loops that end on a condition
def _while(step: Routine, form: Form) -> list[Item]:
    params = step.node.params
    for_cond, for_body = params["cond_consts"], params["body_consts"]
    body = turn_steps(params["body"])
    states = states_of(body.inputs[for_body:])
    condition, test = test_of(params, step.operands[:for_cond], states, form)
    place = Moved(whole(body.inputs, [*step.operands[for_cond : for_cond + for_body], *states]), {})
    turn = place.block_of(body, form) + copies(states, [place.output(b) for b in body.outputs])
    inside, ends = whole_parts([test, turn])
    loop = Until(Counter(1), inside, launches_of(params["cond"]) + launches_of(params["body"]), condition, ends, form.limited(params["limit"]))
    return [*copies(states, step.operands[for_cond + for_body :]), loop, *copies(step.results, states)]


# -- branches
def _switch(step: Routine, form: Form) -> list[Item]:
    index, *operands = step.operands
    chosen = Buffer(ArrayType((), INT), "temporary")
    parts = []
    for branch in step.node.params["branches"]:
        body = turn_steps(branch)
        place = Moved(whole(body.inputs, operands), {b: (r, ()) for b, r in zip(body.outputs, step.results) if isinstance(b, Buffer)})
        part = place.block_of(body, form)
        parts.append(part + [item for r, b in zip(step.results, body.outputs) if isinstance(b, Literal) for item in copy(r, b)])
    body, ends = whole_parts(parts)
    return [*copy(chosen, index), Branches(Counter(1), body, max(map(launches_of, step.node.params["branches"])), load(chosen, ()), ends)]


_MAKERS = {"scan": _scan, "while": _while, "switch": _switch, "sweeps": there_and_back}
KERNELS = frozenset(_MAKERS)

__all__ = ["KERNELS", "items_of", "side_by_side"]
