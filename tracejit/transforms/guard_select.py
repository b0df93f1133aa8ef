"""`where(c, f(x), g(x))` must not leak NaN from the branch that was not taken.

Where f is undefined its derivative is infinite or NaN, and the zero cotangent that the select sends there would become 0 * inf = NaN.  So the tangent
of every value that enters a branch is zero where the branch is not taken: `t` becomes `select(c, t, 0)`, whose transpose drops the NaN.

A branch is what nothing but selects read.  Conditions are carried backwards from the selects: through elementwise ops and those that only move or
sum elements to what they read at its own shape, and a condition that is a single number through every op.  A value that several branches read is used
where any of their conditions holds; a value that is spread over a larger shape, where any of those elements is used.  What decides (`r > 0`) reads
values without moving their derivatives, so it is no use of them.

The zeros are put where the branch reads a value with other conditions, and only if something between there and the select can make NaN of a zero
cotangent (`Op.singular`): a product with anything that may be infinite or NaN.  A call that is part of a branch is inlined where an element's own
condition has to reach into it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..ir import ArrayType, Atom, Graph, Literal, Node, Var, is_inexact
from ..ir.types import BOOL
from ..ops import reduction
from ..ops.call import call
from ..ops.core import Op
from ..ops.elementwise import divide, logical_and, logical_not, logical_or, multiply, select
from ..ops.movement import broadcast_to, concatenate, inverse, pad, reshape, reverse, slice_, transpose
from ..trace import type_of


class Moved(NamedTuple):
    """A condition for the elements of an array of `shape`, which `op` moves to where they came from."""

    condition: Condition
    shape: tuple[int, ...]
    op: Op
    params: dict[str, Any]


class Anywhere(NamedTuple):
    """Whether all of some guards hold for any of the elements that one is spread over."""

    guards: tuple[Guard, ...]


class Condition:
    """What must hold: a variable, or what was made of others. Equal ones are the same object; they are ordered by `number`."""

    __slots__ = ("of", "shape", "number", "depth")

    def __init__(self, of: Var | Moved | Anywhere, shape: tuple[int, ...], number: int, depth: int):
        self.of = of
        self.shape = shape  # it broadcasts to this
        self.number = number
        self.depth = depth


Guard = tuple[Condition, bool]  # a condition, and whether it must be true or false
Term = frozenset[Guard]
Use = frozenset[Term]  # where a value is used: where all guards of some term hold
Mask = tuple[tuple[Guard, ...], ...]  # a use, in a fixed order
NEVER: Use = frozenset()
ALWAYS: Use = frozenset([frozenset()])
# A value that so many branches read in different ways counts as used everywhere; of more conditions around one branch only the inner ones count; a
# condition is moved so many times at most.
MOST_TERMS, MOST_GUARDS, MOST_MOVES = 32, 16, 32

Masks = dict[Node, tuple[tuple[int, Mask], ...]]  # by reader: the inputs whose tangents are zero where the mask does not hold


def guard_select(graph: Graph) -> tuple[Graph, Masks]:
    """The graph, in which some calls may be inlined, and where tangents are to be masked. It is the same object where there is nothing to mask."""
    if not any(n.op is select for n in graph.nodes):
        return graph, {}
    return graph.derived("guard_select", lambda: _guarded(graph))


def _guarded(graph: Graph) -> tuple[Graph, Masks]:
    branches = _Branches(graph)
    while branches.opaque:
        graph = _inlined(graph, branches.opaque)
        branches = _Branches(graph)
    return graph, branches.masks


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


def _spoils(node: Node) -> bool:
    """Whether a cotangent of zero can become NaN on its way through the node."""
    op = node.op
    if op is call:
        return any(map(_spoils, node.params["graph"].nodes))
    if op is multiply:
        return not any(map(_is_finite_number, node.inputs))
    if op is divide:
        return not _is_finite_number(node.inputs[1]) or node.inputs[1].value == 0
    return op.singular


def _is_finite_number(atom: Atom) -> bool:
    return type(atom) is Literal and bool(np.isfinite(atom.value))


class _Reading(NamedTuple):
    """That a node reads a value as one of its inputs, and where it uses it."""

    node: Node
    position: int
    use: Use


class _Branches:
    """What has to be masked in a graph: `masks`. `opaque` are the calls that hide a part of a branch, to be inlined first."""

    def __init__(self, graph: Graph):
        self.opaque: set[Node] = set()
        self.masks: Masks = {}
        self.conditions: dict[Any, Condition] = {}
        self.use: dict[Var, Use] = {}
        self.readings: dict[Var, list[_Reading]] = {}
        self.negated = {n.outputs[0]: n.inputs[0] for n in graph.nodes if n.op is logical_not}
        self._find_uses(graph)
        if not self.opaque:
            self._place(graph)

    def _find_uses(self, graph: Graph) -> None:
        """Where each value is used, from the results backwards."""
        for atom in graph.outputs:
            if type(atom) is Var:
                self.use[atom] = ALWAYS
        for node in reversed(graph.nodes):
            wide = NEVER
            for v in node.outputs:
                if is_inexact(v.type.dtype):
                    wide = self._either(wide, self.use.get(v, NEVER))
            own = self._carriable(node, wide)
            if own != wide and node.op is call and _spoils(node):
                self.opaque.add(node)
            self.use.update((v, own) for v in node.outputs)
            for position, a in enumerate(node.inputs):
                if type(a) is Var and is_inexact(a.type.dtype):
                    use = self._carried(node, position, own)
                    self.readings.setdefault(a, []).append(_Reading(node, position, use))
                    self.use[a] = self._either(self.use.get(a, NEVER), self._at_shape(use, a.type.shape))
        self.use.update((v, ALWAYS) for v in graph.inputs)

    def _place(self, graph: Graph) -> None:
        """Choose the readings to mask: where a branch is entered, and of those that move what enters it the last, which has the least to mask."""
        entering = {reading for v, found in self.readings.items() for reading in found if reading.use != self.use[v]}
        at_node: dict[Node, list[tuple[Var, _Reading]]] = {}
        for v, found in self.readings.items():
            for reading in found:
                at_node.setdefault(reading.node, []).append((v, reading))
        outside: set[Var] = set()  # what has only been moved since it was outside of the branch
        for node in graph.nodes:
            if node in at_node and not _spoils(node) and all(reading in entering or v in outside for v, reading in at_node[node]):
                outside.update(node.outputs)
        spoiled: set[Var] = set()  # values whose cotangents may be NaN where they are not used
        for node in reversed(graph.nodes):
            for v in node.outputs:
                self._mask(v, entering, outside, spoiled)
        for v in graph.inputs:
            self._mask(v, entering, outside, spoiled)

    def _mask(self, v: Var, entering: set[_Reading], outside: set[Var], spoiled: set[Var]) -> None:
        for reading in self.readings.get(v, ()):
            node, position, use = reading
            if use in (NEVER, ALWAYS) or not (_spoils(node) or any(out in spoiled for out in node.outputs)):
                continue
            if reading in entering or v in outside:
                mask = tuple([tuple(self._ordered(term)) for term in self._in_order(use)])
                self.masks[node] = (*self.masks.get(node, ()), (position, mask))
            else:
                spoiled.add(v)

    # -- from the results of a node to its inputs
    @staticmethod
    def _carriable(node: Node, use: Use) -> Use:
        """The use of the results as far as it says something of the inputs."""
        if node.op.effect and use != NEVER:
            return ALWAYS
        if node.op.elementwise or node.op is broadcast_to:
            return use
        moves = node.op in _MOVERS
        return frozenset([frozenset([(c, w) for c, w in term if not c.shape or moves and c.depth < MOST_MOVES]) for term in use])

    def _carried(self, node: Node, position: int, own: Use) -> Use:
        """Where the result is used, in terms of the elements of an input; at the shape of the result where elements are only spread."""
        if node.op is select and position and type(node.inputs[0]) is Var:
            c, wanted = node.inputs[0], position == 1
            while type(self.negated.get(c)) is Var:
                c, wanted = self.negated[c], not wanted
            condition = self._condition(c, c, c.type.shape)
            return frozenset([self._bounded(term | {(condition, wanted)}) for term in own if (condition, not wanted) not in term])
        if node.op not in _MOVERS or not any(c.shape for term in own for c, _ in term):
            return own
        terms = []
        for term in self._in_order(own):
            terms.append(frozenset([(self._moved(c, node, position) if c.shape else c, wanted) for c, wanted in self._ordered(term)]))
        return frozenset(terms)

    def _moved(self, condition: Condition, node: Node, position: int) -> Condition:
        op, params = _MOVERS[node.op](node, position)
        result = node.outputs[0].type.shape
        shape = op.infer(ArrayType(result, BOOL), **params).shape
        return self._condition((condition, result, op, *params.items()), Moved(condition, result, op, params), shape, condition.depth + 1)

    def _at_shape(self, use: Use, shape: tuple[int, ...]) -> Use:
        """The use of a value of `shape` that is spread over the shape of the conditions."""
        if all(_fits(c.shape, shape) for term in use for c, _ in term):
            return use
        terms = []
        for term in self._in_order(use):
            wide = tuple([(c, wanted) for c, wanted in self._ordered(term) if not _fits(c.shape, shape)])
            depth = max([c.depth for c, _ in wide], default=0) + 1
            if depth > MOST_MOVES:
                terms.append(term - set(wide))
            elif wide:
                terms.append(term - set(wide) | {(self._condition((wide, shape), Anywhere(wide), shape, depth), True)})
            else:
                terms.append(term)
        return frozenset(terms)

    def _condition(self, key: Any, of: Var | Moved | Anywhere, shape: tuple[int, ...], depth: int = 0) -> Condition:
        if key not in self.conditions:
            self.conditions[key] = Condition(of, shape, len(self.conditions), depth)
        return self.conditions[key]

    # -- sets of sets in a fixed order
    @staticmethod
    def _ordered(term: Term) -> list[Guard]:
        return sorted(term, key=_number)

    @staticmethod
    def _in_order(use: Use) -> list[Term]:
        return sorted(use, key=lambda term: sorted(map(_number, term)))

    def _bounded(self, term: Term) -> Term:
        """The newest of too many guards: the branches nearest to the value."""
        return term if len(term) <= MOST_GUARDS else frozenset(self._ordered(term)[-MOST_GUARDS:])

    def _either(self, a: Use, b: Use) -> Use:
        """The union, in fewer terms where one contains another or two differ in the outcome of one condition."""
        if a == b or b == NEVER or a == ALWAYS:
            return a
        if a == NEVER or b == ALWAYS:
            return b
        terms = a | b
        while True:
            for p, q in itertools.combinations(self._in_order(terms), 2):
                if p <= q or q <= p:
                    terms = terms - {p if q <= p else q}
                    break
                if len(p ^ q) == 2 and len({c for c, _ in p ^ q}) == 1:
                    terms = terms - {p, q} | {p & q}
                    break
            else:
                return terms if len(terms) <= MOST_TERMS else ALWAYS


def _number(guard: Guard) -> tuple[int, bool]:
    return guard[0].number, guard[1]


def _fits(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of `shape` broadcasts to the shape `to`."""
    return len(shape) <= len(to) and all(n in (m, 1) for n, m in zip(shape[::-1], to[::-1]))


