"""Results of a compiled function that are differentiated outside of it: one node of autograd, whose way back is a program too.

When the function has been recorded, the engine goes back from its results on proxies, in a trace of its own.  What that trace takes from the forward
one are residuals, further outputs of the forward program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import residence
from ...errors import TracejitError, at_user_line
from ...interpret import replay
from ...ir import Graph
from ...trace import Trace, Tracer
from ...trace.creation import tracing
from ...trace.trace import type_of
from ..nodes import Node, PrimitiveNode, Saved
from ..storage import here
from ..tensor import Tensor
from ..traversal import run_back


class Boundary(Node):
    """Stands for the history of a tensor from outside while a function is recorded."""

    __slots__ = ("behind", "what")

    def __init__(self, behind: Node, what: str):
        super().__init__((), None)
        self.behind, self.what = behind, what

    def apply(self, cotangents: dict[int, Any], recording: bool) -> Sequence[Any]:
        raise TracejitError(
            at_user_line(
                f"{self.what}: backward() goes back through a tensor that was computed outside of the compiled function: "
                "compute it inside, or detach it"
            )
        )


class Differentiable(NamedTuple):
    """The way back: `graph` takes cotangents of the results, then `residuals`, proxies of the forward trace, then `constants`; it gives gradients of
    the tensors numbered in `operands`."""

    graph: Graph
    operands: tuple[int, ...]
    residuals: list[Any]
    constants: list[Any]
    out_types: tuple


def spent(node: Node) -> bool:
    """Whether the graph behind a node has been freed by a backward inside of the function."""
    seen, stack = {node}, [node]
    while stack:
        n = stack.pop()
        if isinstance(n, PrimitiveNode) and n.saved is None:
            return True
        for e in n.edges:
            if e is not None and e[0] not in seen:
                seen.add(e[0])
                stack.append(e[0])
    return False


def leads_to(results: Sequence[Tensor], tensors: Sequence[Tensor], forward: Trace, what: str) -> Differentiable | None:
    """The way back from `results`, tensors of the forward trace, to those of `tensors` that they were made of."""
    edges = {}
    for n, t in enumerate(tensors):
        if t._requires and (t._node is None or type(t._node) is Boundary):
            edges.setdefault(t._edge, n)
    reached, seen, stack = set(), set(), [t._edge[0] for t in results]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        stack += [e[0] for e in node.edges if e is not None]
    reached = {e for e in edges if e[0] in seen}
    if not reached:
        return None
    targets: dict[Node, dict[int, list]] = {}
    for node, number in reached:
        targets.setdefault(node, {})[number] = []
    back = Trace(f"backward of {what}")
    try:
        with tracing(back, leads_to):
            cts = [back.input(type_of(t._array).strong) for t in results]
            found = run_back(results, cts, True, False, targets)
            order = [(edges[e], found[e]) for e in sorted(found, key=edges.get)]
            graph, outside = back.finish([g for _, g in order])
    finally:
        back.abandon()
    residuals = [x for x in outside if type(x) is Tracer and x.owner is forward]
    moving = [i for i, x in enumerate(outside) if type(x) is Tracer and x.owner is forward]
    fixed = [i for i in range(len(outside)) if i not in moving]
    own = len(results)
    inputs = (*graph.inputs[:own], *[graph.inputs[own + i] for i in moving], *[graph.inputs[own + i] for i in fixed])
    types = tuple(v.type for v in graph.inputs[:own])
    return Differentiable(
        Graph(inputs, graph.nodes, graph.outputs), tuple(n for n, _ in order), residuals, [outside[i] for i in fixed], types
    )


class CompiledBackward(Node):
    """The node of the results of a compiled function."""

    __slots__ = ("way", "program", "residuals", "operands", "again")

    def __init__(self, way: Differentiable, program: Any, residuals: Sequence[Any], operands: Sequence[Saved], again: Any):
        super().__init__(tuple([s.edge for s in operands]), here())
        self.way, self.program, self.residuals, self.operands, self.again = way, program, residuals, operands, again

    def apply(self, cotangents: dict[int, Any], recording: bool) -> Sequence[Any]:
        if self.residuals is None:
            raise RuntimeError(FREED)
        types = self.way.out_types
        if recording:
            return self.again(self, cotangents)
        for s in self.operands:
            s.value(self)  # raises where it has been written into since
        cts = [cotangents[i] if i in cotangents else np.zeros(t.shape, t.dtype) for i, t in enumerate(types)]
        values = [*cts, *self.residuals, *self.way.constants]
        if any(type(x) is Tracer for x in values):
            return replay(self.way.graph, values)
        return [g if residence.is_array(g) else np.asarray(g) for g in self.program.run(values)]

    def release(self) -> None:
        self.residuals = None


FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed). "
    "Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(), also inside of the compiled function. "
    "Specify retain_graph=True if you need to backward through the graph a second time."
)


class Within(Node):
    """The node of a result that was made of leaves of the function's own: nobody outside sees their gradients."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__((), here())

    def name(self) -> str:
        return "CompiledBackward"

    def apply(self, cotangents: dict[int, Any], recording: bool) -> Sequence[Any]:
        return ()


class Freed(Within):
    """The node of a result whose graph was freed inside of the compiled function."""

    __slots__ = ()

    def apply(self, cotangents: dict[int, Any], recording: bool) -> Sequence[Any]:
        raise RuntimeError(FREED)
