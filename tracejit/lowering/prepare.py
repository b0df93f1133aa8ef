"""The graph as lowering wants it: calls inlined, every product of arrays a product of matrices, and ops expanded into those they are made of.

Replaying into a new builder shares equal values across what were calls, and applies the local identities once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from ..errors import Source
from ..ir import ArrayType, Atom, Builder, Graph, Literal, Node, Var, checked
from ..ir.graph import live_nodes
from ..ops.dot import dot_general
from ..ops.elementwise import add
from ..ops.movement import transpose
from ..ops.scan import scan
from ..trace import Trace, Tracer
from .joined_sums import join_sums
from .outer_sums import sums_outside
from .products import matrix_product

# In loops of fewer turns, and for products of fewer multiplications, a transposed factor stays as it is.
FEW_TURNS, SMALL_PRODUCT = 4, 4096
# Kinds of ops whose results are sums of products.
SUMS_OF_PRODUCTS = ("dot", "taps", "picture", "winograd")


Expansion = Callable[[Node], Callable | None]
"""What computes a node by other ops, from its arguments and parameters; None where it stays itself."""


def own_expansion(node: Node) -> Callable | None:
    """What the op itself says."""
    return node.op.expand


def prepare(graph: Graph, expansion: Expansion = own_expansion) -> Graph:
    """An equal graph without calls, in which every `dot_general` multiplies stacks of matrices: (batch, m, k) by (batch, k, n), or (m, k) by (k,
    n). Ops are expanded into those that they are made of for the target.

    It is made once: the body of a loop is asked for by several who plan the loop.
    """
    return graph.derived(("prepared", expansion), lambda: _prepare(graph, expansion))


def _prepare(graph: Graph, expansion: Expansion) -> Graph:
    trace = Trace("lowering")
    builder = trace.builder
    inputs = [builder.input(t) for t in graph.in_types]
    outputs = _inline(trace, graph, inputs, expansion)
    region = {node: start for start, stop in reversed(builder.regions) for node in builder.nodes[start:stop]}
    merged = _merge_loops(builder.finish(tuple(outputs)), region)
    turned = join_sums(_turn_products(merged))
    return checked(_turn_factors(sums_outside(turned, lambda inner: prepare(inner, expansion))), "prepared graph")


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


def _turn_products(graph: Graph) -> Graph:
    """`(x @ y.T).T` as `y @ x.T`, and `(x.T @ y).T` as `y.T @ x`, so that the result stands in memory as it is wanted.

    The first is what a product with vectors becomes for a batch of them; the second the gradient of a weight that is multiplied by transposed.
    """
    producer = {v: n for n in graph.nodes if n.op in (transpose, dot_general) for v in n.outputs}
    uses = Counter(a for n in graph.nodes for a in n.inputs) + Counter(graph.outputs)
    nodes: list[Node] = []

    def turned(a: Atom, source: Source | None) -> Atom:
        before = producer.get(a)
        if before is not None and before.op is transpose:
            return before.inputs[0]
        result = Var(ArrayType(a.type.shape[::-1], a.type.dtype))
        nodes.append(Node(transpose, (a,), {"permutation": (1, 0)}, (result,), source))
        return result

    for node in graph.nodes:
        product = producer.get(node.inputs[0]) if node.op is transpose and node.params["permutation"] == (1, 0) else None
        if product is not None and product.op is dot_general and uses[node.inputs[0]] == 1:
            x, y = product.inputs
            if any(producer[a].op is transpose for a in (x, y) if a in producer):
                nodes.append(product._replace(inputs=(turned(y, node.source), turned(x, node.source)), outputs=node.outputs))
                continue
        nodes.append(node)
    return Graph(graph.inputs, live_nodes(nodes, graph.outputs), graph.outputs) if nodes != list(graph.nodes) else graph


def _turn_factors(graph: Graph) -> Graph:
    """Constants that the turns of a scan multiply by transposed are transposed in front of it.

    BLAS takes up to twice as long for a small product whose second factor is transposed (32 x 128 by 128 x 128 in float32: 104 and 56 Gflop/s).
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.op is scan and node.params["length"] >= FEW_TURNS:
            node = _with_factors_turned(node, prepare(node.params["body"]), nodes)
        nodes.append(node)
    return Graph(graph.inputs, tuple(nodes), graph.outputs)


