"""Rows of a loop's state that do not look at one another: the examples of a batch, each with its own recurrence.

A scan of such rows is cut into strands, each of which runs the whole loop for some of them, so that threads meet once a loop and not in each turn
(`cpu/loops.py`).  Rows are the first axis, where they are adjacent in memory: a strand's part of an array is the same array from another address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..config import config
from ..ir import ArrayType, Atom, Graph, Literal, Node, Var
from ..ops.dot import dot_general
from ..ops.movement import broadcast_to, concatenate, pad, reshape, reverse, slice_, transpose
from ..ops.scan import scan
from .prepare import prepare

# A product of fewer rows reads its second factor too often.
PRODUCT_ROWS = 16
# Estimated nanoseconds: a loop is cut from so many on, and a strand has so many at least. What is the same for all rows each strand computes itself.
WORTH_CUTTING_NS, STRAND_NS, MAX_STRANDS, MAX_SHARED = 200_000, 100_000, 64, 1024
# For each four bytes (AVX-512, one core): a multiplication of a product, a function, another operation.
MULTIPLY_NS, DEAR_NS, CHEAP_NS = 0.02, 0.4, 0.05


class Apart(NamedTuple):
    """How a body treats `rows` rows: which of its inputs and outputs have them, as their first axis. The others are the same for all rows."""

    rows: int
    inputs: tuple[bool, ...]
    outputs: tuple[bool, ...]

    def part(self, body: Graph, rows: int) -> Graph:
        """The body for fewer rows."""
        return body.derived(("rows", rows), lambda: _part(prepare(body), self, rows))


def apart(body: Graph, consts: int, carry: int) -> Apart | None:
    """The rows of a scan's body; None where there are none, or they depend on one another."""
    return body.derived(("apart", consts, carry), lambda: _apart(prepare(body), consts, carry))


def cut_loops(graph: Graph) -> Graph:
    """The graph with a parameter `strands`, their number, for each of its scans that is worth cutting. It depends on sizes, and not on the number of
    threads where there are several."""
    if config.threads < 2 or not any(n.op is scan for n in graph.nodes):
        return graph
    return Graph(graph.inputs, tuple([_cut(n) if n.op is scan else n for n in graph.nodes]), graph.outputs)


