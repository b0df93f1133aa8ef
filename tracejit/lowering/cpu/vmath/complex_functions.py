"""exp, log, sqrt, power and the trigonometric and hyperbolic families of complex numbers, on pairs of real vectors.

Each part of a result is within a few units in the last place of the larger part, and mostly of its own.  Infinities, NaN and the sides of branch cuts
(told by the signs of zeros) are those of C99, which NumPy's are too.  The inverse functions are Kahan's ("Branch cuts for complex elementary
functions, or much ado about nothing's sign bit", 1987): differences of squares never cancel, because they are taken between roots of 1 - z and 1 + z.

The swaps used below: sin(z) = swap(sinh(swap z)), likewise tan, arcsinh from arcsin and arctan from arctanh, where swap exchanges the two parts.
"""

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple

from ..emit import Emitter, Value
from . import exponential, hyperbolic, inverse_trigonometric, logarithm, power, trigonometric
from .number import Num, copysign, fma, two_product, two_sum, where
from .number import sqrt as square_root

INFINITY = float("inf")
# e^x overflows beyond LIMIT, but not yet its product with a small sine: such arguments are moved by SHIFT, and the result is scaled by e^SHIFT.
# What is left of them is so large that sinh and cosh are equal.
LIMIT = {"float": 88.0, "double": 709.0}
SHIFT = {"float": 60.0, "double": 600.0}
EXP_OF_SHIFT = {"float": 1.1420073898156842e26, "double": 3.7730203009299397e260}
# sinh^2 overflows beyond this; tanh is 1 and its imaginary part vanishes.
TANH_LIMIT = {"float": 43.0, "double": 350.0}


class Complex(NamedTuple):
    """A complex number in a formula."""

    re: Num
    im: Num

    @property
    def swapped(self) -> "Complex":
        return Complex(self.im, self.re)


COMPLEX_FUNCTIONS: dict[str, Callable[..., tuple[Value, Value]]] = {}


def elementary(function: Callable[..., Complex]) -> Callable[..., Complex]:
    """Register a formula `f(z: Complex, ...) -> Complex` as an emitter `f(e, (re, im), ...) -> (re, im)`. Returns the formula."""

    @wraps(function)
    def emit(e: Emitter, *args: tuple[Value, Value]) -> tuple[Value, Value]:
        result = function(*[Complex(Num(e, e.splat(re)), Num(e, e.splat(im))) for re, im in args])
        return result.re.value, result.im.value

    COMPLEX_FUNCTIONS[function.__name__] = emit
    return function


# -- parts
def infinite(x: Num) -> Num:
    return abs(x) == INFINITY


def finite(x: Num) -> Num:
    return abs(x) < INFINITY


def ordered(x: Num, y: Num) -> tuple[Num, Num]:
    """The larger and the smaller of |x| and |y|."""
    ax, ay = abs(x), abs(y)
    steep = ay > ax
    return where(steep, ay, ax), where(steep, ax, ay)


def scales(largest: Num) -> tuple[Num, Num, Num, int]:
    """(there, big, small, power): `there` is 2^-power for big numbers and 2^power for small ones, so that squares stay normal; power is even."""
    form = largest.format
    reach, exponent = form.bias // 2 - 1, (form.bias // 2 + form.mantissa + 1) // 2 * 2
    big, small = largest > 2.0**reach, largest < 2.0**-reach
    return where(big, largest.like(2.0**-exponent), where(small, largest.like(2.0**exponent), 1.0)), big, small, exponent


def scaled_back(x: Num, big: Num, small: Num, exponent: int) -> Num:
    return x * where(big, x.like(2.0**exponent), where(small, x.like(2.0**-exponent), 1.0))


def log_abs(x: Num, y: Num) -> Num:
    """log |z|. Near the unit circle |z|^2 - 1 is summed in doubled precision, so that the result is good where it vanishes."""
    larger, smaller = ordered(x, y)
    there, big, small, exponent = scales(larger)
    larger, smaller = larger * there, smaller * there
    (a, a_low), (b, b_low) = two_product(larger, larger), two_product(smaller, smaller)
    total, low = two_sum(a, b)
    m, e = logarithm.split(total, normal=True)
    excess = (total - 1.0) + (low + (a_low + b_low))
    logarithm_of_square = logarithm.special(total, 0.0, logarithm.log_kernel(where(e == 0.0, excess, m - 1.0), e))
    moved = exponent * x.constant("ln2")[0]
    shift = where(big, x.like(moved), where(small, x.like(-moved), 0.0))
    return where(infinite(x) | infinite(y), INFINITY, fma(logarithm_of_square, 0.5, shift))


