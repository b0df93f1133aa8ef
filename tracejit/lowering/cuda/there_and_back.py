"""Reverse mode through a loop of unknown length, in a kernel: its turns, and then those of the way back, from the last to the first.

What a turn leaves for the way back lies on a tape.  Since nobody knows how many turns there will be, the tape has room for some, and the state of the
loop is kept at the beginning of every so many turns.  A turn that is no longer on the tape is made once more from the nearest state that was kept,
with those behind it.  Where there is no room for another state, every second one goes: any number of turns works in the memory that there is, and up
to a million of a small loop are made twice at most.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...ir import ArrayType
from ...ops.sweeps import arguments
from .. import index as ix
from ..index import Counter
from ..kernel import Buffer
from ..steps import Partition, Routine
from .bodies import Driven, Form, Item, Moved, Sources, Targets, copies, copy, states_of, test_of, whole
from .control import ThereAndBack, whole_parts
from .partitioner import launches_of, turn_steps
from .schedule import InOrder

# The bytes that a tape may take, and as many the states that are kept.
TAPE_BYTES = 1 << 25


def there_and_back(step: Routine, form: Form) -> list[Item]:
    """What `sweeps` of a loop and its way back do, as a block. Raises Driven where that has no kernel."""
    params = step.node.params
    if len(params["layout"]) != 2:
        raise Driven(f"it goes over its turns {len(params['layout'])} times, as derivatives of derivatives do")
    there, back = map(turn_steps, params["bodies"])
    for_cond, ((consts, first), (back_consts, back_first)) = arguments(step.operands, params["cond_consts"], params["layout"])
    results, back_results = step.results[: len(first)], step.results[len(first) :]
    states = states_of(there.inputs[len(consts) :])
    rows = there.outputs[len(first) :]
    stored = [b for b in rows if isinstance(b, Buffer)]
    slot, place = (Counter(_room(arrays, form.tape)) for arrays in (stored, states))
    on_tape = {b: (_several(b, slot), (ix.of(slot),)) for b in stored}
    condition, test = test_of(params, for_cond, states, form)
    turn = _turn(there, whole(there.inputs, [*consts, *states]), on_tape, states, form)

    back_states = states_of(back.inputs[len(back_consts) : len(back_consts) + len(back_first)])
    sources = whole(back.inputs[: len(back_consts) + len(back_first)], [*back_consts, *back_states])
    for b, (_, r) in zip(back.inputs[len(sources) :], params["layout"][1].reads, strict=True):
        sources[b] = on_tape.get(rows[r], (rows[r], ()))
    back_turn = _turn(back, sources, {}, back_states, form)

    kept = [_several(b, place) for b in states]
    here, half = (ix.of(place),), Counter(place.extent // 2)
    keep = [item for k, s in zip(kept, states) for item in copy(k, s, here)]
    thinned = [item for k in kept for item in copy(k, k, (ix.of(half),), (ix.of(half) * 2,))]
    again = [item for k, s in zip(kept, states) for item in copy(s, k, (), here)]
    body, ends = whole_parts([test, turn, copies(results, states), back_turn, keep, [InOrder(half, thinned)], again])
    launches = sum(map(launches_of, (params["cond"], *params["bodies"])))
    loop = ThereAndBack(Counter(1), body, launches, condition, ends, form.limited(params["limit"]), slot, place)
    return [*copies(states, first), *copies(back_states, back_first), loop, *copies(back_results, back_states)]


def _turn(body: Partition, sources: Sources, targets: Targets, states: list[Buffer], form: Form) -> list[Item]:
    """A turn of a loop."""
    moved = Moved(sources, targets)
    return moved.block_of(body, form) + copies(states, [moved.output(b) for b in body.outputs[: len(states)]])


def _room(arrays: Sequence[Buffer], most: int) -> int:
    """How many copies of the arrays there is memory for: a power of two."""
    fit = TAPE_BYTES // max(1, sum(b.type.nbytes for b in arrays))
    return min(most, max(2, 1 << max(fit, 1).bit_length() - 1))


def _several(b: Buffer, counter: Counter) -> Buffer:
    return Buffer(ArrayType((counter.extent, *b.shape), b.type.dtype), "temporary")
