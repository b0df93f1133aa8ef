"""`Builder`: the only way to make nodes.

`emit` checks types through the op's own rule, folds constants, applies the op's local identities and shares equal pure nodes (value numbering).
Every pass that rebuilds a graph gets all of this for nothing.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..config import config
from ..errors import Source
from .graph import Atom, Graph, Literal, Node, Var, has_effect, live_nodes
from .types import ArrayType


class Builder:
    """Grows one graph.

    >>> import numpy as np
    >>> from tracejit.ops import elementwise
    >>> b = Builder()
    >>> x = b.input(ArrayType((3,), np.dtype(float)))
    >>> (y,) = b.emit(elementwise.sin, (x,), {})
    >>> b.finish((y,))
    <Graph of 1 nodes: float64[3] -> float64[3]>
    """

    __slots__ = ("inputs", "nodes", "producer", "regions", "_shared")

    def __init__(self) -> None:
        self.inputs: list[Var] = []
        self.nodes: list[Node] = []
        self.producer: dict[Var, Node] = {}
        self.regions: list[tuple[int, int]] = []  # where in `nodes` those are that were made apart; an inner region comes before an outer one
        self._shared: dict[tuple, tuple[Atom, ...]] = {}

    def input(self, type: ArrayType) -> Var:
        var = Var(type)
        self.inputs.append(var)
        return var

    def emit(self, op, inputs: tuple[Atom, ...], params: dict[str, Any], source: Source | None = None) -> tuple[Atom, ...]:
        """Apply `op`; returns one atom for each of its results, which may be inputs or literals where an identity applied."""
        if has_effect(op, params):
            return self._append(op, inputs, params, source)
        key = (op, inputs, *params.items())
        found = self._shared.get(key)
        if found is None:
            found = self._identity(op, inputs, params)
            if found is None:
                found = self._append(op, inputs, params, source)
            self._shared[key] = found
        return found

    def _append(self, op, inputs, params, source):
        types = op.infer(*[a.type for a in inputs], **params)
        outputs = tuple([Var(t) for t in types]) if op.multiple else (Var(types),)
        node = Node(op, inputs, params, outputs, source)
        self.nodes.append(node)
        if len(self.nodes) > config.max_nodes:
            from ..unrolled import too_large  # which parses the user's file

            raise too_large(config.max_nodes, source)
        for var in outputs:
            self.producer[var] = node
        return outputs

    def _identity(self, op, inputs, params) -> tuple[Atom, ...] | None:
        if inputs and not op.multiple and all(type(a) is Literal for a in inputs):
            type_ = op.infer(*[a.type for a in inputs], **params)
            if type_.shape == ():
                with np.errstate(all="ignore"):
                    return (Literal(np.asarray(op.run(np, *[a.value for a in inputs], **params), type_.dtype)[()]),)
        if op.simplify is not None:
            simpler = op.simplify(self, *inputs, **params)
            if simpler is not None:
                return (simpler,)
        return None

    def produced_by(self, atom: Atom, op) -> Node | None:
        """The node that computes `atom`, if it is an application of `op`: what local identities look at."""
        node = self.producer.get(atom) if type(atom) is Var else None
        return node if node is not None and node.op is op else None

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Nodes made inside share nothing with those made before, nor with later ones: for what is computed again to save memory."""
        outside, self._shared, start = self._shared, {}, len(self.nodes)
        try:
            yield
        finally:
            self._shared = outside
            self.regions += [(start, len(self.nodes))]

    def finish(self, outputs: tuple[Atom, ...], extra_inputs: tuple[Var, ...] = ()) -> Graph:
        """The graph, without the nodes that no output needs."""
        return Graph((*self.inputs, *extra_inputs), live_nodes(self.nodes, outputs), outputs)
