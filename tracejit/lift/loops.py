"""A loop as one op: its body is traced for one turn, until the dtypes of what it carries settle.

A `for` whose number of turns is known becomes a `scan`; one with traced bounds or with a `break`, and every `while`, becomes a `while_loop`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..ir import ArrayType, Graph, checked
from ..ir.graph import Var, live_nodes
from ..ir.types import BOOL, INT
from ..ops.core import zeros
from ..ops.elementwise import equal, remainder, select
from ..ops.scan import counted, scan
from ..ops.while_loop import while_loop
from ..trace import Trace, Tracer
from ..trace.constants import as_proxy
from ..trace.views import OutsideWriteError, assign, is_shared, root
from .aliases import is_array, may_be_one, note, origins, others, outside
from .places import UNSET
from .state import Leaves, Slot, State, Stays, as_operand, described, leaves_of, promoted, same_plain

_ATTEMPTS = 30
_LONGEST_PERIOD = 4
_FAIL = ("while", "scan", "switch", "sweeps", "call", "host", "lapack")
_COUNTER = ArrayType((), INT, True)


class Peel(Exception):
    """The first turn is unlike the others: it is to be run as Python, and the rest as a loop."""


def _may_fail(op: Any) -> bool:
    """What must not be moved in front of a loop that may turn not even once: it may raise an error, or not end."""
    return op.kind in _FAIL or op.name.startswith(("dynamic_", "gather", "scatter"))


class Turn:
    """One turn, traced, with what it leaves in the places and arrays."""

    def __init__(self, what: str, surely: bool):
        self.trace = Trace(what)
        self.trace.partial = True
        if not surely:
            self.trace.claims = _may_fail

    def run(self, state: State, function: Callable[[Tracer], Any]) -> None:
        try:
            with state.inside(self.trace, as_inputs=True) as (self.inputs, self.contents_in):
                self.counter = self.trace.input(_COUNTER)
                function(self.counter)
                self.values = [slot.place.get() for slot in state.slots]
                self.leaves = [leaves_of(v) for v in self.values]
                self.holders = [slot.holder for slot in state.slots]
                self.contents = [Tracer(x.owner, x.atom) for x in state.targets]
                self.written = [s for s, t in zip(state.slots, self.inputs) if s.place.key not in state.by_value and s.written(t)]
                self.new_items = state.found_items()
        except BaseException:
            self.trace.abandon()
            raise


class Turns(NamedTuple):
    """How a loop turns. `count` is the number of turns, None for a `while`; `item(k)` does one turn; `test()` says whether to go on (`while`).

    `runs` says that there is at least one turn, `peels` that the first one can be run as Python; `exits` are the flags that end the loop.
    """

    what: str
    count: Any
    turn: Callable[[Any], Any]
    test: Callable[[], Any] | None = None
    exits: tuple[str, ...] = ()
    runs: bool = False
    peels: bool = False


def loop(state: State, turns: Turns) -> None:
    """Emit the loop, and leave in the places what it leaves there. Raises `Stays`, or `Peel` for a loop that surely runs."""
    turn, period = _settled(state, turns)
    flags = [s for s in state.slots if s.place.name in turns.exits and s.leaves is not None]
    if turns.test is None and not flags and type(turns.count) is not Tracer:
        _counted(state, turn, turns.count)
        if len(period) > 1:
            _exchange(state, period, turns.count)
        _note(state, turn, turns.count)
    else:
        _conditional(state, turn, turns, flags, period)
        _note(state, turn, None)


# -- what is carried
def _settled(state: State, turns: Turns) -> tuple[Turn, tuple[int, ...]]:
    """A turn traced with the types that it leaves unchanged, and how the arrays change their names in it, if they do."""
    period: tuple[int, ...] = ()
    for _ in range(_ATTEMPTS):
        turn = Turn(turns.what, turns.runs and not turns.exits)
        try:
            turn.run(state, turns.turn)
        except OutsideWriteError as error:
            state.discover(error, turn.trace)
            state.refresh()
            continue
        for slot in turn.written:
            state.add_target(root(slot.entry))
        if turn.new_items or turn.written:
            state.refresh()
            continue
        moved = [s for s, v in zip(state.slots, turn.values) if s.by_contents and v is not s.entry]
        if moved:
            period = _rebound(state, turn, moved, turns)
            continue
        if not _changed(state, turn, turns):
            _require_no_views(state, turn, turns)
            return turn, period
    raise Stays("the dtypes of what it carries do not settle")


def _rebound(state: State, turn: Turn, moved: Sequence[Slot], turns: Turns) -> tuple[int, ...]:
    """Carry variables as values that the body binds to other arrays. Gives the order in which the body exchanges them, if that is all it does: number
    j has behind a turn the array that number `order[j]` had in front of it."""
    from_slot = {id(s.holder): s for s in state.slots if s.holder is not None}
    origin = {id(s): from_slot.get(id(v)) for s, v in zip(state.slots, turn.values) if s.holder is not None}
    group: list[Slot] = []
    todo: list[Slot | None] = list(moved)
    while todo:
        slot = todo.pop()
        if slot is not None and slot not in group:
            group.append(slot)
            todo.append(origin[id(slot)])
    order = tuple([group.index(o) if (o := origin[id(s)]) is not None else -1 for s in group])
    exchanged = sorted(order) == list(range(len(group)))
    for slot in group:
        _require_unshared(slot)
        if slot.by_contents:
            state.carry_by_value(slot)
    if not exchanged:
        if turns.peels:
            raise Peel
        _require_new(moved, state, turn)
    state.exchanged = [s.entry for s in group] if exchanged else []
    state.refresh()
    return order if exchanged else ()


def _require_unshared(slot: Slot) -> None:
    """Raise `Stays` for a variable that the body binds to another array and writes into, while something else has the array that it has."""
    if is_array(slot.entry) and (is_shared(slot.entry) or any(others(root(slot.entry), slot.entry, slot.place.name))):
        raise Stays(f"`{slot.place.name}` is bound to other arrays in it, while something else shares the one that it has: write into a copy")


def _require_new(moved: Sequence[Slot], state: State, turn: Turn) -> None:
    """Raise `Stays` for a variable that the body writes into and binds to an array which is there already: the next turn would write into that."""
    for slot, value in zip(state.slots, turn.values):
        if slot in moved and is_array(value) and outside(value, turn.trace.depth):
            raise Stays(f"`{slot.place.name}` is bound to an array in it that something else has, and written into: write into a copy")


def _require_no_views(state: State, turn: Turn, turns: Turns) -> None:
    """Raise for a variable that has part of a written array behind a turn, and is handed on in the next: it would not see what that writes."""
    handed_on = {id(owner) for value in turn.values if is_array(value) for owner in origins(value)}
    for slot, holder, value in zip(state.slots, turn.holders, turn.values):
        if slot.by_contents or not is_array(value) or id(holder) not in handed_on:
            continue
        if any([owner is target for owner in origins(value) for target in state.targets]):
            _unlike(turns, f"`{slot.place.name}` is a part of an array that the loop writes into: take it where it is used, or copy it")


def _changed(state: State, turn: Turn, turns: Turns) -> bool:
    """Compare what a turn leaves with what it found. Whether it must be traced again, with other types."""
    again = False
    for slot, value, out in zip(state.slots, turn.values, turn.leaves):
        name = slot.place.name
        if slot.entry is UNSET and not slot.born:
            again |= _born(state, slot, value, out, turns)
        elif slot.leaves is None:
            if not slot.by_contents and not same_plain(slot.entry, value):
                _unlike(turns, f"`{name}` is {described(slot.entry)} before the loop and {described(value)} behind a turn of it")
        elif same_plain(slot.entry, value):
            slot.leaves = None  # a Python value that is the same in every turn
            again = True
        else:
            again |= _retyped(slot, value, out, turns)
    return again


def _born(state: State, slot: Slot, value: Any, out: Leaves | None, turns: Turns) -> bool:
    if value is UNSET:
        return False
    if not slot.place.internal and not turns.runs:
        line = state.facts.line
        state.notes[slot.place.name] = f"it is first assigned in the loop at line {line}, which may turn not even once: assign it before the loop"
        return False
    if out is None:
        return False
    slot.born = True
    slot.leaves = Leaves([zeros(t.strong) for t in out.types], out.structure, out.types)
    return True


def _retyped(slot: Slot, value: Any, out: Leaves | None, turns: Turns) -> bool:
    name, have = slot.place.name, slot.leaves
    if out is None:
        _unlike(turns, f"`{name}` holds arrays before the loop and is {described(value)} behind a turn of it")
    if out.structure != have.structure:
        _unlike(turns, f"`{name}` is a tree of another structure behind a turn of the loop: {have.structure} became {out.structure}")
    types = []
    for t, new in zip(have.types, out.types):
        if t.shape != new.shape:
            before = "a number" if t.weak else str(t)
            _unlike(turns, f"`{name}` begins as {before} and becomes {new.strong}: begin with an array of that shape (`np.zeros({new.shape})`)")
        types.append(promoted(t, new))
    changed = any(t != new for t, new in zip(have.types, types))
    slot.leaves = have._replace(types=types)
    return changed


def _unlike(turns: Turns, reason: str) -> None:
    raise (Peel if turns.peels else Stays)(reason)


# -- the op
class _Carried:
    """The parts of a turn's graph: what it takes from outside, what stays the same in all turns, and the carry."""

    def __init__(self, state: State, turn: Turn):
        results: list[Any] = []
        inputs: list[Var] = []
        self.begin: list[Any] = []
        for slot, found, out in zip(state.slots, turn.inputs, turn.leaves):
            if slot.leaves is not None:
                inputs += [t.atom for t in found]
                results += [as_operand(x, t.dtype) for x, t in zip(out.values, slot.types)]
                self.begin += [as_operand(x, t.dtype) for x, t in zip(slot.leaves.values, slot.types)]
        inputs += [t.atom for t in turn.contents_in]
        results += turn.contents
        self.begin += [Tracer(x.owner, x.atom) for x in state.targets]
        self.cells = [(cell, proxy, var) for cell, (proxy, var) in turn.trace.cells.items() if proxy.atom is not var]
        following = turn.counter + 1
        graph, outside = turn.trace.finish([*results, *(Tracer(p.owner, p.atom) for _, p, _ in self.cells), as_operand(following, INT)])
        captured = dict(zip(graph.inputs[len(graph.inputs) - len(outside) :], outside))
        for _, _, var in self.cells:
            inputs.append(var)
            self.begin.append(captured.pop(var))
        *outputs, self.next = graph.outputs
        self.same = [o is i for i, o in zip(inputs, outputs)]
        self.inputs, self.outputs, self.nodes = inputs, outputs, graph.nodes
        self.captured, self.outside = list(captured), list(captured.values())
        self.counter = turn.counter.atom

    @property
    def moving(self) -> list[int]:
        return [i for i, same in enumerate(self.same) if not same]

    def constants(self) -> tuple[list[Var], list[Any]]:
        """Inputs that are the same in every turn, and their values."""
        fixed = [i for i, same in enumerate(self.same) if same]
        return [*self.captured, *(self.inputs[i] for i in fixed)], [*self.outside, *(self.begin[i] for i in fixed)]

    def end(self, state: State, results: Sequence[Any]) -> None:
        """Leave the results in the places and arrays."""
        final = list(self.begin)
        for i, r in zip(self.moving, results):
            final[i] = r
        at = 0
        for slot in state.slots:
            if slot.leaves is not None:
                slot.leave(final[at : at + len(slot.types)])
                at += len(slot.types)
        for i, x in enumerate(state.targets, at):
            if not self.same[i]:
                assign(x, as_proxy(final[i]), decided=True)
        at += len(state.targets)
        for (cell, _, _), value in zip(self.cells, final[at:]):
            cell.write(value)


