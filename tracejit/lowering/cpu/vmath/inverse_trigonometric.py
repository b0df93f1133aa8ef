"""arcsin, arccos, arctan, arctan2."""

from .number import Num, copysign, fma, sqrt, where
from .registry import elementary


def arcsine_parts(x: Num) -> tuple[Num, Num, Num]:
    """(near, a, y): for |x| <= 1/2 (`near`) a = |x|, else a = sqrt((1 - |x|)/2), whose arcsine is half the angle left to pi/2; y = arcsin a."""
    near = abs(x) <= 0.5
    far_square = fma(abs(x), -0.5, 0.5)
    z = where(near, x * x, far_square)
    a = where(near, abs(x), sqrt(far_square))
    return near, a, fma(a * z, z.polynomial("asin"), a)


@elementary
def arcsin(x: Num) -> Num:
    near, _, y = arcsine_parts(x)
    high, low, _ = x.constant("half_pi")
    return copysign(where(near, y, high - (y + y - low)), x)


@elementary
def arccos(x: Num) -> Num:
    near, _, y = arcsine_parts(x)
    half_high, half_low, _ = x.constant("half_pi")
    high, low = x.constant("pi")
    signed = copysign(y, x)
    double = y + y
    return where(near, half_high - (signed - half_low), where(x < 0.0, high - (double - low), double))


def arctangent_unit(t: Num) -> Num:
    """arctan t for 0 <= t <= 1."""
    z = t * t
    return fma(t * z, z.polynomial("atan"), t)


@elementary
def arctan(x: Num) -> Num:
    a = abs(x)
    steep = a > 1.0
    y = arctangent_unit(where(steep, 1.0 / a, a))
    high, low, _ = x.constant("half_pi")
    return copysign(where(steep, high - (y - low), y), x)


@elementary
def arctan2(y: Num, x: Num) -> Num:
    """The angle of (x, y): the arctangent of the smaller over the larger, reflected into the right octant; C's results for zeros and infinities."""
    ax, ay = abs(x), abs(y)
    steep = ay > ax
    small, large = where(steep, ax, ay), where(steep, ay, ax)
    quotient = where(small == large, 1.0, small / large)
    angle = arctangent_unit(where(large == 0.0, 0.0, quotient))
    half_high, half_low, _ = x.constant("half_pi")
    high, low = x.constant("pi")
    angle = where(steep, half_high - (angle - half_low), angle)
    left = copysign(1.0, x) < 0.0
    angle = where(left, high - (angle - low), angle)
    return where(x.is_nan() | y.is_nan(), x + y, copysign(angle, y))
