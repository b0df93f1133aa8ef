"""pow, cbrt, hypot, logaddexp, sqrt."""

from .exponential import EXP2_RANGE, EXP_RANGE, exp, exp_in_range
from .logarithm import log1p, split
from .number import Num, clamp, copysign, fma, rint, two_product, two_sum, where
from .number import sqrt as square_root
from .registry import elementary


@elementary
def sqrt(x: Num) -> Num:
    """Correctly rounded, by the processor."""
    return square_root(x)


@elementary
def pow(x: Num, y: Num) -> Num:
    """C's pow.  |x|^y = exp(y log|x|), with the logarithm in doubled precision; float is computed in double, where no care is needed."""
    magnitude = power_double(abs(x), y) if x.kind == "double" else power_float(abs(x), y)
    infinity = float("inf")
    half = y * 0.5
    integer, odd = rint(y) == y, rint(half) != half
    negative = copysign(1.0, x) < 0.0
    signed = where(negative & integer & odd, -magnitude, magnitude)
    result = where((x < 0.0) & ~integer & (x > -infinity), float("nan"), signed)
    one = (y == 0.0) | (x == 1.0) | ((x == -1.0) & (abs(y) == infinity))
    return where(one, 1.0, result)


def at_edges(a: Num, logarithm: Num) -> Num:
    """log a with its values at 0, infinity and NaN."""
    return where(a == 0.0, float("-inf"), where(a < float("inf"), logarithm, a))


def power_float(a: Num, y: Num) -> Num:
    """a^y, a >= 0, in double: log2 to 38 bits, 2^p to 29 bits, and one rounding to float that also overflows and underflows rightly."""
    a, y = a.convert("double"), y.convert("double")
    m, e = split(a, normal=True)  # every float is a normal double
    f = m - 1.0
    s = f / (f + 2.0)
    p = y * at_edges(a, fma(s, (s * s).polynomial("log2_short"), e))
    p = clamp(p, *EXP2_RANGE["float"])
    shifter = a.format.shifter + a.format.bias
    shifted = p + shifter
    power = (shifted.bits() << a.format.mantissa).real("double")
    return ((p - (shifted - shifter)).polynomial("exp2_short") * power).convert("float")


def log_parts(a: Num) -> tuple[Num, Num]:
    """log a to about 66 bits as a sum of two numbers, for positive finite a."""
    m, e = split(a)
    f = m - 1.0
    # s = f / (2 + f) in two parts.
    d_high, d_low = two_sum(m.like(1.0), m)
    reciprocal = 1.0 / d_high
    s_high = f * reciprocal
    s_low = fma(s_high, -d_low, fma(s_high, -d_high, f)) * reciprocal
    # log m = s (2 + z (2/3 + z Q(z))) with z = s^2: all but the last product in two parts.
    z, z_low = two_product(s_high, s_high)
    z_low = fma(s_high, s_low + s_low, z_low)
    third_high, third_low = m.constant("two_thirds")
    t_high, t_low = two_sum(m.like(third_high), z * z.polynomial("log_tail"))
    t_low = t_low + third_low
    u_high, u_low = two_product(z, t_high)
    u_low = fma(z, t_low, fma(z_low, t_high, u_low))
    w_high, w_low = two_sum(m.like(2.0), u_high)
    w_low = w_low + u_low
    l_high, l_low = two_product(s_high, w_high)
    l_low = fma(s_high, w_low, fma(s_low, w_high, l_low))
    # + e ln2, the first product exact.
    ln2_high, ln2_low = m.constant("ln2_exact")
    high, low = two_sum(e * ln2_high, l_high)
    return high, low + fma(e, ln2_low, l_low)


def power_double(a: Num, y: Num) -> Num:
    """a^y, a >= 0: y log a may be 745 and its absolute error counts, so the logarithm has two parts."""
    high, low = log_parts(a)
    high = at_edges(a, high)
    p = y * high
    correction = fma(y, low, fma(y, high, -p))
    lowest, highest = EXP_RANGE["double"]
    correction = where((p > lowest) & (p < highest), correction, 0.0)
    return exp_in_range(clamp(p, lowest, highest), correction)


@elementary
def cbrt(x: Num) -> Num:
    """A polynomial guess for the mantissa, one step of Halley's method, and a third of the exponent."""
    a = abs(x)
    m, e = split(a)
    shifter = x.format.shifter
    shifted = fma(e, 1.0 / 3.0, shifter)
    third = shifted - shifter
    rest = fma(third, -3.0, e)  # -1, 0 or 1
    up, down = rest > 0.5, rest < -0.5
    guess = m.polynomial("cbrt") * where(up, m.like(x.constant("cbrt_2")[0]), where(down, m.like(x.constant("cbrt_half")[0]), 1.0))
    m = m * where(up, m.like(2.0), where(down, m.like(0.5), 1.0))
    cube = guess * guess * guess
    root = fma(guess, (m - cube) / fma(cube, 2.0, m), guess)
    power = ((shifted.bits() + x.format.bias) << x.format.mantissa).real(x.kind)
    return where((a < float("inf")) & (a > 0.0), copysign(root * power, x), x)


@elementary
def hypot(x: Num, y: Num) -> Num:
    """sqrt(x^2 + y^2), scaled by a power of two where squares would overflow or underflow; infinite if either is, even beside NaN."""
    ax, ay = abs(x), abs(y)
    larger, smaller = where(ax > ay, ax, ay), where(ax > ay, ay, ax)
    reach = x.format.bias // 2 - 1
    power = 2.0 ** (x.format.bias // 2 + x.format.mantissa)
    big, small = larger > 2.0**reach, larger < 2.0**-reach
    there = where(big, x.like(1.0 / power), where(small, x.like(power), 1.0))
    back = where(big, x.like(power), where(small, x.like(1.0 / power), 1.0))
    larger, smaller = larger * there, smaller * there
    length = square_root(fma(larger, larger, smaller * smaller)) * back
    infinity = float("inf")
    return where((ax == infinity) | (ay == infinity), infinity, length)


@elementary
def logaddexp(x: Num, y: Num) -> Num:
    """max + log1p(exp(-|x - y|)); relative accuracy is lost where the two terms cancel, as in NumPy."""
    larger = where(x > y, x, y)
    total = larger + log1p(exp(-abs(x - y)))
    return where(x == y, x + x.constant("ln2")[0], total)
