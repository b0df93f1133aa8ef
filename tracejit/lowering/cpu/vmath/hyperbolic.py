"""sinh, cosh, tanh and their inverses.

sinh and cosh from the even and odd parts of e^r: with x = k ln2 + r, sinh x = (2^k - 2^-k)/2 cosh r + (2^k + 2^-k)/2 sinh r, so there is no
division, and no cancellation beyond a factor of two.  The inverses are log1p of an expression that is exact near their roots.
"""

from .exponential import expm1, reduce
from .logarithm import log1p
from .number import Num, copysign, fma, sqrt, where
from .registry import elementary

SINH_RANGE = {"float": 89.5, "double": 710.6}  # beyond, sinh and cosh are infinite


def halves(x: Num) -> tuple[Num, Num, Num, Num, Num]:
    """(k, c, s, difference, total) with |x| = k ln2 + r, c = cosh r, s = sinh r and (2^k -+ 2^-k)/4, quartered so that 2^1025 fits."""
    a = abs(x)
    k, r, bits = reduce(where(a > SINH_RANGE[x.kind], SINH_RANGE[x.kind], a), x.format.bias - 2)
    mantissa = x.format.mantissa
    up = (bits << mantissa).real(x.kind)  # 2^(k-2)
    # 2^(-k-2), where it matters: for large k the exponent field would wrap, and the term is far below the last place.
    down = (bits.like(2 * x.format.bias - 4) - bits << mantissa).real(x.kind)
    down = where(k < float(mantissa + 8), down, 0.0)
    z = r * r
    c, s = fma(z, z.polynomial("cosh"), 1.0), fma(r * z, z.polynomial("sinh"), r)
    return k, c, s, up - down, up + down


@elementary
def sinh(x: Num) -> Num:
    k, c, s, difference, total = halves(x)
    y = fma(difference, c, total * s)
    return copysign(where(k == 0.0, s, y + y), x)


@elementary
def cosh(x: Num) -> Num:
    _, c, s, difference, total = halves(x)
    y = fma(total, c, difference * s)
    return y + y


@elementary
def tanh(x: Num) -> Num:
    """t / (t + 2) with t = e^(2|x|) - 1; beyond 22 the result is 1."""
    a = where(abs(x) > 22.0, 22.0, abs(x))
    t = expm1(a + a)
    return copysign(t / (t + 2.0), x)


@elementary
def arcsinh(x: Num) -> Num:
    """log1p(a + a^2 / (1 + sqrt(a^2 + 1))); for a > 2^28, where the square might overflow, log(2a) as ln2 + log1p(a - 1)."""
    a = abs(x)
    large = a > 2.0**28
    moderate = where(large, 1.0, a)
    square = moderate * moderate
    argument = moderate + square / (sqrt(square + 1.0) + 1.0)
    y = log1p(where(large, a - 1.0, argument))
    return copysign(where(large, y + x.constant("ln2")[0], y), x)


@elementary
def arccosh(x: Num) -> Num:
    """log1p(t + sqrt(2t + t^2)) with t = x - 1, which is exact; for large x as arcsinh."""
    t = x - 1.0
    large = x > 2.0**28
    argument = t + sqrt(fma(t, t, t + t))
    y = log1p(where(large, t, argument))
    return where(x < 1.0, float("nan"), where(large, y + x.constant("ln2")[0], y))


@elementary
def arctanh(x: Num) -> Num:
    a = abs(x)
    return copysign(log1p((a + a) / (1.0 - a)) * 0.5, x)
