"""What the rules of loops and branches share: graphs as bodies, derived once and remembered, split for differentiation, batched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ..interpret import replay
from ..ir import ArrayType, Graph, Node, Var
from ..trace import Trace, Tracer, type_of
from ..transforms.batch import batch as batch_graph
from ..transforms.forward import linearize
from .core import zeros
from .movement import broadcast_to


def build(types: Sequence[ArrayType], function: Callable[..., Sequence[Any]]) -> tuple[Graph, list[Any]]:
    """The graph of a function of proxies of these types, and the outside values that its last inputs stand for."""
    trace = Trace("the body of a loop or branch")
    return trace.finish(function(*[trace.input(t.strong) for t in types]))


def _values(graph: Graph, args: Sequence[Any]) -> dict[Var, Any]:
    return dict(zip(graph.inputs, args))


class Split:
    """A body for differentiation: `forward` gives outputs and then residuals; `linear` maps active tangents and residuals to the reached ones."""

    def __init__(self, body: Graph, active: tuple[int, ...]):
        def function(*args):
            outputs, made = linearize(body, _values(body, args), active, "a loop or branch")
            self.linear, self.reached, self.count = made.graph, made.reached, len(made.residuals)
            return [*outputs, *made.residuals]

        self.active = active
        self.forward, self.outside = build(body.in_types, function)

    def moved(self, count: int, tangents: Sequence[Any], residuals: Sequence[Any]) -> list[Any]:
        """The tangents of all `count` outputs, None where zero."""
        out: list[Any] = [None] * count
        for i, t in zip(self.reached, replay(self.linear, [*tangents, *residuals])):
            out[i] = t
        return out


def split(body: Graph, active: tuple[int, ...]) -> Split:
    """The split of a body for the inputs numbered in `active`."""
    return body.derived(("split", active), lambda: Split(body, active))


def parts(args, consts, carry):
    """A loop's arguments: constants, state, rows."""
    return args[:consts], args[consts : consts + carry], args[consts + carry :]


def grow(flags: list[bool], carry: slice, step: Callable[[tuple[bool, ...]], Sequence[bool]]) -> list[bool]:
    """The least set of marked inputs that contains `flags` and, in the carry, everything that a turn marks."""
    while True:
        out = step(tuple(flags))
        grown = [f or o for f, o in zip(flags[carry], out)]
        if grown == flags[carry]:
            return flags
        flags = [*flags[: carry.start], *grown, *flags[carry.stop :]]


def to_keep(
    body: Graph, nodes: Sequence[Node], read: Sequence[Var], constants: Collection[Var], available: Collection[Var]
) -> tuple[list[Var], list[Node]]:
    """The values of a loop's body that must be kept for the way back, which reads those in `read`; and the nodes that it computes again from those,
    from the loop's `constants` and from what is `available` at each turn anyway.

    Computed again is what depends on constants alone, and cheap elementwise work on values that are there: it is fused into what reads it, and costs
    no more than a store and a load. What is kept falls to 0.56 of it for Runge and Kutta's method on two coupled equations, and to 0.67 for
    sin(s) + 0.001 s * s; the time is the same or less.
    """
    free, invariant = {*constants, *available}, set(constants)
    for node in nodes:
        inputs = [a for a in node.inputs if type(a) is Var]
        if not node.op.effect and all(a in invariant for a in inputs):
            invariant.update(node.outputs)
            free.update(node.outputs)
        elif _is_cheap(node) and all(a in free for a in inputs):
            free.update(node.outputs)
    producer = {v: node for node in nodes for v in node.outputs}

    def is_there(v: Var, steps: int) -> bool:
        if v in free or v in wanted:
            return True
        node = producer.get(v)
        return node is not None and steps > 0 and _is_cheap(node) and all(is_there(a, steps - 1) for a in node.inputs if type(a) is Var)

    wanted, kept, again = set(read), [], []
    for node in reversed(nodes):
        if not any(v in wanted and v not in available for v in node.outputs):
            continue
        inputs = [a for a in node.inputs if type(a) is Var]
        if all(v in free for v in node.outputs) or _is_cheap(node) and all(is_there(a, _STEPS) for a in inputs):
            again.append(node)
            wanted.update(inputs)
        else:
            kept += [v for v in node.outputs if v in wanted and v not in available]
    return [v for v in body.inputs if v in wanted and v not in free] + kept[::-1], again[::-1]


_STEPS = 2  # as long may be what is computed again for one value, besides its own


def _is_cheap(node: Node) -> bool:
    return node.op.elementwise and not node.op.dear


def positions(flags: Sequence[bool]) -> tuple[int, ...]:
    return tuple(i for i, f in enumerate(flags) if f)


def materialize(tangents, primals, flags):
    return [zeros(type_of(p)) if t is None else t for t, p, f in zip(tangents, primals, flags) if f]


def cut(args, *counts):
    parts, at = [], 0
    for n in counts:
        parts.append(args[at : at + n])
        at += n
    return parts


def captures_first(graph: Graph, before: int, captured: int) -> Graph:
    """The graph with its captured inputs, which come last, behind the first `before` ones."""
    if not captured:
        return graph
    inputs = graph.inputs
    return Graph((*inputs[:before], *inputs[-captured:], *inputs[before:-captured]), graph.nodes, graph.outputs)


def batched_body(body: Graph, flags: tuple[bool, ...], n: int, wanted: tuple[bool, ...]):
    """The body of a batch of n: graph, what it captures, and which outputs carry the batch axis; those in `wanted` are made to."""

    def make():
        marks: list[bool] = []

        def function(*args):
            outputs, found = batch_graph(body, args, flags)
            for i, w in enumerate(wanted):
                if w and not found[i]:
                    outputs[i], found[i] = broadcast_to(outputs[i], shape=(n, *type_of(outputs[i]).shape)), True
            marks.extend(found)
            return outputs

        graph, outside = build([t._replace(shape=(n, *t.shape)) if f else t for t, f in zip(body.in_types, flags)], function)
        return graph, outside, tuple(marks)

    return body.derived(("batch", flags, n, wanted), make)


def same_captures(made: Sequence[tuple[Graph, list[Any]]]) -> tuple[tuple[Graph, ...], list[Any]]:
    """The graphs, each taking the captures of all. What several capture is one input: an array that all of them update can be updated in place."""
    place: dict[Any, int] = {}
    everything: list[Any] = []
    for _, outside in made:
        for key, v in _numbered(outside):
            if place.setdefault(key, len(everything)) == len(everything):
                everything.append(v)
    graphs = []
    for graph, outside in made:
        own = len(graph.inputs) - len(outside)
        fill = [Var(type_of(v).strong) for v in everything]
        for (key, _), var in zip(_numbered(outside), graph.inputs[own:]):
            fill[place[key]] = var
        graphs.append(Graph((*graph.inputs[:own], *fill), graph.nodes, graph.outputs))
    return tuple(graphs), everything


def _numbered(values: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Each value with a key for what it is, and how often that came before."""
    seen: Counter = Counter()
    found = []
    for x in values:
        what = (x.owner, x.atom) if type(x) is Tracer else id(x)
        found.append(((what, seen[what]), x))
        seen[what] += 1
    return found