# -- ops whose conditions move: (op, params) takes them from the shape of the result to a shape that broadcasts to that of an input
def _to_shape(shape: tuple[int, ...]) -> tuple[Op, dict[str, Any]]:
    return reshape, {"shape": shape}


def _of_slice(node: Node, position: int) -> tuple[Op, dict[str, Any]]:
    start, step, whole, part = node.params["start"], node.params["step"], node.inputs[0].type.shape, node.outputs[0].type.shape
    ends = [s + (n - 1) * k + 1 if n else s for s, n, k in zip(start, part, step)]
    high = tuple([n - e for n, e in zip(whole, ends)])
    return pad, {"low": start, "high": high, "interior": tuple([k - 1 for k in step]), "value": False}


def _of_concatenate(node: Node, position: int) -> tuple[Op, dict[str, Any]]:
    axis, shape = node.params["axis"], node.inputs[position].type.shape
    start = [0] * len(shape)
    start[axis] = sum(a.type.shape[axis] for a in node.inputs[:position])
    stop = tuple([s + n for s, n in zip(start, shape)])
    return slice_, {"start": tuple(start), "stop": stop, "step": (1,) * len(shape)}


_MOVERS: dict[Op, Callable[[Node, int], tuple[Op, dict[str, Any]]]] = {
    reshape: lambda node, position: _to_shape(node.inputs[0].type.shape),
    transpose: lambda node, position: (transpose, {"permutation": inverse(node.params["permutation"])}),
    reverse: lambda node, position: (reverse, node.params),
    slice_: _of_slice,
    concatenate: _of_concatenate,
    **dict.fromkeys(
        (reduction.reduce_sum, reduction.reduce_prod, reduction.reduce_max, reduction.reduce_min),
        lambda node, position: _to_shape(reduction.kept_shape(node.inputs[0].type.shape, node.params["axes"])),
    ),
}


