"""The way back through a recorded graph.

Operands are made before results, so nodes are gone through from the last made to the first: when a node's turn comes, everything that reads its
outputs has had its own.  A heap holds the nodes that something has arrived at; there is no recursion, and no count of readers.  In a chain the heap
is empty: the one node that waits is kept beside it.  Gradients travel as arrays; as tensors where the way back is recorded (`create_graph`).
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush, heappushpop
from typing import Any

import numpy as np

from .. import residence
from ..trace import Tracer
from ..trace.constants import active_traces
from ..trace.tracer import same
from .gradient_hooks import after, before, watched
from .modes import state
from .nodes import AccumulateGrad, Node
from .storage import here
from .tensor import Tensor, wrap

Targets = dict[Node, dict[int, list]]


def run_back(
    roots: Sequence[Tensor], grads: Sequence[Any], retain: bool, create_graph: bool, targets: Targets | None, recorded: bool = False
) -> dict[tuple[Node, int], Any]:
    """Go back from `roots`. With `targets`, only to these, whose gradients are returned; else to all leaves, whose gradients are accumulated.

    With `create_graph` gradients travel as tensors; what is done to them is `recorded` or not.
    """
    edges = [t._edge for t in roots]
    going = _Traversal(retain, create_graph, targets, None if targets is None else relevant_nodes([e[0] for e in edges], targets))
    going.taken.update(map(id, grads))
    before, state.grad = state.grad, recorded
    try:
        with np.errstate(all="ignore"):
            going.run(edges, grads)
            going.finish()
    finally:
        state.grad = before
    return going.found


class _Traversal:
    """One way back. `arrived` has for each node that waits what has come to it: a gradient where it has one output, else gradients by number."""

    __slots__ = ("retain", "create_graph", "targets", "relevant", "found", "arrived", "leaves", "taken")

    def __init__(self, retain: bool, create_graph: bool, targets: Targets | None, relevant: set[Node] | None):
        self.retain, self.create_graph, self.targets, self.relevant = retain, create_graph, targets, relevant
        self.found: dict[tuple[Node, int], Any] = {}
        self.arrived: dict[Node, Any] = {}
        self.leaves: list[AccumulateGrad] = []
        self.taken: set[int] = set()  # arrays that somebody else holds

    def run(self, edges: Sequence[Any], gradients: Sequence[Any]) -> None:
        """Through all nodes but the leaves."""
        arrived, leaves, relevant, retain = self.arrived, self.leaves, self.relevant, self.retain
        quick = not self.create_graph and self.targets is None and not state.anomaly and not active_traces()
        heap: list[tuple[int, Node]] = []
        waiting: Node | None = None  # the one with the greatest number among those that came since the last turn
        while True:
            for e, g in zip(edges, gradients):
                if e is None or g is None:
                    continue
                node, number = e
                if relevant is not None and node not in relevant:
                    continue
                there = arrived.get(node)
                if there is None:
                    arrived[node] = g if node.single else {number: g}
                    sequence = node.sequence
                    if not sequence:
                        leaves.append(node)
                    elif waiting is None:
                        waiting = node
                    elif sequence > waiting.sequence:
                        heappush(heap, (-waiting.sequence, waiting))
                        waiting = node
                    else:
                        heappush(heap, (-sequence, node))
                elif node.single:
                    arrived[node] = there + g
                elif number in there:
                    there[number] = there[number] + g
                else:
                    there[number] = g
            if heap:
                node = heappop(heap)[1] if waiting is None else heappushpop(heap, (-waiting.sequence, waiting))[1]
            elif waiting is None:
                return
            else:
                node = waiting
            edges, waiting = node.edges, None
            there = gradients = g = None  # arrays live no longer than they are needed
            if quick and node.extras is None and node.back is not None:
                gradients = node.back(node, arrived.pop(node))
                if not retain and node.saved:
                    node.saved = None
            else:
                gradients = self._turn(node)

    def _turn(self, node: Node) -> Sequence[Any]:
        """The gradients of a node's operands; nothing where the way ends here."""
        create_graph, extras = self.create_graph, node.extras
        gradients = self.arrived.pop(node)
        if node.single:
            gradients = {0: gradients}
        if extras is not None:
            gradients = before(node, gradients, create_graph, self.taken)
        if self.targets is not None and node in self.targets:
            for number in self.targets[node]:
                if number in gradients:
                    self.found[node, number] = gradients[number]
            if not any([e is not None and e[0] in self.relevant for e in node.edges]):
                return ()
        results = watched(node, gradients, create_graph) if state.anomaly else node.apply(gradients, create_graph)
        if not self.retain:
            node.release()
        if extras is not None and extras.after:
            results = after(extras, results, gradients, create_graph)
        return results

    def finish(self) -> None:
        """Hand over what has come to the leaves."""
        for node in self.leaves:
            g = self.arrived.pop(node)
            if node.extras is not None:
                g = before(node, {0: g}, self.create_graph, self.taken)[0]
            if self.targets is not None:
                self.found[node, 0] = g
                continue
            variable = node.variable
            accumulate(variable, g, self.create_graph, self.taken)
            if node.extras is not None and node.extras.post_accumulate:
                for hook in list(node.extras.post_accumulate.values()):
                    hook(variable)


def relevant_nodes(roots: Sequence[Node], targets: dict[Node, Any]) -> set[Node]:
    """The nodes that lead to a target. Operands are older than results, so one pass from the oldest tells."""
    seen, stack = set(roots), list(roots)
    while stack:
        for e in stack.pop().edges:
            if e is not None and e[0] not in seen:
                seen.add(e[0])
                stack.append(e[0])
    leading: set[Node] = set()
    for node in sorted(seen, key=_sequence):
        if node in targets or any([e is not None and e[0] in leading for e in node.edges]):
            leading.add(node)
    return leading


def _sequence(node: Node) -> int:
    return node.sequence


def accumulate(variable: Tensor, g: Any, create_graph: bool, taken: set[int]) -> None:
    """Add to the gradient of a tensor: an array, which may be one of those that somebody else holds, or a tensor."""
    have = variable._grad
    if create_graph:
        g = g if isinstance(g, Tensor) else wrap(fresh(g, taken))
        variable._grad = g if have is None else have + g
    elif have is None:
        variable._grad = g if isinstance(g, Tensor) else wrap(fresh(g, taken))
    else:
        from .inplace import overwrite

        g = g._array if isinstance(g, Tensor) else g
        if have._requires:
            variable._grad = wrap(have._array + g)
        elif type(have._data) is np.ndarray and type(g) is np.ndarray and have._data.dtype == g.dtype and not active_traces():
            np.add(have._data, g, have._data)
            have._storage.version += 1
            have._storage.written_at = here()
        else:
            overwrite(have, have._array + g)


def fresh(g: Any, taken: set[int]) -> Any:
    """The gradient as an array that nobody else holds. The engine's own results are handed over as they are."""
    if type(g) is Tracer:
        return same(g)
    if type(g) in residence.classes:
        g = residence.copied(g) if id(g) in taken or not g.flags.c_contiguous else g
        taken.add(id(g))
        return g
    if type(g) is not np.ndarray:
        return np.asarray(g)
    flags = g.flags
    if g.base is not None or not flags.c_contiguous or id(g) in taken or not flags.owndata or not flags.writeable:
        g = np.array(g, order="C")  # rows one after the other, as parameters are: what reads both goes through them in one order
    taken.add(id(g))
    return g
