"""erfinv, erfcinv, ndtri.

In the middle x P(w) with w = -log(1 - x^2); in the tails, where the probability p outside is below a tenth, r T(r) with r = sqrt(-log p), down to the
least p.  Both need one logarithm, of the one or the other.
"""

from .logarithm import log
from .number import Num, copysign, sqrt, where
from .registry import special

TAIL = 0.1


def from_parts(x: Num, outside: Num) -> Num:
    """|erfinv(x)| times the sign of x, where outside = 1 - |x| is known better than x."""
    middle = outside >= TAIL
    w = -log(where(middle, outside * (2.0 - outside), outside))
    r = sqrt(w)
    tail = r * ((r - 4.0) / (r + 4.0)).polynomial("erfcinv_tail")
    tail = where(outside == 0.0, float("inf"), tail)
    return where(middle, x * w.polynomial("erfinv"), copysign(tail, x))


@special
def erfinv(x: Num) -> Num:
    return from_parts(x, 1.0 - abs(x))


def erfcinv_of(p: Num) -> Num:
    return from_parts(1.0 - p, where(p > 1.0, 2.0 - p, p))


@special
def erfcinv(p: Num) -> Num:
    return erfcinv_of(p)


@special
def ndtri(p: Num) -> Num:
    """-sqrt(2) erfcinv(2p): doubling is exact. Not -0.0 at 1/2."""
    return 0.0 - erfcinv_of(p + p) * p.constant("sqrt_two")[0]
