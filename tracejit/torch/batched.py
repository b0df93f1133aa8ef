"""The way back for many gradients at once: the rows of a Jacobian.

Gradients have an axis of n in front.  A node's plan is batched once for its types and n (`transforms.batch`), and kept with the plan; what is saved
is shared by all.  The graph is gone through once, as by `engine`, and not once for each row.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ops.core import zeros
from ..transforms.batch import batch as batch_graph
from . import traversal
from .dispatch import Primitive
from .modes import state
from .nodes import AccumulateGrad, Node, PrimitiveNode
from .plan import Plan, forward_graph
from .repeated import as_function
from .tensor import Tensor, wrap


def gradients(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], cotangents: Sequence[Tensor | None], retain_graph: bool, create_graph: bool
) -> list[Tensor | None]:
    """For each input n gradients, along a first axis; None for one that the outputs were not made of. `cotangents` have n for each output."""
    n = next(c._data.shape[0] for c in cotangents if c is not None)
    targets = {t._edge for t in inputs}
    roots = [(t._edge, c) for t, c in zip(outputs, cotangents) if c is not None]
    relevant = traversal.relevant_nodes([e[0] for e, _ in roots], {node: None for node, _ in targets})
    arrived: dict[Node, dict[int, Tensor]] = {}
    heap: list[tuple[int, int, Node]] = []
    found: dict[tuple[Node, int], Tensor] = {}

    def add(edge: Any, g: Tensor | None) -> None:
        if edge is None or g is None or edge[0] not in relevant:
            return
        node, number = edge
        there = arrived.get(node)
        if there is None:
            there = arrived[node] = {}
            heapq.heappush(heap, (-node.sequence, id(node), node))
        there[number] = there[number] + g if number in there else g

    before, state.grad = state.grad, create_graph
    try:
        for edge, c in roots:
            add(edge, c)
        while heap:
            node = heapq.heappop(heap)[2]
            given = _hooked(node, arrived.pop(node))
            for number, g in given.items():
                if (node, number) in targets:
                    found[node, number] = g
            if type(node) is AccumulateGrad or not any([e is not None and e[0] in relevant for e in node.edges]):
                continue
            results = _applied(node, given, n)
            if not retain_graph:
                node.release()
            for edge, g in zip(node.edges, results):
                add(edge, g)
    finally:
        state.grad = before
    return [found.get(t._edge) for t in inputs]


def _hooked(node: Node, given: dict[int, Tensor]) -> dict[int, Tensor]:
    """What the hooks of tensors make of gradients: they are called on one example, for all at once."""
    if node.extras is None or not node.extras.on_gradient:
        return given
    from .func import vmap

    for number, hooks in node.extras.on_gradient.items():
        if number in given:
            for hook in list(hooks.values()):

                def replaced(g: Tensor, hook: Any = hook) -> Tensor:
                    made = hook(g)
                    return g if made is None else made

                given[number] = vmap(replaced)(given[number])
    return given


def _applied(node: Node, given: dict[int, Tensor], n: int) -> Sequence[Tensor | None]:
    """The gradients of a node's operands, n of each."""
    if not isinstance(node, PrimitiveNode):
        return _one_by_one(node, given)
    plan, saved = node.plan, node.kept()
    if saved is None:
        node.apply({}, False)  # raises
    kept = [s.array if s.constant else s.as_tensor(node) for s in saved]
    types = [t for t in plan.out_types if t is not None]
    numbers = [i for i, t in enumerate(plan.out_types) if t is not None]
    cts = [given[i] if i in given else wrap(np.zeros((n, *t.shape), t.dtype)) for i, t in zip(numbers, types)]
    results = _primitive(plan, len(kept), len(cts), n)(*kept, *cts)
    full: list[Tensor | None] = [None] * len(node.edges)
    for i, g in zip(plan.reached, results):
        full[i] = g
    return full


def _primitive(plan: Plan, held: int, moving: int, n: int) -> Primitive:
    """The plan for n cotangents at once, as a function of tensors."""
    made = plan.batched.get(n)
    if made is None:
        whole, name = plan.graph, f"{plan.name.partition('Backward')[0]}BackwardBackward0"
        marks = [*[False] * held, *[True] * moving, *[False] * len(plan.constants)]

        def run(*values: Any) -> tuple:
            made, flags = batch_graph(whole, [*values, *plan.constants], marks)
            return tuple([x if f else np.broadcast_to(x, (n, *t.shape)) + zeros(t) for x, f, t in zip(made, flags, whole.out_types)])

        given = zip(whole.inputs[: held + moving], marks)
        with np.errstate(all="ignore"):
            graph, constants, _ = forward_graph(name, run, [v.type._replace(shape=(n, *v.type.shape)) if m else v.type for v, m in given], {})
        made = plan.batched[n] = Primitive(name, as_function(name, graph, constants))
    return made


def _one_by_one(node: Node, given: dict[int, Tensor]) -> Sequence[Tensor | None]:
    """The gradients of the operands of a user's own function, whose `backward` is called on one example, for all at once."""
    from .func import vmap

    numbers = list(given)
    reached: list[int] = []

    def one(*gradients: Tensor) -> tuple[Tensor, ...]:
        results = node.apply(dict(zip(numbers, gradients)), True)
        reached[:] = [i for i, g in enumerate(results) if g is not None]
        return tuple([results[i] for i in reached])

    made = vmap(one)(*[given[i] for i in numbers])
    full: list[Tensor | None] = [None] * len(node.edges)
    for i, g in zip(reached, made):
        full[i] = g
    return full
