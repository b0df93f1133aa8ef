"""`where(c, f(x), g(x))` must not leak NaN from the branch that was not taken.

The derivative of f at an x outside its domain is infinite, and the zero cotangent that the select sends there would become 0 * inf = NaN.  So before
differentiation every value x that enters a branch is replaced by `mask_gradient(c, x)`, the same value, whose derivative flows only where c holds:
its transpose is a select, which drops the NaN.  Only branches with an op that can have such a derivative (`op.singular`) are touched.

A branch is what nothing but selects read, element by element: conditions are carried backwards from the selects through elementwise ops to what they
read at its own shape.  A value that several branches read is used where any of their conditions holds.  A call that is part of a branch is inlined,
so that its own ops are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from ..ir import Atom, Graph, Node, Var, is_inexact
from ..ops.call import call
from ..ops.elementwise import logical_and, logical_not, logical_or, mask_gradient, select
from ..ops.movement import broadcast_to

Guard = tuple[Var, bool]  # a condition, and whether it must be true or false
Use = frozenset[frozenset[Guard]]  # where a value is used: some of these sets of guards hold in full
ALWAYS: Use = frozenset([frozenset()])
# A value that so many branches read in different ways counts as used everywhere.
MOST_TERMS = 32


def guard_select(graph: Graph) -> Graph:
    """The graph with masks in front of branches that need them; the same object where there are none."""
    if not any(n.op is select for n in graph.nodes):
        return graph
    branches = _Branches(graph)
    while calls := {n for n in graph.nodes if n.op is call and any(branches.use[v] != ALWAYS for v in n.outputs) and _is_singular(n)}:
        graph = _inlined(graph, calls)
        branches = _Branches(graph)
    return branches.masked()


def _is_singular(node: Node) -> bool:
    return any(map(_is_singular, node.params["graph"].nodes)) if node.op is call else node.op.singular


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


class _Branches:
    """Where each value of a graph is used (`use`), and the graph with masks on the edges into branches."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.age = {v: i for i, v in enumerate([*graph.inputs, *(v for n in graph.nodes for v in n.outputs)])}
        self.use: dict[Var, Use] = {}
        self._find_uses()

    # -- where values are used
    def _find_uses(self) -> None:
        negated = {n.outputs[0]: n.inputs[0] for n in self.graph.nodes if n.op is logical_not}
        for atom in self.graph.outputs:
            self._used(atom, ALWAYS)
        for node in reversed(self.graph.nodes):
            if not node.op.elementwise and node.op is not call:
                self.use.update((v, ALWAYS) for v in node.outputs)  # like an input: it is what enters a branch
            own, shape = self.use.setdefault(node.outputs[0], ALWAYS), node.outputs[0].type.shape
            for position, a in enumerate(node.inputs):
                if not node.op.elementwise or a.type.shape != shape:
                    self._used(a, ALWAYS)
                elif node.op is select and position and type(node.inputs[0]) is Var:
                    c, wanted = node.inputs[0], position == 1
                    while type(negated.get(c)) is Var:
                        c, wanted = negated[c], not wanted
                    self._used(a, frozenset([term | {(c, wanted)} for term in own]))
                else:
                    self._used(a, own)
            for v in node.outputs:
                self.use.setdefault(v, ALWAYS)
        self.use.update((v, ALWAYS) for v in self.graph.inputs)  # never inside a branch

    def _used(self, atom: Atom, where: Use) -> None:
        if type(atom) is Var:
            known = self.use.get(atom)
            self.use[atom] = where if known is None or known == where else self._either(known, where)

    def _either(self, a: Use, b: Use) -> Use:
        """The union, in fewer terms where one contains another or two differ in the outcome of one condition."""
        terms = a | b
        while True:
            for p, q in itertools.combinations(sorted(terms, key=self._sorted), 2):
                if p <= q or q <= p:
                    terms = terms - {p if q <= p else q}
                    break
                if len(p ^ q) == 2 and len({c for c, _ in p ^ q}) == 1:
                    terms = terms - {p, q} | {p & q}
                    break
            else:
                return terms if len(terms) <= MOST_TERMS else ALWAYS

    def _sorted(self, term: Iterable[Guard]) -> list[tuple[int, bool]]:
        return sorted((self.age[c], wanted) for c, wanted in term)

    # -- the masks
    def masked(self) -> Graph:
        dangerous = {guard for n in self.graph.nodes if n.op.singular for term in self.use[n.outputs[0]] for guard in term}
        if not dangerous:
            return self.graph
        self.nodes: list[Node] = []
        self.made: dict[tuple, Var] = {}
        for node in self.graph.nodes:
            out = node.outputs[0]
            where = self.use[out]
            inputs = node.inputs
            if any(guard in dangerous for term in where for guard in term):
                entering = [type(a) is Var and is_inexact(a.type.dtype) and self.use[a] != where for a in inputs]
                inputs = tuple([self._mask(where, a, out.type.shape) if enters else a for a, enters in zip(inputs, entering)])
            self.nodes.append(node if inputs == node.inputs else Node(node.op, inputs, node.params, node.outputs, node.source))
        return Graph(self.graph.inputs, _in_order(self.nodes), self.graph.outputs)

    def _mask(self, where: Use, x: Var, shape: tuple[int, ...]) -> Var:
        if x.type.shape != shape:  # spread over a larger array: each element has its own condition
            x = self._make(broadcast_to, x, shape=shape)
        return self._make(mask_gradient, self._condition(where), x)

    def _condition(self, where: Use) -> Var:
        terms = []
        for term in sorted(where, key=self._sorted):
            guards = sorted(term, key=lambda guard: self.age[guard[0]])
            terms.append(self._joined(logical_and, [c if wanted else self._make(logical_not, c) for c, wanted in guards]))
        return self._joined(logical_or, terms)

    def _joined(self, op, conditions: list[Var]) -> Var:
        joined = conditions[0]
        for c in conditions[1:]:
            joined = self._make(op, joined, c)
        return joined

    def _make(self, op, *inputs: Var, **params) -> Var:
        key = op, inputs, *params.items()
        if key not in self.made:
            out = self.made[key] = Var(op.infer(*[v.type for v in inputs], **params).strong)
            self.nodes.append(Node(op, inputs, params, (out,)))
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
