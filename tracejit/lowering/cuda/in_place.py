"""Outputs that are made in the memory of an input, which nothing reads after that: parameters in a step of training, and the state of its optimizer.

What a program writes into its arguments is an output that the caller copies back.  A step of Adam reads four arrays and writes three; to copy these
would read and write three more.  So the output takes the place of the input, where every step that reads this comes first; or is the one that makes
the output, element by element, each thread from the element that it then writes.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from ...ir import Literal
from .. import index as ix
from ..fuse import Loop, reads
from ..kernel import Buffer, load
from ..plan import touched
from ..steps import Library, Stage, View
from .rewrite import Rewriter
from .schedule import Launch

Outputs = list[Buffer | Literal]


def in_place(steps: list[Any], outputs: Outputs, wanted: Mapping[int, Buffer], fixed: Container = ()) -> tuple[list[Any], Outputs]:
    """The steps and outputs with the outputs in `wanted` (number -> input) in the memory of those inputs, as far as that is possible.

    Steps in `fixed` stay what they are.
    """
    if not wanted:
        return steps, outputs
    steps, touching, written = list(steps), {}, set()
    for k, step in enumerate(steps):
        written |= _results(step)
        for b in _buffers(step):
            touching.setdefault(b, []).append(k)
    for number, target in wanted.items():
        made = outputs[number]
        if not isinstance(made, Buffer) or target in written or not _is_alone(made, target, outputs):
            continue
        at, reading = touching[made], touching.get(target, [])
        if any(steps[k] in fixed for k in at) or any(k > at[0] for k in reading):
            continue
        if at[0] in reading and not (isinstance(steps[at[0]], Launch) and _is_by_element(steps[at[0]], made, target)):
            continue
        for k in at:
            steps[k] = _with(steps[k], made, target)
        outputs = [target if b is made else b for b in outputs]
        written.add(target)
    return steps, outputs


def _is_alone(made: Buffer, target: Buffer, outputs: Outputs) -> bool:
    same = made.shape == target.shape and made.type.dtype == target.type.dtype
    return same and made.role == "output" and outputs.count(made) == 1 and target not in outputs


def _is_by_element(launch: Launch, made: Buffer, target: Buffer) -> bool:
    """Whether each thread of a launch reads of `target` the element that it writes of `made`, before it does."""
    parts = [p for p in launch.sections or (launch,) if {made, target} & _buffers(p)]
    if len(parts) != 1 or parts[0].group != 1 or not all(isinstance(item, Stage) for item in parts[0].body):
        return False
    body = parts[0].body
    writers = [k for k, stage in enumerate(body) if stage.buffer is made]
    if len(writers) != 1 or body[writers[0]].combine or any(e.data[0] is target for stage in body[writers[0] + 1 :] for e in reads(stage)):
        return False
    position = ix.flatten(body[writers[0]].target, made.shape)
    each_once = math.prod(c.extent for c in position.counters()) == made.type.size == parts[0].turns and not position.computed()
    return each_once and all(ix.flatten(e.data[1], target.shape) == position for stage in body for e in reads(stage) if e.data[0] is target)


def _buffers(step: Any) -> set[Buffer]:
    """What a step touches."""
    if isinstance(step, Launch):
        return {b for s in step.stages() for b in (s.buffer, *(e.data[0] for e in reads(s)))}
    return set(touched(step))


def _results(step: Any) -> set[Buffer]:
    if isinstance(step, Launch):
        return {s.buffer for s in step.stages()}
    return {step.result} if isinstance(step, Library) else set(step.results)


def _with(step: Any, old: Buffer, new: Buffer) -> Any:
    """The step with another buffer in the place of one."""
    other = lambda b: new if b is old else b
    if not isinstance(step, Launch):
        operands = [replace(o, buffer=other(o.buffer)) if isinstance(o, View) else other(o) for o in step.operands]
        results = {"result": other(step.result)} if isinstance(step, Library) else {"results": list(map(other, step.results))}
        return replace(step, operands=operands, **results)
    rewriter = Rewriter({}, lambda b, index: load(other(b), index))

    def rewritten(item: Loop | Stage) -> Loop | Stage:
        if isinstance(item, Loop):
            return replace(item, body=list(map(rewritten, item.body)))
        return replace(rewriter.stage(item), buffer=other(item.buffer))

    def launch(x: Launch) -> Launch:
        storage = {other(b): how for b, how in x.storage.items()}
        sections = tuple(map(launch, x.sections))
        body = [item for s in sections for item in s.body] if sections else list(map(rewritten, x.body))
        return replace(x, body=body, storage=storage, sections=sections)

    return launch(step)


__all__ = ["in_place"]
