"""Where temporaries are: offsets into one arena, shared by values that are never alive at once."""
from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from typing import NamedTuple

ALIGNMENT = 64


class Interval(NamedTuple):
    """A value of `size` bytes, alive from step `first` to step `last`, both included."""

    first: int
    last: int
    size: int


def plan(intervals: Iterable[Interval]) -> tuple[list[int], int]:
    """An offset for each interval, and the size of the arena. The largest come first, each at the lowest place that is free while it lives.

    >>> plan([Interval(0, 1, 100), Interval(1, 2, 64), Interval(2, 3, 100)])
    ([0, 128, 0], 192)
    """
    intervals = list(intervals)
    offsets = [0] * len(intervals)
    placed: list[tuple[int, int, int, int]] = []  # (start, end, first, last), sorted
    total = 0
    for i in sorted(range(len(intervals)), key=lambda i: (-intervals[i].size, i)):
        own_first, own_last, own_size = intervals[i]
        size = -(-own_size // ALIGNMENT) * ALIGNMENT
        at = 0
        for start, end, first, last in placed:
            if first <= own_last and own_first <= last:
                if at + size <= start:
                    break
                at = max(at, end)
        offsets[i] = at
        insort(placed, (at, at + size, own_first, own_last))
        total = max(total, at + size)
    return offsets, total
