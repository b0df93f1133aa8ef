"""NumPy's ufuncs. A line of the tables is a ufunc: its op, or the few ops that it is made of.

The bodies get operands in the dtypes of NumPy's loop (see `loops`). NumPy has integer loops for some functions whose op is only for floats: there the
value is unchanged.
"""
from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ops import elementwise as ops
from ..ops.reduction import reduce_any
from ..trace import Tracer, dispatch
from .constants import filled
from .loops import elementwise
from .promotion import known_truth


# -- bodies that several ufuncs share
def _floats_only(op):
    """`op` for floats; integers are as they are."""
    return lambda x: op(x) if x.dtype.kind in "fc" else x


def _scaled(factor: float):
    return lambda x: ops.multiply(x, x.dtype.type(factor))


def _number(value, like):
    return like.dtype.type(value)


def _comparison(op, fn):
    """A signed and an unsigned 64-bit integer have no common dtype: the sign of the one decides, or both are unsigned."""
    def body(x, y):
        if x.dtype == y.dtype:
            return op(x, y)
        if x.dtype.kind == "i":
            return ops.select(ops.less(x, _number(0, x)), np.bool_(fn(-1, 0)), op(ops.convert(x, dtype=y.dtype), y))
        return ops.select(ops.less(y, _number(0, y)), np.bool_(fn(0, -1)), op(x, ops.convert(y, dtype=x.dtype)))
    return body


def _comparing(ufunc, op):
    """As `elementwise`; a Python integer that its dtype cannot hold is less or greater than every value, not an error."""
    inside = elementwise(ufunc, _comparison(op, ufunc))

    def call(x, y, /, **options):
        try:
            return inside(x, y, **options)
        except OverflowError:
            traced, answer = (x, ufunc(0, y)) if type(y) is int else (y, ufunc(x, 0))
            return (ops.equal if answer else ops.not_equal)(traced, traced)
    call.__name__ = call.__qualname__ = ufunc.__name__
    call.__doc__ = inside.__doc__
    dispatch.ufuncs[ufunc] = call
    return call


def _extremum(op):
    """Against a constant scalar the traced side gets no tangent at a tie: the constant is the flat side of relu."""
    def body(x, y):
        tie = 0.0 if _is_constant_scalar(y) else 1.0 if _is_constant_scalar(x) else 0.5
        return op(x, y, tie=tie)
    return body


def _is_constant_scalar(x) -> bool:
    return type(x) is not Tracer and x.shape == ()


# -- arithmetic
def _power(x, y):
    """Raises `ValueError` for integers to negative powers, as NumPy does, wherever the exponents can be known."""
    if y.dtype.kind == "i":
        negative = ops.less(y, _number(0, y))
        if known_truth(reduce_any(negative, axes=tuple(range(y.ndim)))):
            raise ValueError(at_user_line("Integers to negative integer powers are not allowed."))
    return ops.power(x, y)


def _reciprocal(x):
    """1 / x, rounded towards zero for integers: only 1 and -1 have one that is not 0."""
    if x.dtype.kind in "fc":
        return ops.divide(_number(1, x), x)
    unit = ops.equal(x, _number(1, x)) if x.dtype.kind == "u" else ops.equal(ops.absolute(x), _number(1, x))
    return ops.select(unit, x, _number(0, x))


add = elementwise(np.add, ops.add)
subtract = elementwise(np.subtract, ops.subtract)
multiply = elementwise(np.multiply, ops.multiply)
divide = elementwise(np.true_divide, ops.divide)
floor_divide = elementwise(np.floor_divide, ops.floor_divide)
remainder = elementwise(np.remainder, ops.remainder)
fmod = elementwise(np.fmod, ops.fmod)
divmod_ = elementwise(np.divmod, lambda x, y: (ops.floor_divide(x, y), ops.remainder(x, y)))
negative = elementwise(np.negative, ops.negative)
positive = elementwise(np.positive, lambda x: x)
absolute = elementwise(np.absolute, lambda x: x if x.dtype.kind in "bu" else ops.absolute(x))
fabs = elementwise(np.fabs, ops.absolute)
sign = elementwise(np.sign, ops.sign)
square = elementwise(np.square, ops.square)
reciprocal = elementwise(np.reciprocal, _reciprocal)
sqrt = elementwise(np.sqrt, ops.sqrt)
cbrt = elementwise(np.cbrt, ops.cbrt)
power = elementwise(np.power, _power)
float_power = elementwise(np.float_power, ops.power)
hypot = elementwise(np.hypot, ops.hypot)

# -- exponentials and logarithms
_LN2 = math.log(2.0)


def _logaddexp2(x, y):
    """max + log2(1 + 2^-|x - y|), where the difference is 0 also for equal infinities."""
    distance = ops.absolute(ops.select(ops.equal(x, y), _number(0, x), ops.subtract(x, y)))
    tail = ops.multiply(ops.log1p(ops.exp2(ops.negative(distance))), _number(1 / _LN2, x))
    return ops.add(ops.maximum(x, y, tie=0.5), tail)


