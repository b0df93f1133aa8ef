"""Loops that end on a condition, and branches, as lines of a kernel.

All threads of a group come to the same decision.  They wait for one another before it, and at the end of each part: so whatever way they have come,
nothing is under way that another one has to wait for.
"""

from __future__ import annotations

from ..fuse import Loop
from ..invariants import invariants
from ..kernel import Expression, children
from .control import Branches, Deciding, Until, loops_in_order
from .schedule import stages
from .spread import Spreading


class ControlFlow(Spreading):
    """The decisions of a kernel in the making."""

    def _decide(self, item: Deciding, path: tuple[Loop, ...]) -> None:
        (self._until if isinstance(item, Until) else self._branches)(item, path)

    def _until(self, loop: Until, path: tuple[Loop, ...]) -> None:
        test, turn = loop.parts
        self._settle()
        with self._indented("while True:"):
            self._block(test, path)
            holds = self._value(loop.condition)
            with self._indented(f"if not {holds.name}:"):
                self.s.line("break")
            if self.group > 1:
                self._sync()  # no thread changes the state before all have read the condition
            self._block(turn, path)
            self._settle()

    def _branches(self, item: Branches, path: tuple[Loop, ...]) -> None:
        chosen, last = self._value(item.condition), len(item.parts) - 1
        if self.group > 1 and (self.unsynced or self._in_memory(item.condition.data[0])):
            self._sync()
        for k, part in enumerate(item.parts):
            first = "if" if k == 0 else "elif"
            head = "else:" if k == last else f"{first} {chosen.name} {'<=' if k == 0 else '=='} {k}:"
            with self._indented(head if last else "if True:"):
                self._block(part, path)
                self._settle()

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
