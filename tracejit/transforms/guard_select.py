"""`where(c, f(x), g(x))` must not leak NaN from the branch that was not taken.

The derivative of f at an x outside its domain is infinite, and the zero cotangent that the select sends there would become 0 * inf = NaN.  So before
differentiation every value x that enters a branch is replaced by `mask_gradient(c, x)`, the same value, whose derivative flows only where c holds:
its transpose is a select, which drops the NaN.  Only branches with an op that can have such a derivative (`op.singular`) are touched.

A branch is what nothing but the select reads, element by element: guards are carried backwards from the selects through elementwise ops to what
they read at its own shape.  A call that is part of a branch is inlined, so that its own ops are.
"""

from __future__ import annotations

from ..ir import Atom, Graph, Node, Var, is_inexact
from ..ops.call import call
from ..ops.elementwise import logical_not, mask_gradient, select
from ..ops.movement import broadcast_to

Guard = tuple[Var, bool]  # a condition, and whether it must be true or false
NOTHING: frozenset[Guard] = frozenset()


def guard_select(graph: Graph) -> Graph:
    """The graph with masks in front of branches that need them; the same object where there are none."""
    if not any(n.op is select for n in graph.nodes):
        return graph
    guards = _guards(graph)
    while calls := {n for n in graph.nodes if n.op is call and any(guards[v] for v in n.outputs) and _is_singular(n)}:
        graph = _inlined(graph, calls)
        guards = _guards(graph)
    dangerous = frozenset().union(*[guards[n.outputs[0]] for n in graph.nodes if n.op.singular])
    return _Masks(graph).masked(guards, dangerous) if dangerous else graph


def _is_singular(node: Node) -> bool:
    return any(map(_is_singular, node.params["graph"].nodes)) if node.op is call else node.op.singular


# -- which branches a value belongs to
def _guards(graph: Graph) -> dict[Var, frozenset[Guard]]:
    """For each variable, the conditions under which alone it is used, elementwise and at its own shape."""
    negated = {n.outputs[0]: n.inputs[0] for n in graph.nodes if n.op is logical_not}
    guards: dict[Var, frozenset[Guard]] = {}

    def meet(atom: Atom, found: frozenset[Guard]) -> None:
        if type(atom) is Var:
            known = guards.get(atom)
            guards[atom] = found if known is None else known & found

    for atom in graph.outputs:
        meet(atom, NOTHING)
    for node in reversed(graph.nodes):
        shape = node.outputs[0].type.shape
        if not node.op.elementwise and node.op is not call:
            guards.update((v, NOTHING) for v in node.outputs)  # like an input: it is what enters a branch
        own = guards.setdefault(node.outputs[0], NOTHING)
        for position, a in enumerate(node.inputs):
            if not node.op.elementwise or a.type.shape != shape:
                meet(a, NOTHING)
            elif node.op is select and position and type(node.inputs[0]) is Var:
                c, wanted = node.inputs[0], position == 1
                while type(negated.get(c)) is Var:
                    c, wanted = negated[c], not wanted
                meet(a, own | {(c, wanted)})
            else:
                meet(a, own)
        for v in node.outputs:
            guards.setdefault(v, NOTHING)
    guards.update((v, NOTHING) for v in graph.inputs)  # an input is never inside a branch: it is what enters one
    return guards


def _inlined(graph: Graph, calls: set[Node]) -> Graph:
    """The graph with some calls replaced by what they call."""
    nodes: list[Node] = []
    known: dict[Var, Atom] = {}  # what stands for the results of the inlined calls

    def place(node: Node, names: dict[Var, Atom], outputs: tuple[Var, ...]) -> None:
        inputs = tuple([names.get(a, a) if type(a) is Var else a for a in node.inputs])
        nodes.append(node if inputs == node.inputs and outputs is node.outputs else Node(node.op, inputs, node.params, outputs, node.source))

    for node in graph.nodes:
        if node not in calls:
            place(node, known, node.outputs)
            continue
        inner = node.params["graph"]
        names = dict(zip(inner.inputs, [known.get(a, a) if type(a) is Var else a for a in node.inputs]))
        for part in inner.nodes:
            outputs = tuple([Var(v.type) for v in part.outputs])
            place(part, names, outputs)
            names.update(zip(part.outputs, outputs))
        known.update(zip(node.outputs, [names[a] if type(a) is Var else a for a in inner.outputs]))
    return Graph(graph.inputs, tuple(nodes), tuple([known.get(a, a) if type(a) is Var else a for a in graph.outputs]))


# -- the masks
class _Masks:
    """Rebuilds a graph with a mask on every edge into a branch."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.nodes: list[Node] = []
        self.made: dict[tuple, Var] = {}
        self.order = {v: i for i, v in enumerate([*graph.inputs, *(v for n in graph.nodes for v in n.outputs)])}

    def masked(self, guards: dict[Var, frozenset[Guard]], dangerous: frozenset[Guard]) -> Graph:
        for node in self.graph.nodes:
            inside = guards[node.outputs[0]] & dangerous
            shape = node.outputs[0].type.shape
            inputs = []
            for a in node.inputs:
                if inside and type(a) is Var and is_inexact(a.type.dtype):
                    for guard in sorted(inside - guards[a], key=lambda g: self.order[g[0]]):
                        a = self._mask(guard, a, shape)
                inputs.append(a)
            self.nodes.append(node if tuple(inputs) == node.inputs else Node(node.op, tuple(inputs), node.params, node.outputs, node.source))
        return Graph(self.graph.inputs, _in_order(self.nodes), self.graph.outputs)

    def _mask(self, guard: Guard, x: Var, shape: tuple[int, ...]) -> Var:
        if x.type.shape != shape:  # spread over a larger array: each element has its own condition
            x = self._make(broadcast_to, (x,), {"shape": shape}, x.type._replace(shape=shape))
        c, wanted = guard
        condition = c if wanted else self._make(logical_not, (c,), {}, c.type)
        return self._make(mask_gradient, (condition, x), {}, x.type)

    def _make(self, op, inputs: tuple[Var, ...], params: dict, type_) -> Var:
        key = op, inputs, type_
        if key not in self.made:
            self.made[key] = Var(type_)
            self.nodes.append(Node(op, inputs, params, (self.made[key],)))
        return self.made[key]


def _in_order(nodes: list[Node]) -> tuple[Node, ...]:
    """The nodes with definitions before uses: a mask reads its condition, which may have been computed after the branch that it now guards."""
    producer = {v: n for n in nodes for v in n.outputs}
    placed: dict[Node, None] = {}
    for root in nodes:
        stack = [root]
        while stack:
            node = stack[-1]
            waiting = [producer[a] for a in node.inputs if a in producer and producer[a] not in placed] if node not in placed else []
            if waiting:
                stack.extend(waiting)
            else:
                placed.setdefault(stack.pop())
    return tuple(placed)
