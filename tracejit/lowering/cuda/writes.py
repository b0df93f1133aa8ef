"""Assignments to places that a program computes: `x[at] = updates`, where the last of several to one place counts.

Threads do not write in order.  So each place is first told the number of the last update for it: a maximum, which may be taken in any order.  Then
every element takes its update, or stays.
"""

from __future__ import annotations

import math

import numpy as np

from ...ir import Graph, Literal, Node
from ...ir.types import INT
from ...ops.elementwise import greater_equal, maximum, select
from ...ops.indexing import gather, others, scatter_max, scatter_set
from ...ops.movement import broadcast_to, iota, reshape, transpose
from ...trace import Trace, Tracer, constant_beside

# Fewer updates are written one after the other; and so are those of an array that is so many times as large, all of which would be gone through.
FEW_UPDATES, MUCH_LARGER = 64, 1 << 12


def last_updates(graph: Graph, few: int = FEW_UPDATES) -> Graph:
    """The graph with assignments of many elements as above."""
    if not any(_is_large(node, few) for node in graph.nodes):
        return graph
    trace = Trace("lowering")
    builder = trace.builder
    known = {v: builder.input(v.type) for v in graph.inputs}
    for node in graph.nodes:
        inputs = tuple([a if type(a) is Literal else known[a] for a in node.inputs])
        if _is_large(node, few):
            outputs = (_assigned(*[Tracer(trace, a) for a in inputs], **node.params).atom,)
        else:
            outputs = builder.emit(node.op, inputs, node.params, node.source)
        known.update(zip(node.outputs, outputs))
    return builder.finish(tuple(a if type(a) is Literal else known[a] for a in graph.outputs))


def _is_large(node: Node, few: int) -> bool:
    return node.op is scatter_set and few < node.inputs[1].type.size and node.inputs[0].type.size < MUCH_LARGER * node.inputs[1].type.size


def _assigned(x: Tracer, updates: Tracer, *indices: Tracer, axes: tuple[int, ...], mode: str) -> Tracer:
    rest = others(x.ndim, axes)
    at = updates.shape[: updates.ndim - len(rest)]  # the shape of the positions
    head = tuple(x.shape[d] for d in axes)
    count = math.prod(at)
    number = reshape(x.owner.emit(iota, (), {"shape": (count,), "axis": 0, "dtype": INT}), shape=at)
    none = broadcast_to(constant_beside(x, np.int64(-1)), shape=head)
    last = scatter_max(none, number, *indices, axes=tuple(range(len(axes))), mode=mode)
    taken = gather(reshape(updates, shape=(count, *updates.shape[len(at) :])), maximum(last, np.int64(0), tie=0.5), axes=(0,), mode="clip")
    is_written = broadcast_to(reshape(greater_equal(last, np.int64(0)), shape=(*head, *[1] * len(rest))), shape=taken.shape)
    in_place = tuple(np.argsort((*axes, *rest)).tolist())
    return select(transpose(is_written, permutation=in_place), transpose(taken, permutation=in_place), x)


__all__ = ["last_updates"]