def _counted(state: State, turn: Turn, count: int) -> None:
    parts = _Carried(state, turn)
    fixed, values = parts.constants()
    moving = parts.moving
    outputs = tuple([parts.outputs[i] for i in moving])
    nodes = live_nodes(parts.nodes, outputs)
    numbered = any(parts.counter in node.inputs for node in nodes) or parts.counter in outputs
    inputs = (*fixed, *(parts.inputs[i] for i in moving), *((parts.counter,) if numbered else ()))
    body = checked(Graph(inputs, nodes, outputs), turn.trace.what)
    rows = [counted(np.arange(count))] if numbered else []
    results: Sequence[Any] = ()
    if moving or body.effect:
        begin = [parts.begin[i] for i in moving]
        results = scan(*values, *begin, *rows, body=body, consts=len(values), carry=len(moving), length=count, reverse=False)
    parts.end(state, results)


def _conditional(state: State, turn: Turn, turns: Turns, flags: Sequence[Slot], period: tuple[int, ...]) -> None:
    parts = _Carried(state, turn)
    counts = turns.count is not None or len(period) > 1
    test_vars, test_nodes, test_output, test_captured, test_outside = _test(state, turns, flags)
    moving = parts.moving
    fixed, values = parts.constants()
    body_inputs = [*fixed, *([parts.counter] if counts else []), *(parts.inputs[i] for i in moving)]
    body_outputs = [*([parts.next] if counts else []), *(parts.outputs[i] for i in moving)]
    body = checked(Graph(tuple(body_inputs), live_nodes(parts.nodes, tuple(body_outputs)), tuple(body_outputs)), turns.what)
    # The test takes the same carry; what does not move is a constant to it too. It does not look at random states (`cells`), which come last.
    counter, *carried = test_vars
    still = [i for i in range(len(carried)) if parts.same[i]]
    spare = [Var(parts.inputs[i].type) for i in moving if i >= len(carried)]
    looked_at = [*([counter] if counts else []), *(carried[i] for i in moving if i < len(carried)), *spare]
    test = checked(Graph((*test_captured, *(carried[i] for i in still), *looked_at), test_nodes, (test_output,)), turns.what)
    test_values = [*test_outside, *(parts.begin[i] for i in still)]
    begin = [*([np.int64(0)] if counts else []), *(parts.begin[i] for i in moving)]
    results = while_loop(*test_values, *values, *begin, cond=test, body=body, cond_consts=len(test_values), body_consts=len(values), limit=None)
    if counts:
        counted, *results = results
    parts.end(state, results)
    if len(period) > 1:
        _exchange(state, period, counted)


