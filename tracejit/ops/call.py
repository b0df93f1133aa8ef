"""`call(*args, graph)`: a graph applied as one operation. It is what a jitted function becomes inside another trace.

Its rules transform the graph once and call the result; what they make is kept with it.  Lowering inlines every call before it
fuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..interpret import replay
from ..ir import Graph
from ..trace import Trace, type_of
from .core import Linear, define

# How a call on plain arrays is computed: (graph, args) -> outputs. The compiler puts itself here when it is loaded.
executor: Callable[[Graph, list[Any]], list[Any]] = replay


def _linearized(graph: Graph, active: tuple[int, ...]):
    """(forward graph: inputs -> outputs and residuals; linear graph: active tangents and residuals -> reached tangents; reached)"""

    def make():
        from ..transforms.forward import linearize

        trace = Trace("call")
        args = [trace.input(t) for t in graph.in_types]
        outputs, linear = linearize(graph, dict(zip(graph.inputs, args)), active, "call")
        # What comes from outside the call is a constant of the rules (a zero): it becomes an input of the linear graph and is passed again.
        forward, outside = trace.finish([*outputs, *linear.residuals])
        return forward, outside, linear.graph, linear.reached

    return graph.derived(("linearize", active), make)


def _jvp(primals, outs, tangents, graph):
    active = tuple(i for i, t in enumerate(tangents) if t is not None)
    forward, outside, linear, reached = _linearized(graph, active)
    results = call(*primals, *outside, graph=forward)
    moved = call(*[tangents[i] for i in active], *results[len(outs) :], graph=linear)
    out: list[Any] = [None] * len(outs)
    for i, t in zip(reached, moved):
        out[i] = t
    return tuple(out)


def _transpose(cts, *inputs, graph):
    moving = tuple(isinstance(x, Linear) for x in inputs)
    arrived = tuple(ct is not None for ct in cts)
    turned, outside, reached = transposed_graph(graph, moving, arrived)
    results = call(*[ct for ct in cts if ct is not None], *[x for x, m in zip(inputs, moving) if not m], *outside, graph=turned)
    out: list[Any] = [None] * len(inputs)
    for i, ct in zip(reached, results):
        out[i] = ct
    return tuple(out)


def transposed_graph(graph: Graph, moving: tuple[bool, ...], arrived: tuple[bool, ...]):
    """The graph from the cotangents that arrived, and then the inputs that do not move, to cotangents of those that do; the values from outside that
    it takes last; and the numbers of the inputs whose cotangents it gives."""

    def make():
        from ..transforms.backward import transpose

        first = [i for i, m in enumerate(moving) if m]
        rest = [i for i, m in enumerate(moving) if not m]
        ordered = Graph(tuple(graph.inputs[i] for i in (*first, *rest)), graph.nodes, graph.outputs)
        trace = Trace("transpose of a call")
        cts = [trace.input(t) if a else None for t, a in zip(graph.out_types, arrived)]
        fixed = [trace.input(graph.inputs[i].type) for i in rest]
        back = transpose(ordered, len(first), fixed, cts)
        reached = tuple(i for i, ct in zip(first, back) if ct is not None)
        turned, outside = trace.finish([ct for ct in back if ct is not None])
        return turned, outside, reached

    return graph.derived(("transpose", moving, arrived), make)


def batched_graph(graph: Graph, batched: tuple[bool, ...], n: int):
    """The graph of a batch of n, the values from outside that it takes last, and which of its outputs carry the batch axis."""

    def make():
        from ..transforms.batch import batch

        trace = Trace("vmap of a call")
        types = [t._replace(shape=(n, *t.shape)) if b else t for t, b in zip(graph.in_types, batched)]
        outputs, marks = batch(graph, [trace.input(t) for t in types], batched)
        inner, outside = trace.finish(outputs)
        return inner, outside, tuple(marks)

    return graph.derived(("batch of calls", batched, n), make)


def _batch(args, batched, graph):
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    inner, outside, marks = batched_graph(graph, tuple(batched), n)
    results = call(*args, *outside, graph=inner)
    from .movement import broadcast_to

    return tuple(r if m else broadcast_to(r, shape=(n, *type_of(r).shape)) for r, m in zip(results, marks))


def infer_call(*types, graph):
    have, want = tuple(t.strong for t in types), tuple(t.strong for t in graph.in_types)
    if have != want:
        raise TypeError(f"call: the graph takes {', '.join(map(str, want))}, got {', '.join(map(str, have))}")
    return tuple(t.strong for t in graph.out_types)


call = define(
    "call",
    infer=infer_call,
    run=lambda xp, *args, graph: executor(graph, list(args)),
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    inline=lambda *types, graph: graph,
    kind="call",
    multiple=True,
    show=lambda *args, graph: f"{graph}({', '.join(args)})",
)
