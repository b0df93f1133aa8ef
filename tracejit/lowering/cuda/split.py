"""Sums of few results over many elements, in two steps: a GPU has thousands of threads to keep busy.

The reduced axes become one axis of chunks and one of what a chunk adds up; the second reduction adds the chunks.  The chunks depend on sizes alone,
so that results are the same on every device.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ...ir import Atom, Graph, Node, Var, checked
from ...ir.builder import Builder
from ...ops.movement import pad, reshape, transpose
from ..steps import identity

# Reductions of fewer elements than this are left to one block each; a chunk adds up at least so many.
MANY, CHUNK = 1 << 14, 1 << 11
# From so many results on, each the work of a block or warp, nothing is gained: what a row is read for a second time costs more than idle processors.
# Fewer are cut into so many groups, and results that neighbouring threads add up into so many threads.
ENOUGH_ROWS, GROUPS, THREADS = 1 << 7, 1 << 10, 1 << 17


class Sizes(NamedTuple):
    many: int
    chunk: int
    rows: int
    groups: int
    threads: int


DEVICE, SIMULATED = Sizes(MANY, CHUNK, ENOUGH_ROWS, GROUPS, THREADS), Sizes(64, 16, 4, 4, 16)


def split_reductions(graph: Graph, sizes: Sizes = DEVICE) -> Graph:
    """The graph with large reductions in two steps."""
    if not any(node.op.kind == "reduce" and node.inputs[0].type.size >= sizes.many for node in graph.nodes):
        return graph
    builder = Builder()
    known: dict[Var, Atom] = {v: builder.input(v.type) for v in graph.inputs}
    atom = lambda a: known.get(a, a) if type(a) is Var else a
    for node in graph.nodes:
        inputs = tuple(map(atom, node.inputs))
        chunks = _chunks(node, sizes)
        outputs = _in_two(builder, node, inputs[0], chunks) if chunks > 1 else builder.emit(node.op, inputs, node.params)
        known.update(zip(node.outputs, outputs))
    return checked(builder.finish(tuple(map(atom, graph.outputs))), "split reductions")


def _chunks(node: Node, sizes: Sizes) -> int:
    """How many chunks the reduced elements of a node make; 1 to leave it."""
    if node.op.kind != "reduce" or node.inputs[0].type.size < sizes.many:
        return 1
    kept, reduced = node.outputs[0].type.size, math.prod(node.inputs[0].type.shape[d] for d in node.params["axes"])
    if len(node.inputs[0].type.shape) - 1 not in node.params["axes"]:
        return max(1, min(sizes.threads // (2 * kept), reduced // max(1, sizes.chunk // 32)))
    return 1 if kept >= sizes.rows else max(1, min(sizes.groups // kept, reduced // sizes.chunk))


def _in_two(builder: Builder, node: Node, x: Atom, chunks: int) -> tuple[Atom, ...]:
    shape, axes = x.type.shape, node.params["axes"]
    kept = [d for d in range(len(shape)) if d not in axes]
    reduced = math.prod(shape[d] for d in axes)
    length = math.ceil(reduced / chunks)
    order = (*axes, *kept)
    emit = lambda op, x, /, **params: builder.emit(op, (x,), params)[0]
    if order != tuple(range(len(shape))):
        x = emit(transpose, x, permutation=order)
    rest = tuple(shape[d] for d in kept)
    x = emit(reshape, x, shape=(reduced, *rest))
    if chunks * length != reduced:
        combine = node.op.lower(None, (), **node.params)
        none, beyond = (0,) * (1 + len(rest)), (chunks * length - reduced, *[0] * len(rest))
        x = emit(pad, x, low=none, high=beyond, interior=none, value=identity(combine, x.type.dtype))
    x = emit(reshape, x, shape=(chunks, length, *rest))
    return builder.emit(node.op, (builder.emit(node.op, (x,), {**node.params, "axes": (1,)})[0],), {**node.params, "axes": (0,)})
