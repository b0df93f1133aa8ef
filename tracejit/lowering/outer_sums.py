"""Sums of products that a loop does nothing with but add to leave the loop.

The gradient of a weight that every turn multiplies by is a sum over the turns of x_t.T @ y_t, where x_t and y_t have as many rows as a batch has
examples.  The rows of all turns are there at the end, or cost less to keep than the sum costs to be read and written at each turn, and one product of
all of them takes two thirds of the time: 64 turns of (128, 32) @ (32, 512) in float32 4.0 ms, (128, 2048) @ (2048, 512) 2.8 ms.

The gradient of what is added to each row is a sum of rows.  It leaves the loop where the rows are there at the end: what is left in the loop treats
rows apart, and threads can share them (`apart.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from ..ir import ArrayType, Atom, Graph, Node, Var
from ..ir.graph import live_nodes
from ..ops.dot import dot_general
from ..ops.elementwise import add
from ..ops.movement import reshape, transpose
from ..ops.reduction import reduce_sum
from ..ops.scan import scan
from ..trace import Trace, Tracer

FEW_TURNS, SMALL = 4, 4096  # in loops of fewer turns, and for products of fewer multiplications, a sum stays where it is
MANY_ROWS = 128  # from so many rows on, the product of one turn is as quick


class _Sum(NamedTuple):
    """Carry number `place` is a sum of products x @ y, or x.T @ y where `turned`; without x, of y along `axes`, of which the first is one."""

    place: int
    x: Var | None
    turned: bool
    y: Var
    axes: tuple[int, ...] = ()


def sums_outside(graph: Graph, prepare: Callable[[Graph], Graph], room: int = 0) -> Graph:
    """The graph with sums of products behind its scans in place of inside. `prepare` is that of prepare.py.

    With `room`, as many numbers may be kept for every sum over rows to leave its loop: the rows then do not look at one another in it.
    """
    if not any(node.op is scan for node in graph.nodes):
        return graph
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.op is scan and node.params["length"] >= FEW_TURNS:
            body = prepare(node.params["body"])
            sums = _sums(body, node.params["consts"], node.params["carry"], room // node.params["length"])
            if sums:
                nodes += _taken_out(node, body, sums, prepare)
                continue
        nodes.append(node)
    return Graph(graph.inputs, tuple(nodes), graph.outputs)


def _sums(body: Graph, consts: int, carry: int, room: int) -> list[_Sum]:
    """The sums that leave a loop, where `room` numbers may be kept in each turn."""
    producer = {v: n for n in body.nodes for v in n.outputs}
    uses = Counter(a for n in body.nodes for a in n.inputs if type(a) is Var) + Counter(a for a in body.outputs if type(a) is Var)
    rows = {*body.inputs[consts + carry :], *body.outputs[carry:]}
    constants = set(body.inputs[:consts])
    products, plain = [], []
    for place, (start, total) in enumerate(zip(body.inputs[consts : consts + carry], body.outputs)):
        made = producer.get(total) if type(total) is Var else None
        if made is None or made.op is not add or uses[start] != 1 or uses[total] != 1 or start not in made.inputs:
            continue
        term = made.inputs[1 - made.inputs.index(start)]
        summed = producer.get(term) if type(term) is Var and uses[term] == 1 and term.type == total.type else None
        if summed is not None and summed.op is reduce_sum and 0 in summed.params["axes"]:
            plain.append(_Sum(place, None, False, summed.inputs[0], summed.params["axes"]))
        elif summed is not None and summed.op is dot_general and term.type.ndim == 2:
            found = _product_sum(place, summed, producer, rows, constants, room)
            products += [found] if found else []
    rows |= {v for s in products for v in (s.x, s.y)}
    return [*products, *(s for s in plain if s.y in rows or s.y.type.size <= room)]


def _product_sum(place: int, product: Node, producer: dict[Var, Node], rows: set[Atom], constants: set[Var], room: int) -> _Sum | None:
    x, y = product.inputs
    turn = producer.get(x) if type(x) is Var else None
    turned = turn is not None and turn.op is transpose
    x = turn.inputs[0] if turned else x
    if type(x) is not Var or type(y) is not Var or x in constants or y in constants:
        return None
    kept, size = sum(v.type.size for v in {x, y} - rows), product.outputs[0].type.size
    count = y.type.shape[0]
    is_worth_it = count < MANY_ROWS and count * size >= SMALL and kept < 2 * size
    return _Sum(place, x, turned, y) if is_worth_it or count > 1 and 0 < room >= kept else None


def _taken_out(node: Node, body: Graph, sums: list[_Sum], prepare: Callable[[Graph], Graph]) -> list[Node]:
    """The scan without the sums, and the products behind it."""
    consts, carry, length = (node.params[name] for name in ("consts", "carry", "length"))
    gone = {s.place for s in sums}
    stays = [i for i in range(carry) if i not in gone]
    rows: dict[Var, Atom] = dict(zip(body.inputs[consts + carry :], node.inputs[consts + carry :]))
    rows |= {v: made for v, made in zip(body.outputs[carry:], node.outputs[carry:]) if type(v) is Var}
    further = [v for v in dict.fromkeys(v for s in sums for v in (s.x, s.y)) if v is not None and v not in rows]
    rows |= {v: Var(ArrayType((length, *v.type.shape), v.type.dtype)) for v in further}
    inputs = [*range(consts), *[consts + i for i in stays], *range(consts + carry, len(body.inputs))]
    outputs = (*[body.outputs[i] for i in stays], *body.outputs[carry:], *further)
    inner = Graph(tuple([body.inputs[i] for i in inputs]), live_nodes(body.nodes, outputs), outputs)
    loop = node._replace(
        inputs=tuple([node.inputs[i] for i in inputs]),
        outputs=(*[node.outputs[i] for i in stays], *node.outputs[carry:], *[rows[v] for v in further]),
        params={**node.params, "body": inner, "carry": len(stays), "base": None},
    )
    nodes = [loop]
    for s in sums:
        given = (rows[s.y],) if s.x is None else (rows[s.x], rows[s.y])
        nodes += _total(s, node.inputs[consts + s.place], given, node.outputs[s.place], node, prepare)
    return nodes


def _total(of: _Sum, start: Atom, given: tuple[Atom, ...], total: Var, node: Node, prepare: Callable[[Graph], Graph]) -> list[Node]:
    """`total` = start + the sum of all products, or of the one array that is given, over all turns."""
    trace = Trace("lowering")
    s, *xs, ys = (trace.input(a.type.strong) for a in (start, *given))
    result = s + (_product(xs[0], ys, of.turned) if xs else reduce_sum(ys, axes=(0, *(d + 1 for d in of.axes))))
    graph = prepare(trace.finish([result])[0])
    names: dict[Var, Atom] = dict(zip(graph.inputs, (start, *given)))
    names |= {v: Var(v.type) for made in graph.nodes for v in made.outputs}
    names[graph.outputs[0]] = total
    named = lambda atoms: tuple([names[a] if type(a) is Var else a for a in atoms])
    return [made._replace(inputs=named(made.inputs), outputs=named(made.outputs), source=node.source) for made in graph.nodes]


def _product(x: Tracer, y: Tracer, turned: bool) -> Tracer:
    """The sum over the first axis of x @ y, or x.T @ y, as one product."""
    turns, k, n = y.shape
    if turned:
        x = reshape(x, shape=(turns * k, x.shape[2]))
        return dot_general(transpose(x, permutation=(1, 0)), reshape(y, shape=(turns * k, n)), contract=((1,), (0,)), batch=((), ()))
    x = reshape(transpose(x, permutation=(1, 0, 2)), shape=(x.shape[1], turns * k))
    return dot_general(x, reshape(y, shape=(turns * k, n)), contract=((1,), (0,)), batch=((), ()))
