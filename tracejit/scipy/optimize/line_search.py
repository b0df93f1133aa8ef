"""How far to go along a direction: a native loop until the function has decreased enough and its slope has risen enough.

The interval in which a good step lies is found by growing, then narrowed by a parabola or by halves (Lewis and Overton 2013, Wolfe's conditions).
Near a minimum the decrease drowns in rounding; there the conditions of Hager and Zhang (2005) on slopes alone are enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...api import while_loop

DECREASE, CURVATURE = 1e-4, 0.9
ROUNDING = 1e-10  # by which a function may rise, relatively, where slopes decide
MOST_TRIALS = 50


class Point(NamedTuple):
    """A point with the function's value and gradient there."""

    x: Any
    value: Any
    gradient: Any


class Found(NamedTuple):
    """Where a search ended, whether that is better than its start, and how often the function was called."""

    point: Point
    better: Any
    calls: Any


class _Bracket(NamedTuple):
    trial: Any
    low: Any
    high: Any
    best: Point
    done: Any
    calls: Any


def wolfe(both: Callable, start: Point, direction: Any, first: Any) -> Found:
    """A step along a direction of descent that fulfils Wolfe's conditions; `both` gives value and gradient, `first` is the first length to try."""
    slope = start.gradient @ direction

    def trial(s: _Bracket) -> _Bracket:
        x = start.x + s.trial * direction
        value, gradient = both(x)
        new_slope = gradient @ direction
        decreased = value <= start.value + DECREASE * s.trial * slope
        level = (value <= start.value + ROUNDING * np.abs(start.value)) & (new_slope <= (2 * DECREASE - 1) * slope)
        short_enough = decreased | level
        short = short_enough & (new_slope < CURVATURE * slope)
        low, high = np.where(short, s.trial, s.low), np.where(short_enough, s.high, s.trial)
        excess = 2 * (value - start.value - s.trial * slope)
        parabola = -slope * s.trial**2 / np.where(excess > 0, excess, 1.0)
        from_start = (excess > 0) & (low == 0) & ~short_enough
        narrower = np.where(from_start, np.clip(parabola, 0.1 * high, 0.5 * high), (low + np.where(np.isinf(high), 0.0, high)) / 2)
        best = Point(*(np.where(short_enough, new, old) for new, old in zip((x, value, gradient), s.best)))
        return _Bracket(np.where(np.isinf(high), 2.5 * s.trial, narrower), low, high, best, short_enough & ~short, s.calls + 1)

    begin = _Bracket(first, 0.0 * first, np.inf + 0.0 * first, start, np.bool_(False), 0)
    end = while_loop(lambda s: ~s.done & (s.calls < MOST_TRIALS), trial, begin)
    return Found(end.best, end.done | (end.low > 0), end.calls)


def projected(both: Callable, start: Point, direction: Any, first: Any, low: Any, high: Any) -> Found:
    """A step along a direction bent at the bounds, halved until the function has decreased enough (Bertsekas 1982)."""

    def at(length: Any) -> Any:
        return np.clip(start.x + length * direction, low, high)

    def trial(s: tuple) -> tuple:
        length, best, _, calls = s
        x = at(length)
        value, gradient = both(x)
        moved = start.gradient @ (x - start.x)
        new_moved = gradient @ (x - start.x)
        level = (value <= start.value + ROUNDING * np.abs(start.value)) & (np.abs(new_moved) <= (1 - 2 * DECREASE) * np.abs(moved))
        done = (moved < 0) & ((value <= start.value + DECREASE * moved) | level)
        best = Point(*(np.where(done, new, old) for new, old in zip((x, value, gradient), best)))
        return length / 2, best, done, calls + 1

    _, best, done, calls = while_loop(lambda s: ~s[2] & (s[3] < MOST_TRIALS), trial, (first, start, np.bool_(False), 0))
    return Found(best, done, calls)
