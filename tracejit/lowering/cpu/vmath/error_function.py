"""erf and erfc."""

from .exponential import expm1_reduced, reduce, scale
from .number import Num, clamp, copysign, fma, two_product, where
from .registry import elementary

ERF_ONE = {"float": 4.0, "double": 6.0}  # erf rounds to 1 from here on
ERFC_ZERO = {"float": 10.5, "double": 27.5}


def erf_near(x: Num) -> Num:
    """erf for |x| <= 1."""
    return fma(x, (x * x).polynomial("erf"), x)


@elementary
def erf(x: Num) -> Num:
    """x + x P(x^2) up to 1, then 1 - exp(-g), where g = -log erfc is a polynomial: its errors are damped by erfc, which is below 0.16."""
    a = abs(x)
    g = (clamp(a, 1.0, ERF_ONE[x.kind]) - 2.0).polynomial("erf_large")
    _, r, bits = reduce(-g, x.format.bias)
    far = 1.0 - (expm1_reduced(r) + 1.0) * (bits << x.format.mantissa).real(x.kind)
    return where(a <= 1.0, erf_near(x), copysign(far, x))


@elementary
def erfc(x: Num) -> Num:
    """Q(t) exp(-x^2) / (1 + 2x) with t = (x - 4)/(x + 4) (Shepherd and Laframboise 1981), 2 minus that on the left, 1 - erf near zero."""
    a = clamp(abs(x), 0.0, ERFC_ZERO[x.kind])
    square, error = two_product(a, a)
    double = a + a
    divisor = double + 1.0
    q = ((a - 4.0) / (a + 4.0)).polynomial_by_horner("erfc") / divisor
    # What rounding took from 1 + 2x, as a change of the exponent; 0.9 q is 1 / (1 + 2x) to a tenth.  Half an ULP.
    error = fma((double - divisor) + 1.0, q * 0.9, error)
    _, r, bits = reduce(-square, 2 * x.format.bias)
    y = scale(fma(q, expm1_reduced(r - error), q), bits)
    # Below 0.47 erf is less than a half, so that 1 - erf rounds its error away; the scheme for large arguments would lose 5 ULP there.
    return where(a < 0.47, 1.0 - erf_near(x), where(x < 0.0, 2.0 - y, y))