def _test(state: State, turns: Turns, flags: Sequence[Slot]):
    """The graph of the condition: its inputs (the counter, then the carry), nodes, output, and what it takes from outside."""
    from .logic import and_

    trace = Trace(turns.what)
    trace.partial = True
    trace.claims = _may_fail
    try:
        with state.inside(trace, as_inputs=True) as (inputs, contents):
            counter = trace.input(_COUNTER)
            go_on: Any = counter < turns.count if turns.count is not None else True
            for slot in flags:
                go_on = np.logical_and(go_on, np.logical_not(slot.place.get()))
            if turns.test is not None:
                go_on = and_(go_on, turns.test)
            if not hasattr(go_on, "dtype") and not isinstance(go_on, (bool, int, float)):
                raise Stays("its condition is no number")
            go_on = go_on if getattr(go_on, "dtype", None) == BOOL else go_on != 0
            if getattr(go_on, "shape", ()) != ():
                go_on = go_on.reshape(())
        graph, outside = trace.finish([as_operand(go_on, BOOL)])
    except BaseException:
        trace.abandon()
        raise
    n = len(graph.inputs) - len(outside)
    variables = [counter.atom, *(t.atom for slot in inputs for t in slot), *(t.atom for t in contents)]
    return variables, graph.nodes, graph.outputs[0], graph.inputs[n:], outside


