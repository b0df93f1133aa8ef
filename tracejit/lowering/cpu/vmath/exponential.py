"""exp, exp2, expm1, logistic.

Cody-Waite: x = k ln2 + r with |r| <= ln2/2, then 2^k (1 + (e^r - 1)).  With fused multiply-add the first product k * ln2 is subtracted exactly.
Scaling is by two factors of about 2^(k/2), so results round once even where they are subnormal, and overflow comes by itself.
"""

from .number import Num, clamp, copysign, fma, where
from .registry import elementary

# Where results are surely 0 or infinite: (lowest, highest) argument.
EXP_RANGE = {"float": (-105.0, 89.0), "double": (-746.0, 710.0)}
EXP2_RANGE = {"float": (-152.0, 129.0), "double": (-1076.0, 1025.0)}


def reduce(x: Num, offset: int) -> tuple[Num, Num, Num]:
    """(k, r, bits) with x = k ln2 + r; the low bits of the integer `bits` are k + offset."""
    shifter = x.format.shifter + offset
    high, low = x.constant("ln2")
    shifted = fma(x, x.constant("log2_e")[0], shifter)
    k = shifted - shifter
    return k, fma(k, -low, fma(k, -high, x)), shifted.bits()


def expm1_reduced(r: Num) -> Num:
    """e^r - 1 for |r| <= ln2/2."""
    return fma(r * r, r.polynomial("exp"), r)


def scale(x: Num, bits: Num) -> Num:
    """x 2^k rounded once, where `bits` ends in k + 2 bias and 2^k may lie outside of the normal range."""
    half = bits >> 1
    for part in (half, bits - half):
        x = x * (part << x.format.mantissa).real(x.kind)
    return x


def exp_in_range(x: Num, correction: Num | None = None) -> Num:
    """e^(x + correction) for x in EXP_RANGE (or NaN) and a correction of a few units in the last place of x."""
    _, r, bits = reduce(x, 2 * x.format.bias)
    if correction is not None:
        r = r + correction
    return scale(expm1_reduced(r) + 1.0, bits)


@elementary
def exp(x: Num) -> Num:
    return exp_in_range(clamp(x, *EXP_RANGE[x.kind]))


@elementary
def exp2(x: Num) -> Num:
    x = clamp(x, *EXP2_RANGE[x.kind])
    shifter = x.format.shifter + 2 * x.format.bias
    shifted = x + shifter
    r = x - (shifted - shifter)
    return scale(fma(r, r.polynomial("exp2"), 1.0), shifted.bits())


@elementary
def expm1(x: Num) -> Num:
    """2^k (e^r - 1) + (2^k - 1), halved until the end so that 2^1024 does not overflow."""
    inside = clamp(x, -50.0, EXP_RANGE[x.kind][1])
    k, r, bits = reduce(inside, x.format.bias - 1)
    half = (bits << x.format.mantissa).real(x.kind)  # 2^(k-1)
    p = expm1_reduced(r)
    y = fma(half, p, half - 0.5)
    return copysign(where(k == 0.0, p, y + y), x)


@elementary
def logistic(x: Num) -> Num:
    """1 / (1 + e^-x), without overflow, and with relative accuracy far to the left as well."""
    small = exp_in_range(clamp(-abs(x), *EXP_RANGE[x.kind]))
    return where(x < 0.0, small, 1.0) / (small + 1.0)
