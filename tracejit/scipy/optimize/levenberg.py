"""Least squares by the method of Levenberg and Marquardt, a native loop: for `least_squares`, and for systems of equations in `root`.

Each step solves min |J d + r|^2 + mu |D d|^2 by a QR factorisation, so the condition of J is never squared; D holds the largest norm that each column
of J has had, and mu falls where the linear model predicted well. Components at a bound that the gradient presses against stay there.

Sources: More (1978), The Levenberg-Marquardt algorithm: implementation and theory; Madsen, Nielsen, Tingleff (2004), section 3.2, for mu.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...api import while_loop
from ..linalg import solve_triangular

GOING, FEW_CALLS, FLAT, SETTLED, SHORT = -2, 0, 1, 2, 3
LEAST_DAMPING, MOST_DAMPING = 1e-30, 1e30
ROUNDING = 1e-12  # of the cost, relatively


class Tolerances(NamedTuple):
    """Largest component of the gradient, relative decrease, relative length of a step, calls."""

    gradient: Any
    decrease: Any
    length: Any
    calls: int


class State(NamedTuple):
    x: Any
    residuals: Any
    jacobian: Any
    scale: Any
    damping: Any
    growth: Any
    turns: Any
    calls: Any
    status: Any


def cost(residuals: Any) -> Any:
    return residuals @ residuals / 2


def levenberg(both: Callable, x0: Any, tolerances: Tolerances, bounds: tuple[Any, Any] | None = None) -> State:
    """The last state; `both` gives the residuals and their Jacobian at a vector."""
    low, high = (-np.inf, np.inf) if bounds is None else bounds
    x0 = np.clip(x0, low, high)
    residuals, jacobian = both(x0)

    def steepness(x: Any, residuals: Any, jacobian: Any) -> Any:
        return np.max(np.abs(x - np.clip(x - residuals @ jacobian, low, high)))

    def norms(jacobian: Any) -> Any:
        return np.sqrt(np.sum(jacobian * jacobian, axis=0))

    def flat(x: Any, residuals: Any, jacobian: Any) -> Any:
        return steepness(x, residuals, jacobian) <= tolerances.gradient

    def turn(s: State) -> State:
        gradient = s.residuals @ s.jacobian
        held = (s.x <= low) & (gradient > 0) | (s.x >= high) & (gradient < 0)
        matrix = np.concatenate([s.jacobian * np.where(held, 0.0, 1.0), np.sqrt(s.damping) * np.diag(s.scale)])
        q, r = np.linalg.qr(matrix)
        step = solve_triangular(r, -(s.residuals @ q[: s.residuals.shape[0]]))
        x = np.clip(s.x + step, low, high)
        step = x - s.x
        residuals, jacobian = both(x)
        before, after = cost(s.residuals), cost(residuals)
        predicted = before - cost(s.residuals + s.jacobian @ step)
        ratio = (before - after) / np.where(predicted > 0, predicted, 1.0)
        # Where the decrease drowns in rounding the gradient decides.
        level = (np.abs(after - before) <= ROUNDING * before) & (steepness(x, residuals, jacobian) < steepness(*s[:3]))
        better = (after < before) & (ratio > 1e-4) | level
        easier = np.where(ratio > 0.9, 1e-2, np.maximum(1 / 3, 1 - (2 * ratio - 1) ** 3))
        damping = np.clip(s.damping * np.where(better, easier, s.growth), LEAST_DAMPING, MOST_DAMPING)
        short = np.sqrt(step @ step) <= tolerances.length * (tolerances.length + np.sqrt(s.x @ s.x))
        settled = better & (before - after <= tolerances.decrease * before) & (ratio > 0.25)
        chosen = State(
            *(np.where(better, a, b) for a, b in zip((x, residuals, jacobian, np.maximum(s.scale, norms(jacobian))), s)),
            damping,
            np.where(better, 2.0, 2 * s.growth),
            s.turns + 1,
            s.calls + 1,
            s.status,
        )
        status = np.where(s.calls + 1 >= tolerances.calls, FEW_CALLS, GOING)
        status = np.where(short, SHORT, np.where(settled, SETTLED, status))
        return chosen._replace(status=np.where(flat(*chosen[:3]), FLAT, status))

    columns = norms(jacobian)
    scale = np.where(columns > 0, columns, 1.0)
    status = np.where(flat(x0, residuals, jacobian), FLAT, np.where(np.isfinite(cost(residuals)), GOING, FEW_CALLS))
    return while_loop(lambda s: s.status == GOING, turn, State(x0, residuals, jacobian, scale, 1e-3, 2.0, 0, 1, status))
