"""What a kernel decides while it runs: loops that end on a condition, branches, and loops that run back over the turns of another one.

Each is a loop as far as the order of its stages goes, whose body is all that may run in it, part after part; its own counter counts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from ..fuse import Loop
from ..index import Counter
from ..kernel import Expression
from ..steps import Stage
from .schedule import InOrder


@dataclass(eq=False)
class Deciding(InOrder):
    """An item with parts, which end at `ends` in its body, and a condition: a number that is made right in front of where it is looked at.

    A loop may have a limit: how many turns it may take, and the number that tells of more.
    """

    condition: Expression | None = None
    ends: tuple[int, ...] = ()
    limit: tuple[int, int] | None = None

    @property
    def parts(self) -> list[list[Loop | Stage]]:
        return [self.body[start:stop] for start, stop in pairwise((0, *self.ends))]


@dataclass(eq=False)
class Until(Deciding):
    """A loop that ends when the condition, which the first part of a turn makes, is false."""


@dataclass(eq=False)
class Branches(Deciding):
    """One of the parts: the one whose number the condition is, or the nearest to it."""


@dataclass(eq=False)
class ThereAndBack(Deciding):
    """A loop that ends when the condition is false, whose turns are then gone through from the last to the first.

    Each turn leaves rows on a tape of so many turns as `slot` has; where there were more, the state is kept at the beginning of some of them, so many
    as `place` has, and the turns that are no longer on the tape are made once more from there. The parts are

        0  the condition      3  the turn of the way back         5  every second state that is kept in the first half of their places
        1  the turn           4  the state is kept in its place   6  the state is what is kept in a place
        2  results of the way there
    """

    slot: Counter | None = None
    place: Counter | None = None


def whole_parts(parts: list[list[Loop | Stage]]) -> tuple[list[Loop | Stage], tuple[int, ...]]:
    """The body and the ends of an item with these parts."""
    body: list[Loop | Stage] = []
    ends = []
    for part in parts:
        body += part
        ends.append(len(body))
    return body, tuple(ends)


def loops_in_order(body: list[Loop | Stage]) -> Iterator[InOrder]:
    """All loops of a block whose turns depend on one another, and branches, outer ones first."""
    for item in body:
        if isinstance(item, InOrder):
            yield item
        if isinstance(item, Loop):
            yield from loops_in_order(item.body)


__all__ = ["Branches", "Deciding", "ThereAndBack", "Until", "loops_in_order", "whole_parts"]
