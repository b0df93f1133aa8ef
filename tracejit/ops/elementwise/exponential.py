"""Exponentials and logarithms, and what is made of them: powers, the logistic function, the error function."""

from __future__ import annotations

import math

import numpy as np

from ...ir import Literal
from ...trace import type_of
from ..elementwise_parts import FLOATS, binary, unary
from .arithmetic import divide, multiply, negative
from .comparison import isinf, logical_and
from .complex_parts import real
from .magnitude import square
from .selection import select


def _simplify_log(builder, x):
    """log(logistic(v)) is -log(1 + exp(-v)): finite where the logistic function underflows, with the slope 1 there and not NaN."""
    node = builder.produced_by(x, logistic)
    if node is None:
        return None
    (opposite,) = builder.emit(negative, node.inputs, {})
    return builder.emit(negative, builder.emit(logaddexp, (Literal(x.type.dtype.type(0)), opposite), {}), {})[0]


_LN2, _LN10 = math.log(2.0), math.log(10.0)
exp = unary("exp", np.exp, jvp=lambda t, x, y: t * y, dear=True)
exp2 = unary("exp2", np.exp2, jvp=lambda t, x, y: t * (y * _LN2), dear=True)
expm1 = unary("expm1", np.expm1, jvp=lambda t, x, y: t * (y + 1), dear=True)
log = unary("log", np.log, jvp=lambda t, x, y: t / x, simplify=_simplify_log, dear=True)
log2 = unary("log2", np.log2, jvp=lambda t, x, y: t / (x * _LN2), dear=True)
log10 = unary("log10", np.log10, jvp=lambda t, x, y: t / (x * _LN10), dear=True)
log1p = unary("log1p", np.log1p, jvp=lambda t, x, y: t / (1 + x), dear=True)


def _logaddexp_slope(t, x, y):
    """exp(x - z) as logistic(x - y): finite where both are infinite alike, and then a half."""
    zero = np.zeros((), type_of(x).dtype)[()]
    return t * logistic(select(logical_and(isinf(x), x == y), zero, x - y))


logaddexp = binary(
    "logaddexp", np.logaddexp, FLOATS, jvp=(lambda t, x, y, z: _logaddexp_slope(t, x, y), lambda t, x, y, z: _logaddexp_slope(t, y, x)), dear=True
)


# -- powers
def _power_x(t, x, y, z):
    """y x^(y-1), and 0 where y is 0 also at x = 0 (there x^(y-1) is infinite)."""
    return t * select(y == 0, np.zeros((), type_of(x).dtype)[()], y * power(x, y - 1))


def _power_y(t, x, y, z):
    """x^y log x, and at x = 0 its limit from inside the domain: 0 for y >= 0 (at y = 0 by convention), NaN for y < 0."""
    zero, one = (np.asarray(v, type_of(x).dtype)[()] for v in (0, 1))
    at_zero = x == 0
    return t * select(logical_and(at_zero, _real_part(y) >= 0), zero, z * log(select(at_zero, one, x)))


def _real_part(x):
    return real(x) if type_of(x).dtype.kind == "c" else x


def _simplify_power(builder, x, y):
    """Small whole exponents become products: exact, cheap, and with derivatives of every order at 0."""
    if type(y) is not Literal or y.value.imag != 0 or x.type.dtype.kind == "b":
        return None
    n = float(y.value.real)
    if n == 1:
        return x
    if n == 2:
        return builder.emit(square, (x,), {})[0]
    if n == 3:
        return builder.emit(multiply, (builder.emit(square, (x,), {})[0], x), {})[0]
    if n == 4:
        return builder.emit(square, builder.emit(square, (x,), {}), {})[0]
    if n == -1 and x.type.dtype.kind in "fc":
        return builder.emit(divide, (Literal(x.type.dtype.type(1)), x), {})[0]
    return None


def _lower_power(k, xs, index):
    """A complex number to a constant whole power is a product, as in NumPy; the general power is less accurate."""
    x, y = (a.broadcast(index) for a in xs)
    n = _small_whole(y) if x.dtype.kind == "c" and y.op == "const" else None
    if n is None:
        return k.apply("power", x, y)
    result, doubled = k.constant(1, x.dtype), x
    for place in range(abs(n).bit_length()):
        if place:
            doubled = k.apply("multiply", doubled, doubled)
        if abs(n) >> place & 1:
            result = k.apply("multiply", result, doubled)
    return k.apply("divide", k.constant(1, x.dtype), result) if n < 0 else result


def _small_whole(y) -> int | None:
    """The value of a constant exponent, if NumPy multiplies for it."""
    value = complex(np.frombuffer(y.data, y.dtype)[0])
    return int(value.real) if value.imag == 0 and abs(value.real) < 100 and value.real.is_integer() else None


power = binary("power", np.power, jvp=(_power_x, _power_y), lower=_lower_power, simplify=_simplify_power, dear=True)


# -- special functions: SciPy is the reference, imported when one is computed with NumPy
def _scipy(name):
    def fn(x):
        import scipy.special

        return getattr(scipy.special, name)(x).astype(x.dtype, copy=False)  # float16 would come back as a wider type

    fn.__name__ = name
    return fn


def _show_scipy(name):
    return lambda x: f"scipy.special.{name}({x})" + (".astype(np.float16)" if x.type.dtype == np.float16 else "")


def _logistic_slope(t, x, y):
    """y (1 - y), written so that the far tails keep their relative accuracy: y(x) y(-x)."""
    return t * (y * logistic(-x))


_TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)
erf = unary("erf", _scipy("erf"), FLOATS, jvp=lambda t, x, y: t * (_TWO_OVER_SQRT_PI * exp(-square(x))), dear=True, show=_show_scipy("erf"))
erfc = unary("erfc", _scipy("erfc"), FLOATS, jvp=lambda t, x, y: t * (-_TWO_OVER_SQRT_PI * exp(-square(x))), dear=True, show=_show_scipy("erfc"))
logistic = unary("logistic", _scipy("expit"), FLOATS, jvp=_logistic_slope, dear=True, show=_show_scipy("expit"))
