"""Batching: a graph of one example becomes a graph of many, by each op's own rule. The batch axis is always in front; moving it costs nothing once
fused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import replaying
from ..ir import Graph, Var
from ..trace import bind


@replaying
def batch(graph: Graph, args: Sequence[Any], batched: Sequence[bool]) -> tuple[list[Any], list[bool]]:
    """Outputs of `graph` on `args`, of which those marked carry a batch axis in front, and the same marks for the outputs."""
    env = dict(zip(graph.inputs, args))
    marks = dict(zip(graph.inputs, batched))
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            values = [env[a] if type(a) is Var else a.value for a in node.inputs]
            flags = tuple([marks[a] if type(a) is Var else False for a in node.inputs])
            op, some = node.op, any(flags)
            if not some:
                results = bind(op, values, node.params)
            elif op.batch is None:
                raise TypeError(f"{node.source}: {op.name} has no batching rule")
            else:
                results = op.batch(values, flags, **node.params)
            for var, value in zip(node.outputs, results if op.multiple else (results,)):
                env[var], marks[var] = value, some
    return ([env[a] if type(a) is Var else a.value for a in graph.outputs], [marks[a] if type(a) is Var else False for a in graph.outputs])
