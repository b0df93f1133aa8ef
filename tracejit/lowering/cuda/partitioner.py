"""What the steps of a graph are on a GPU: which ops kernels compute, and what others are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...ir import ArrayType, Graph, Node
from ...ops.conv import conv_general
from ...ops.cumulative import WRITTEN_OUT
from .. import index as ix
from ..fuse import fuse
from ..index import Counter
from ..kernel import Buffer, Expressions, load
from ..partition import Partitioner
from ..prepare import prepare
from ..steps import Partition, Stage, Step
from . import functions
from .convolutions import convolution
from .schedule import collides, is_atomic


def native(node: Node) -> bool:
    """Whether kernels compute the node; else it is a step of its own, by its `run`."""
    types = [a.type for a in (*node.inputs, *node.outputs)]
    kind = node.op.kind
    if kind in ("host", "taps") or not all(functions.has_kind(t.dtype) for t in types):
        return False
    if kind == "pointwise" and node.op.name in functions.KNOWN:
        return functions.is_native(node.op.name, types[-2].dtype if node.op.name == "select" else types[0].dtype)
    return kind != "dot" or all(t.size for t in types)


def expansion(node: Node) -> Callable | None:
    """What a node is made of: as on a CPU, but convolutions are products of matrices, and running totals of more than a few elements, which are loops
    there, are steps of their own."""
    if node.op is conv_general:
        return convolution
    is_long = node.op.name in ("cumsum", "cumprod", "cummax", "cummin") and node.inputs[0].type.shape[node.params["axis"]] > WRITTEN_OUT
    return None if is_long else node.op.expand


class DevicePartitioner(Partitioner):
    """Without the orders of loops that suit the caches of a CPU, and with the loops of reductions inside of those over what they make: neighbouring
    threads then make neighbouring results."""

    @staticmethod
    def tiles(nest, lower):
        return [nest]

    @staticmethod
    def in_order(stage):
        return stage

    def _write_stages(self, node):
        return [_apart_first(stage) for stage in super()._write_stages(node)]

    def _reduce_stages(self, node):
        return [_kept_first(stage) for stage in super()._reduce_stages(node)]


def _apart_first(stage: Stage) -> Stage:
    """An update that must be made in order, with the loops over other places outside of those that may meet."""
    if not stage.into or is_atomic(stage):
        return stage
    return replace(stage, counters=sorted(stage.counters, key=lambda c: collides(stage, c)))


def _kept_first(stage: Stage) -> Stage:
    kept = [a for i in stage.target for a, _ in i.terms]
    return replace(stage, counters=[*(c for c in stage.counters if c in kept), *(c for c in stage.counters if c not in kept)])


class TurnPartitioner(DevicePartitioner):
    """Of what a kernel does in each turn of its loop, where a product is a sum like any other."""

    def _library(self, node: Node) -> list[Step]:
        types = [a.type for a in node.inputs]
        if node.op.kind != "dot" or types[0].dtype.kind == "b":
            return super()._library(node)
        (contracted, _), (batch, _) = node.params["contract"], node.params["batch"]
        every = [Counter(n) for n in types[0].shape]
        columns = [Counter(n) for d, n in enumerate(types[1].shape) if d not in (*node.params["contract"][1], *node.params["batch"][1])]
        rows = [c for d, c in enumerate(every) if d not in (*contracted, *batch)]
        own = iter(columns)
        met = dict(zip((*node.params["contract"][1], *node.params["batch"][1]), (every[d] for d in (*contracted, *batch))))
        other = [met[d] if d in met else next(own) for d in range(len(types[1].shape))]
        dtype = np.dtype(np.float32) if types[0].dtype == np.float16 else types[0].dtype  # as libraries add up
        x, y = (Expressions.convert(self.read(a, tuple(map(ix.of, at))), dtype) for a, at in zip(node.inputs, (every, other)))
        kept, summed = [*(every[d] for d in batch), *rows, *columns], [every[d] for d in contracted]
        at = tuple(map(ix.of, kept))
        result = self._buffer(node.outputs[0])
        total = result if dtype == types[0].dtype else Buffer(ArrayType(result.shape, dtype), "temporary")
        combine = None if all(c.extent == 1 for c in summed) else "add"
        stages = [Stage(total, [c for c in (*kept, *summed) if c.extent != 1], at, Expressions.apply("multiply", x, y), combine, node)]
        if total is not result:
            again = [Counter(c.extent) for c in kept]
            at = tuple(map(ix.of, again))
            stages.append(Stage(result, [c for c in again if c.extent != 1], at, Expressions.convert(load(total, at), result.type.dtype), None, node))
        return stages


def turn_steps(body: Graph) -> Partition:
    """The steps of a loop's body, or of a branch, whose outputs are arrays of their own."""
    return body.derived("cuda steps", lambda: TurnPartitioner(prepare(body, expansion), native, range(len(body.outputs))).run())


def launches_of(body: Graph) -> int:
    """How many launches the body takes by itself."""
    return body.derived("cuda launches", lambda: len(fuse(DevicePartitioner(prepare(body, expansion), native).run(), side_by_side=True)))


__all__ = ["DevicePartitioner", "expansion", "launches_of", "native", "turn_steps"]
