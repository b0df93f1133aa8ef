"""What a traced function did to cells (`trace/cells.py`) and to states among its arguments, for the transforms that hand it over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import residence
from ..errors import LeakedTracerError, at_user_line
from ..ir import Graph, Var
from ..ir.graph import Atom
from ..trace import Trace, Tracer, type_of
from ..trace.cells import Cell, Outside


class Cells(NamedTuple):
    """The cells that a recorded function looks at: `places` has the position of each among the values that it closes over.

    `written` are those that it writes into; their new contents are the last outputs of its graph.
    """

    places: Mapping[Cell, int]
    written: tuple[Cell, ...]

    @staticmethod
    def of(trace: Trace, graph: Graph, outside: int, written: Mapping[Cell, Any]) -> Cells:
        place = {var: i for i, var in enumerate(graph.inputs[len(graph.inputs) - outside :])}
        looked_at = {cell: place[begin] for cell, (_, begin) in trace.cells.items() if type(cell) is not Outside or cell in written}
        return Cells(looked_at, tuple(written))

    def outside(self, values: Sequence[Any]) -> list[Any]:
        """What a function closes over, with the cells as they are now."""
        now = list(values)
        for cell, i in self.places.items():
            now[i] = cell.array
        return now

    def write(self, contents: Sequence[Any]) -> None:
        for cell, new in zip(self.written, contents, strict=True):
            cell.write(new)


def require_returned(trace: Trace, inputs: Sequence[Tracer], begin: Sequence[Atom], results: Sequence[Any]) -> None:
    """Raise `TypeError` where a generator that is an argument has advanced, but is not among the results: its next state would be lost."""
    returned = {id(x.atom) for x in results if type(x) is Tracer}
    for t, first in zip(inputs, begin):
        if t.atom is not first and any(t is s for s in trace.states) and id(t.atom) not in returned:
            raise TypeError(
                at_user_line(
                    f"a random generator is an argument of the {trace.what} and advances there, but its new state is not returned: "
                    "the same numbers would come again. Let the function close over the generator, or return it, or pass keys "
                    "(`tracejit.random.key`, `split`)."
                )
            )


def snapshot(values: Sequence[Any], cells: Cells) -> list[Any]:
    """The values that a function closes over, with copies of the cells' own memory, which a later write would change."""
    places = set(cells.places.values())
    return [residence.copied(x) if i in places else x for i, x in enumerate(values)]


def spread_states(cells: Cells, outside: Sequence[Any], n: int, what: str) -> tuple[list[Any], list[bool]]:
    """What a function under `vmap` closes over, and what of it differs between the n examples: states that it changes, which each has for itself.

    The cells go on from a state that no example had. Raises `TypeError` for a cell that has no such rule.
    """
    values, marks = snapshot(outside, cells), [False] * len(outside)
    for cell in cells.written:
        if type(cell) is Outside:
            raise LeakedTracerError(
                at_user_line(
                    f"a value that is traced inside the {what} is written into an array from outside of it ({type_of(cell.array)}), which all "
                    "examples share: return the value and write it outside, or make the array inside (`np.copy`)"
                )
            )
        if cell.spread is None:
            raise TypeError(
                at_user_line(f"the function of the {what} writes into a state that all examples share: return what it would write instead")
            )
        place = cells.places[cell]
        values[place], following = cell.spread(cell.read(), n)
        marks[place] = True
        cell.write(following)
    return values, marks


class Body(NamedTuple):
    """A recorded body of a loop or branch whose graph takes `consts`, what it closes over, first; the states that it changes are among its own."""

    graph: Graph
    consts: list[Any]

    def with_outputs(self, count: int) -> Body:
        return self._replace(graph=Graph(self.graph.inputs, self.graph.nodes, self.graph.outputs[:count]))

    def captures_last(self) -> Graph:
        n = len(self.consts)
        return Graph((*self.graph.inputs[n:], *self.graph.inputs[:n]), self.graph.nodes, self.graph.outputs)


def carried(recording: Any, split: int, kept: int, cells: Sequence[Cell]) -> Body:
    """A recording as a body in which `cells` are carried like other state: their inputs follow the first `split` arguments, and their new contents
    the first `kept` results."""
    graph, used = recording.graph, recording.cells
    own = len(graph.inputs) - len(recording.outside)
    arguments, captured = graph.inputs[:own], graph.inputs[own:]
    places = {c: used.places[c] if c in used.places else _captured(c, recording.outside) for c in cells}
    states = [Var(type_of(c.array).strong) if places[c] is None else captured[places[c]] for c in cells]
    moved = set(places.values())
    consts = [(v, x) for i, (v, x) in enumerate(zip(captured, snapshot(recording.outside, used))) if i not in moved]
    end = len(graph.outputs) - len(used.written)
    results, contents = graph.outputs[:end], dict(zip(used.written, graph.outputs[end:]))
    inputs = (*(v for v, _ in consts), *arguments[:split], *states, *arguments[split:])
    outputs = (*results[:kept], *(contents.get(c, s) for c, s in zip(cells, states)), *results[kept:])
    return Body(Graph(inputs, graph.nodes, outputs), [x for _, x in consts])


def _captured(cell: Any, outside: Sequence[Any]) -> int | None:
    """Where a body that only reads an array which another one writes into has it among the values that it closes over."""
    if type(cell) is not Outside:
        return None
    array = cell.array
    for i, x in enumerate(outside):
        if x is array or type(x) is type(array) is Tracer and x.owner is array.owner and x.atom is array.atom:
            return i
    return None
