"""Batches whose examples go different ways: one example after the other, where what is not meant for an example must not be done for it.

A batched branch computes both sides for all examples and selects, and a batched `while_loop` turns all examples until the last one is done.  That is
quick for arithmetic, whose results are dropped.  An index out of range, a singular matrix, a loop that does not end on that example, or a callback is
no result to drop: then the branch or loop runs for each example by itself, in a loop that is native where the body is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir import Graph, Node, Var
from ..ir.graph import graphs_in
from ..trace import type_of
from .bodies import build
from .scan import scan

_ENDLESS = ("while", "sweeps")
_INDEXING = ("gather", "scatter", "dynamic_")


def may_fail(graph: Graph) -> bool:
    """Whether running the graph on values that it is not meant for may do more than to give useless results: raise, not end, or have an effect."""
    return graph.derived("may fail", lambda: any([node_may_fail(node) for node in graph.nodes]))


def node_may_fail(node: Node) -> bool:
    """Whether this one operation may, or one in its body."""
    op = node.op
    if op.kind in _ENDLESS or op.effect or any([may_fail(inner) for inner in graphs_in(node.params)]):
        return True
    if op.name.startswith(_INDEXING):
        return node.params.get("mode", "raise") == "raise" and any([type(a) is Var and a.type.dtype.kind in "iu" for a in node.inputs[1:]])
    # LAPACK's routines, and those of SciPy that are called as they are: singular matrices, iterations that do not converge.
    return op.kind == "lapack" or op.kind == "host" and not op.elementwise and op.expand is None and op.inline is None


def one_by_one(op: Any, args: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]) -> tuple[Any, ...]:
    """The batch rule of an op with several results that runs it for each example by itself."""
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    shared = [a for a, b in zip(args, batched) if not b]
    rows = [a for a, b in zip(args, batched) if b]

    def example(*given):
        whole, row = iter(given[: len(shared)]), iter(given[len(shared) :])
        return op(*[next(row) if b else next(whole) for b in batched], **params)

    types = [*map(type_of, shared), *(type_of(x)._replace(shape=type_of(x).shape[1:]) for x in rows)]
    body, outside = build(types, example)
    assert not outside, "an op takes all that it needs as arguments"
    return scan(*shared, *rows, body=body, consts=len(shared), carry=0, length=n, reverse=False)
