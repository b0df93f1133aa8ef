"""What the formulas of the CPU target leave to the C library, for devices, which have none: sin, cos and tan of huge arguments, and fmod.

The remainder of x by pi/2 (Payne and Hanek, "Radian Reduction for Trigonometric Functions", ACM SIGNUM Newsletter 18, 1983): with x = m 2^E, the
bits of 2/pi before the place E - 1 contribute multiples of 4 to x 2/pi, so m times the 192 bits from there on holds the quadrant in its two
highest bits and the fraction below, good to 2^-137.  No double comes nearer than 2^-61 to a multiple of pi/2, so 76 bits of the fraction or more
are left.
"""

from __future__ import annotations

from ..cpu.emit import Emitter, Function, Module, Value
from ..cpu.vmath.number import Num, fma, where
from ..cpu.vmath.trigonometric import cosine, flip_sign, sine

_LEADING_WORDS = 2  # of zeros: arguments are 2^17 or more, and the window of the least begins 35 bits before the point
_TWO_OVER_PI = int(
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921cfe1deb1cb129a73ee88235f52ebb4484"
    "e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d7527bac7ebe5f17b"
    "3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6babf0cfbc209af4361d",
    16,
)
_WORDS = [0] * _LEADING_WORDS + [_TWO_OVER_PI >> 32 * k & 0xFFFFFFFF for k in reversed(range(40))]
_HALF_PI = (1.5707963267948966, 6.123233995736766e-17)


def function_of(module: Module, emitter: type[Emitter], name: str) -> Function:
    """The double function sin, cos or tan of arguments of 2^17 or more, written into a module once."""
    key = f"far_{name}"
    if key not in module.shared:
        f = Function(module, key, [("double", "x")], result="double", attributes="noinline", linkage="internal")
        e = emitter(f, 1)
        x = Num(e, f.parameter("x"))
        r, low, quadrant = _reduced(x)
        z = r * r
        s, c = sine(r, low, z), cosine(r, low, z)
        odd = quadrant.has_bits(1)
        if name == "cos":
            y = flip_sign(where(odd, s, c), quadrant + 1, 1)
        elif name == "sin":
            y = flip_sign(where(odd, c, s), quadrant, 1)
        else:
            y = flip_sign(where(odd, c, s) / where(odd, s, c), quadrant, 0)
        if name != "cos":
            y = ((x.bits() & x.format.sign) ^ y.bits()).real("double")
        f.ret(y.value)
        module.shared[key] = f
    return module.shared[key]


def _reduced(x: Num) -> tuple[Num, Num, Num]:
    """(r, low, k): |x| = k pi/2 + r + low modulo 2 pi, with |r| <= pi/4."""
    e = x.emitter
    bits = abs(x).bits()
    exponent = bits >> 52
    mantissa = ((bits & (1 << 52) - 1) | 1 << 52).value
    place = exponent + (32 * _LEADING_WORDS - 1075 - 1 - 1)  # of the first bit that counts; the first behind the point has the number 1
    words = _window(e, place)
    # The product modulo 2^192, in words of 64 bits.
    wide = [e.imul(e.zext(mantissa, "i128"), e.zext(word, "i128")) for word in words]
    high = e.const("i128", 64)
    lowest = e.trunc(wide[2], "i64")
    carried = e.iadd(wide[1], e.lshr(wide[2], high))
    middle = e.trunc(carried, "i64")
    top = e.trunc(e.iadd(wide[0], e.lshr(carried, high)), "i64")
    # Two bits of quadrant, and a fraction that is read as signed: from -1/2 to 1/2.
    two = e.const("i64", 2)
    fraction = e.intrinsic("fshl", top, middle, two)
    rest = e.intrinsic("fshl", middle, lowest, two)
    quadrant = e.iadd(e.lshr(top, e.const("i64", 62)), e.lshr(fraction, e.const("i64", 63)))
    near = e.sitofp(fraction, "double")
    far = Num(e, e.sitofp(e.isub(fraction, e.fptosi(near, "i64")), "double")) + Num(e, e.uitofp(rest, "double")) * 2.0**-64
    whole = Num(e, near) + far
    remainder = far - (whole - Num(e, near))
    t, u = whole * 2.0**-64, remainder * 2.0**-64
    r = t * _HALF_PI[0]
    low = fma(t, _HALF_PI[0], -r) + (t * _HALF_PI[1] + u * _HALF_PI[0])
    return r, low, Num(e, quadrant)


def _window(e: Emitter, place: Num) -> list[Value]:
    """192 bits of 2/pi from a place of the table on, as three words."""
    table = e.function.module.table("i32", [w - (w >> 31 << 32) for w in _WORDS])
    first, shift = (place >> 5).value, e.trunc((place & 31).value, "i32")
    at = [e.load(e.gep(table, "i32", e.iadd(first, e.const("i64", k))), "i32", 4) for k in range(7)]
    halves = [e.zext(e.intrinsic("fshl", a, b, shift), "i64") for a, b in zip(at, at[1:])]
    return [e.or_(e.shl(a, e.const("i64", 32)), b) for a, b in zip(halves[::2], halves[1::2])]


def remainder(e: Emitter, a: Value, b: Value) -> Value:
    """C's fmod, exactly: a loop, each turn of which makes the rest smaller by up to `span` bits."""
    if a.kind == "half":
        return e.fptrunc(remainder(e, e.fpext(a, "float"), e.fpext(b, "float")), "half")
    x, y = abs(Num(e, a)), abs(Num(e, b))
    mantissa, bits = x.format.mantissa, x.format.bits
    span = mantissa - 1
    infinity = float("inf")

    def exponent(v: Num) -> Num:
        small = v < x.format.least_normal
        return (where(small, v * 2.0**mantissa, v).bits() >> mantissa) - where(small, x.like(0).bits() + mantissa, 0)

    of_divisor = exponent(y)

    def turn(values: list[Value]) -> tuple[list[Value], Value]:
        rest = Num(e, values[0])
        more = (rest >= y) & (y > 0.0) & (rest < infinity)
        # The divisor times a power of two, so that the quotient is less than 2^mantissa.
        excess = exponent(rest) - of_divisor - span
        excess = where(Num(e, e.icmp("sgt", excess.value, e.const(bits, 0))), excess, 0)
        half = excess >> 1  # in two steps, since the power itself may overflow
        scaled = y * _power_of_two(x, half) * _power_of_two(x, excess - half)
        # The quotient may be rounded up to the next integer. What is left is then negative, and exact in either case.
        left = fma(-Num(e, e.ftrunc((rest / scaled).value)), scaled, rest)
        left = where(left < 0.0, left + scaled, left)
        return [where(more, left, rest).value], more.value

    (rest,) = e.repeated([x.value], turn)
    invalid = (y == 0.0) | ~(x < infinity) | Num(e, b).is_nan()
    left = where(invalid, float("nan"), Num(e, rest))
    return e.copysign(left.value, a)


def _power_of_two(like: Num, n: Num) -> Num:
    return ((n + like.format.bias) << like.format.mantissa).real(like.kind)


__all__ = ["function_of", "remainder"]