def _cut(node: Node) -> Node:
    body, length = node.params["body"], node.params["length"]
    found = apart(body, node.params["consts"], node.params["carry"])
    if found is None or not length:
        return node
    products = any(n.op is dot_general for n in prepare(body).nodes)
    total = length * sum(map(_cost, prepare(body).nodes))
    most = min(MAX_STRANDS, int(total // STRAND_NS), found.rows // (PRODUCT_ROWS if products else 1))
    strands = max((n for n in range(1, most + 1) if found.rows % n == 0), default=1)
    return node._replace(params={**node.params, "strands": strands}) if strands > 1 and total > WORTH_CUTTING_NS else node


def _cost(node: Node) -> float:
    words = node.outputs[0].type.nbytes / 4
    if node.op is dot_general:
        return words * node.inputs[0].type.shape[-1] * MULTIPLY_NS
    return words * (DEAR_NS if node.op.dear else CHEAP_NS if node.op.elementwise else 0)


# -- which values have rows
def _apart(body: Graph, consts: int, carry: int) -> Apart | None:
    states = body.inputs[consts : consts + carry]
    largest = max(states, key=lambda v: v.type.size, default=None)
    if largest is None or largest.type.ndim == 0 or largest.type.shape[0] < 2:
        return None
    rows = largest.type.shape[0]
    has = {v for v in body.inputs[consts:] if v.type.ndim and v.type.shape[0] == rows}
    while True:
        marked = _Marked(body, rows, has)
        if not marked.well:
            return None
        fixed = [v for v, out in zip(states, body.outputs) if v in has and out not in marked.has]
        wanted = marked.wanted & set(body.inputs[:consts])
        if marked.wanted - wanted:
            return None
        if not fixed and not wanted:
            break
        has = (has | wanted) - set(fixed)
        if wanted and fixed:
            return None
    if any(v not in has and out in marked.has for v, out in zip(states, body.outputs)) or not has.intersection(states):
        return None
    return Apart(rows, tuple(v in has for v in body.inputs), tuple(a in marked.has for a in body.outputs))


class _Marked:
    """The values of a body that have rows, if the inputs in `has` do. `well`: no step mixes them. `wanted`: values that should have rows too."""

    def __init__(self, body: Graph, rows: int, has: set[Var]):
        self.rows, self.has, self.wanted = rows, set(has), set()
        self.well = all(map(self._step, body.nodes))

    def _step(self, node: Node) -> bool:
        """Take in a step; whether it may be there."""
        if self._keeps_rows(node):
            self.has.update(node.outputs)
            return True
        return not (node.effect or any(a in self.has for a in node.inputs) or any(v.type.size > MAX_SHARED for v in node.outputs))

    def _keeps_rows(self, node: Node) -> bool:
        """Whether the results have rows, each made of its own."""
        x = node.inputs[0] if node.inputs else None
        if node.op is broadcast_to and x not in self.has:
            # The same in all rows, wherever it stands beside values that have them.
            shape, given = node.params["shape"], x.type.shape
            return bool(shape) and shape[0] == self.rows and (len(given) < len(shape) or given[0] == 1)
        if not any(a in self.has for a in node.inputs) or any(v.type.shape[:1] != (self.rows,) for v in node.outputs):
            return False
        if node.op.elementwise:
            return all([self._beside(a, node.outputs[0].type.ndim) for a in node.inputs])
        if node.op is concatenate:
            return node.params["axis"] > 0 and all([self._beside(a, x.type.ndim) for a in node.inputs])
        if node.op is dot_general:
            return self._product(node)
        rule = _RULES.get(node.op) or (_reduces if node.op.kind == "reduce" else None)
        return rule is not None and rule(self.rows, **node.params)

    def _beside(self, a: Atom, ndim: int) -> bool:
        """Whether an operand is one row for each row of the result, or one for all."""
        if a in self.has:
            return a.type.ndim == ndim
        if type(a) is Var and a.type.ndim == ndim and a.type.shape[0] != 1:
            self.wanted.add(a)
        return True

    def _product(self, node: Node) -> bool:
        x, y = node.inputs
        if not node.params["batch"][0]:
            return x in self.has and y not in self.has and node.params["contract"] == ((1,), (0,))
        return all([self._beside(a, 3) for a in (x, y)])


def _reduces(rows: int, axes: tuple[int, ...]) -> bool:
    return 0 not in axes


_RULES: dict[Any, Callable[..., bool]] = {
    broadcast_to: lambda rows, shape: shape[0] == rows,
    reshape: lambda rows, shape: shape[0] == rows,
    transpose: lambda rows, permutation: permutation[0] == 0,
    reverse: lambda rows, axes: 0 not in axes,
    slice_: lambda rows, start, stop, step: (start[0], stop[0], step[0]) == (0, rows, 1),
    pad: lambda rows, low, high, interior, value: low[0] == high[0] == interior[0] == 0,
}
# The parameter of an op that has the number of rows in front.
_SIZED = {broadcast_to: "shape", reshape: "shape", slice_: "stop"}


# -- the body for some of the rows
def _part(body: Graph, of: Apart, rows: int) -> Graph:
    marked = _Marked(body, of.rows, {v for v, has in zip(body.inputs, of.inputs) if has})
    names: dict[Atom, Atom] = {}

    def named(a: Atom) -> Atom:
        if type(a) is Literal or a not in marked.has:
            return a
        if a not in names:
            names[a] = Var(ArrayType((rows, *a.type.shape[1:]), a.type.dtype, a.type.weak))
        return names[a]

    nodes = []
    for node in body.nodes:
        params = node.params
        if node.op in _SIZED and node.outputs[0] in marked.has:
            name = _SIZED[node.op]
            params = {**params, name: (rows, *params[name][1:])}
        nodes.append(node._replace(inputs=tuple(map(named, node.inputs)), outputs=tuple(map(named, node.outputs)), params=params))
    return Graph(tuple(map(named, body.inputs)), tuple(nodes), tuple(map(named, body.outputs)))


__all__ = ["Apart", "apart", "cut_loops"]
