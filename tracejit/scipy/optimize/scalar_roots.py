"""`root_scalar`: roots of functions of one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...api import custom_root, jvp, while_loop
from ...api.implicit import known_value
from ...errors import at_user_line
from ...trace import type_of
from ..results import Result
from .unknowns import differentiable_where, problem, unknowns

CONVERGED, NOT_CONVERGED, SAME_SIGN = 0, -2, -1
MESSAGES = {CONVERGED: "converged", NOT_CONVERGED: "convergence error", SAME_SIGN: "f(a) and f(b) must have different signs"}
METHODS = ("bisect", "brentq", "newton", "secant")


class RootResults(Result):
    """What `root_scalar` returns: root, converged, flag, function_calls, iterations.

    >>> root_scalar(lambda x: x * x - 2.0, bracket=(0.0, 2.0)).flag
    'converged'
    """

    def __missing__(self, key: str) -> Any:
        return super().__missing__({"converged": "success", "flag": "message"}.get(key, key))


def root_scalar(
    f: Callable,
    args: Any = (),
    method: str | None = None,
    bracket: Any = None,
    fprime: Any = None,
    fprime2: Any = None,
    x0: Any = None,
    x1: Any = None,
    xtol: float | None = None,
    rtol: float | None = None,
    maxiter: int | None = None,
) -> RootResults:
    """As `scipy.optimize.root_scalar` with the methods "brentq" and "bisect", which take a `bracket`, "newton" and "secant", which start from `x0`.

    The derivative that Newton's method needs is derived, unless `fprime` is a function. The root is differentiable in args and what `f` closes over,
    to any order; where none was found its derivatives are NaN, and so is the root where f has one sign at both ends of the bracket, under `jit`.
    Raises `ValueError` for other methods, where bracket or x0 are missing, and where f is known to have one sign at both ends.

    >>> import numpy as np, tracejit as tj
    >>> from tracejit.scipy.optimize import root_scalar
    >>> cube_root = lambda a: root_scalar(lambda x: x**3 - a, bracket=(0.0, 10.0)).root
    >>> np.round(tj.jit(tj.value_and_grad(cube_root))(8.0), 6)
    array([2.      , 0.083333])
    """
    if method is None:
        method = "brentq" if bracket is not None else "newton" if x1 is None else "secant"
    if method not in METHODS:
        raise ValueError(at_user_line(f"root_scalar: method is one of {', '.join(map(repr, METHODS))}, got {method!r}"))
    if fprime2 is not None:
        raise TypeError(at_user_line('root_scalar: fprime2 belongs to the method "halley", which is not here: leave it out'))
    bracketing = method in ("brentq", "bisect")
    if (bracket if bracketing else x0) is None:
        raise ValueError(at_user_line(f"root_scalar: the method {method!r} needs {'a bracket' if bracketing else 'x0'}"))
    args = args if isinstance(args, tuple) else (args,)
    ends = [_number(x) for x in bracket] if bracketing else [_number(x0)]
    g = problem(lambda x: _scalar(f(x, *args)), ends[0])
    xtol = (1.48e-8 if method == "newton" or method == "secant" else 2e-12) if xtol is None else xtol
    rtol = (0.0 if method == "newton" or method == "secant" else 4 * np.finfo(float).eps) if rtol is None else rtol
    if maxiter is None:
        maxiter = 100 if bracketing else 50

    def solve(_: Callable, start: Any):
        if bracketing:
            return (_brent if method == "brentq" else _bisect)(g.cut, *ends, xtol, rtol, maxiter)
        if method == "newton":
            slope = None if not callable(fprime) else problem(lambda x: _scalar(fprime(x, *args)), start).cut
            return _newton(g.cut, slope, start, xtol, rtol, maxiter)
        return _secant(g.cut, start, start * (1 + 1e-4) + 1e-4 if x1 is None else _number(x1), xtol, rtol, maxiter)

    found, (status, turns, calls) = custom_root(g.live, ends[0], solve, has_aux=True)
    if known_value(status) == SAME_SIGN:
        raise ValueError(at_user_line(f"root_scalar: {MESSAGES[SAME_SIGN]}"))
    found = differentiable_where(found, status == CONVERGED)
    return RootResults({"root": found, "iterations": turns, "function_calls": calls, "status": status}, MESSAGES, (CONVERGED,))


def _number(x: Any) -> Any:
    start = unknowns(x, "root_scalar").start
    if start.shape != (1,):
        raise ValueError(at_user_line(f"root_scalar: expected one number, got {start.shape[0]}"))
    return start[0]


def _scalar(y: Any) -> Any:
    if type_of(y).size != 1:
        raise TypeError(at_user_line(f"root_scalar: the function must return one number, got {type_of(y)}"))
    return np.reshape(y, ()) + 0.0


def _chosen(condition: Any, a: tuple, b: tuple) -> tuple:
    return tuple(np.where(condition, x, y) for x, y in zip(a, b))


def _ended(x: Any, signs_differ: Any, arrived: Any, turns: Any, calls: Any):
    status = np.where(signs_differ, np.where(arrived, CONVERGED, NOT_CONVERGED), SAME_SIGN)
    return np.where(signs_differ, x, np.nan), (status, turns, calls)


def _bisect(f: Callable, a: Any, b: Any, xtol: Any, rtol: Any, maxiter: int):
    at_a, at_b = f(a), f(b)

    def turn(s):
        count, low, at_low, high, _ = s
        middle = low + (high - low) / 2
        value = f(middle)
        same = np.sign(value) == np.sign(at_low)
        low, at_low, high = _chosen(same, (middle, value, high), (low, at_low, middle))
        low, high = _chosen(value == 0, (middle, middle), (low, high))
        return count + 1, low, at_low, high, np.abs(high - low) <= xtol + rtol * np.abs(low)

    differ = np.sign(at_a) * np.sign(at_b) <= 0
    a, b = _chosen(at_a == 0, (a, a), _chosen(at_b == 0, (b, b), (a, b)))
    turns, low, _, high, arrived = while_loop(lambda s: (s[0] < maxiter) & ~s[4], turn, (0, a, at_a, b, ~differ | (a == b)))
    return _ended(low + (high - low) / 2, differ, arrived, turns, turns + 2)


def _brent(f: Callable, a: Any, b: Any, xtol: Any, rtol: Any, maxiter: int):
    """Interpolation, by a line or an inverse parabola, where that narrows the bracket fast enough, else halving. Source: Brent (1973), chapter 4."""
    at_a, at_b = f(a), f(b)

    def turn(s):
        # `now` is the best point, `before` the one before it, and the root is between `now` and `across`.
        count, before, at_before, now, at_now, across, at_across, last, last_but_one, _ = s
        crossed = np.sign(at_before) != np.sign(at_now)
        across, at_across = _chosen(crossed, (before, at_before), (across, at_across))
        last, last_but_one = _chosen(crossed, (now - before, now - before), (last, last_but_one))
        swap = np.abs(at_across) < np.abs(at_now)
        before, at_before, now, at_now, across, at_across = _chosen(
            swap, (now, at_now, across, at_across, now, at_now), (before, at_before, now, at_now, across, at_across)
        )
        least, half = (xtol + rtol * np.abs(now)) / 2, (across - now) / 2
        arrived = (at_now == 0) | (np.abs(half) < least)
        to_before, to_across = (_slope(now, at_now, x, y) for x, y in ((before, at_before), (across, at_across)))
        line = -at_now / np.where(to_before == 0, 1.0, to_before)
        bottom = to_across * to_before * (at_across - at_before)
        parabola = -at_now * (at_across * to_across - at_before * to_before) / np.where(bottom == 0, 1.0, bottom)
        guess = np.where(before == across, line, parabola)
        trusted = (np.abs(last_but_one) > least) & (np.abs(at_now) < np.abs(at_before))
        trusted = trusted & (2 * np.abs(guess) < np.minimum(np.abs(last_but_one), 3 * np.abs(half) - least))
        last_but_one, last = _chosen(trusted, (last, guess), (half, half))
        x = now + np.where(np.abs(last) > least, last, np.where(half > 0, least, -least))
        value = f(x)
        stay = (now, at_now, now, at_now)
        before, at_before, now, at_now = _chosen(arrived, stay, (now, at_now, x, value))
        return count + 1, before, at_before, now, at_now, across, at_across, last, last_but_one, arrived

    differ = np.sign(at_a) * np.sign(at_b) <= 0
    start = (0, a, at_a, b, at_b, a, at_a, b - a, b - a, ~differ | (at_b == 0))
    a_is_root = at_a == 0
    end = while_loop(lambda s: (s[0] < maxiter) & ~s[9] & ~a_is_root, turn, start)
    idle = end[9] & (end[0] > 0)  # the turn that finds that it has arrived
    return _ended(np.where(a_is_root, a, end[3]), differ, end[9] | a_is_root, end[0], end[0] + np.where(idle, 1, 2))


def _slope(x0: Any, y0: Any, x1: Any, y1: Any) -> Any:
    return (y1 - y0) / np.where(x1 == x0, 1.0, x1 - x0)


def _newton(f: Callable, slope: Callable | None, x: Any, xtol: Any, rtol: Any, maxiter: int):
    def turn(s):
        count, x, _ = s
        value, rise = jvp(f, (x,), (np.ones_like(x),)) if slope is None else (f(x), slope(x))
        new = np.where(value == 0, x, x - value / rise)
        return count + 1, new, (np.abs(new - x) <= xtol + rtol * np.abs(x)) | ~np.isfinite(new)

    turns, x, _ = end = while_loop(lambda s: (s[0] < maxiter) & ~s[2], turn, (0, x, np.bool_(False)))
    return x, (np.where(end[2] & np.isfinite(x), CONVERGED, NOT_CONVERGED), turns, 2 * turns)


def _secant(f: Callable, x0: Any, x1: Any, xtol: Any, rtol: Any, maxiter: int):
    def turn(s):
        count, x0, y0, x1, y1, _ = s
        x = np.where(y1 == 0, x1, x1 - y1 * (x1 - x0) / (y1 - y0))
        return count + 1, x1, y1, x, f(x), (np.abs(x - x1) <= xtol + rtol * np.abs(x1)) | ~np.isfinite(x)

    end = while_loop(lambda s: (s[0] < maxiter) & ~s[5], turn, (0, x0, f(x0), x1, f(x1), np.bool_(False)))
    return end[3], (np.where(end[5] & np.isfinite(end[3]), CONVERGED, NOT_CONVERGED), end[0], end[0] + 2)
