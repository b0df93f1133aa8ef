"""Which values are changed in place: a write, or a loop that carries an array, may put its result where its operand was.

It may where nothing needs the old contents any more.  Whoever reads them must do so before: nodes are ordered for that where the graph allows it, and
values that were to be computed later from the old contents are stored first.

The inputs of a loop's body are overwritten too where the loop says so (they are `donated`), each only on the way to its own next value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..ir import Graph, Literal, Node, Var
from .index import Counter, Index
from .kernel import Buffer, Expression, loads

Pairs = Callable[[Node], list[tuple[int, int]]]


def updates_of(node: Node, overwrites: Pairs) -> list[tuple[int, int]]:
    """The pairs (operand, result) of a node that may be one array."""
    return [(0, 0)] if node.op.kind == "write" else overwrites(node)


def origins(graph: Graph, overwrites: Pairs) -> dict[int, int]:
    """For the outputs that are an input, or one changed by updates alone: the number of that input."""
    source: dict[Var, Var] = {}
    for node in graph.nodes:
        for operand, result in updates_of(node, overwrites):
            if type(node.inputs[operand]) is Var:
                source[node.outputs[result]] = node.inputs[operand]
    position = {v: i for i, v in enumerate(graph.inputs)}
    found: dict[int, int] = {}
    for k, atom in enumerate(graph.outputs):
        while type(atom) is Var and atom in source:
            atom = source[atom]
        if type(atom) is Var and atom in position:
            found[k] = position[atom]
    return found


def readers_first(graph: Graph, overwrites: Pairs) -> Graph:
    """The graph with nodes in an order in which updates come late: after all readers of the array that they change, where none of those needs the
    update."""
    nodes = list(graph.nodes)
    place = {node: i for i, node in enumerate(nodes)}
    readers: dict[Var, list[Node]] = {}
    for node in nodes:
        for a in node.inputs:
            if type(a) is Var:
                readers.setdefault(a, []).append(node)
    moved = False
    for node in graph.nodes:
        for operand, _ in updates_of(node, overwrites):
            x = node.inputs[operand]
            last = 0 if type(x) is Literal else max((place[r] for r in readers[x]), default=0)
            first = place[node]
            if last <= first:
                continue
            # What needs the update moves behind the last reader, unless that is among it.
            made, early, late = set(node.outputs), [], [node]
            for other in nodes[first + 1 : last + 1]:
                if any([a in made for a in other.inputs if type(a) is Var]):
                    made.update(other.outputs)
                    late.append(other)
                else:
                    early.append(other)
            if not early or any(n.effect for n in late):
                continue
            nodes[first : last + 1] = early + late
            place.update((n, i) for i, n in enumerate(nodes[first : last + 1], first))
            moved = True
    return Graph(graph.inputs, tuple(nodes), graph.outputs) if moved else graph


class Overwriting:
    """Decides, while the partitioner walks the nodes in order, whether a node may change an array where it is."""

    def __init__(self, graph: Graph, readers: dict[Var, list[Node]], buffers: dict[Var, Buffer], donated: Mapping[int, int], overwrites: Pairs):
        """`donated`: output -> input, both by number, for the inputs whose memory may become an output's."""
        self.readers, self.buffers = readers, buffers
        self.outputs = {a for a in graph.outputs if type(a) is Var}
        self.done: set[Node] = set()
        self.composed: dict[Var, frozenset[Buffer]] = {}  # what the values that are not stored are computed from
        self.composed_from: dict[Buffer, list[Var]] = {}  # and the other way round
        self.allowed: dict[Buffer, set[Var]] = {}  # for the memory of each donated input: the values that may be made in it
        for k, i in donated.items():
            chain = self.allowed.setdefault(buffers[graph.inputs[i]], set())
            self._follow(graph, graph.outputs[k], graph.inputs[i], chain, overwrites)

    @staticmethod
    def _follow(graph: Graph, atom, source: Var, chain: set[Var], overwrites: Pairs) -> None:
        before = {n.outputs[r]: n.inputs[o] for n in graph.nodes for o, r in updates_of(n, overwrites)}
        while atom is not source:
            chain.add(atom)
            atom = before[atom]

    def compose(self, node: Node) -> None:
        """The node's result is not stored."""
        found: set[Buffer] = set()
        for a in node.inputs:
            if type(a) is Var:
                found |= {self.buffers[a]} if a in self.buffers else self.composed[a]
        self.composed[node.outputs[0]] = frozenset(found)
        for buffer in found:
            self.composed_from.setdefault(buffer, []).append(node.outputs[0])

    def memory(self, node: Node, operand: int, result: int) -> tuple[Buffer | None, list[Var]]:
        """The memory of the operand, where the result may be made in it, and the values that must be stored before that is done."""
        x = node.inputs[operand]
        buffer = self.buffers.get(x) if type(x) is Var else None
        if buffer is None or x in self.outputs or node.inputs.count(x) != 1:
            return None, []
        if buffer.role != "temporary" and node.outputs[result] not in self.allowed.get(buffer, ()):
            return None, []
        if any(r is not node and r not in self.done for r in self.readers[x]):
            return None, []
        late = [v for v in self.composed_from.get(buffer, ()) if v not in self.buffers and self._is_needed_after(v, node)]
        if sum(v.type.size for v in late) > x.type.size // 2 or any(self._is_view(v) for v in late):
            return None, []
        return buffer, late

    def _is_needed_after(self, var: Var, node: Node) -> bool:
        return any(r is not node and r not in self.done for r in self.readers.get(var, ()))

    def _is_view(self, var: Var) -> bool:
        """Whether a library reads the value where its operand is stored."""
        return any(r not in self.done and r.op.kind not in ("pointwise", "reduce", "write") for r in self.readers[var])


def reads_ahead(buffer: Buffer, counters: list[Counter], target: tuple[Index, ...], expressions: list[Expression]) -> bool:
    """Whether a turn of the loops over `counters`, which write `buffer` at `target`, could read what an earlier turn has written."""
    found = [e for x in expressions for e in loads(x) if e.data[0] is buffer]
    return bool(found and counters) and not (_is_one_to_one(counters, target) and all(e.data[1] == target for e in found))


def _is_one_to_one(counters: list[Counter], target: tuple[Index, ...]) -> bool:
    """Whether each turn has a place of its own."""
    alone = {i.terms[0][0] for i in target if len(i.terms) == 1}
    return all(c in alone for c in counters)
