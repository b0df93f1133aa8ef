"""zeta(s, q), Hurwitz's: the sum of (q + k)^-s by Euler and Maclaurin.

At least ten terms are added, and as many as bring q + k beyond 10, in a loop whose body is compiled once; then the integral over the rest, half a
term, and twelve corrections with Bernoulli numbers.
"""

from .number import Num, fma, rint, where
from .power import pow as power
from .registry import special

INFINITY = float("inf")
TERMS, BEYOND = 10.0, 10.0
# B_2j / (2j)!: 1/12, -1/720, ...
CORRECTIONS = (
    8.333333333333333e-02, -1.388888888888889e-03, 3.3068783068783071e-05, -8.267195767195768e-07, 2.08767569878681e-08, -5.284190138687493e-10,
    1.3382536530684679e-11, -3.3896802963225827e-13, 8.586062056277845e-15, -2.174868698558062e-16, 5.5090028283602295e-18, -1.3954464685812522e-19,
)  # fmt: skip
LONGEST = 2.0**20  # left of -LONGEST the sum has too many terms, and the result is NaN


def head(s: Num, q: Num) -> tuple[Num, Num]:
    """The sum of the first terms in the lanes that need them, and the next q + k. Ends the current block."""
    e = s.emitter

    def add_term(values):
        total, k = (Num(e, value) for value in values)
        at = k + q
        wanted = (k < TERMS) | (at <= BEYOND)
        shift = at - q
        lost = (q - (at - shift)) + (k - shift)  # by rounding q + k, which the power would make s times as large
        term = power(at, -s)
        term = where(lost == 0.0, term, fma(term, s * (-lost / at), term))
        return [where(wanted, total + term, total).value, where(wanted, k + 1.0, k).value], wanted.value

    total, k = (Num(e, value) for value in e.repeated([s.like(0.0).value] * 2, add_term))
    return total, k + q


@special
def zeta(s: Num, q: Num) -> Num:
    """Defined for s > 1; at q = 0, -1, ... there is a pole, and for other negative q the power is real only where s is a whole number."""
    inside = (s > 1.0) & (q > -LONGEST) & (q < INFINITY)
    base = where(inside, q, 1.0)
    first, a = head(s, base)
    edge, inverse = power(a, 1.0 - s), 1.0 / a
    last = edge * inverse
    total = first + edge / (s - 1.0) + last * 0.5
    factor = s * last * inverse
    square, k = inverse * inverse, s
    for correction in CORRECTIONS:
        total = total + factor * correction
        factor = factor * ((k + 1.0) * (k + 2.0)) * square
        k = k + 2.0
    whole = rint(q) == q
    undefined = (s < 1.0) | (q <= -LONGEST) | ((q < 0.0) & ~whole & (rint(s) != s))
    result = where(edge == 0.0, first, total)
    result = where((q == INFINITY) & (s > 1.0), 0.0, result)
    result = where((s == 1.0) | ((q <= 0.0) & whole), INFINITY, result)
    return where(undefined | s.is_nan() | q.is_nan(), float("nan"), result)