exp = elementwise(np.exp, ops.exp)
exp2 = elementwise(np.exp2, ops.exp2)
expm1 = elementwise(np.expm1, ops.expm1)
log = elementwise(np.log, ops.log)
log2 = elementwise(np.log2, ops.log2)
log10 = elementwise(np.log10, ops.log10)
log1p = elementwise(np.log1p, ops.log1p)
logaddexp = elementwise(np.logaddexp, ops.logaddexp)
logaddexp2 = elementwise(np.logaddexp2, _logaddexp2)

# -- trigonometric and hyperbolic
sin = elementwise(np.sin, ops.sin)
cos = elementwise(np.cos, ops.cos)
tan = elementwise(np.tan, ops.tan)
arcsin = elementwise(np.arcsin, ops.arcsin)
arccos = elementwise(np.arccos, ops.arccos)
arctan = elementwise(np.arctan, ops.arctan)
arctan2 = elementwise(np.arctan2, ops.arctan2)
sinh = elementwise(np.sinh, ops.sinh)
cosh = elementwise(np.cosh, ops.cosh)
tanh = elementwise(np.tanh, ops.tanh)
arcsinh = elementwise(np.arcsinh, ops.arcsinh)
arccosh = elementwise(np.arccosh, ops.arccosh)
arctanh = elementwise(np.arctanh, ops.arctanh)
degrees = elementwise(np.degrees, _scaled(180 / math.pi))
rad2deg = elementwise(np.rad2deg, _scaled(180 / math.pi))
radians = elementwise(np.radians, _scaled(math.pi / 180))
deg2rad = elementwise(np.deg2rad, _scaled(math.pi / 180))


# -- floating point: rounding, signs, parts
def _heaviside(x, at_zero):
    """0 below, 1 above, `at_zero` at 0, NaN for NaN."""
    step = ops.select(ops.less(x, _number(0, x)), _number(0, x), _number(1, x))
    return ops.select(ops.isnan(x), ops.stop_gradient(x), ops.select(ops.equal(x, _number(0, x)), at_zero, step))


def _modf(x):
    """The fraction and the whole part, both with the sign of x; infinity has the fraction 0."""
    whole = ops.trunc(x)
    fraction = ops.select(ops.isinf(x), _number(0, x), ops.subtract(x, whole))
    return ops.copysign(fraction, x), whole


def _ldexp(x, exponent):
    """x 2^n in two steps, since 2^n alone may overflow where x 2^n does not."""
    half = ops.right_shift(exponent, _number(1, exponent))
    rest = ops.subtract(exponent, half)
    first, second = (ops.exp2(ops.convert(n, dtype=x.dtype)) for n in (half, rest))
    return ops.multiply(ops.multiply(x, first), second)


def _spacing(x):
    """The distance to the next number away from zero, which for either zero is upwards."""
    away = ops.select(ops.less(x, _number(0, x)), _number(-math.inf, x), _number(math.inf, x))
    return ops.subtract(ops.nextafter(x, away), x)


floor = elementwise(np.floor, _floats_only(ops.floor))
ceil = elementwise(np.ceil, _floats_only(ops.ceil))
trunc = elementwise(np.trunc, _floats_only(ops.trunc))
rint = elementwise(np.rint, ops.rint)
signbit = elementwise(np.signbit, ops.signbit)
copysign = elementwise(np.copysign, ops.copysign)
nextafter = elementwise(np.nextafter, ops.nextafter)
heaviside = elementwise(np.heaviside, _heaviside)
modf = elementwise(np.modf, _modf)
ldexp = elementwise(np.ldexp, _ldexp)
spacing = elementwise(np.spacing, _spacing)
conjugate = elementwise(np.conjugate, lambda x: ops.conjugate(x) if x.dtype.kind == "c" else x)

# -- maximum and minimum, comparisons, logic, bits
maximum = elementwise(np.maximum, _extremum(ops.maximum))
minimum = elementwise(np.minimum, _extremum(ops.minimum))
fmax = elementwise(np.fmax, _extremum(ops.fmax))
fmin = elementwise(np.fmin, _extremum(ops.fmin))

equal = _comparing(np.equal, ops.equal)
not_equal = _comparing(np.not_equal, ops.not_equal)
less = _comparing(np.less, ops.less)
less_equal = _comparing(np.less_equal, ops.less_equal)
greater = _comparing(np.greater, ops.greater)
greater_equal = _comparing(np.greater_equal, ops.greater_equal)

logical_and = elementwise(np.logical_and, ops.logical_and)
logical_or = elementwise(np.logical_or, ops.logical_or)
logical_xor = elementwise(np.logical_xor, ops.logical_xor)
logical_not = elementwise(np.logical_not, ops.logical_not)
isnan = elementwise(np.isnan, ops.isnan)
isinf = elementwise(np.isinf, ops.isinf)
isfinite = elementwise(np.isfinite, ops.isfinite)

bitwise_and = elementwise(np.bitwise_and, ops.bitwise_and)
bitwise_or = elementwise(np.bitwise_or, ops.bitwise_or)
bitwise_xor = elementwise(np.bitwise_xor, ops.bitwise_xor)
invert = elementwise(np.invert, ops.invert)
left_shift = elementwise(np.left_shift, ops.left_shift)
right_shift = elementwise(np.right_shift, ops.right_shift)

# -- not public, but it can be overridden
ones_like = elementwise(np._core.umath._ones_like, lambda x: filled(x, x.shape, 1, x.dtype))