def _with_factors_turned(node: Node, body: Graph, before: list[Node]) -> Node:
    """The scan, with the transposes of its constants appended to `before`; the same node where there are none."""
    consts = node.params["consts"]
    constants = dict(zip(body.inputs[:consts], node.inputs[:consts]))
    factors = {n.inputs[1] for n in body.nodes if n.op is dot_general and _multiplications(n) >= SMALL_PRODUCT}
    turned = [n for n in body.nodes if n.op is transpose and n.outputs[0] in factors and n.inputs[0] in constants]
    if not turned:
        return node
    for each in turned:
        result = Var(each.outputs[0].type)
        before.append(each._replace(inputs=(constants[each.inputs[0]],), outputs=(result,)))
        constants[each.outputs[0]] = result
    kept = tuple(n for n in body.nodes if n not in turned)
    read = {a for n in kept for a in n.inputs} | {*body.outputs}
    constants = {v: a for v, a in constants.items() if v in read}
    params = {**node.params, "body": Graph((*constants, *body.inputs[consts:]), kept, body.outputs), "consts": len(constants)}
    return node._replace(inputs=(*constants.values(), *node.inputs[consts:]), params=params)


def _multiplications(product: Node) -> int:
    x, y = product.inputs
    return x.type.size * y.type.shape[-1]


def _inline(trace: Trace, graph: Graph, args: Sequence[Atom], expansion: Expansion) -> list[Atom]:
    builder = trace.builder
    env: dict[Var, Any] = dict(zip(graph.inputs, args))
    for node in graph.nodes:
        inputs = tuple([env[a] if type(a) is Var else a for a in node.inputs])
        inner = node.op.inline and node.op.inline(*[a.type for a in node.inputs], **node.params)
        if inner is not None:
            with builder.apart() if node.params.get("again") else nullcontext():
                outputs = _inline(trace, inner, inputs, expansion)
        elif node.op is dot_general:
            outputs = (matrix_product(builder, *inputs, **node.params, source=node.source),)
        elif node.op is add and (total := _added_to_zero(builder, inputs)) is not None:
            outputs = (total,)
        else:
            outputs = _expanded(trace, node, inputs, expansion(node)) or builder.emit(node.op, inputs, node.params, node.source)
        env.update(zip(node.outputs, outputs))
    return [a if type(a) is Literal else env[a] for a in graph.outputs]


def _added_to_zero(builder: Builder, terms: Sequence[Atom]) -> Atom | None:
    """The other term where one is 0 and the other a sum of products, which starts from 0 and so is not -0: gradients added to cleared ones."""
    for zero, total in (terms, terms[::-1]):
        is_zero = type(zero) is Literal and zero.type.dtype.kind == "f" and zero.value == 0 and not np.signbit(zero.value)
        if is_zero and type(total) is Var and not total.type.weak:
            made = builder.producer.get(total)
            while made is not None and made.op.name in ("reshape", "transpose", "reverse"):
                made = builder.producer.get(made.inputs[0])
            if made is not None and made.op.kind in SUMS_OF_PRODUCTS and total.type.dtype == zero.type.dtype:
                return total
    return None


def _expanded(trace: Trace, node: Node, inputs: Sequence[Atom], expand: Callable | None) -> tuple[Atom, ...] | None:
    """What the op is made of, where it says so."""
    result = expand and expand(*[Tracer(trace, a) for a in inputs], **node.params)
    return None if result is None else (result.atom,)
