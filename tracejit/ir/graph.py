"""The program: a first-order graph in A-normal form, immutable once built.

A `Graph` has inputs, nodes in execution order and outputs. A `Node` applies one op to atoms (variables and 0-d literals) and defines new variables.
Sub-graphs live in `params`.  The graph below is what `lambda x: x * 2.0` becomes:

    Graph(inputs=(x,), nodes=(Node(multiply, (x, Literal(2.0)), {}, (y,)),), outputs=(y,))
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..errors import Source
from .types import ArrayType


class Var:
    """A value that the program computes or is given. Compared by identity."""

    __slots__ = ("type",)

    def __init__(self, type: ArrayType):
        self.type = type

    def __repr__(self) -> str:
        return f"<{self.type} at {id(self):x}>"


class Literal:
    """A 0-d constant. `value` is a NumPy scalar."""

    __slots__ = ("value", "type", "key")

    def __init__(self, value: np.generic):
        self.value = value
        self.type = ArrayType((), value.dtype)
        # Bytes, not the number: 0.0 and -0.0 are equal but not the same literal, and NaN is the same as itself.
        self.key = (value.dtype.char, value.tobytes())

    def __repr__(self) -> str:
        return f"Literal({self.value!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


Atom = Var | Literal


class Node(NamedTuple):
    """One application of an op. `params` are its static parameters, hashable; `source` the user's line that asked for it."""

    op: Any
    inputs: tuple[Atom, ...]
    params: dict[str, Any]
    outputs: tuple[Var, ...]
    source: Source | None = None

    # Nodes are compared by identity: two applications of one op are two nodes.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def effect(self) -> bool:
        """Whether something happens when it is computed, so that it is neither shared nor dropped nor moved past another effect."""
        return has_effect(self.op, self.params)


class Graph:
    """Inputs, nodes in execution order, outputs. Never changed after it is made, so that what passes make of it can be kept with it (`derived`)."""

    __slots__ = ("inputs", "nodes", "outputs", "_derived", "__weakref__")

    def __init__(self, inputs: tuple[Var, ...], nodes: tuple[Node, ...], outputs: tuple[Atom, ...]):
        self.inputs, self.nodes, self.outputs = tuple(inputs), tuple(nodes), tuple(outputs)
        self._derived: dict[Any, Any] = {}

    @property
    def in_types(self) -> tuple[ArrayType, ...]:
        return tuple(v.type for v in self.inputs)

    @property
    def out_types(self) -> tuple[ArrayType, ...]:
        return tuple(a.type for a in self.outputs)

    def derived(self, key: Any, make: Callable[[], Any]) -> Any:
        """What a pass has made of the graph: the result of `make()`, kept under `key` for as long as the graph lives."""
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]

    def subgraphs(self):
        """Every graph that a node of this one holds in its parameters, with the node."""
        for node in self.nodes:
            for inner in graphs_in(node.params):
                yield node, inner

    @property
    def effect(self) -> bool:
        """Whether a node has an effect."""
        return self.derived("effect", lambda: any(n.effect for n in self.nodes))

    @property
    def pure(self) -> Graph:
        """The graph without its effects, whose results nothing reads: for values that are computed a second time."""
        return self.derived("pure", self._without_effects) if self.effect else self

    def _without_effects(self) -> Graph:
        nodes = [n._replace(params=pure_params(n.params)) if n.effect else n for n in self.nodes if not n.op.effect]
        return Graph(self.inputs, live_nodes(nodes, self.outputs), self.outputs)

    def __reduce__(self):
        return Graph, (self.inputs, self.nodes, self.outputs)  # what passes have made of it is made again

    def __str__(self) -> str:
        from .printer import to_source
        return to_source(self)

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes: {', '.join(map(str, self.in_types))} -> {', '.join(map(str, self.out_types))}>"


def graphs_in(params: dict[str, Any]) -> Iterator[Graph]:
    """The graphs among some parameters."""
    for value in params.values():
        if isinstance(value, Graph):
            yield value
        elif isinstance(value, tuple):
            yield from [v for v in value if isinstance(v, Graph)]


def has_effect(op: Any, params: dict[str, Any]) -> bool:
    """Whether an application of the op has an effect, of its own or in a graph that it holds."""
    return op.effect or op.multiple and any([g.effect for g in graphs_in(params)])


def pure_params(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters with graphs that have no effects."""

    def pure(value: Any) -> Any:
        if isinstance(value, tuple) and any(isinstance(v, Graph) for v in value):
            return tuple(map(pure, value))
        return value.pure if isinstance(value, Graph) else value

    return {name: pure(value) for name, value in params.items()} if any([g.effect for g in graphs_in(params)]) else params


def live_nodes(nodes: list[Node] | tuple[Node, ...], outputs: tuple[Atom, ...]) -> tuple[Node, ...]:
    """The nodes that some output needs, or that have an effect, in their order."""
    needed = {a for a in outputs if isinstance(a, Var)}
    kept = []
    for node in reversed(nodes):
        if node.effect or any(v in needed for v in node.outputs):
            kept.append(node)
            needed.update(a for a in node.inputs if isinstance(a, Var))
    kept.reverse()
    return tuple(kept)
