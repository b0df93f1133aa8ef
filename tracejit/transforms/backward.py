"""The transpose of a linear program: reverse mode is this, on the program that `linearize` made.

It walks backwards with one accumulator per value.  A rule that touches a part of an array (slice, gather) gives a `Contribution`: one or two are
made dense, since padding fuses into what reads it; more are added in place into one array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import replaying
from ..ir import Graph, Var
from ..ops.core import Contribution, Linear, zeros
from ..trace import bind

# Up to this many partial contributions are padded and summed in one fused pass (a stencil reads its neighbours); each one beyond would add a pass
# over the whole array.
MAX_PADDED = 4


class Accumulator:
    """The cotangent of one value, while its contributions arrive."""

    __slots__ = ("type", "dense", "parts")

    def __init__(self, type_):
        self.type, self.dense, self.parts = type_, None, []

    def add(self, contribution) -> None:
        if isinstance(contribution, Contribution):
            self.parts.append(contribution)
        else:
            self.dense = contribution if self.dense is None else self.dense + contribution

    def total(self):
        """The sum, or None where nothing arrived."""
        total = self.dense
        scattered = [part for part in self.parts if part.scattered]
        placed = [part for part in self.parts if not part.scattered]
        if len(placed) <= MAX_PADDED:
            for part in placed:
                total = part.dense() if total is None else total + part.dense()
            placed = []
        if total is None and len(scattered) == 1 and not placed:
            return scattered[0].dense()
        for part in (*placed, *scattered):
            total = part.into(zeros(self.type) if total is None else total)
        return total


@replaying
def transpose(graph: Graph, linear: int, fixed: Sequence[Any], cotangents: Sequence[Any], start: Sequence[Any] = ()) -> list[Any]:
    """Cotangents of the first `linear` inputs of `graph`; `fixed` are the values of the others. A zero cotangent is None.

    `start` are sums that the cotangents of the first inputs are added to.
    """
    env = dict(zip(graph.inputs[linear:], fixed))
    moving = set(graph.inputs[:linear])
    with np.errstate(all="ignore"):
        for node in graph.nodes:  # what does not depend on the linear inputs is computed forwards first
            if any([a in moving for a in node.inputs if type(a) is Var]):
                moving.update(node.outputs)
            else:
                results = bind(node.op, [env[a] if type(a) is Var else a.value for a in node.inputs], node.params)
                env.update(zip(node.outputs, results if node.op.multiple else (results,)))
        accumulators: dict[Var, Accumulator] = {}

        def add(atom, contribution):
            if contribution is not None and type(atom) is Var and atom in moving:
                accumulators.setdefault(atom, Accumulator(atom.type)).add(contribution)

        for var, total in zip(graph.inputs, start):
            accumulators[var] = Accumulator(var.type)
            accumulators[var].add(total)
        for atom, ct in zip(graph.outputs, cotangents):
            add(atom, ct)
        for node in reversed(graph.nodes):
            arrived = [accumulators.pop(v).total() if v in accumulators else None for v in node.outputs]
            if all([ct is None for ct in arrived]):
                continue
            op = node.op
            if op.transpose is None:
                raise TypeError(f"{node.source}: {op.name} is not linear, so it cannot be transposed")
            inputs = [(Linear(a.type) if a in moving else env[a]) if type(a) is Var else a.value for a in node.inputs]
            contributions = op.transpose(tuple(arrived) if op.multiple else arrived[0], *inputs, **node.params)
            for atom, contribution in zip(node.inputs, contributions):
                add(atom, contribution)
        return [accumulators[v].total() if v in accumulators else None for v in graph.inputs[:linear]]