def _exchange(state: State, order: tuple[int, ...], turns: Any) -> None:
    """Give arrays that were exchanged in every turn what is in them in the end: each is under the name that it has after that many turns."""
    names = [next(s for s in state.slots if s.entry is array) for array in state.exchanged]
    final = [slot.place.get() for slot in names]
    begin = now = tuple(range(len(order)))
    after: list[tuple[int, ...]] = []  # by the number of turns: which array each name has
    while not after or now != begin:
        after.append(now)
        now = tuple([now[j] for j in order])
        if len(after) > _LONGEST_PERIOD:
            raise Stays("it exchanges more arrays than can be followed")
    known = type(turns) is int
    for i, array in enumerate(state.exchanged):
        values = [final[names_have.index(i)] for names_have in after]
        if known:
            value = values[turns % len(after)]
        else:
            at, value = remainder(turns, np.int64(len(after))), values[0]
            for k in range(1, len(after)):
                value = select(equal(at, np.int64(k)), values[k], value)
        assign(array, as_proxy(value), decided=True)
    if known:
        for slot, i in zip(names, after[turns % len(after)]):
            slot.place.set(state.exchanged[i])


# -- which arrays the variables hold
def _note(state: State, turn: Turn, count: int | None) -> None:
    """Give variables that only exchange their arrays these very arrays, after so many turns, and note which arrays the others may hold. `count` is
    None where it is not known."""
    values = {id(s): v for s, v in zip(state.slots, turn.values) if is_array(v)}
    slots = [s for s in state.slots if id(s) in values and not s.by_contents and s.leaves is not None and is_array(s.place.get())]
    by_holder = {id(h): s for s, h in zip(state.slots, turn.holders) if is_array(h) and is_array(s.entry)}
    made = []
    for slot in slots:
        if any([slot.place.get() is array for array in (slot.entry, *state.exchanged)]):
            continue
        source = _after(slot, values, by_holder, count) if count is not None else None
        if source is not None and not state.is_target(source.entry):
            slot.place.set(source.entry)
        else:
            made.append((slot, _candidates(slot, values, by_holder, turn.trace.depth, count is None)))
    ways = [values] if count is not None else [values, {id(s): s.entry for s in state.slots}]  # behind a turn, and where there is none
    if any([may_be_one(a.entry, b.entry) for a, b in combinations(by_holder.values(), 2)]):  # then so may any two that they are bound to in turn
        one = next(iter(by_holder.values())).entry
        ways.append({key: one for key, value in values.items() if any([id(owner) in by_holder for owner in origins(value)])})
    note(state, made, ways)


