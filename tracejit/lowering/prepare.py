"""The graph as lowering wants it: calls inlined, every product of arrays a product of matrices, and ops expanded into those they are made of.

Replaying into a new builder shares equal values across what were calls, and applies the local identities once more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from ..ir import Atom, Builder, Graph, Literal, Node, Var, checked
from ..ops.dot import as_matrices, dot_general
from ..ops.elementwise import convert, equal
from ..ops.movement import iota, reshape, transpose
from ..ops.scan import scan
from ..trace import Trace, Tracer


def prepare(graph: Graph) -> Graph:
    """An equal graph without calls, in which every `dot_general` multiplies stacks of matrices: (batch, m, k) by (batch, k, n), or (m, k) by (k,
    n)."""
    trace = Trace("lowering")
    builder = trace.builder
    inputs = [builder.input(t) for t in graph.in_types]
    outputs = _inline(trace, graph, inputs)
    region = {node: start for start, stop in reversed(builder.regions) for node in builder.nodes[start:stop]}
    return checked(_merge_loops(builder.finish(tuple(outputs)), region), "prepared graph")


def _merge_loops(graph: Graph, region: dict[Node, int]) -> Graph:
    """A scan, and the one that linearization made of it, which gives its residuals too, are one loop where both are wanted, in the same `region`: a
    scan that is run again for a checkpoint is not the one that was run before."""
    fuller = {(n.params["base"], n.inputs, region.get(n)): n for n in graph.nodes if n.op is scan and n.params.get("base") is not None}
    if not fuller:
        return graph
    same: dict[Var, Var] = {}
    nodes: list[Node] = []
    done: set[Node] = set()
    for node in graph.nodes:
        if node in done:
            continue
        place = region.get(node)
        node = node._replace(inputs=tuple(same.get(a, a) for a in node.inputs)) if any(a in same for a in node.inputs) else node
        full = fuller.get((node.params["body"], node.inputs, place)) if node.op is scan else None
        if full is not None and full not in done:
            same.update(zip(node.outputs, full.outputs))
            done.add(full)
            node = full
        nodes.append(node)
    return Graph(graph.inputs, tuple(nodes), tuple(same.get(a, a) for a in graph.outputs))


def _inline(trace: Trace, graph: Graph, args: Sequence[Atom]) -> list[Atom]:
    builder = trace.builder
    env: dict[Var, Any] = dict(zip(graph.inputs, args))
    for node in graph.nodes:
        inputs = tuple([env[a] if type(a) is Var else a for a in node.inputs])
        inner = node.op.inline and node.op.inline(*[a.type for a in node.inputs], **node.params)
        if inner is not None:
            with builder.apart() if node.params.get("again") else nullcontext():
                outputs = _inline(trace, inner, inputs)
        elif node.op is dot_general:
            outputs = (_as_matrix_product(builder, node, *inputs),)
        else:
            outputs = _expanded(trace, node, inputs) or builder.emit(node.op, inputs, node.params, node.source)
        env.update(zip(node.outputs, outputs))
    return [a if type(a) is Literal else env[a] for a in graph.outputs]


def _expanded(trace: Trace, node: Node, inputs: Sequence[Atom]) -> tuple[Atom, ...] | None:
    """What the op is made of, where it says so."""
    result = node.op.expand and node.op.expand(*[Tracer(trace, a) for a in inputs], **node.params)
    return None if result is None else (result.atom,)


def _is_identity(builder: Builder, atom: Atom) -> bool:
    """Whether the value is the identity matrix as a comparison of positions, which is what the unit tangents of a Jacobian are."""
    while made := builder.produced_by(atom, transpose) or builder.produced_by(atom, convert):
        (atom,) = made.inputs
    made = builder.produced_by(atom, equal)
    if made is None or len(atom.type.shape) != 2 or atom.type.shape[0] != atom.type.shape[1]:
        return False
    counts = [builder.produced_by(a, iota) for a in made.inputs]
    return all(counts) and {c.params["axis"] for c in counts} == {0, 1} and all(c.params["shape"] == atom.type.shape for c in counts)


def _product_with_identity(builder: Builder, node: Node, x: Atom, y: Atom) -> Atom | None:
    """The other factor with its axes in the order of the product's, where one of the two is the identity; else None."""
    (contract_x, contract_y), batch = node.params["contract"], node.params["batch"]
    if len(contract_x) != 1 or batch[0]:
        return None
    if _is_identity(builder, y):
        other, last, rank = x, contract_x[0], len(x.type.shape)
        permutation = (*(d for d in range(rank) if d != last), last)
    elif _is_identity(builder, x):
        other, first, rank = y, contract_y[0], len(y.type.shape)
        permutation = (first, *(d for d in range(rank) if d != first))
    else:
        return None
    return builder.emit(transpose, (other,), {"permutation": permutation}, node.source)[0]


def _as_matrix_product(builder: Builder, node: Node, x: Atom, y: Atom) -> Atom:
    simple = _product_with_identity(builder, node, x, y)
    if simple is not None:
        return simple
    contract, batch = node.params["contract"], node.params["batch"]
    nb, nc = len(batch[0]), len(contract[0])
    px, py = as_matrices(len(x.type.shape), len(y.type.shape), contract, batch)
    shape_x, shape_y = [x.type.shape[p] for p in px], [y.type.shape[p] for p in py]
    lead = [math.prod(shape_x[:nb])] if nb else []
    m, k, n = math.prod(shape_x[nb : len(shape_x) - nc]), math.prod(shape_y[nb : nb + nc]), math.prod(shape_y[nb + nc :])

    def matrices(a: Atom, permutation, shape) -> Atom:
        (moved,) = builder.emit(transpose, (a,), {"permutation": permutation}, node.source)
        return builder.emit(reshape, (moved,), {"shape": tuple(shape)}, node.source)[0]

    operands = matrices(x, px, (*lead, m, k)), matrices(y, py, (*lead, k, n))
    axes = ((2,), (1,)), ((0,), (0,))
    (product,) = builder.emit(dot_general, operands, {"contract": axes[0] if nb else ((1,), (0,)), "batch": axes[1] if nb else ((), ())}, node.source)
    return builder.emit(reshape, (product,), {"shape": node.outputs[0].type.shape}, node.source)[0]
