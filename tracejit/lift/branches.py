"""A branch on a traced condition: both sides are traced, and the compiled program takes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ir.types import INT
from ..ops.bodies import same_captures
from ..ops.core import zeros
from ..ops.elementwise import convert
from ..ops.switch import switch
from ..trace import Trace, Tracer
from ..trace.views import OutsideWriteError
from .aliases import is_array, note, outside
from .places import UNSET
from .state import Leaves, Slot, State, Stays, as_operand, described, leaves_of, promoted, same_plain

_ATTEMPTS = 20


def _everything(op: Any) -> bool:
    """What is on one side of a branch is done only there."""
    return True


class Side:
    """One side, traced: what it leaves in the places, and in the arrays."""

    def __init__(self, what: str):
        self.trace = Trace(what)
        self.trace.partial = True
        self.trace.claims = _everything
        self.outputs: list[Any] = []

    def run(self, state: State, function: Callable[[], Any]) -> None:
        try:
            with state.inside(self.trace, as_inputs=False):
                self.result = function()
                self.values = [slot.place.get() for slot in state.slots]
                self.leaves = [leaves_of(v) for v in self.values]
                self.contents = [Tracer(x.owner, x.atom) for x in state.targets]
                self.new_items = state.found_items()
                self.result_leaves = leaves_of(self.result)
        except BaseException:
            self.trace.abandon()
            raise

    def finish(self) -> tuple[Any, list[Any]]:
        return self.trace.finish(self.outputs)


def branch(state: State, test: Tracer, what: str, then: Callable[[], Any], orelse: Callable[[], Any], wants_result: bool = False) -> Any:
    """Run one of two functions, as the traced `test` says, for what they do to the state, and for what they return if that is wanted.

    Raises `Stays` where the sides do not fit together.
    """
    for _ in range(_ATTEMPTS):
        sides = Side(what), Side(what)
        try:
            for side, run in zip(sides, (orelse, then)):
                side.run(state, run)
        except OutsideWriteError as error:
            state.discover(error, side.trace)
            state.refresh()
            continue
        if not any([side.new_items for side in sides]):
            return _merge(state, test, *sides, wants_result)
        state.refresh()
    raise Stays("what it writes into does not settle")


def _merge(state: State, test: Tracer, orelse: Side, then: Side, wants_result: bool) -> Any:
    if any(proxy.atom is not begin for side in (orelse, then) for proxy, begin in side.trace.cells.values()):
        raise Stays("a random generator advances on one side of it")
    finishers: list[tuple[int, Callable[[list[Any]], None]]] = []
    made: list[Slot] = []
    for slot, a, b, la, lb in zip(state.slots, orelse.values, then.values, orelse.leaves, then.leaves):
        if same_plain(a, b):
            finishers.append((0, lambda _, slot=slot, a=a: slot.place.set(a)))
            continue
        if a is UNSET or b is UNSET:
            if not slot.place.internal:
                line = state.facts.line
                state.notes[slot.place.name] = f"only one side of the branch at line {line} assigns it, and its condition is traced: assign it before"
                finishers.append((0, lambda _, slot=slot: slot.place.set(UNSET)))
                continue
            given = la or lb
            if given is None:
                raise Stays("one side returns a value that is no array")
            blank = Leaves([zeros(t.strong) for t in given.types], given.structure, given.types)
            la, lb = la or blank, lb or blank
        slot.leaves = _paired(f"`{_shown(slot.place.name)}`", (a, b), la, lb, orelse, then)
        made.append(slot)
        finishers.append((len(slot.types), slot.leave))
    if state.targets:
        orelse.outputs += orelse.contents
        then.outputs += then.contents
        finishers.append((len(state.targets), state.finish_targets))
    result: list[Any] = [None]
    if wants_result:
        if same_plain(orelse.result, then.result):
            result[0] = then.result
        else:
            common = _paired("the value", (orelse.result, then.result), orelse.result_leaves, then.result_leaves, orelse, then)

            def take(results: list[Any]) -> None:
                marked = [Tracer(x.owner, x.atom, t.weak) if type(x) is Tracer else x for x, t in zip(results, common.types)]
                result[0] = common.structure.unflatten(marked)

            finishers.append((len(common.types), take))
    graphs, outside = same_captures([orelse.finish(), then.finish()])
    needed = graphs[0].outputs or any(g.effect for g in graphs)
    results = list(switch(convert(test, dtype=INT), *outside, branches=graphs)) if needed else []
    at = 0
    for count, finish in finishers:
        finish(results[at : at + count])
        at += count
    _note(state, made, (orelse, then))
    return result[0]


def _note(state: State, made: list[Slot], sides: tuple[Side, Side]) -> None:
    """Note which arrays the variables may hold now."""
    ways = [{id(slot): value for slot, value in zip(state.slots, side.values)} for side in sides]
    depth = sides[0].trace.depth
    arrays = [[array for way in ways if is_array(way[id(slot)]) for array in outside(way[id(slot)], depth)] for slot in made]
    note(state, [(slot, found) for slot, found in zip(made, arrays) if is_array(slot.place.get())], ways)


def _shown(name: str) -> str:
    return "the returned value" if name == "_tj_result" else name


def _paired(name: str, values: tuple[Any, Any], a: Leaves | None, b: Leaves | None, orelse: Side, then: Side) -> Leaves:
    """The common types of two values, which become outputs of the two sides. Raises `Stays` where they have none."""
    if a is None or b is None:
        other = next(v for v, leaves in zip(values, (a, b)) if leaves is None)
        raise Stays(f"{name} is {described(other)} on one side, and something else on the other")
    if a.structure != b.structure:
        raise Stays(f"{name} is a tree of another structure on each side: {a.structure} and {b.structure}")
    types = []
    for s, t in zip(a.types, b.types):
        if s.shape != t.shape:
            raise Stays(f"{name} has shape {t.shape} where the condition holds, and {s.shape} where it does not")
        types.append(promoted(s, t))
    for side, leaves in ((orelse, a), (then, b)):
        side.outputs += [as_operand(x, t.dtype) for x, t in zip(leaves.values, types)]
    return Leaves([], a.structure, types)


__all__ = ["branch"]