def _after(slot: Slot, values: dict[int, Any], by_holder: dict[int, Slot], count: int) -> Slot | None:
    """The slot whose array from before the loop this one has after `count` turns; None where it has another."""
    path = [slot]
    while len(path) <= count:
        following = by_holder.get(id(values.get(id(path[-1]))))
        if following is None:
            return None
        if following in path:
            start = path.index(following)
            return path[start + (count - start) % (len(path) - start)]
        path.append(following)
    return path[count]


def _candidates(slot: Slot, values: dict[int, Any], by_holder: dict[int, Slot], depth: int, perhaps_none: bool) -> list[Tracer]:
    """The arrays from outside of the loop that a slot may have behind it; `perhaps_none`: also if it turns not even once."""
    reached: list[Slot] = []
    found: list[Tracer] = [root(slot.entry)] if perhaps_none and is_array(slot.entry) else []
    todo = [slot]
    while todo:
        value = values.get(id(todo.pop()))
        for owner in origins(value) if value is not None else ():
            source = by_holder.get(id(owner))
            if source is None:
                found += [owner] if (owner.home or owner.owner).depth < depth else []
            elif source not in reached:
                reached.append(source)
                todo.append(source)
                found.append(root(source.entry))
    return found


__all__ = ["Peel", "Turns", "loop"]
