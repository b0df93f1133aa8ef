"""sin, cos, tan.

x = k pi/2 + r with |r| <= pi/4 by three fused multiply-adds; k is odd or even by its low bit, which says whether sine or cosine of r is wanted.
The three parts of pi/2 carry 3 x 53 (24) bits, and the first subtraction is exact, so r is good to its last bit for all |x| up to 2^40 (2^17), even
next to a root.  Larger arguments go to libm lane by lane, in a block that is entered only if there are some.
"""

from .number import Num, fma, where
from .registry import elementary

LIMIT = {"float": 2.0**17, "double": 2.0**40}
# What k pi/2's second part can be, doubled: the error of subtracting it is a plain difference only where more than that is left.
CANCELLED = {"float": 2.0**-6, "double": 2.0**-13}
TINY = {"float": 2.0**-13, "double": 2.0**-27}  # below it sin x = tan x = x, and squares might underflow


def reduce(x: Num) -> tuple[Num, Num, Num]:
    """(r, low, bits): x = k pi/2 + r + low with k the low bits of the integer `bits`."""
    shifter = x.format.shifter
    first, second, third = x.constant("half_pi")
    shifted = fma(x, x.constant("two_over_pi")[0], shifter)
    k = shifted - shifter
    coarse = fma(k, -first, x)
    r = fma(k, -second, coarse)
    error = where(abs(r) > CANCELLED[x.kind], fma(k, -second, coarse - r), 0.0)
    return r, fma(k, -third, error), shifted.bits()


def sine(r: Num, low: Num, z: Num) -> Num:
    """sin(r + low), z = r^2."""
    return r + fma(r * z, z.polynomial("sin"), low)


def cosine(r: Num, low: Num, z: Num) -> Num:
    """cos(r + low), z = r^2."""
    return fma(z * z, z.polynomial("cos"), fma(r, -low, 1.0 - z * 0.5))


def flip_sign(x: Num, bits: Num, bit: int) -> Num:
    """-x where that bit is set."""
    width = {"i32": 32, "i64": 64}[x.format.bits]
    return (((bits << (width - 1 - bit)) & x.format.sign) ^ x.bits()).real(x.kind)


def or_libm(name: str, x: Num, fast: Num) -> Num:
    """`fast`, but libm's result in lanes beyond the reach of the reduction.  Ends the current block if the function has one to end."""
    # Infinities and NaN need no help: the reduction makes NaN of them.
    large = (abs(x) > LIMIT[x.kind]) & (abs(x) < float("inf"))
    return Num(x.emitter, x.emitter.beyond_reach(name, large.value, x.value, fast.value))


@elementary
def sin(x: Num) -> Num:
    r, low, bits = reduce(x)
    z = r * r
    y = flip_sign(where(bits.has_bits(1), cosine(r, low, z), sine(r, low, z)), bits, 1)
    return or_libm("sin", x, where(abs(x) < TINY[x.kind], x, y))


@elementary
def cos(x: Num) -> Num:
    r, low, bits = reduce(x)
    z = r * r
    y = where(bits.has_bits(1), sine(r, low, z), cosine(r, low, z))
    return or_libm("cos", x, flip_sign(y, bits + 1, 1))


@elementary
def tan(x: Num) -> Num:
    r, low, bits = reduce(x)
    z = r * r
    s, c = sine(r, low, z), cosine(r, low, z)
    odd = bits.has_bits(1)
    y = flip_sign(where(odd, c, s) / where(odd, s, c), bits, 0)
    return or_libm("tan", x, where(abs(x) < TINY[x.kind], x, y))
