"""Sums of several products as one product of longer factors: x1 @ y1 + x2 @ y2 + ... = [x1 x2 ...] @ [y1; y2; ...].

That is what the gradient of a weight is that the turns of an unrolled loop, or several layers, share.  One product a turn writes an array as large as
the weight, and another operation reads, adds and writes it.  Putting the factors side by side costs less where what is summed over is short: the step
of an LSTM of 24 cells takes half of the time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from ..ir import ArrayType, Atom, Graph, Node, Var
from ..ir.graph import live_nodes
from ..ops.dot import dot_general
from ..ops.elementwise import add
from ..ops.movement import concatenate, transpose

# Sums of fewer products stay as they are, and products of so many rows, which are as quick alone.
FEW, MANY_ROWS = 4, 128


class _Product(NamedTuple):
    """A term of a sum: x @ y, or x.T @ y where `turned`."""

    term: Var
    x: Atom
    turned: bool
    y: Atom


def join_sums(graph: Graph) -> Graph:
    """The graph with one product for each sum of several."""
    if sum(n.op is dot_general for n in graph.nodes) < FEW:
        return graph
    producer = {v: n for n in graph.nodes for v in n.outputs}
    uses = Counter(a for n in graph.nodes for a in n.inputs if type(a) is Var) + Counter(a for a in graph.outputs if type(a) is Var)

    def part_of_sum(a: Atom, type_: ArrayType) -> Node | None:
        """The addition that makes an addend and nothing else."""
        made = producer.get(a) if type(a) is Var and uses[a] == 1 else None
        return made if made is not None and made.op is add and made.outputs[0].type == type_ else None

    inner = {n for node in graph.nodes if node.op is add for n in (part_of_sum(a, node.outputs[0].type) for a in node.inputs) if n is not None}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.op is add and node not in inner and node.outputs[0].type.ndim == 2:
            nodes += _joined(node, part_of_sum, producer, uses) or [node]
        else:
            nodes.append(node)
    return graph if len(nodes) == len(graph.nodes) else Graph(graph.inputs, live_nodes(nodes, graph.outputs), graph.outputs)


def _joined(root: Node, part_of_sum: Callable, producer: dict[Var, Node], uses: Counter) -> list[Node] | None:
    """The steps that make a sum of which several terms are products; None where they are few."""
    terms: list[Atom] = []
    stack = [*reversed(root.inputs)]
    while stack:
        a = stack.pop()
        inside = part_of_sum(a, root.outputs[0].type)
        if inside is None:
            terms.append(a)
        else:
            stack += reversed(inside.inputs)
    products = [p for p in (_product(a, producer) for a in terms if type(a) is Var and uses[a] == 1 and a.type == root.outputs[0].type) if p]
    products = max(([p for p in products if p.turned is way] for way in (True, False)), key=len)
    return _steps(root, products, terms) if len(products) >= FEW else None


def _product(term: Var, producer: dict[Var, Node]) -> _Product | None:
    made = producer.get(term)
    if made is None or made.op is not dot_general or made.params["batch"][0]:
        return None
    x, y = made.inputs
    (k, n), m = y.type.shape, x.type.shape[0]
    # Side by side, both factors are read and written once more; apart, the product is written, and read, added and written.
    if k >= MANY_ROWS or 2 * k * (m + n) >= 3 * m * n:
        return None
    turn = producer.get(x) if type(x) is Var else None
    turned = turn is not None and turn.op is transpose
    return _Product(term, turn.inputs[0] if turned else x, turned, y)


def _steps(root: Node, products: list[_Product], terms: list[Atom]) -> list[Node]:
    nodes: list[Node] = []

    def emit(op, inputs: list[Atom], **params) -> Var:
        result = Var(op.infer(*[a.type for a in inputs], **params))
        nodes.append(Node(op, tuple(inputs), params, (result,), root.source))
        return result

    turned = products[0].turned
    x, y = emit(concatenate, [p.x for p in products], axis=0 if turned else 1), emit(concatenate, [p.y for p in products], axis=0)
    x = emit(transpose, [x], permutation=(1, 0)) if turned else x
    joined = {p.term for p in products}
    total: Var = emit(dot_general, [x, y], contract=((1,), (0,)), batch=((), ()))
    for term in terms:
        if term not in joined:
            total = emit(add, [total, term])
    nodes[-1] = nodes[-1]._replace(outputs=root.outputs)
    return nodes


__all__ = ["join_sums"]
