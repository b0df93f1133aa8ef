"""Loops that end on a condition, and branches, as lines of a kernel.

All threads of a group come to the same decision.  They wait for one another before it, and at the end of each part: so whatever way they have come,
nothing is under way that another one has to wait for.
"""

from __future__ import annotations

from ..fuse import Loop
from ..index import Counter
from ..invariants import invariants
from ..kernel import Buffer, Expression, children
from ..steps import Stage
from .control import Branches, Deciding, ThereAndBack, Until, loops_in_order
from .schedule import stages
from .source import CASTS
from .spread import Spreading


class ControlFlow(Spreading):
    """The decisions of a kernel in the making."""

    def _decide(self, item: Deciding, path: tuple[Loop, ...]) -> None:
        {Until: self._until, Branches: self._branches, ThereAndBack: self._there_and_back}[type(item)](item, path)

    def _until(self, loop: Until, path: tuple[Loop, ...]) -> None:
        test, turn = loop.parts
        turns = self._counting(0) if loop.limit else None
        self._settle()
        with self._indented("while True:"):
            left = self._leave_unless(loop, test, path, turns)
            self._part(turn, path)
            if turns:
                self.s.line(f"{turns} = int64({turns} + 1)")
        self.unsynced.update(left)

    def _leave_unless(self, loop: Deciding, test: list[Loop | Stage], path: tuple[Loop, ...], turns: str | None) -> dict[Buffer, None]:
        """The end of a loop, where the condition does not hold, or after as many turns as it may take. Gives what other threads may be at then."""
        self._block(test, path)
        holds = self._value(loop.condition)
        left = dict.fromkeys(self.unsynced)
        with self._indented(f"if not {holds.name}:"):
            self.s.line("break")
        if loop.limit:
            most, number = loop.limit
            self.checks = True
            with self._indented(f"if {turns} == {most}:"):
                self.s.line(f"status[0] = {number}")
                self.s.line("break")
        if self.group > 1:
            self._sync()  # no thread changes the state before all have read the condition
        return left

    def _part(self, items: list[Loop | Stage], path: tuple[Loop, ...]) -> None:
        """A part of an item, behind which nothing is under way."""
        self._block(items, path)
        self._settle()

    def _branches(self, item: Branches, path: tuple[Loop, ...]) -> None:
        chosen, last = self._value(item.condition), len(item.parts) - 1
        if self.group > 1 and (self.unsynced or self._in_memory(item.condition.data[0])):
            self._sync()
        for k, part in enumerate(item.parts):
            first = "if" if k == 0 else "elif"
            head = "else:" if k == last else f"{first} {chosen.name} {'<=' if k == 0 else '=='} {k}:"
            with self._indented(head if last else "if True:"):
                self._part(part, path)

    def _there_and_back(self, loop: ThereAndBack, path: tuple[Loop, ...]) -> None:
        """The number of turns is counted; `due` is the turn at whose beginning the state is kept next, `apart` turns behind the last one."""
        test, turn, ended, back, keep, thinned, again = loop.parts
        room, places = loop.slot.extent, loop.place.extent
        turns, due, place, apart, begin, at = (self._counting(n) for n in (0, 0, 0, room, 0, 0))
        assign = lambda name, text: self.s.line(f"{name} = int64({text})")
        self._settle()
        with self._indented("while True:"):
            left = self._leave_unless(loop, test, path, turns)
            with self._indented(f"if {turns} == {due}:"):
                with self._indented(f"if {place} == {places}:"):
                    self._part(thinned, path)
                    assign(place, places // 2)
                    assign(apart, f"{apart} * 2")
                self._part_at(loop.place, place, keep, path)
                assign(place, f"{place} + 1")
                assign(due, f"{turns} + {apart}")
            self._part_at(loop.slot, f"{turns} & {room - 1}", turn, path)
            assign(turns, f"{turns} + 1")
        self.unsynced.update(left)
        with self._scope():
            self._part(ended, path)
        assign(begin, f"{turns} - 1 & {-room}")  # the first turn that is on the tape
        self._expect_changes(loop)
        with self._indented(f"while {turns} > 0:"):
            assign(turns, f"{turns} - 1")
            with self._indented(f"if {turns} < {begin}:"):
                self._part_at(loop.place, f"{turns} // {apart}", again, path)
                assign(at, f"{turns} // {apart} * {apart}")
                with self._indented(f"while {at} <= {turns}:"):
                    self._part_at(loop.slot, f"{at} & {room - 1}", turn, path)
                    assign(at, f"{at} + 1")
                assign(begin, f"{turns} & {-room}")
            self._part_at(loop.slot, f"{turns} & {room - 1}", back, path)

    def _counting(self, start: int) -> str:
        return self.s.variable("i64", f"int64({start})", "n").name

    def _part_at(self, counter: Counter, at: str, items: list[Loop | Stage], path: tuple[Loop, ...]) -> None:
        """A part at a place that is known when the kernel runs."""
        with self._scope():
            self.counters[counter] = self.s.effect(self.kind, f"{CASTS[self.kind]}({at})")
            self._part(items, path)

    # -- what is in front of a loop
    def _expect_changes(self, loop: Loop) -> None:
        """What was computed in front of a loop from something that it changes is not to be taken for what that is in a later turn."""
        for b in {s.buffer for s in stages([loop])}:
            self._forget(b)

    def _hoist(self, loop: Loop) -> None:
        """Compute in front of a loop what is the same in all of its turns; not what only one branch wants, nor an index that may be out of range only
        in a turn that never comes."""
        if isinstance(loop, Branches):
            return
        is_sure = not any(isinstance(inner, Deciding) for inner in loops_in_order([loop]))
        wanted = [x for x in invariants(loop, lambda inner: not isinstance(inner, Branches)) if is_sure or not _checks(x)]
        self._wait_to_read(wanted)
        for x in wanted:
            self._value(x)


def _checks(x: Expression) -> bool:
    return x.op == "checked" or any(map(_checks, children(x)))


__all__ = ["ControlFlow"]
