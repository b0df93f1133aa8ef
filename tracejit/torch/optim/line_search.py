"""A line search for the strong Wolfe conditions: Nocedal and Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SUFFICIENT_DECREASE = 1e-4  # c1 of the conditions
CURVATURE = 0.9  # c2


class Point(NamedTuple):
    """A step t along the direction, with the value, the gradient and the slope there."""

    t: Any
    value: float
    gradient: np.ndarray
    slope: Any


def cubic_minimum(a: Point, b: Point, bounds: tuple[Any, Any] | None = None) -> Any:
    """The minimum within bounds of the cubic through two points with their slopes (equation 3.59); the middle where it has none."""
    low, high = bounds if bounds is not None else (a.t, b.t) if a.t <= b.t else (b.t, a.t)
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = np.sqrt(square)
    left, right = (a, b) if a.t <= b.t else (b, a)
    t = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2))
    return min(max(t, low), high)


def strong_wolfe(evaluate: Callable[[Any], tuple[float, np.ndarray]], start: Point, direction: np.ndarray, t: Any, smallest: float, most: int):
    """A step that decreases the value enough and flattens the slope enough.

    evaluate: the value and gradient at a step. start: the point at step 0. t: the first step to try. smallest: the search ends when the bracket,
    times the largest entry of the direction, is below it. most: evaluations besides the first.
    Returns the `Point` and how many evaluations were made.
    """

    def at(t: Any) -> Point:
        value, gradient = evaluate(t)
        return Point(t, value, gradient, gradient.dot(direction))

    def too_high(p: Point) -> bool:
        return p.value > start.value + SUFFICIENT_DECREASE * p.t * start.slope

    def flat(p: Point) -> bool:
        return abs(p.slope) <= -CURVATURE * start.slope

    before, new, evaluations, tried = start, at(t), 1, 0
    while True:  # go on until a step is known beyond which no further one need be looked for
        if tried >= most:
            bracket = [start, new]
            break
        if too_high(new) or (tried > 1 and new.value >= before.value):
            bracket = [before, new]
            break
        if flat(new):
            return new, evaluations
        if new.slope >= 0:
            bracket = [before, new]
            break
        t = cubic_minimum(before, new, (new.t + 0.01 * (new.t - before.t), new.t * 10))
        before, new = new, at(t)
        evaluations, tried = evaluations + 1, tried + 1
    return _zoom(bracket, at, too_high, flat, np.abs(direction).max(), smallest, most, evaluations, tried)


def _zoom(bracket: list[Point], at, too_high, flat, scale: Any, smallest: float, most: int, evaluations: int, tried: int):
    """Narrow a bracket down; its lower end is the best point so far."""
    low, high = (0, 1) if bracket[0].value <= bracket[1].value else (1, 0)
    stuck = False
    while tried < most and abs(bracket[1].t - bracket[0].t) * scale >= smallest:
        left, right = min(bracket[0].t, bracket[1].t), max(bracket[0].t, bracket[1].t)
        t = cubic_minimum(bracket[0], bracket[1])
        margin = 0.1 * (right - left)
        near = min(right - t, t - left) < margin
        if near and (stuck or t >= right or t <= left):  # twice near an end, or at it: move away from it
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            stuck = False
        else:
            stuck = near
        new = at(t)
        evaluations, tried = evaluations + 1, tried + 1
        if too_high(new) or new.value >= bracket[low].value:
            bracket[high] = new
            low, high = (0, 1) if bracket[0].value <= bracket[1].value else (1, 0)
            continue
        if flat(new):
            return new, evaluations
        if new.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = new
    return bracket[low], evaluations
