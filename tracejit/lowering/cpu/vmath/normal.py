"""erfcx, ndtr, log_ndtr: the tails of the normal distribution.

The tail beyond a >= 0 is Q(t) exp(-a^2) / (1 + 2a) with t = (a - 4)/(a + 4), as in error_function.py, here without an end: erfcx is the part without
the exponential.  SciPy's ndtr loses up to 700 units in the last place in the far tail, where it rounds x / sqrt(2) before it squares; this does not.
"""

from .error_function import erf_near
from .exponential import exp_in_range, expm1_reduced, reduce, scale
from .logarithm import log, log1p
from .number import Num, clamp, fma, two_product, where
from .registry import special

ERFCX_INFINITE = 26.65  # exp(a^2) overflows from here on
NDTR_ZERO = 38.6


def scaled_tail(a: Num) -> Num:
    """erfcx(a), a >= 0."""
    b = where(a > 1e300, 1e300, a)
    ratio = ((b - 4.0) / (b + 4.0)).polynomial_by_horner("erfcx")
    return ratio * 0.5 / (a + 0.5)


def halved_tail(a: Num) -> Num:
    """The normal distribution's tail beyond a >= 0, half of erfc(a / sqrt(2)), rounded once where it is subnormal."""
    b = where(a > NDTR_ZERO, NDTR_ZERO, a)
    square, error = two_product(b, b * 0.5)
    q = scaled_tail(b * b.constant("sqrt_half")[0]) * 0.5
    _, r, bits = reduce(-square, 2 * a.format.bias)
    return scale(fma(q, expm1_reduced(r - error), q), bits)


@special
def erfcx(x: Num) -> Num:
    """exp(x^2) erfc(x)."""
    a = abs(x)
    tail = scaled_tail(a)
    b = where(a > ERFCX_INFINITE, ERFCX_INFINITE, a)
    square, error = two_product(b, b)
    left = exp_in_range(clamp(square, 0.0, 710.0), error)
    return where(x < 0.0, left + left - tail, tail)


@special
def ndtr(x: Num) -> Num:
    """The normal distribution function."""
    a = abs(x)
    tail = halved_tail(a)
    middle = fma(erf_near(clamp(x, -1.0, 1.0) * x.constant("sqrt_half")[0]), 0.5, 0.5)
    return where(a < 0.66, middle, where(x < 0.0, tail, 1.0 - tail))


@special
def log_ndtr(x: Num) -> Num:
    """log ndtr(x): by erfcx on the left, by the tail on the other side on the right."""
    a = abs(x)
    left = log(scaled_tail(a * x.constant("sqrt_half")[0]) * 0.5) - a * (a * 0.5)
    right = log1p(-where(x < 0.66, 0.5 - (erf_near(clamp(x, -1.0, 1.0) * x.constant("sqrt_half")[0])) * 0.5, halved_tail(a)))
    return where(x < -1.0, left, right)
