"""Initial value problems with steps of the length that the tolerance asks for: a `while_loop` over steps inside a `scan` over the output times.

Steps go on as they like; what is wanted at output times is read off the polynomial of the step that contains them, so outputs do not shorten steps.
Step control is that of SciPy's `RK45` and `RK23`, step for step.

The lengths of the steps have no derivative: what is differentiated is the method with the steps that it took, whose derivative approximates that
of the solution as well as the method approximates the solution.  Output times have theirs through the polynomials, and the first time shifts all
the steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...api import scan, stop_gradient, while_loop
from .runge_kutta import Pair, Piece, Slope, rms, step

REACHED, TOO_SMALL, TOO_MANY = 0, -1, -2
MESSAGES = {
    REACHED: "The solver successfully reached the end of the integration interval.",
    TOO_SMALL: "Required step size is less than spacing between numbers.",
    TOO_MANY: "The solver took the largest number of steps allowed between two output times: raise `mxstep` (odeint) or `max_steps` (solve_ivp).",
}

SAFETY, LEAST_FACTOR, LARGEST_FACTOR = 0.9, 0.2, 10.0
EPS, TINY = np.finfo(float).eps, np.finfo(float).tiny


class Control(NamedTuple):
    """What decides how long steps are. `most` is the number of steps allowed between two output times, or None."""

    rtol: Any
    atol: Any
    first: Any = None
    longest: Any = np.inf
    most: int | None = None


class State(NamedTuple):
    t: Any
    y: Any
    slope: Any
    length: Any  # of the step to try next, positive
    rejected: Any  # whether the last attempt was
    piece: Piece
    calls: Any
    status: Any


class Solution(NamedTuple):
    """The solution at the output times (a row each), how often the slope was computed, and how it ended. After a failure rows are NaN."""

    y: Any
    calls: Any
    status: Any


def integrate(pair: Pair, f: Slope, y0: Any, times: Any, control: Control) -> Solution:
    """The solution of dy/dt = f(t, y) with y(times[0]) = y0 at all times, which rise or fall; y0 is a vector.

    Where times are out of order, which cannot be known while they are traced, rows are NaN.
    """
    end, begin = stop_gradient(times[-1]), stop_gradient(times[0])
    direction = np.where(end >= begin, 1.0, -1.0)
    slope = f(times[0], y0)
    if control.first is None:
        length, calls = _first_length(pair, f, times[0], y0, slope, end, direction, control), 2
    else:
        length, calls = np.minimum(control.first, np.abs(end - begin)), 1
    rest = Piece(times[0], 1.0 + 0.0 * begin, (y0, 0 * y0, 0 * y0, 0 * y0, 0 * y0))
    state = State(times[0], y0, slope, length, np.bool_(False), rest, calls, REACHED)

    def attempt(turn):
        count, state = turn
        return count + 1, _attempt(pair, f, state, end, direction, control)

    def reach(state: State, wanted: Any):
        goal = stop_gradient(wanted)

        within = direction * (end - goal) >= 0

        def going(turn):
            count, s = turn
            short = within & (s.status == REACHED) & (direction * (goal - s.t) > 0)
            return short if control.most is None else short & (count < control.most)

        _, state = while_loop(going, attempt, (0, state))
        short = within & (state.status == REACHED) & (direction * (goal - state.t) > 0)
        state = state._replace(status=np.where(short, TOO_MANY, state.status))
        known = within & (direction * (goal - stop_gradient(state.piece.start)) >= 0)  # times that go back are not in the piece
        return state, state.piece(wanted) * np.where(known & (state.status == REACHED), 1.0, np.nan)

    state, rows = scan(reach, state, times[1:])
    return Solution(np.concatenate([y0[None], rows]), state.calls, state.status)


def _attempt(pair: Pair, f: Slope, state: State, end: Any, direction: Any, control: Control) -> State:
    """One step if its error is within the tolerance; else the same state with a shorter step to try."""
    t, y = state.t, state.y
    now = stop_gradient(t)
    least = np.maximum(10 * EPS * np.abs(now), TINY)
    length = np.where(state.rejected, state.length, np.maximum(np.minimum(state.length, control.longest), least))
    failed = state.rejected & ~(length >= least)
    last = direction * (now + direction * length - end) > 0
    h = stop_gradient(np.where(last, end - now, direction * length))
    made = step(pair, f, t, y, state.slope, h)
    error = rms(stop_gradient(made.error / (control.atol + np.maximum(np.abs(y), np.abs(made.y)) * control.rtol)))
    accepted = (error < 1) & ~failed
    factor = SAFETY * np.where(error > 0, error, 1.0) ** (-1 / (pair.error_order + 1))
    grown = np.where(error == 0, LARGEST_FACTOR, np.minimum(factor, LARGEST_FACTOR))
    grown = np.where(state.rejected, np.minimum(grown, 1.0), grown)
    shrunk = np.where(factor > LEAST_FACTOR, factor, LEAST_FACTOR)  # also where the error is NaN
    after = State(
        np.where(last, end + (t - now), t + h),
        made.y,
        made.slope,
        np.abs(h) * np.where(accepted, grown, shrunk),
        ~accepted,
        made.piece,
        state.calls,
        state.status,
    )
    kept = state._replace(length=after.length, rejected=after.rejected)
    chosen = _choose(accepted, after, kept)
    return chosen._replace(calls=state.calls + len(pair.nodes), status=np.where(failed, TOO_SMALL, state.status))


def _choose(condition: Any, a: Any, b: Any) -> Any:
    if isinstance(a, tuple):
        chosen = [_choose(condition, x, y) for x, y in zip(a, b)]
        return type(a)(*chosen) if hasattr(a, "_fields") else tuple(chosen)
    return a if a is b else np.where(condition, a, b)


def _first_length(pair: Pair, f: Slope, t: Any, y: Any, slope: Any, end: Any, direction: Any, control: Control) -> Any:
    """How long the first step should be. Source: Hairer, Norsett, Wanner, II.4."""
    t, y, slope = map(stop_gradient, (t, y, slope))
    whole = np.abs(end - t)
    scale = control.atol + np.abs(y) * control.rtol
    size, speed = rms(y / scale), rms(slope / scale)
    guess = np.where((size < 1e-5) | (speed < 1e-5), 1e-6, 0.01 * size / np.where(speed == 0, 1.0, speed))
    guess = np.minimum(guess, whole)
    moved = f(t + guess * direction, y + guess * direction * slope)
    bend = rms((moved - slope) / scale) / np.where(guess == 0, 1.0, guess)
    steepest = np.maximum(speed, bend)
    still = steepest <= 1e-15
    better = np.where(still, np.maximum(1e-6, guess * 1e-3), (0.01 / np.where(still, 1.0, steepest)) ** (1 / (pair.error_order + 1)))
    return stop_gradient(np.minimum(np.minimum(100 * guess, better), np.minimum(whole, control.longest)))
