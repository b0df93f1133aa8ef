"""`checkpoint(*args, graph, policy, again)`: a graph applied as one operation, whose derivative computes its values again.

What a program keeps for the backward program is what the tangents of its operations read.  The tangent of a checkpoint reads its arguments, and the
values inside that its policy saves; everything else is computed from them a second time, by a graph that holds the tangents too.  That graph is a
checkpoint itself, with `again` set: when lowering inlines it, it shares nothing with what was computed before, or the work would be saved and the
memory spent.

`policy(op, *types, **params)` says of an operation inside whether its results are saved.  `named` is the identity that gives a value a name for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..interpret import replay
from ..ir import Graph, Var
from ..trace import Trace, type_of
from ..transforms.forward import push_forward
from .bodies import build
from .call import batched_graph, call, infer_call, transposed_graph
from .core import Linear, define
from .movement import broadcast_to

Policy = Callable[..., bool]


class _Split(NamedTuple):
    """A checkpoint for differentiation.

    `saving` is its graph with the saved values as further outputs, if it `saves` any; `tangents` takes arguments, saved values, active tangents and
    `outside`, and gives the tangents of the outputs numbered in `reached`.
    """

    saving: Graph
    saves: bool
    tangents: Graph
    outside: list[Any]
    reached: tuple[int, ...]


def _saved(graph: Graph, policy: Policy | None) -> list[Var]:
    if policy is None:
        return []
    return [v for n in graph.nodes if policy(n.op, *[a.type for a in n.inputs], **n.params) for v in n.outputs]


def _split(graph: Graph, active: tuple[int, ...], policy: Policy | None) -> _Split:
    def make():
        saved, count = _saved(graph, policy), len(graph.inputs)
        reached: list[int] = []

        def function(*args):
            values = dict(zip((*graph.inputs, *saved), args))
            given: list[Any] = [None] * count
            for i, t in zip(active, args[count + len(saved) :]):
                given[i] = t
            moved = push_forward(graph, values, given)[1]
            reached.extend(i for i, t in enumerate(moved) if t is not None)
            return [t for t in moved if t is not None]

        types = [*graph.in_types, *(v.type for v in saved), *(graph.inputs[i].type for i in active)]
        tangents, outside = build(types, function)
        read = {a for n in tangents.nodes for a in n.inputs} | set(tangents.outputs)
        given = tangents.inputs[count : count + len(saved)]
        kept = [(v, i) for v, i in zip(saved, given) if i in read]
        inputs = (*tangents.inputs[:count], *(i for _, i in kept), *tangents.inputs[count + len(saved) :])
        saving = Graph(graph.inputs, graph.nodes, (*graph.outputs, *(v for v, _ in kept))) if kept else graph
        return _Split(saving, bool(kept), Graph(inputs, tangents.nodes, tangents.outputs), outside, tuple(reached))

    return graph.derived(("checkpoint", active, policy), make)


def _jvp(primals, outs, tangents, graph, policy, again):
    active = tuple(i for i, t in enumerate(tangents) if t is not None)
    made = _split(graph, active, policy)
    result: list[Any] = [None] * len(outs)
    if not made.reached:
        return tuple(result)
    saved = checkpoint(*primals, graph=made.saving, policy=policy, again=again)[len(outs) :] if made.saves else ()
    moved = checkpoint(*primals, *saved, *[tangents[i] for i in active], *made.outside, graph=made.tangents, policy=policy, again=True)
    for i, t in zip(made.reached, moved):
        result[i] = t
    return tuple(result)


def _transpose(cts, *inputs, graph, policy, again):
    turned, outside, reached = transposed_graph(graph, tuple(isinstance(x, Linear) for x in inputs), tuple(ct is not None for ct in cts))
    fixed = [x for x in inputs if not isinstance(x, Linear)]
    results = checkpoint(*[ct for ct in cts if ct is not None], *fixed, *outside, graph=turned, policy=policy, again=True)
    out: list[Any] = [None] * len(inputs)
    for i, ct in zip(reached, results):
        out[i] = ct
    return tuple(out)


def _batch(args, batched, graph, policy, again):
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    inner, outside, marks = batched_graph(graph, tuple(batched), n)
    results = checkpoint(*args, *outside, graph=inner, policy=policy, again=again)
    return tuple(r if m else broadcast_to(r, shape=(n, *type_of(r).shape)) for r, m in zip(results, marks))


checkpoint = define(
    "checkpoint",
    infer=lambda *types, graph, policy, again: infer_call(*types, graph=graph),
    run=lambda xp, *args, graph, policy, again: tuple(replay(graph, args)),
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    inline=lambda *types, graph, policy, again: graph,
    kind="call",
    multiple=True,
)


def flat(graph: Graph) -> Graph:
    """The graph with the calls in it inlined, so that a policy sees what they do."""

    def inlined(graph: Graph, args):
        env = dict(zip(graph.inputs, args))
        for node in graph.nodes:
            inputs = [env[a] if type(a) is Var else a.value for a in node.inputs]
            if node.op is call:
                results = inlined(node.params["graph"], inputs)
            else:
                results = node.op(*inputs, **node.params)
                results = results if node.op.multiple else (results,)
            env.update(zip(node.outputs, results))
        return [env[a] if type(a) is Var else a.value for a in graph.outputs]

    if not any(n.op is call for n in graph.nodes):
        return graph
    trace = Trace("checkpoint")
    return trace.finish(inlined(graph, [trace.input(t) for t in graph.in_types]))[0]


named = define(
    "named",
    infer=lambda x, name: x.strong,
    run=lambda xp, x, name: x,
    jvp=lambda primals, out, tangents, name: tangents[0],
    batch=lambda args, batched, name: named(args[0], name=name),
    lower=lambda k, xs, index, name: xs[0].broadcast(index),
    expand=lambda x, name: x,
    show=lambda x, name: x,
    singular=False,
    elementwise=True,
)
