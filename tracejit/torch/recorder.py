"""The two steps of autograd that every operation takes, as functions written for the plan: making the node, and going back through it.

What there is to do is known when the plan is made: which operands have an edge, which arrays are saved, in which order gradients come out.  A
function without loops over that takes 0.7 us for a product of two tensors, where one that asks each time took 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..api.variant import MISS
from ..trace import Tracer
from .modes import state
from .nodes import count, pack
from .storage import here

TENSOR, WANTED, PLAIN = 0, 1, 2
"""What an operand is: a tensor that needs no gradient, one that needs it, a number or array."""


class Shape(NamedTuple):
    """All that the functions of a plan depend on; plans that agree in it share their source."""

    kinds: tuple[int, ...]  # of each operand
    operands: tuple[int, ...]  # those that are saved
    results: tuple[int, ...]
    moving: tuple[bool, ...]  # of each result: whether it has a gradient
    alone: bool  # the primitive gives a tensor, not a tuple
    reached: tuple[int, ...]  # operands that gradients come out for
    straight: bool  # whether every gradient is the one cotangent as it is


def recorder(shape: Shape, node_type: type, plan: Any) -> Callable[[tuple, Any, Any], None]:
    """The function `note(operands, arrays, results)`, which notes in the results how they were made."""
    return _source(_note, shape)(node_type, plan)


def way_back(shape: Shape, plan: Any) -> Callable[[Any, Any], tuple]:
    """The function `back(node, cotangent)`, which gives a gradient for each operand, None where there is none; of a node of several results it takes
    a dictionary of their cotangents, of which those that are missing are zeros."""
    return _source(_back, shape)(plan, plan.running)


@lru_cache(1024)
def _source(write: Callable[[Shape], str], shape: Shape) -> Callable:
    space: dict[str, Any] = {
        "new": object.__new__, "count": count, "state": state, "here": here, "held": _held, "MISS": MISS, "pack": pack, "refuse": _refuse,
    }  # fmt: skip
    exec(compile(write(shape), f"<{write.__name__[1:]} of {len(shape.kinds)} operands>", "exec"), space)
    return space["make"]


def _held(x: Any) -> Any:
    return x if type(x) is Tracer else np.asarray(x)[()]


def _refuse() -> None:
    raise RuntimeError("Inference tensors cannot be saved for backward. To work around you can make a clone to get a normal tensor.")


def _note(shape: Shape) -> str:
    used = [i for i, kind in enumerate(shape.kinds) if kind == WANTED or i in shape.operands]
    lines, edges, saved = [], [], []
    for i in used:
        lines.append(f"o{i} = operands[{i}]")
    for i, kind in enumerate(shape.kinds):
        if kind == WANTED:
            lines += [  # as `Tensor._edge`, without its call
                f"n = o{i}._node", f"if n is not None: e{i} = n, o{i}._nr", "else:", f"    n = o{i}._accumulator",
                "    if n is not None: n = n()", f"    e{i} = (n, 0) if n is not None else o{i}._edge",
            ]  # fmt: skip
        edges.append(f"e{i}," if kind == WANTED else "None,")
    for i in shape.operands:
        if shape.kinds[i] == PLAIN:
            saved.append(f"held(o{i}), None, 0,")
        else:
            lines += [f"if o{i}._inference: refuse()", f"s{i} = o{i}._storage"]
            saved.append(f"arrays[{i}], s{i}, s{i}.version,")
    results = ["results"] if shape.alone else [f"results[{i}]" for i in range(len(shape.moving))]
    for i in shape.results:
        lines += [f"r{i} = {results[i]}", f"z{i} = r{i}._storage"]
        saved.append(f"r{i}._data, z{i}, z{i}.version,")
    lines += [
        "node = new(kind)", f"node.edges = ({' '.join(edges)})", "node.sequence = count()", "node.extras = None", "node.place = here(4)",
        "node.plan = plan", "node.back = plan.back", f"node.saved = ({' '.join(saved)})",
    ]  # fmt: skip
    for i, (result, moving) in enumerate(zip(results, shape.moving)):
        if moving:
            lines += [f"r = {result}", "r._node, r._requires = node, True"]
            if i:
                lines.append(f"r._nr = {i}")
    lines.append("modes = state.__dict__")
    if saved:
        lines.append("if modes['saved_hooks']: pack(node)")
    lines.append("if modes['anomaly']: node.note_stack()")
    return _function("make(kind, plan)", "note(operands, arrays, results)", lines)


def _back(shape: Shape) -> str:
    saved = [f"x{i}, s{i}, v{i}," for i in range(len(shape.operands) + len(shape.results))]
    kinds = [*[shape.kinds[i] for i in shape.operands], *[TENSOR] * len(shape.results)]
    checks = [f"s{i}.version != v{i}" for i, kind in enumerate(kinds) if kind != PLAIN]
    places = {i: n for n, i in enumerate(shape.reached)}

    def results(name: Callable[[int], str]) -> str:
        return f"({' '.join([(name(places[i]) if i in places else 'None') + ',' for i in range(len(shape.kinds))])})"

    if shape.straight:
        return _function("make(plan, way)", "back(node, g)", [f"return {results(lambda n: 'g')}"])
    lines = []
    slowly = f"return node.apply({'{0: g}' if shape.alone else 'g'}, False)"
    if saved:
        lines += ["saved = node.saved", f"if type(saved) is not tuple: {slowly}", f"{' '.join(saved)} = saved"]
        if checks:
            lines.append(f"if {' or '.join(checks)}: {slowly}")  # which raises
    cotangents = ["g"] if shape.alone else [f"g{i}" for i, moving in enumerate(shape.moving) if moving]
    for name in cotangents if not shape.alone else ():
        lines += [f"{name} = g.get({name[1:]})", f"if {name} is None: {name} = node._zeros(plan.out_types[{name[1:]}], False)"]
    values = ", ".join([*[f"x{i}" for i in range(len(saved))], *cotangents])
    lines += [
        "entry = way.entry", f"if entry is None: out = way.slow({values})", "else:", f"    out = entry({values})",
        f"    if out is MISS: out = way.slow({values})",
    ]  # fmt: skip
    full = len(shape.reached) == len(shape.kinds)
    lines.append("return out" if full else f"return {results(lambda n: f'out[{n}]')}")
    return _function("make(plan, way)", "back(node, g)", lines)


def _function(outer: str, inner: str, lines: Sequence[str]) -> str:
    body = "\n".join([f"        {line}" for line in lines])
    return f"def {outer}:\n    def {inner}:\n{body}\n    return {inner.partition('(')[0]}\n"
