"""`where(c, f(x), g(x))` must not leak NaN from the branch that was not taken.

The derivative of f at an x outside its domain is infinite, and the zero cotangent that the select sends there would become 0 * inf = NaN.  So before differentiation every value x that
enters a branch is replaced by `mask_gradient(c, x)`, the same value, whose derivative flows only where c holds: its transpose is a select, which drops the NaN.
Only branches with an op that can have such a derivative (`op.singular`) are touched.
"""
from __future__ import annotations

from functools import lru_cache

from ..ir import Graph, Node, Var, is_inexact
from ..ops.elementwise import logical_not, mask_gradient, select

Guard = tuple[Var, bool]   # a condition, and whether it must be true or false


@lru_cache(maxsize=1024)
def guard_select(graph: Graph) -> Graph:
    """The graph with masks in front of singular branches; the same object where there are none."""
    if not any(n.op is select for n in graph.nodes) or not any(n.op.singular for n in graph.nodes):
        return graph
    guards = _guards(graph)
    singular = _reaches_singular(graph, guards)
    nodes: list[Node] = []
    masks: dict[tuple[Guard, Var], Var] = {}
    negations: dict[Var, Var] = {}

    def condition(guard: Guard) -> Var:
        c, wanted = guard
        if wanted:
            return c
        if c not in negations:
            negations[c] = Var(c.type)
            nodes.append(Node(logical_not, (c,), {}, (negations[c],)))
        return negations[c]

    def masked(x: Var, needed: frozenset[Guard]) -> Var:
        for guard in sorted(needed, key=lambda g: order[g[0]]):
            if (guard, x) not in masks:
                masks[guard, x] = Var(x.type)
                nodes.append(Node(mask_gradient, (condition(guard), x), {}, (masks[guard, x],)))
            x = masks[guard, x]
        return x

    order = {v: i for i, v in enumerate([*graph.inputs, *(v for n in graph.nodes for v in n.outputs)])}
    for node in graph.nodes:
        inside = guards[node.outputs[0]]
        inputs = []
        for a in node.inputs:
            enters = type(a) is Var and node.outputs[0] in singular and is_inexact(a.type.dtype) and a.type.shape == node.outputs[0].type.shape
            missing = inside - guards[a] if enters else frozenset()
            inputs.append(masked(a, missing) if missing else a)
        nodes.append(node if tuple(inputs) == node.inputs else Node(node.op, tuple(inputs), node.params, node.outputs, node.source))
    return Graph(graph.inputs, _in_order(nodes), graph.outputs)


def _in_order(nodes: list[Node]) -> tuple[Node, ...]:
    """The nodes with definitions before uses: a mask reads its condition, which may have been computed after the branch that it now guards."""
    producer = {v: n for n in nodes for v in n.outputs}
    placed: dict[Node, None] = {}
    for root in nodes:
        stack = [root]
        while stack:
            node = stack[-1]
            waiting = [producer[a] for a in node.inputs if a in producer and producer[a] not in placed] if node not in placed else []
            if waiting:
                stack.extend(waiting)
            else:
                placed.setdefault(stack.pop())
    return tuple(placed)


def _elementwise(node: Node) -> bool:
    return node.op.kind == "pointwise" and all(a.type.shape in ((), node.outputs[0].type.shape) for a in node.inputs) and bool(node.inputs)


def _guards(graph: Graph) -> dict[Var, frozenset[Guard]]:
    """For each variable, the conditions under which alone it is used, elementwise and at its own shape."""
    everything = None   # of a variable without readers yet: the intersection over no readers
    guards: dict[Var, frozenset[Guard] | None] = {v: everything for v in graph.inputs}
    guards.update((v, everything) for n in graph.nodes for v in n.outputs)

    def meet(atom, found: frozenset[Guard]) -> None:
        if type(atom) is Var:
            known = guards[atom]
            guards[atom] = found if known is None else known & found

    for atom in graph.outputs:
        meet(atom, frozenset())
    for node in reversed(graph.nodes):
        own = guards[node.outputs[0]] or frozenset()
        shape = node.outputs[0].type.shape
        for position, a in enumerate(node.inputs):
            if not _elementwise(node) or a.type.shape != shape:
                meet(a, frozenset())
            elif node.op is select and position and type(node.inputs[0]) is Var and node.inputs[0].type.shape == shape:
                meet(a, own | {(node.inputs[0], position == 1)})
            else:
                meet(a, own)
    for v in graph.inputs:   # an input is never inside a branch: it is what enters one
        guards[v] = frozenset()
    return {v: g or frozenset() for v, g in guards.items()}


def _reaches_singular(graph: Graph, guards) -> set[Var]:
    """Results of singular ops inside a branch, and everything inside a branch that such a result is computed from."""
    found: set[Var] = set()
    for node in reversed(graph.nodes):
        out = node.outputs[0]
        if guards[out] and (node.op.singular or out in found):
            found.add(out)
            found.update(a for a in node.inputs if type(a) is Var and guards[a])
    return found
