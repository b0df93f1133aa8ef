"""log, log2, log10, log1p.

x = 2^e m with m in [sqrt(1/2), sqrt(2)), f = m - 1, s = f/(2 + f): log m = 2 atanh s, summed in the order of fdlibm's e_log.c, which keeps the
rounding errors of the large terms out of the result.
"""

from .number import Num, copysign, fma, two_product, two_sum, where
from .registry import elementary

SQRT_HALF_BITS = {"float": 0x3F3504F3, "double": 0x3FE6A09E667F3BCD}


def split(x: Num, normal: bool = False) -> tuple[Num, Num]:
    """(m, e) with x = 2^e m and m in [sqrt(1/2), sqrt(2)), for positive finite x; `normal` promises that x is not subnormal."""
    form, pivot = x.format, SQRT_HALF_BITS[x.kind]
    integer = 2.0**form.mantissa
    zero = integer + form.bias  # what a zero exponent looks like below
    if not normal:
        lift = form.mantissa + 2
        subnormal = x < form.least_normal
        x, zero = where(subnormal, x * 2.0**lift, x), where(subnormal, x.like(zero + lift), zero)
    bits = x.bits() + (form.one - pivot)
    m = ((bits & ((1 << form.mantissa) - 1)) + pivot).real(x.kind)
    # The biased exponent becomes a number by way of the mantissa of 2^mantissa: there is no conversion from 64-bit integers before AVX-512.
    biased = ((bits >> form.mantissa) | ((form.bias + form.mantissa) << form.mantissa)).real(x.kind)
    return m, biased - zero


def log_terms(f: Num) -> tuple[Num, Num]:
    """(h, t) with log(1 + f) = f - (h - t), h = f^2/2, for 1 + f in [sqrt(1/2), sqrt(2))."""
    s = f / (f + 2.0)
    z = s * s
    h = (f * f) * 0.5
    return h, s * fma(z, z.polynomial("log"), h)


def log_kernel(f: Num, e: Num) -> Num:
    """e ln2 + log(1 + f)."""
    high, low = f.constant("ln2")
    h, t = log_terms(f)
    return fma(e, high, f - (h - fma(e, low, t)))


def special(x: Num, zero_at: float, y: Num) -> Num:
    """The result y with what every logarithm gives at the edges: -inf at its pole, NaN left of it, +inf and NaN unchanged."""
    y = where(x < float("inf"), y, x)
    return where(x > zero_at, y, where(x == zero_at, y.like(float("-inf")), float("nan")))


@elementary
def log(x: Num) -> Num:
    m, e = split(x)
    return special(x, 0.0, log_kernel(m - 1.0, e))


@elementary
def log1p(x: Num) -> Num:
    """With u = 1 + x = 2^e m rounded, what the rounding lost is put back into f = m - 1; for e = 0 that makes f = x exactly."""
    u = x + 1.0
    back = u - 1.0
    lost = (1.0 - (u - back)) + (x - back)
    m, e = split(u)
    # 2^-e by integer arithmetic on exponents; where u is so large that this would wrap, what was lost does not count.
    form = x.format
    unit = (((m.bits() - u.bits()) & (-1 << form.mantissa)) + form.one).real(x.kind)
    unit = where(u < 2.0 ** (form.mantissa + 4), unit, 0.0)
    y = copysign(log_kernel(fma(lost, unit, m - 1.0), e), x)
    return special(x, -1.0, y)


def scaled_log(x: Num, factor: tuple[float, float], unit: tuple[float, float]) -> Num:
    """e unit + log(m) factor with both constants in two parts: exact for powers of the base, below 1 ULP elsewhere."""
    m, e = split(x)
    f = m - 1.0
    h, t = log_terms(f)
    high, low = two_sum(f, -h)
    low = low + t
    product, error = two_product(high, high.like(factor[0]))
    rest = fma(high, factor[1], fma(low, factor[0], error))
    total, lost = two_sum(e * unit[0], product)
    return special(x, 0.0, total + (fma(e, unit[1], rest) + lost))


@elementary
def log2(x: Num) -> Num:
    return scaled_log(x, x.constant("log2_e"), (1.0, 0.0))


@elementary
def log10(x: Num) -> Num:
    return scaled_log(x, x.constant("log10_e"), x.constant("log10_2"))
