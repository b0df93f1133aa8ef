"""i0, i1, i0e, i1e, j0, j1.

I: the power series up to 8, whose terms are all positive, then exp(x)/sqrt(x) times a polynomial in 1/x.  J: up to 5 a polynomial in x^2 with the
first two roots as factors, then Hankel's form sqrt(2/(pi x)) (P cos a - Q sin a), whose error is small beside its amplitude, at later roots too.
"""

from .exponential import EXP_RANGE, exp, exp_in_range
from .number import Num, clamp, copysign, fma, sqrt, where
from .registry import special
from .trigonometric import cos, sin

SERIES_I, SERIES_J = 8.0, 5.0


def scaled_i(a: Num, name: str) -> Num:
    """exp(-a) I(a) for a > 8."""
    return (16.0 / a - 1.0).polynomial_by_horner(name) / sqrt(a)


def bessel_i(a: Num, near: Num, name: str) -> Num:
    """I(a) from its series `near`; the exponential in two halves, so that it does not overflow before the result does."""
    half = exp_in_range(clamp(a * 0.5, *EXP_RANGE["double"]))
    b = where(a > 1000.0, 1000.0, a)
    return where(a > SERIES_I, (half * scaled_i(b, name)) * half, near)


@special
def i0(x: Num) -> Num:
    a = abs(x)
    return bessel_i(a, (a * a).polynomial("i0"), "i0_large")


@special
def i1(x: Num) -> Num:
    a = abs(x)
    return copysign(bessel_i(a, a * (a * a).polynomial("i1"), "i1_large"), x)


@special
def i0e(x: Num) -> Num:
    a = abs(x)
    return where(a > SERIES_I, scaled_i(a, "i0_large"), (a * a).polynomial("i0") * exp(-a))


@special
def i1e(x: Num) -> Num:
    a = abs(x)
    return copysign(where(a > SERIES_I, scaled_i(a, "i1_large"), a * (a * a).polynomial("i1") * exp(-a)), x)


def without_roots(a: Num, order: int) -> Num:
    """J_n(a) / a^n for a <= 5: the product over its first two roots, the first in two parts, and the smooth rest."""
    root, rest = a.constant(f"j{order}_root")
    following = a.constant(f"j{order}_next")[0]
    return ((a - root) - rest) * (a + root) * ((a - following) * (a + following)) * (a * a).polynomial(f"j{order}")


def hankel(a: Num, order: int, first: Num, second: Num) -> Num:
    """sqrt(1/(pi a)) (P first - Q second), a > 5, for sqrt(2) times the cosine and the sine of the phase."""
    inverse = 1.0 / a
    t = fma(inverse * inverse, 50.0, -1.0)
    p, q = t.polynomial_by_horner(f"p{order}"), inverse * t.polynomial_by_horner(f"q{order}")
    return sqrt(inverse * a.constant("one_over_pi")[0]) * fma(p, first, -(q * second))


@special
def j0(x: Num) -> Num:
    a = abs(x)
    s, c = sin(a), cos(a)
    return where(a > SERIES_J, hankel(a, 0, c + s, s - c), without_roots(a, 0))


@special
def j1(x: Num) -> Num:
    a = abs(x)
    s, c = sin(a), cos(a)
    y = where(a > SERIES_J, hankel(a, 1, s - c, -(s + c)), a * without_roots(a, 1))
    return y * copysign(1.0, x)
