"""The tails of the normal distribution: erfcx, ndtr, log_ndtr, and the inverses erfinv, erfcinv, ndtri. erf and erfc are in elementwise.py.

On the imaginary axis: erfi and dawsn; and the exponential integrals expi and exp1."""

from __future__ import annotations

import math

from ..elementwise import exp, greater, select, square
from .common import function, number

_TWO_OVER_SQRT_PI, _SQRT_TWO_PI = 2 / math.sqrt(math.pi), math.sqrt(2 * math.pi)
_FAR = 26.0


def _erfcx_slope(x, y):
    """2x y - 2/sqrt(pi), whose terms cancel far to the right: there the asymptotic series of the difference."""
    far = greater(x, number(_FAR, x))
    z = number(0.5, x) / square(select(far, x, number(_FAR, x)))
    series = number(1.0, x)
    for odd in (11, 9, 7, 5, 3):
        series = 1 - odd * z * series
    return select(far, (-_TWO_OVER_SQRT_PI) * (z * series), 2 * x * y - _TWO_OVER_SQRT_PI)


erfcx = function("erfcx", lambda t, x, y: t * _erfcx_slope(x, y))
ndtr = function("ndtr", lambda t, x, y: t * (exp(-0.5 * square(x)) * (1 / _SQRT_TWO_PI)))
log_ndtr = function("log_ndtr", lambda t, x, y: t * (math.sqrt(2 / math.pi) / erfcx(x * -math.sqrt(0.5))))
erfinv = function("erfinv", lambda t, x, y: t * (exp(square(y)) * (1 / _TWO_OVER_SQRT_PI)), singular=True)
erfcinv = function("erfcinv", lambda t, x, y: t * (exp(square(y)) * (-1 / _TWO_OVER_SQRT_PI)), singular=True)
ndtri = function("ndtri", lambda t, x, y: t * (exp(0.5 * square(y)) * _SQRT_TWO_PI), singular=True)

# -- of imaginary arguments, and exponential integrals
erfi = function("erfi", lambda t, x, y: t * (exp(square(x)) * _TWO_OVER_SQRT_PI))
dawsn = function("dawsn", lambda t, x, y: t * (1 - 2 * x * y))
expi = function("expi", lambda t, x, y: t * (exp(x) / x), singular=True)
exp1 = function("exp1", lambda t, x, y: -t * (exp(-x) / x), singular=True)
