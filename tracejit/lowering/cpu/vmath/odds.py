"""logit, exprel, entr, rel_entr: quotients and products with a logarithm or an exponential, exact where the two meet."""

from .exponential import EXP_RANGE, exp_in_range, expm1
from .logarithm import log, log1p
from .number import Num, clamp, sqrt, where
from .registry import special

INFINITY, NAN = float("inf"), float("nan")


@special
def logit(x: Num) -> Num:
    """log(x / (1 - x)); around the root at 1/2 log1p of (2x - 1)/(1 - x), whose numerator is exact."""
    rest, half = 1.0 - x, x - 0.5
    return where(x < 0.25, log(x / rest), log1p((half + half) / rest))


@special
def exprel(x: Num) -> Num:
    """(e^x - 1) / x, 1 at 0; for large x e^(x/2) / x e^(x/2), which overflows no earlier than the result does."""
    half = exp_in_range(clamp(x * 0.5, *EXP_RANGE["double"]))
    y = where(x > 700.0, half / where(x < INFINITY, x, 1.0) * half, expm1(x) / x)
    return where(x == 0.0, 1.0, y)


@special
def entr(x: Num) -> Num:
    """-x log x; 0 at 0, and -inf left of it."""
    y = where(x < INFINITY, -x * log(x), -x)
    return where(x > 0.0, y, where(x == 0.0, 0.0, where(x < 0.0, -INFINITY, x)))


@special
def rel_entr(x: Num, y: Num) -> Num:
    """x log(x / y) for positive x and y, 0 for x = 0 <= y, else inf.

    The logarithm is log1p of the difference over the smaller, so its root x = y is exact.
    Where the quotient overflows, that of the fourth roots does not.
    """
    larger, smaller = where(x > y, x, y), where(x > y, y, x)
    quotient = larger / smaller
    beyond = (quotient == INFINITY) & (larger < INFINITY)
    quotient = where(beyond, sqrt(sqrt(larger)) / sqrt(sqrt(smaller)), quotient)
    logarithm = log1p(where(quotient < 2.0, (larger - smaller) / smaller, quotient - 1.0))
    logarithm = where(beyond, logarithm * 4.0, logarithm)
    product = x * where(x < y, -logarithm, logarithm)
    inside = where((x > 0.0) & (y > 0.0), product, where((x == 0.0) & (y >= 0.0), x.like(0.0), INFINITY))
    return where(x.is_nan() | y.is_nan(), NAN, inside)
