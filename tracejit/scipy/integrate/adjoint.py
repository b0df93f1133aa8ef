"""The continuous adjoint: the gradient of a solution as the solution of another initial value problem, backwards in time.

With cotangents c_i of y(t_i), the adjoint a(t) obeys da/dt = -(df/dy)^T a and rises by c_i at each t_i; the gradient for parameters p is the integral
of (df/dp)^T a.  The solution is computed again backwards beside it, from what is known at each output time, so memory does not grow with the number
of steps.  Forward mode is that of the discrete method, and second derivatives are those of the backward solution.

Source: Pontryagin et al. (1962); Chen et al. (2018), section 2 and appendix C for the times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import tree
from ...api import custom, jvp, scan, vjp
from ...errors import at_user_line
from ...trace import type_of
from .adaptive import Control, Solution, integrate
from .runge_kutta import Pair


def integrate_with_adjoint(pair: Pair, f: Callable, y0: Any, times: Any, consts: Sequence[Any], control: Control) -> Solution:
    """As `integrate`, of `f(t, y, *consts)`; reverse mode solves the adjoint problem with the same pair and tolerances."""
    if type_of(y0).dtype.kind == "c":
        raise TypeError(at_user_line('adjoint="continuous" is for real states; adjoint="discrete" also differentiates complex ones'))
    floats = [type_of(c).dtype.kind == "f" for c in consts]
    fixed = [c for c, is_float in zip(consts, floats) if not is_float]

    def slope(t: Any, y: Any, moving: Sequence[Any]) -> Any:
        free, rest = iter(moving), iter(fixed)
        return f(t, y, *(next(free) if is_float else next(rest) for is_float in floats))

    def solve(y0, times, moving):
        return integrate(pair, lambda t, y: slope(t, y, moving), y0, times, control)

    def forward(y0, times, moving):
        found = solve(y0, times, moving)
        return found, (found.y, times, moving)

    def backward(residuals, cotangents):
        return _gradient(pair, slope, *residuals, cotangents.y, control._replace(first=None))

    def push(primals, tangents):
        return jvp(solve, primals, tangents)

    solver = custom(solve, jvp=push, vjp=(forward, backward))
    return solver(y0, times, [c for c, is_float in zip(consts, floats) if is_float])


def _gradient(pair: Pair, slope: Callable, ys: Any, times: Any, moving: Sequence[Any], cotangents: Any, control: Control) -> tuple:
    """The cotangents of the first value, the times and the parameters."""
    parameters, unravel = tree.ravel(list(moving))
    n = type_of(ys).shape[1]

    def augmented(t, z):
        y, a = z[:n], z[n : 2 * n]
        value, pull = vjp(lambda y, p: slope(t, y, unravel(p)), y, parameters)
        to_y, to_p = pull(a)
        return np.concatenate([value, -to_y, -to_p])

    def interval(carry, at):
        a, gradient = carry
        y, t, before, cotangent = at
        to_time = cotangent @ slope(t, y, moving)
        z = np.concatenate([y, a + cotangent, gradient])
        found = integrate(pair, augmented, z, np.stack([t, before]), control)
        z = found.y[-1]
        return (z[n : 2 * n], z[2 * n :]), to_time

    nothing = 0 * ys[0], 0 * parameters
    (a, gradient), to_times = scan(interval, nothing, (ys[1:], times[1:], times[:-1], cotangents[1:]), reverse=True)
    to_first_time = -(a @ slope(times[0], ys[0], moving))
    return a + cotangents[0], np.concatenate([np.stack([to_first_time]), to_times]), unravel(gradient)
