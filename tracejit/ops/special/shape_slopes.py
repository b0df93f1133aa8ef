"""Derivatives of the incomplete gamma and beta functions with respect to their first parameter: `gammainc_slope`, `betainc_slope`.

Each function is a prefactor times a sum, and so is its derivative: the prefactor's logarithm has a derivative made of logarithms and digammas, and
the sum is differentiated term by term, as R. J. Moore (1982, Algorithm AS 187) and R. J. Boik and J. F. Robison-Cox (1998, "Derivatives of the
incomplete beta function") do.  On either side of the distribution's mean that sum is taken which does not cancel:

    gamma, x <= a + 1    P = x^a e^-x / gamma(a + 1) (1 + x/(a+1) + x^2/((a+1)(a+2)) + ...)
    gamma, x > a + 1     1 - P by its continued fraction, with derivatives carried along
    beta                 the continued fraction of I_x(a, b), or that of I_(1-x)(b, a) beyond the mean

The relative error is about 1e-13, growing with the parameter as the prefactor's does (1e-11 at 10^4); parameters beyond 10^8, whose sums have too
many terms, give NaN.  `lowering/cpu/shape_slopes.py` is the same in vector code.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...errors import at_user_line
from ..core import Op, add_tangents
from ..elementwise import log
from ..elementwise_parts import FLOATS, elementwise_op
from .densities import beta_density, gamma_density
from .gamma import digamma

MOST_TERMS = 200_000
LARGEST_PARAMETER = 1e8
HUGE = 1e300  # in place of the infinity that a continued fraction begins with
EPS = 2.0**-54


# -- the reference, for double arrays of one shape
def _gamma_series(a, x):
    """dP/da by the series."""
    from scipy.special import digamma as psi
    from scipy.special import gammaln

    term = np.ones_like(a)
    total, steps, slope = term.copy(), np.zeros_like(a), np.zeros_like(a)  # steps: 1/(a+1) + ... + 1/(a+n)
    for n in range(1, MOST_TERMS):
        term = term * (x / (a + n))
        steps = steps + 1 / (a + n)
        total, slope = total + term, slope + term * steps
        if not (term * steps > EPS * slope).any():
            break
    logarithm = np.log(x)
    return np.exp(a * logarithm - x - gammaln(a + 1)) * ((logarithm - psi(a + 1)) * total - slope)


def _gamma_fraction(a, x):
    """dP/da by the continued fraction of 1 - P (Lentz's method)."""
    from scipy.special import digamma as psi
    from scipy.special import gammaln

    b = x + 1 - a
    d, c = 1 / b, np.full_like(a, HUGE)
    d_slope, c_slope = d * d, np.zeros_like(a)
    fraction, slope = d, d  # its value, and the derivative of its logarithm
    for n in range(1, MOST_TERMS):
        numerator, b = n * (a - n), b + 2
        c, c_slope = b + numerator / c, n / c - numerator * c_slope / (c * c) - 1
        d_slope, d = n * d + numerator * d_slope - 1, 1 / (numerator * d + b)
        d_slope = -d_slope * d * d
        ratio, change = c * d, c_slope / c + d_slope / d
        fraction, slope = fraction * ratio, slope + change
        if not ((np.abs(ratio - 1) > EPS * 8) | (np.abs(change) > EPS * np.abs(slope))).any():
            break
    logarithm = np.log(x)
    return -np.exp(a * logarithm - x - gammaln(a)) * fraction * (logarithm - psi(a) + slope)


def _gammainc_slope(a, x):
    inside = (a > 0) & (a < LARGEST_PARAMETER) & (x > 0) & (x < np.inf)
    a, x, edge = np.where(inside, a, 1.0), np.where(inside, x, 1.0), (a > 0) & ((x == 0) | (x == np.inf))
    left = x <= a + 1
    near = _gamma_series(np.where(left, a, 1.0), np.where(left, x, 1.0))
    far = _gamma_fraction(np.where(left, 1.0, a), np.where(left, 3.0, x))
    return np.where(inside, np.where(left, near, far), np.where(edge, 0.0, np.nan))


def _beta_fraction(p, q, y, toward):
    """The continued fraction of I_y(p, q), and the derivative of its logarithm with respect to p (`toward` 1) or q (0)."""
    dp, dq = toward, 1 - toward
    both = p + q
    d = 1 - both * y / (p + 1)
    d_slope = -y * ((dp + dq) / (p + 1) - both * dp / (p + 1) ** 2)
    d = 1 / d
    d_slope = -d_slope * d * d
    c, c_slope = np.ones_like(p), np.zeros_like(p)
    fraction, slope = d, d_slope / d
    for m in range(1, MOST_TERMS):
        before = slope
        first, second, third = p + (2 * m - 1), p + 2 * m, p + (2 * m + 1)
        even = m * (q - m) * y / (first * second)
        even_slope = m * y * dq / (first * second) - even * dp * (1 / first + 1 / second)
        odd = -(p + m) * (both + m) * y / (second * third)
        odd_slope = -y * (dp * (both + m) + (p + m)) / (second * third) - odd * dp * (1 / second + 1 / third)
        for numerator, numerator_slope in ((even, even_slope), (odd, odd_slope)):
            c_slope, c = numerator_slope / c - numerator * c_slope / (c * c), 1 + numerator / c
            d_slope = numerator_slope * d + numerator * d_slope
            d = 1 / (1 + numerator * d)
            d_slope = -d_slope * d * d
            ratio = c * d
            fraction, slope = fraction * ratio, slope + c_slope / c + d_slope / d
        if not ((np.abs(ratio - 1) > EPS * 8) | (np.abs(slope - before) > EPS * 8 * np.abs(slope))).any():
            break
    return fraction, slope


def _betainc_slope(a, b, x):
    from scipy.special import betaln
    from scipy.special import digamma as psi

    inside = (a > 0) & (b > 0) & (a < LARGEST_PARAMETER) & (b < LARGEST_PARAMETER) & (x > 0) & (x < 1)
    edge = (a > 0) & (b > 0) & ((x == 0) | (x == 1))
    a, b, x = (np.where(inside, v, usual) for v, usual in ((a, 1.0), (b, 1.0), (x, 0.5)))
    left = x < (a + 1) / (a + b + 2)
    y = np.where(left, x, 1 - x)
    p, q = np.where(left, a, b), np.where(left, b, a)
    fraction, slope = _beta_fraction(p, q, y, np.where(left, 1.0, 0.0))
    tail = np.exp(a * np.log(x) + b * np.log1p(-x) - betaln(a, b)) / p * fraction
    slope = np.log(x) + psi(a + b) - psi(a) - np.where(left, 1 / a, 0.0) + slope
    return np.where(inside, np.where(left, tail, -tail) * slope, np.where(edge, 0.0, np.nan))


def _in_double(reference: Callable) -> Callable:
    def run(*args):
        wide = np.broadcast_arrays(*[np.asarray(a, np.float64) for a in args])
        with np.errstate(all="ignore"):
            return reference(*wide).astype(args[0].dtype, copy=False)[()]

    return run


# -- the ops
def _op(name: str, reference: Callable, of: str, slope_in_x: Callable) -> Op:
    def jvp(primals, out, tangents):
        *shapes, t = tangents
        if any(s is not None for s in shapes):
            raise NotImplementedError(at_user_line(f"the second derivative of scipy.special.{of} with respect to its parameters is not implemented"))
        return add_tangents(None if t is None else t * slope_in_x(*primals))

    def show(*texts):
        dtype = texts[0].type.dtype
        wide = ", ".join(f"np.float64({text})" for text in texts)
        return f"tracejit.ops.special.{name}.run(np, {wide})" + ("" if dtype == np.float64 else f".astype(np.{dtype.name})")

    return elementwise_op(name, _in_double(reference), FLOATS, None, jvp, None, None, None, True, True, show)


gammainc_slope = _op("gammainc_slope", _gammainc_slope, "gammainc", lambda a, x: gamma_density(a, x) * (log(x) - digamma(a)))
betainc_slope = _op(
    "betainc_slope", _betainc_slope, "betainc", lambda a, b, x: beta_density(a, b, x) * (log(x) + digamma(a + b) - digamma(a)),
)  # fmt: skip
