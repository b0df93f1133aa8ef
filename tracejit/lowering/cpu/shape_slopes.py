"""`gammainc_slope` and `betainc_slope` (see ops/special/shape_slopes.py) in vector code: series and continued fractions as loops over all lanes.

A loop runs until the last of its lanes has converged; in the others further terms change nothing.  Computed in double.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...ops.special.shape_slopes import EPS, HUGE, LARGEST_PARAMETER, MOST_TERMS
from .emit import Emitter, Value
from .vmath.exponential import exp
from .vmath.gamma import digamma, gammaln
from .vmath.logarithm import log, log1p
from .vmath.number import Num, where

INFINITY, NAN = float("inf"), float("nan")


def repeated(start: list[Num], step: Callable[[Num, list[Num]], tuple[list[Num], Num]]) -> list[Num]:
    """The last values of a loop in which `step(n, values)` gives the next ones, and in which lanes they have not converged. n counts from 1.

    Ends the current block.
    """
    e = start[0].emitter

    def next_term(values):
        n, *values = (Num(e, value) for value in values)
        following, active = step(n, values)
        return [value.value for value in (n + 1.0, *following)], (active & (n < MOST_TERMS)).value

    return [Num(e, value) for value in e.repeated([value.value for value in (start[0].like(1.0), *start)], next_term)[1:]]


# -- gamma
def _gamma_series(a: Num, x: Num) -> tuple[Num, Num]:
    """The sum of the series, and minus its derivative."""
    def step(n, values):
        term, steps, total, slope = values
        inverse = 1.0 / (a + n)
        term, steps = term * (x * inverse), steps + inverse
        total, slope = total + term, slope + term * steps
        return [term, steps, total, slope], term * steps > slope * EPS

    *_, total, slope = repeated([a.like(1.0), a.like(0.0), a.like(1.0), a.like(0.0)], step)
    return total, slope


def _gamma_fraction(a: Num, x: Num) -> tuple[Num, Num]:
    """The continued fraction, and the derivative of its logarithm."""
    first = x + 1.0 - a

    def step(n, values):
        c, c_slope, d, d_slope, fraction, slope = values
        numerator, b, inverse = n * (a - n), first + n * 2.0, 1.0 / c
        c, c_slope = b + numerator * inverse, (n - numerator * c_slope * inverse) * inverse - 1.0
        rate, d = n * d + numerator * d_slope - 1.0, 1.0 / (numerator * d + b)
        rate = rate * d  # minus the derivative of log d
        ratio, change = c * d, c_slope / c - rate
        following = [c, c_slope, d, -(rate * d), fraction * ratio, slope + change]
        return following, (abs(ratio - 1.0) > EPS * 8) | (abs(change) > abs(slope) * EPS)

    d = 1.0 / first
    *_, fraction, slope = repeated([a.like(HUGE), a.like(0.0), d, d * d, d, d], step)
    return fraction, slope


def gammainc_slope(a: Num, x: Num) -> Num:
    inside = (a > 0.0) & (a < LARGEST_PARAMETER) & (x > 0.0) & (x < INFINITY)
    edge = (a > 0.0) & ((x == 0.0) | (x == INFINITY))
    a, x = where(inside, a, 1.0), where(inside, x, 1.0)
    left = x <= a + 1.0
    total, minus = _gamma_series(where(left, a, 1.0), where(left, x, 0.0))
    fraction, slope = _gamma_fraction(where(left, 1.0, a), where(left, 3.0, x))
    logarithm, top = log(x), where(left, a + 1.0, a)
    weight = exp(a * logarithm - x - gammaln(top))
    rate = logarithm - digamma(top)
    result = where(left, rate * total - minus, -(fraction * (rate + slope)))
    return where(inside, weight * result, where(edge, x.like(0.0), NAN))


# -- beta
def _beta_fraction(p: Num, q: Num, y: Num, in_p: Num) -> tuple[Num, Num]:
    """The continued fraction of I_y(p, q), and the derivative of its logarithm with respect to p where `in_p` is 1, to q where it is 0."""
    in_q, both = 1.0 - in_p, p + q

    def part(numerator, numerator_slope, c, c_slope, d, d_slope, fraction, slope):
        inverse = 1.0 / c
        c, c_slope = numerator * inverse + 1.0, (numerator_slope - numerator * c_slope * inverse) * inverse
        rate, d = numerator_slope * d + numerator * d_slope, 1.0 / (numerator * d + 1.0)
        rate = rate * d
        return c, c_slope, d, -(rate * d), fraction * (c * d), slope + (c_slope / c - rate)

    def step(m, values):
        before = values[-1]
        first = p + (m * 2.0 - 1.0)
        first, second, third = 1.0 / first, 1.0 / (first + 1.0), 1.0 / (first + 2.0)
        scale = m * y * first * second
        even = scale * (q - m)
        even_slope = scale * in_q - even * in_p * (first + second)
        scale = -(y * second * third)
        odd = scale * (p + m) * (both + m)
        odd_slope = scale * (in_p * (both + m) + (p + m)) - odd * in_p * (second + third)
        values = part(even, even_slope, *values)
        values = part(odd, odd_slope, *values)
        ratio, slope = values[0] * values[2], values[-1]
        return list(values), (abs(ratio - 1.0) > EPS * 8) | (abs(slope - before) > abs(slope) * (EPS * 8))

    inverse = 1.0 / (p + 1.0)
    d = 1.0 / (1.0 - both * y * inverse)
    d_slope = y * inverse * (1.0 - both * in_p * inverse) * d * d
    *_, fraction, slope = repeated([p.like(1.0), p.like(0.0), d, d_slope, d, d_slope / d], step)
    return fraction, slope


def betainc_slope(a: Num, b: Num, x: Num) -> Num:
    positive = (a > 0.0) & (b > 0.0)
    inside = positive & (a < LARGEST_PARAMETER) & (b < LARGEST_PARAMETER) & (x > 0.0) & (x < 1.0)
    edge = positive & ((x == 0.0) | (x == 1.0))
    a, b, x = where(inside, a, 1.0), where(inside, b, 1.0), where(inside, x, 0.5)
    both, rest = a + b, 1.0 - x
    left = x < (a + 1.0) / (both + 2.0)
    p = where(left, a, b)
    fraction, slope = _beta_fraction(p, where(left, b, a), where(left, x, rest), where(left, a.like(1.0), 0.0))
    logarithm = log(x)
    betaln = gammaln(a) + gammaln(b) - gammaln(both)
    tail = exp(a * logarithm + b * log1p(-x) - betaln) / p * fraction
    slope = logarithm + digamma(both) - digamma(a) - where(left, 1.0 / a, 0.0) + slope
    return where(inside, where(left, tail, -tail) * slope, where(edge, x.like(0.0), NAN))


def _entry(formula: Callable[..., Num]) -> Callable[..., Value]:
    def emit(e: Emitter, dtype: np.dtype, *args: Value) -> Value:
        kind = args[0].kind
        result = formula(*[Num(e, e.splat(e.fpext(a, "double"))) for a in args]).value
        return e.fptrunc(result, kind) if kind != "double" else result

    return emit


FUNCTIONS: dict[str, Callable[..., Value]] = {formula.__name__: _entry(formula) for formula in (gammainc_slope, betainc_slope)}