# -- the masks at work
class Masking:
    """Applies masks to tangents. `value` gives the value of a variable of the graph, in the ambient context."""

    def __init__(self, value: Callable[[Var], Any]):
        self._value = value
        self._made: dict[Any, Any] = {}

    def masked(self, t: Any, mask: Mask) -> Any:
        """The tangent where the mask holds, and zero elsewhere."""
        if mask not in self._made:
            self._made[mask] = functools.reduce(logical_or, map(self._of_guards, mask))
        return select(self._made[mask], t, np.zeros((), type_of(t).dtype)[()])

    def _of_guards(self, guards: tuple[Guard, ...]) -> Any:
        return functools.reduce(logical_and, [self._of(c) if wanted else logical_not(self._of(c)) for c, wanted in guards])

    def _of(self, condition: Condition) -> Any:
        if condition not in self._made:
            self._made[condition] = self._computed(condition)
        return self._made[condition]

    def _computed(self, condition: Condition) -> Any:
        of = condition.of
        if type(of) is Var:
            return self._value(of)
        if type(of) is Moved:
            return of.op(broadcast_to(self._of(of.condition), shape=of.shape), **of.params)
        return _anywhere(self._of_guards(of.guards), condition.shape)


def _anywhere(x: Any, shape: tuple[int, ...]) -> Any:
    """Whether any of the elements that each element of an array of `shape` is spread over is true; of a shape that broadcasts to that."""
    have = type_of(x).shape
    lead = max(len(have) - len(shape), 0)
    summed = have[lead:]
    thin = tuple([d for d, (n, m) in enumerate(zip(summed, shape[len(shape) - len(summed) :])) if m == 1 and n != 1])
    axes = (*range(lead), *(d + lead for d in thin))
    kept = tuple([1 if d in thin else n for d, n in enumerate(summed)])
    return reshape(reduction.reduce_any(x, axes=axes), shape=kept) if axes else x
