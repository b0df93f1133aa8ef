"""Minimisation by directions of descent: BFGS, L-BFGS with bounds, and Newton's method with conjugate gradients, each one native loop.

Sources: Nocedal and Wright, Numerical Optimization (2006), 6.1 (BFGS), 7.2 (limited memory), 7.1 (Newton-CG); Bertsekas (1982) for bounds: components
at a bound that the gradient presses against stay there, and the quasi-Newton step is taken in the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...api import fori_loop, jvp, while_loop
from .line_search import Found, Point, projected, wolfe

GOING, ARRIVED, MOST_TURNS, STUCK, NOT_FINITE = -1, 0, 1, 2, 3
MESSAGES = {
    ARRIVED: "Optimization terminated successfully.",
    MOST_TURNS: "Maximum number of iterations has been exceeded.",
    STUCK: "Desired error not necessarily achieved due to precision loss.",
    NOT_FINITE: "NaN result encountered.",
}


class Limits(NamedTuple):
    """When to stop: largest component of the gradient, relative decrease, mean change of x, turns."""

    gradient: Any = 0.0
    decrease: Any = 0.0
    change: Any = 0.0
    turns: int = 0


class State(NamedTuple):
    turns: Any
    point: Point
    memory: Any
    calls: Any
    products: Any  # with the Hessian
    status: Any


Direction = Callable[[State], tuple[Any, Any]]  # the direction, and how many products with the Hessian it took
Search = Callable[[Point, Any, Any], Found]


def descend(both: Callable, x0: Any, memory: Any, direction: Direction, remember: Callable, search: Search, residual: Callable, limits: Limits):
    """The last state. `remember(memory, step, change of the gradient, first)` learns from a step; `residual(point)` vanishes at a minimum."""
    value, gradient = both(x0)
    start = Point(x0, value, gradient)

    def settled(point: Point) -> Any:
        return np.max(np.abs(residual(point))) <= limits.gradient

    def turn(s: State) -> State:
        d, products = direction(s)
        d = np.where(s.point.gradient @ d < 0, d, -s.point.gradient)
        size = np.sqrt(s.point.gradient @ s.point.gradient)
        first = np.where(s.turns == 0, np.minimum(1.0, 1.0 / np.where(size > 0, size, 1.0)), 1.0)
        found = search(s.point, d, first)
        step, bend = found.point.x - s.point.x, found.point.gradient - s.point.gradient
        scale = np.maximum(np.maximum(np.abs(s.point.value), np.abs(found.point.value)), 1.0)
        done = settled(found.point) | (s.point.value - found.point.value <= limits.decrease * scale) & (limits.decrease > 0)
        done = done | (np.mean(np.abs(step)) <= limits.change) & (limits.change > 0)
        status = np.where(done, ARRIVED, np.where(s.turns + 1 >= limits.turns, MOST_TURNS, GOING))
        status = np.where(found.better, status, STUCK)
        status = np.where(np.isfinite(found.point.value), status, NOT_FINITE)
        memory = remember(s.memory, step, bend, s.turns == 0)
        return State(s.turns + 1, found.point, memory, s.calls + found.calls, s.products + products, status)

    status = np.where(np.isfinite(value), np.where(settled(start), ARRIVED, GOING), NOT_FINITE)
    return while_loop(lambda s: s.status == GOING, turn, State(0, start, memory, 1, 0, status))


def bfgs(both: Callable, x0: Any, limits: Limits) -> State:
    """The memory is an approximation of the inverse Hessian."""
    unit = np.eye(x0.shape[0], dtype=x0.dtype)

    def remember(inverse, step, bend, first):
        curvature = step @ bend
        usable = curvature > 0
        rho = np.where(usable, 1 / np.where(usable, curvature, 1.0), 0.0)
        inverse = np.where(first & usable, curvature / np.where(usable, bend @ bend, 1.0) * unit, inverse)
        left = unit - rho * step[:, None] * bend
        return np.where(usable, left @ inverse @ left.T + rho * step[:, None] * step, inverse)

    search = lambda point, d, first: wolfe(both, point, d, first)
    return descend(both, x0, unit, lambda s: (-s.memory @ s.point.gradient, 0), remember, search, lambda p: p.gradient, limits)


def lbfgs(both: Callable, x0: Any, limits: Limits, corrections: int, bounds: tuple[Any, Any] | None) -> State:
    """The memory is the last steps and changes of the gradient, the newest last."""

    def inside(x: Any) -> Any:
        return x if bounds is None else np.clip(x, *bounds)

    def residual(p: Point) -> Any:
        return p.x - inside(p.x - p.gradient)

    def free(p: Point) -> Any:
        if bounds is None:
            return np.ones_like(p.x)
        held = (p.x <= bounds[0]) & (p.gradient > 0) | (p.x >= bounds[1]) & (p.gradient < 0)
        return np.where(held, 0.0, 1.0)

    def direction(s: State):
        mask = free(s.point)
        steps, bends = s.memory[0] * mask, s.memory[1] * mask
        curvatures = np.sum(steps * bends, axis=1)
        usable = curvatures > 1e-14 * np.sum(bends * bends, axis=1)
        rho = np.where(usable, 1 / np.where(usable, curvatures, 1.0), 0.0)

        def back(k, carry):
            q, weights = carry
            i = corrections - 1 - k
            weight = rho[i] * (steps[i] @ q)
            return q - weight * bends[i], np.where(np.arange(corrections) == i, weight, weights)

        q, weights = fori_loop(0, corrections, back, (s.point.gradient * mask, 0 * rho))
        lengths = np.sum(bends * bends, axis=1)
        newest = corrections - 1
        scale = np.where(usable[newest], curvatures[newest] / np.where(usable[newest], lengths[newest], 1.0), 1.0)
        r = fori_loop(0, corrections, lambda i, r: r + steps[i] * (weights[i] - rho[i] * (bends[i] @ r)), scale * q)
        return -r * mask, 0

    def remember(memory, step, bend, first):
        return tuple(np.concatenate([old[1:], new[None]]) for old, new in zip(memory, (step, bend)))

    def search(point: Point, d: Any, first: Any) -> Found:
        return wolfe(both, point, d, first) if bounds is None else projected(both, point, d, first, *bounds)

    nothing = np.zeros((corrections, x0.shape[0]), x0.dtype)
    return descend(both, inside(x0), (nothing, nothing), direction, remember, search, residual, limits)


def newton_cg(both: Callable, x0: Any, limits: Limits) -> State:
    """The direction solves Newton's equations as far as is worth it, and stops where the curvature is negative."""
    most = 20 * x0.shape[0]

    def direction(s: State):
        x, gradient = s.point.x, s.point.gradient
        product = lambda v: jvp(lambda x: both(x)[1], (x,), (v,))[1]
        size = np.sum(np.abs(gradient))
        wanted = np.minimum(0.5, np.sqrt(size)) * size

        def turn(state):
            count, z, r, d, _ = state
            q = product(d)
            curvature, length = d @ q, r @ r
            bad = ~(curvature > 3 * np.finfo(float).eps * (d @ d))
            alpha = length / np.where(bad, 1.0, curvature)
            ahead = np.where(count == 0, d, z)
            z, new = np.where(bad, ahead, z + alpha * d), r - alpha * q
            return count + 1, z, new, new + (new @ new) / np.where(length > 0, length, 1.0) * d, bad

        go_on = lambda c: ~c[4] & (c[0] < most) & (np.sum(np.abs(c[2])) > wanted)
        count, z, _, _, _ = while_loop(go_on, turn, (0, 0 * x, -gradient, -gradient, np.bool_(False)))
        return z, count

    search = lambda point, d, first: wolfe(both, point, d, 1.0 + 0 * first)
    return descend(both, x0, (), direction, lambda memory, *_: memory, search, lambda p: p.gradient, limits)
