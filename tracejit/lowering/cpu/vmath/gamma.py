"""gammaln, gamma, digamma, trigamma.

Positive arguments fall into three ranges.  On [1, 4] a polynomial in t = (y - 2)/(y + 2) with the function's roots as factors keeps the relative
accuracy at 1, 2 and 1.46; below 1 the recurrence takes one step up; above 4 Stirling's series is fitted.  Negative ones are reflected: there gammaln
and digamma have roots of their own, at which the absolute error is what is small, as in SciPy.
"""

from .exponential import EXP_RANGE, expm1_reduced, reduce, scale
from .logarithm import log
from .number import Num, clamp, fma, rint, two_sum, where
from .power import log_parts
from .registry import special

INFINITY, NAN = float("inf"), float("nan")
LARGEST_EXACT_FACTORIAL = 2.0**53


def from_integer(a: Num) -> tuple[Num, Num]:
    """(r, sin(pi r)/pi) for the distance r of `a` to the nearest integer; the sine has the sign that it has at r."""
    r = a - rint(a)
    return r, r * (r * r).polynomial("sinpi")


def is_odd(n: Num) -> Num:
    """Whether the whole number n is odd."""
    half = n * 0.5
    return rint(half) != half


def near_one(a: Num, name: str) -> tuple[Num, Num]:
    """(y, table at y) for a in [0, 4], where y is `a` or, below 1, a + 1."""
    y = where(a < 1.0, a + 1.0, a)
    return y, ((y - 2.0) / (y + 2.0)).polynomial(name)


@special
def gammaln(x: Num) -> Num:
    """log |gamma(x)|.  Negative: log |pi / sin(pi x)| - log |x| - gammaln(|x|), where for |x| < 1 two logarithms of |x| cancel."""
    a = abs(x)
    small, large = a < 1.0, a > 4.0
    _, ratio = near_one(a, "gammaln")
    near = where(small, a, a - 1.0) * where(small, a - 1.0, a - 2.0) * ratio
    logarithm, inverse = log(a), 1.0 / a
    constant = x.constant("half_log_two_pi")[0] - 0.5
    far = fma(a - 0.5, logarithm - 1.0, fma(inverse, (inverse * inverse).polynomial("stirling"), constant))
    moderate = where(small, near - logarithm, near + 0.0)  # not -0.0 at 1
    positive = where(large, far, moderate)
    _, sine = from_integer(a)
    reflected = -log(abs(sine)) - where(small, near, logarithm + positive)
    y = where(x < 0.0, where(sine == 0.0, INFINITY, reflected), positive)
    return where(a == INFINITY, x, y)


@special
def gamma(x: Num) -> Num:
    """1 over a polynomial up to 3, exp of Stirling's formula in doubled precision beyond; whole numbers are rounded to the factorial they are."""
    a = abs(x)
    _, sine = from_integer(a)
    reflected = x < -0.5
    base = where(reflected, a, x)
    shift = where(base < 1.0, base, base - 1.0)
    reciprocal = (clamp(shift, -0.5, 2.0) - 0.75).polynomial_by_horner("reciprocal_gamma")
    reciprocal = where(base < 1.0, base * reciprocal, reciprocal)
    moderate = where(reflected, -reciprocal, 1.0) / where(reflected, a * sine, reciprocal)
    # log gamma(a) without log sqrt(2 pi), to about 64 bits; beyond 200 the result is infinite or zero whatever it is.
    b = clamp(a, 3.0, 200.0)
    high, low = log_parts(b)
    y = b - 0.5
    product = y * high
    low = fma(y, low, fma(y, high, -product))
    total, lost = two_sum(product, -b)
    inverse = 1.0 / b
    total, rest = two_sum(total, inverse * (inverse * inverse).polynomial("stirling"))
    low = low + lost + rest
    negative = x < 0.0
    total, low = where(negative, -total, total), where(negative, -low, low)
    unit = x.constant("sqrt_two_pi")[0]
    factor = where(negative, x.like(-1.0), unit) / where(negative, b * sine * unit, 1.0)
    _, r, bits = reduce(clamp(total, *EXP_RANGE["double"]), 2 * x.format.bias)
    far = scale(fma(factor, expm1_reduced(r + low), factor), bits)
    result = where(a > 3.0, far, moderate)
    odd = is_odd(rint(a))
    result = where(negative & (a >= 0.5) & odd, -result, result)
    whole = rint(x) == x
    result = where(whole & (x > 0.0) & (result < LARGEST_EXACT_FACTORIAL), rint(result), result)
    result = where(negative & whole, NAN, result)
    return where(x == INFINITY, INFINITY, result)


@special
def digamma(x: Num) -> Num:
    """The derivative of gammaln; negative: digamma(|x|) + 1/|x| + pi cot(pi |x|)."""
    a = abs(x)
    small = a < 1.0
    root, rest = x.constant("digamma_root")
    y, ratio = near_one(a, "digamma")
    near = ((y - root) - rest) * ratio
    inverse = 1.0 / a
    square = inverse * inverse
    far = log(a) - fma(square, square.polynomial("digamma_large"), inverse * 0.5)
    r, sine = from_integer(a)
    cosine = fma(r * r, -4.0, 1.0) * (r * r).polynomial("cospi")
    cotangent = cosine / sine
    over = where(a > 4.0, far, near)
    negative = where(small, near, over + inverse) + cotangent
    y = where(x < 0.0, negative, where(small, near - inverse, over))
    y = where((x < 0.0) & (r == 0.0), NAN, y)
    y = where(x == INFINITY, INFINITY, y)
    return where(x == 0.0, -1.0 / x, y)


@special
def trigamma(x: Num) -> Num:
    """The derivative of digamma, polygamma(1, x); negative: (pi / sin(pi x))^2 + 1/x^2 - trigamma(|x|)."""
    a = abs(x)
    small = a < 1.0
    y, ratio = near_one(a, "trigamma")
    near = ratio / y
    inverse = 1.0 / a
    square = inverse * inverse
    far = fma(square * inverse, square.polynomial("trigamma_large"), fma(square, 0.5, inverse))
    over = where(a > 4.0, far, near)
    _, sine = from_integer(a)
    reflected = 1.0 / (sine * sine) - where(small, near, over - square)
    return where(x < 0.0, where((sine == 0.0) | (a == INFINITY), INFINITY, reflected), where(small, near + square, over))