def root(z: Complex) -> Complex:
    """sqrt of a finite number."""
    x, y = z
    larger, smaller = ordered(x, y)
    there, big, small, exponent = scales(larger)
    larger, smaller = larger * there, smaller * there
    length = square_root(fma(larger, larger, smaller * smaller))
    t = square_root((abs(x) * there + length) * 0.5)
    other = where(t == 0.0, t, abs(y) * there / (t + t))
    t, other = (scaled_back(v, big, small, exponent // 2) for v in (t, other))
    right = x >= 0.0
    return Complex(where(right, t, other), copysign(where(right, other, t), y))


def within_limit(x: Num) -> tuple[Num, Num]:
    """(x, factor): an argument of exp, sinh or cosh, moved where the result would overflow, and what to scale the result by."""
    big = abs(x) > LIMIT[x.kind]
    return where(big, x - copysign(SHIFT[x.kind], x), x), where(big & finite(x), x.like(EXP_OF_SHIFT[x.kind]), 1.0)


# -- exponentials, logarithms, roots
@elementary
def exp(z: Complex) -> Complex:
    x, y = z
    moved, factor = within_limit(where(x > 0.0, x, 0.0))
    size = exponential.exp(where(x > 0.0, moved, x))
    re, im = (size * trigonometric.cos(y) * factor, size * trigonometric.sin(y) * factor)
    wild = infinite(x) & ~finite(y)
    return Complex(where(wild, where(x < 0.0, x.like(0.0), INFINITY), re), where(y == 0.0, y, where(wild & (x < 0.0), 0.0, im)))


@elementary
def exp2(z: Complex) -> Complex:
    ln2 = z.re.constant("ln2")[0]
    return exp(Complex(z.re * ln2, z.im * ln2))


@elementary
def expm1(z: Complex) -> Complex:
    """e^x cos y - 1 as (e^x - 1) cos y - 2 sin^2(y/2), which keeps what is left near 0."""
    x, y = z
    half = trigonometric.sin(y * 0.5)
    re = fma(exponential.expm1(x), trigonometric.cos(y), half * half * -2.0)
    whole = exp(z)
    return Complex(where(abs(x) > 1.0, whole.re - 1.0, re), whole.im)


@elementary
def log(z: Complex) -> Complex:
    return Complex(log_abs(*z), inverse_trigonometric.arctan2(z.im, z.re))


@elementary
def log2(z: Complex) -> Complex:
    factor = z.re.constant("log2_e")[0]
    w = log(z)
    return Complex(w.re * factor, w.im * factor)


@elementary
def log10(z: Complex) -> Complex:
    factor = z.re.constant("log10_e")[0]
    w = log(z)
    return Complex(w.re * factor, w.im * factor)


@elementary
def log1p(z: Complex) -> Complex:
    """Near 0, |1 + z|^2 - 1 is x (x + 2) + y^2, without the rounding of 1 + x."""
    x, y = z
    near = (abs(x) < 0.5) & (abs(y) < 0.5)
    excess = where(near, fma(x, x + 2.0, y * y), 0.0)
    re = where(near, logarithm.log1p(excess) * 0.5, log_abs(x + 1.0, y))
    return Complex(re, inverse_trigonometric.arctan2(y, x + 1.0))


@elementary
def sqrt(z: Complex) -> Complex:
    x, y = z
    w = root(z)
    rest = y - y   # 0, and NaN where y is
    re = where(infinite(x), where(x > 0.0, x, rest), w.re)
    im = where(infinite(x), where(x > 0.0, copysign(rest, y), copysign(INFINITY, y)), w.im)
    return Complex(where(infinite(y), INFINITY, re), where(infinite(y), y, im))


@elementary
def pow(z: Complex, w: Complex) -> Complex:
    """e^(w log z); for a real exponent the modulus is a real power, whose error does not grow with its logarithm. 0^w is 0 for w > 0, 0^0 is 1."""
    (x, y), (p, q) = z, w
    size, angle = log_abs(x, y), inverse_trigonometric.arctan2(y, x)
    real = q == 0.0
    modulus = power.pow(power.hypot(x, y), p)
    turned = where(real, where(modulus == 0.0, 0.0, p * angle), fma(p, angle, q * size))
    general = exp(Complex(fma(p, size, -(q * angle)), turned))
    re = where(real, modulus * trigonometric.cos(turned), general.re)
    im = where(real, modulus * trigonometric.sin(turned), general.im)
    at_zero, nothing = (x == 0.0) & (y == 0.0), (p == 0.0) & real
    at_origin = where(p > 0.0, x.like(0.0), float("nan"))
    re, im = where(at_zero, at_origin, re), where(at_zero, at_origin, im)
    return Complex(where(nothing, 1.0, re), where(nothing, 0.0, im))


# -- hyperbolic and trigonometric
@elementary
def sinh(z: Complex) -> Complex:
    """sinh x cos y + i cosh x sin y."""
    x, y = z
    moved, factor = within_limit(x)
    re = hyperbolic.sinh(moved) * trigonometric.cos(y) * factor
    im = hyperbolic.cosh(moved) * trigonometric.sin(y) * factor
    plain = ((x == 0.0) | infinite(x)) & ~finite(y)
    return Complex(where(plain, where(x == 0.0, x, INFINITY), re), where(y == 0.0, y, im))


@elementary
def cosh(z: Complex) -> Complex:
    """cosh x cos y + i sinh x sin y."""
    x, y = z
    moved, factor = within_limit(x)
    re = hyperbolic.cosh(moved) * trigonometric.cos(y) * factor
    im = hyperbolic.sinh(moved) * trigonometric.sin(y) * factor
    wild = ~finite(y)
    im = where(y == 0.0, copysign(1.0, x) * y, where((x == 0.0) & wild, x, im))
    return Complex(where(infinite(x) & wild, abs(x), re), im)


@elementary
def tanh(z: Complex) -> Complex:
    """(sinh x cosh x + i sin y cos y) / (sinh^2 x + cos^2 y): no terms cancel."""
    x, y = z
    far = abs(x) > TANH_LIMIT[x.kind]
    inside = where(far, copysign(TANH_LIMIT[x.kind], x), x)
    s, c = hyperbolic.sinh(inside), hyperbolic.cosh(inside)
    sine, cosine = trigonometric.sin(y), trigonometric.cos(y)
    below = fma(s, s, cosine * cosine)
    turned = sine * cosine
    re = where(far, copysign(1.0, x), s * c / below)
    im = where(far, copysign(0.0, where(finite(y), turned, y)), turned / below)
    return Complex(where(x == 0.0, x, re), where(y == 0.0, y, im))


@elementary
def sin(z: Complex) -> Complex:
    return sinh(z.swapped).swapped


@elementary
def cos(z: Complex) -> Complex:
    return cosh(Complex(-z.im, z.re))


@elementary
def tan(z: Complex) -> Complex:
    return tanh(z.swapped).swapped


# -- inverse functions
def around_units(z: Complex) -> tuple[Complex, Complex, Num]:
    """The roots of 1 - z and 1 + z, and the imaginary part of arcsin z."""
    x, y = z
    below, above = root(Complex(1.0 - x, -y)), root(Complex(x + 1.0, y))
    height = hyperbolic.arcsinh(below.re * above.im - below.im * above.re)
    return below, above, where(infinite(x) | infinite(y), copysign(INFINITY, y), height)


def direction(x: Num) -> Num:
    """Of an infinite z: 1 for a part that is infinite, else 0 (or NaN)."""
    return where(infinite(x), 1.0, x * 0.0)


@elementary
def arcsin(z: Complex) -> Complex:
    x, y = z
    below, above, height = around_units(z)
    far = infinite(x) | infinite(y)
    adjacent = where(far, abs(direction(y)), below.re * above.re - below.im * above.im)
    angle = inverse_trigonometric.arctan2(where(far, copysign(direction(x), x), x), adjacent)
    return Complex(where(x == 0.0, x, angle), height)


@elementary
def arccos(z: Complex) -> Complex:
    x, y = z
    below, above, height = around_units(z)
    far = infinite(x) | infinite(y)
    angle = inverse_trigonometric.arctan2(where(far, abs(direction(y)), below.re), where(far, copysign(direction(x), x), above.re))
    angle = where(far, angle, angle + angle)
    return Complex(where(x == 0.0, x.constant("half_pi")[0], angle), -height)


@elementary
def arccosh(z: Complex) -> Complex:
    w = arccos(z)
    return Complex(abs(w.im), copysign(w.re, z.im))


@elementary
def arcsinh(z: Complex) -> Complex:
    return arcsin(z.swapped).swapped


@elementary
def arctanh(z: Complex) -> Complex:
    """log1p(4x / ((1 - x)^2 + y^2)) / 4 for x >= 0, and half the angle of (1 - z)(1 + conj z)."""
    x, y = abs(z.re), z.im
    reach = 2.0 ** (x.format.bias // 2 - 1)
    large = (x > reach) | (abs(y) > reach)
    left = 1.0 - x
    pole = (left == 0.0) & (abs(y) < 1.0 / reach)   # there y^2 would underflow, and log1p(2 / |y|) / 2 is the same
    quotient = where(pole, x.like(2.0), x * 4.0) / where(pole, abs(y), fma(left, left, y * y))
    near = logarithm.log1p(quotient) * where(pole, x.like(0.5), 0.25)
    length = power.hypot(x, y)
    far = where(infinite(length), 0.0, x / length / length)
    re = where(x == 0.0, 0.0, where(large, far, near))
    angle = inverse_trigonometric.arctan2(y + y, fma(left, x + 1.0, -(y * y))) * 0.5
    angle = where(large, where(y.is_nan(), y, copysign(x.constant("half_pi")[0], y)), angle)
    return Complex(copysign(re, z.re), angle)


@elementary
def arctan(z: Complex) -> Complex:
    return arctanh(z.swapped).swapped
