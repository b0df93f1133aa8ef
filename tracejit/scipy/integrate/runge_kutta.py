"""Explicit Runge-Kutta pairs: one step with an estimate of its error, and the polynomial that connects its ends.

A step from t to t + h computes slopes k_1 .. k_s and, as the last one, the slope at the new point, which is the first of the next step.  Between the
ends stands Hermite's cubic through both values and slopes, and for the pair of order five one more term, which makes it of order four.

Sources: Dormand and Prince (1980); Bogacki and Shampine (1989); Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, II.5 and II.6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Slope = Callable[[Any, Any], Any]  # (t, y) -> dy/dt, of vectors


class Pair(NamedTuple):
    """The coefficients of a pair. `error` and `dense` have an entry more than there are stages: the slope at the new point."""

    stages: tuple[tuple[float, ...], ...]
    nodes: tuple[float, ...]
    weights: tuple[float, ...]
    error: tuple[float, ...]
    dense: tuple[float, ...]
    error_order: int


PAIRS = {
    "RK23": Pair(
        stages=((), (1 / 2,), (0, 3 / 4)),
        nodes=(0, 1 / 2, 3 / 4),
        weights=(2 / 9, 1 / 3, 4 / 9),
        error=(5 / 72, -1 / 12, -1 / 9, 1 / 8),
        dense=(0, 0, 0, 0),
        error_order=2,
    ),
    "RK45": Pair(
        stages=(
            (),
            (1 / 5,),
            (3 / 40, 9 / 40),
            (44 / 45, -56 / 15, 32 / 9),
            (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
            (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        ),
        nodes=(0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1),
        weights=(35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
        error=(-71 / 57600, 0, 71 / 16695, -71 / 1920, 17253 / 339200, -22 / 525, 1 / 40),
        dense=(
            -12715105075 / 11282082432,
            0,
            87487479700 / 32700410799,
            -10690763975 / 1880347072,
            701980252875 / 199316789632,
            -1453857185 / 822651844,
            69997945 / 29380423,
        ),
        error_order=4,
    ),
}


class Piece(NamedTuple):
    """The solution over one step, as a polynomial of (t - start) / length: the value at the start and four differences."""

    start: Any
    length: Any
    terms: tuple[Any, Any, Any, Any, Any]

    def __call__(self, t: Any) -> Any:
        x = (t - self.start) / self.length
        value, change, bend, twist, last = self.terms
        return value + x * (change + (1 - x) * (bend + x * (twist + (1 - x) * last)))


class Step(NamedTuple):
    """Where a step leads: the new value and slope, the error that is estimated, and the solution on the way."""

    y: Any
    slope: Any
    error: Any
    piece: Piece


def _combination(coefficients: tuple[float, ...], slopes: list) -> Any:
    return sum(c * k for c, k in zip(coefficients, slopes) if c)


def step(pair: Pair, f: Slope, t: Any, y: Any, slope: Any, h: Any) -> Step:
    """One step from (t, y), where the slope is known."""
    slopes = [slope]
    for row, node in zip(pair.stages[1:], pair.nodes[1:]):
        slopes.append(f(t + node * h, y + h * _combination(row, slopes)))
    change = h * _combination(pair.weights, slopes)
    new = y + change
    slopes.append(f(t + h, new))
    bend = h * slope - change
    terms = (y, change, bend, change - h * slopes[-1] - bend, h * (_combination(pair.dense, slopes) + 0 * y))
    return Step(new, slopes[-1], h * _combination(pair.error, slopes), Piece(t, h, terms))


def classical_step(f: Slope, t: Any, y: Any, h: Any) -> Any:
    """One step of Kutta's method of order four."""
    k1 = f(t, y)
    k2 = f(t + h / 2, y + h / 2 * k1)
    k3 = f(t + h / 2, y + h / 2 * k2)
    k4 = f(t + h, y + h * k3)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def rms(x: Any) -> Any:
    """The root of the mean of |x|^2."""
    return np.sqrt(np.mean(np.real(x * np.conj(x))))
