"""Forward mode on graphs: dual numbers (`push_forward`), and their split into values and a linear program (`linearize`).

`linearize` is `push_forward` with the primals in the ambient context and the tangents in a new trace.  An operation belongs to the innermost trace
of its arguments, so the program splits itself: what needs no tangent is computed (or staged) outside, and what the tangent program captures *is* the
set of residuals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import replaying
from ..ir import Graph, Node, Var, is_inexact, pure_params
from ..ops.core import zeros
from ..ops.movement import broadcast_to
from ..trace import Trace, bind, type_of
from .guard_select import Masking, guard_select


@replaying
def push_forward(graph: Graph, values: dict[Var, Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Outputs and output tangents of `graph`, in the ambient context.

    `values` holds the primal of every input, and of any other variable that is known already; it is completed as needed.  A tangent is None where it
    is zero.
    """
    graph, masks = guard_select(graph)
    masking = Masking(_on_demand(graph, values)) if masks else None
    tangent = {v: t for v, t in zip(graph.inputs, tangents) if t is not None}
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            op, outputs, params = node.op, node.outputs, node.params
            if any([v not in values for v in outputs]):
                _compute(node, values)
            given = [tangent.get(a) if type(a) is Var else None for a in node.inputs]
            if not any([t is not None for t in given]):
                continue
            for position, mask in masks.get(node, ()):
                if given[position] is not None:
                    given[position] = masking.masked(given[position], mask)
            primals = [values[a] if type(a) is Var else a.value for a in node.inputs]
            params = pure_params(params)  # what has an effect was computed above, and a rule may compute it again
            if op.jvp is None:
                raise TypeError(f"{node.source}: {op.name} has no derivative")
            if op.multiple:
                results = op.jvp(primals, [values[v] for v in outputs], given, **params)
            else:
                results = (op.jvp(primals, values[outputs[0]], given, **params),)
            for var, t in zip(outputs, results):
                if t is not None:
                    # A rule for one of several operands may give a tangent of that operand's shape.
                    tangent[var] = t if type_of(t).shape == var.type.shape else broadcast_to(t, shape=var.type.shape)
    return ([values[a] if type(a) is Var else a.value for a in graph.outputs], [tangent.get(a) if type(a) is Var else None for a in graph.outputs])


def _compute(node: Node, values: dict[Var, Any]) -> None:
    """Complete `values` by the results of a node whose inputs are known."""
    results = bind(node.op, [values[a] if type(a) is Var else a.value for a in node.inputs], node.params)
    values.update(zip(node.outputs, results if node.op.multiple else (results,)))


def _on_demand(graph: Graph, values: dict[Var, Any]) -> Callable[[Var], Any]:
    """Gives the value of a variable, also ahead of its turn: the condition of a branch may be computed after what the branch is made of."""
    producer = {v: n for n in graph.nodes for v in n.outputs}

    def value(wanted: Var) -> Any:
        stack = [wanted]
        while stack:
            if stack[-1] in values:
                stack.pop()
                continue
            node = producer[stack[-1]]
            missing = [a for a in node.inputs if type(a) is Var and a not in values]
            if missing:
                stack += missing
            else:
                _compute(node, values)
        return values[wanted]

    return value


class Linearized(NamedTuple):
    """A linear program: `graph` takes the tangents of the inputs listed in `active`, then `residuals`; it gives the tangents of the outputs listed
    in `reached`.

    The tangents of all other outputs are zero.
    """

    graph: Graph
    residuals: list[Any]
    active: tuple[int, ...]
    reached: tuple[int, ...]


def linearize(graph: Graph, values: dict[Var, Any], active: Sequence[int], what: str) -> tuple[list[Any], Linearized]:
    """Outputs of `graph`, and its linear program in the tangents of the inputs numbered in `active` (others are held fixed)."""
    inner = Trace(f"linearization of {what}")
    given: list[Any] = [None] * len(graph.inputs)
    for i in active:
        given[i] = inner.input(graph.inputs[i].type.strong)
    outputs, tangents = push_forward(graph, values, given)
    reached = tuple(i for i, t in enumerate(tangents) if t is not None)
    linear, residuals = inner.finish([tangents[i] for i in reached])
    return outputs, Linearized(linear, residuals, tuple(active), reached)


def differentiable(types) -> tuple[int, ...]:
    """The positions of the types that have tangents."""
    return tuple(i for i, t in enumerate(types) if is_inexact(t.dtype))


def instantiate(tangent, type_):
    """The array of a tangent that may be a symbolic zero."""
    return zeros(type_) if tangent is None else tangent
