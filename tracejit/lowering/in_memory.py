"""Which results of a program can be computed in the very memory of one of its inputs, which the caller then passes as the result's too."""

from __future__ import annotations

from collections.abc import Sequence

from .fuse import Nest
from .plan import may_fail, touched
from .program import Program
from .reuse import in_place


def over_inputs(program: Program, inputs: Sequence[int | None]) -> list[bool]:
    """Whether the output in each place of `inputs` can lie over the input of that number: nothing reads what was there any more when it is made, and
    nothing can fail after that."""
    items = program.items
    fallible = max((time for time, item in enumerate(items) if may_fail(item)), default=-1)
    steps = [set(touched(item)) for item in items]
    found = []
    for number, new in zip(inputs, program.partition.outputs):
        old = None if number is None else program.partition.inputs[number]
        made = next(time for time, there in enumerate(steps) if new in there)
        last = max((time for time, there in enumerate(steps) if old in there), default=-1)
        there = items[made]
        alone = last < made or last == made and isinstance(there, Nest) and (new, old) in in_place(there, {old}, {new})
        found.append(alone and made > fallible)
    return found
