"""What the rules of loops and branches share: graphs as bodies, derived once and remembered, split for differentiation, batched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ..interpret import replay
from ..ir import ArrayType, Graph, Var
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
