"""Elementwise operations. They broadcast as NumPy's do; all inputs have one dtype (`tracejit.numpy` promotes before).

A line of the tables below is a whole op: its NumPy function is the reference, the type rule follows from its group, and the derivative is written
next to it in terms of the tangent `t`, the inputs and the result `y`.  What the derivative is at kinks and singular points is tested in
tests/gradients.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType, Literal, is_inexact
from ..ir.types import BOOL
from ..trace import type_of
from .core import Linear, Op, add_tangents, define, zeros
from .elementwise_parts import (
    ALL,
    FLOATS,
    INEXACT,
    INTEGERS,
    NUMBERS,
    batch_elementwise,
    binary,
    broadcast_shape,
    is_literal,
    lower_elementwise,
    real_part,
    type_rule,
    unary,
    unbroadcast,
    without_spread,
)


# -- arithmetic
def _simplify_add(builder, x, y):
    if x.type.dtype.kind in "iu":  # not for floats: -0.0 + 0.0 is 0.0
        return x if is_literal(y, 0) else y if is_literal(x, 0) else None
    return None


def _simplify_subtract(builder, x, y):
    return x if is_literal(y, 0) and not np.signbit((y.value.real, y.value.imag)).any() else None  # -0.0 - -0.0 is 0.0


def _simplify_multiply(builder, x, y):
    if is_literal(x, 1) or is_literal(y, 1):
        return y if is_literal(x, 1) else x
    if type(x) is type(y) or x.type.dtype.kind != "f":
        return None
    factor, rest = (x, y) if type(x) is Literal else (y, x)
    return _joined(builder, factor.value, rest) if abs(factor.value) >= 1 else None


def _joined(builder, factor, product):
    """`factor * (n * z)` as one product where n is a power of two: n * z is exact then, and it becomes infinite no sooner than the whole does."""
    node = builder.produced_by(product, multiply)
    inner, rest = (node.inputs if type(node.inputs[0]) is Literal else node.inputs[::-1]) if node else (None, None)
    if type(inner) is not Literal or abs(inner.value) < 1 or np.frexp(abs(inner.value))[0] != 0.5:
        return None
    with np.errstate(over="ignore"):
        both = factor * inner.value
    return builder.emit(multiply, (Literal(both), rest), {})[0] if np.isfinite(both) else None


def _transpose_multiply(ct, x, y):
    return (unbroadcast(ct * y, x.shape), None) if isinstance(x, Linear) else (None, unbroadcast(ct * x, y.shape))


def _transpose_sum(ct, x, y):
    """Of x + y: either or both may be linear (where one is not, it was a constant zero that no rule makes)."""
    return tuple(unbroadcast(ct, a.shape) if isinstance(a, Linear) else None for a in (x, y))


def _negate(builder, x):
    node = builder.produced_by(x, negative)
    return node.inputs[0] if node else None


negative = unary("negative", np.negative, NUMBERS, jvp=lambda t, x, y: -t, transpose=lambda ct, x: (-ct,), simplify=_negate)
add = binary("add", np.add, ALL, jvp=(lambda t, x, y, z: t, lambda t, x, y, z: t), transpose=_transpose_sum, simplify=_simplify_add)
subtract = binary(
    "subtract",
    np.subtract,
    jvp=(lambda t, x, y, z: t, lambda t, x, y, z: -t),
    transpose=lambda ct, x, y: (
        unbroadcast(ct, x.shape) if isinstance(x, Linear) else None,
        unbroadcast(-ct, y.shape) if isinstance(y, Linear) else None,
    ),
    simplify=_simplify_subtract,
)
multiply = binary(
    "multiply",
    np.multiply,
    ALL,
    jvp=(lambda t, x, y, z: t * y, lambda t, x, y, z: x * t),
    transpose=_transpose_multiply,
    simplify=_simplify_multiply,
    singular=True,
)


def _quotient(t, y):
    """t / y. By a constant it is a product, which takes a tenth of the time and differs in the last bit, if the reciprocal is a normal number."""
    if isinstance(y, np.floating):
        with np.errstate(all="ignore"):
            reciprocal = 1 / y
        if np.finfo(y.dtype).tiny <= abs(reciprocal) < np.inf:
            return t * reciprocal
    return t / y


divide = binary(
    "divide",
    np.true_divide,
    INEXACT,
    jvp=(lambda t, x, y, z: _quotient(t, y), lambda t, x, y, z: -t * (z / y)),
    transpose=lambda ct, x, y: (unbroadcast(ct / y, x.shape), None),
    simplify=lambda builder, x, y: x if is_literal(y, 1) else None,
    dear=True,
    singular=True,
)
floor_divide = binary("floor_divide", np.floor_divide, "iuf", dear=True)
remainder = binary("remainder", np.remainder, "iuf", jvp=(lambda t, x, y, z: t, lambda t, x, y, z: -t * floor_divide(x, y)), dear=True)
fmod = binary("fmod", np.fmod, "iuf", jvp=(lambda t, x, y, z: t, lambda t, x, y, z: -t * trunc(x / y)), dear=True)


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


def _simplify_square(builder, x):
    """|x|^2 without the modulus: no root, no kink, and derivatives of every order at 0."""
    node = builder.produced_by(x, absolute)
    if node is None:
        return None
    (z,) = node.inputs
    if z.type.dtype.kind != "c":
        return builder.emit(square, (z,), {})[0]
    parts = [builder.emit(square, builder.emit(part, (z,), {}), {})[0] for part in (real, imag)]
    return builder.emit(add, tuple(parts), {})[0]


square = unary("square", np.square, NUMBERS, jvp=lambda t, x, y: 2 * x * t, simplify=_simplify_square)
sqrt = unary("sqrt", np.sqrt, jvp=lambda t, x, y: t * (0.5 / y), dear=True)
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
cbrt = unary("cbrt", np.cbrt, FLOATS, jvp=lambda t, x, y: t / (3 * square(y)), dear=True)
hypot = binary("hypot", np.hypot, FLOATS, jvp=(lambda t, x, y, z: t * over(x, z), lambda t, x, y, z: t * over(y, z)), dear=True)


# -- norms: `over` is x / r, and 0 where r is 0 (NaN if x is); `root` is sqrt with the slope 0 at 0.
# So the slope of a norm at the origin is the one of least norm, and its second derivative there, which has no meaning, is NaN.
def _run_over(x, r):
    return np.where(r == 0, x * r.dtype.type(0), np.divide(x, r))[()]


def _lower_over(k, xs, index):
    x, r = (a.broadcast(index) for a in xs)
    zero = k.constant(0, r.dtype)
    return k.apply("select", k.apply("equal", r, zero), k.apply("multiply", x, zero), k.apply("divide", x, r))


over = binary(
    "over",
    _run_over,
    INEXACT,
    jvp=(lambda t, x, r, z: over(t, r), lambda t, x, r, z: -t * (z / r)),
    transpose=lambda ct, x, r: (unbroadcast(over(ct, r), x.shape), None),
    lower=_lower_over,
    dear=True,
    singular=True,
    show=lambda x, r: f"np.where({r} == 0, {x} * 0, {x} / {r})",
)
root = unary(
    "root", np.sqrt, jvp=lambda t, x, y: over(0.5 * t, y), lower=lambda k, xs, index: k.apply("sqrt", xs[0][index]), dear=True
)


# -- exponentials and logarithms
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

# -- trigonometric and hyperbolic
sin = unary("sin", np.sin, jvp=lambda t, x, y: t * cos(x), dear=True)
cos = unary("cos", np.cos, jvp=lambda t, x, y: -t * sin(x), dear=True)
tan = unary("tan", np.tan, jvp=lambda t, x, y: t * (1 + square(y)), dear=True)
arcsin = unary("arcsin", np.arcsin, jvp=lambda t, x, y: t / sqrt(1 - square(x)), dear=True)
arccos = unary("arccos", np.arccos, jvp=lambda t, x, y: -t / sqrt(1 - square(x)), dear=True)
arctan = unary("arctan", np.arctan, jvp=lambda t, x, y: t / (1 + square(x)), dear=True)
sinh = unary("sinh", np.sinh, jvp=lambda t, x, y: t * cosh(x), dear=True)
cosh = unary("cosh", np.cosh, jvp=lambda t, x, y: t * sinh(x), dear=True)
tanh = unary("tanh", np.tanh, jvp=lambda t, x, y: t * (1 - square(y)), dear=True)
arcsinh = unary("arcsinh", np.arcsinh, jvp=lambda t, x, y: t / sqrt(square(x) + 1), dear=True)
arccosh = unary("arccosh", np.arccosh, jvp=lambda t, x, y: t / (sqrt(x - 1) * sqrt(x + 1)), dear=True)
arctanh = unary("arctanh", np.arctanh, jvp=lambda t, x, y: t / (1 - square(x)), dear=True)


def _arctan2_part(t, other, x, y):
    zero, one = (np.asarray(v, type_of(x).dtype)[()] for v in (0, 1))
    r = square(x) + square(y)
    return t * select(r == 0, zero, other / select(r == 0, one, r))


arctan2 = binary(
    "arctan2", np.arctan2, FLOATS, jvp=(lambda t, x, y, z: _arctan2_part(t, y, x, y), lambda t, x, y, z: _arctan2_part(t, -x, x, y)), dear=True
)


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


# -- rounding and signs: piecewise constant or linear
def _sign_slope(t, x, y):
    """Of z / |z|: the part of the tangent across z turns it. A real sign is constant."""
    return (
        over(t - y * convert(real(conjugate(y) * t), dtype=type_of(x).dtype), _complex_like(absolute(x), x)) if type_of(x).dtype.kind == "c" else None
    )


floor = unary("floor", np.floor, FLOATS)
ceil = unary("ceil", np.ceil, FLOATS)
trunc = unary("trunc", np.trunc, FLOATS)
rint = unary("rint", np.rint, INEXACT)
sign = unary("sign", np.sign, NUMBERS, jvp=_sign_slope)
signbit = unary("signbit", np.signbit, FLOATS, result=lambda d: BOOL)


def _absolute_slope(t, x, y):
    if type_of(x).dtype.kind == "c":
        return real(t * conjugate(over(x, _complex_like(y, x))))
    return t * sign(x)


def _complex_like(y, x):
    return convert(y, dtype=type_of(x).dtype)


absolute = unary("absolute", np.absolute, NUMBERS, result=real_part, jvp=_absolute_slope)
copysign = binary(
    "copysign", np.copysign, FLOATS, jvp=(lambda t, x, y, z: t * (sign(x) * copysign(np.ones((), type_of(y).dtype)[()], y)), lambda t, x, y, z: None)
)
nextafter = binary("nextafter", np.nextafter, FLOATS, jvp=(lambda t, x, y, z: t, lambda t, x, y, z: None))


# -- maximum and minimum. `tie` is the share of the tangent that x gets where the two are equal: a half,
# and none against a constant scalar, whose other side is flat (so relu'(0) is 0).
def _extremum(name, fn, wins):
    cell: list[Op] = []
    base = type_rule(name, ALL, None)
    ignores_nan = name.startswith("f")

    def share(t, a, b, part):
        beats = wins(a, b)
        if is_inexact(type_of(a).dtype):
            beats = logical_or(beats, b != b if ignores_nan else a != a)
        zero = np.zeros((), type_of(t).dtype)[()]
        return select(beats, t, zero) if part == 0 else select(beats, t, select(a == b, t * part, zero))

    def jvp(primals, out, tangents, tie):
        x, y = primals
        tx, ty = tangents
        return add_tangents(None if tx is None else share(tx, x, y, tie), None if ty is None else share(ty, y, x, 1 - tie))

    op = define(
        name,
        infer=lambda x, y, tie: base(x, y),
        run=lambda xp, x, y, tie: getattr(xp, name)(x, y),
        jvp=jvp,
        batch=batch_elementwise(cell),
        lower=lambda k, xs, index, tie: k.apply(name, *[x.broadcast(index) for x in xs]),
        show=f"np.{name}",
        singular=False,
        elementwise=True,
    )
    cell.append(op)
    return op


maximum = _extremum("maximum", np.maximum, lambda a, b: a > b)
minimum = _extremum("minimum", np.minimum, lambda a, b: a < b)
fmax = _extremum("fmax", np.fmax, lambda a, b: a > b)
fmin = _extremum("fmin", np.fmin, lambda a, b: a < b)

# -- comparisons, logic, bits
_bool = lambda dtype: BOOL
equal, not_equal, less, less_equal, greater, greater_equal = (
    binary(fn.__name__, fn, ALL, result=_bool) for fn in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
)
logical_and, logical_or, logical_xor = (binary(fn.__name__, fn, ALL, result=_bool) for fn in (np.logical_and, np.logical_or, np.logical_xor))
logical_not = unary("logical_not", np.logical_not, ALL, result=_bool)
bitwise_and, bitwise_or, bitwise_xor = (binary(fn.__name__, fn, INTEGERS) for fn in (np.bitwise_and, np.bitwise_or, np.bitwise_xor))
invert = unary("invert", np.invert, INTEGERS)
left_shift, right_shift = (binary(fn.__name__, fn, "iu") for fn in (np.left_shift, np.right_shift))
isnan, isinf, isfinite = (unary(fn.__name__, fn, ALL, result=_bool) for fn in (np.isnan, np.isinf, np.isfinite))

# -- complex parts
real = unary("real", np.real, "c", result=real_part, jvp=lambda t, x, y: real(t), transpose=lambda ct, x: (make_complex(ct, zeros(type_of(ct))),))
imag = unary("imag", np.imag, "c", result=real_part, jvp=lambda t, x, y: imag(t), transpose=lambda ct, x: (make_complex(zeros(type_of(ct)), -ct),))
conjugate = unary("conjugate", np.conjugate, "c", jvp=lambda t, x, y: conjugate(t), transpose=lambda ct, x: (conjugate(ct),))


def _join(x, y):
    return np.asarray(x + 1j * y, np.result_type(x.dtype, np.complex64))[()] if np.ndim(x) == np.ndim(y) == 0 else _fill_complex(x, y)


def _fill_complex(x, y):
    out = np.empty(np.broadcast_shapes(np.shape(x), np.shape(y)), np.result_type(x.dtype, np.complex64))
    out.real, out.imag = x, y
    return out


def _show_make_complex(x, y):
    dtype = np.result_type(x.type.dtype, np.complex64)
    shape = np.broadcast_shapes(x.type.shape, y.type.shape)
    return f"np.full({shape}, {x}, np.{dtype.name})", lambda out: f"{out}.imag[...] = {y}"


def _of_dtype(x, dtype: np.dtype):
    return x if type_of(x).dtype == dtype else convert(x, dtype=dtype)


def _lower_make_complex(k, xs, index):
    """There are no complex halves: they become single precision."""
    part = np.dtype(np.float32) if xs[0].dtype == np.float16 else xs[0].dtype
    return k.apply("make_complex", *[k.convert(x.broadcast(index), part) for x in xs])


make_complex = binary(
    "make_complex",
    _join,
    FLOATS,
    result=lambda d: np.result_type(d, np.complex64),
    jvp=(lambda t, x, y, z: make_complex(t, zeros(type_of(t))), lambda t, x, y, z: make_complex(zeros(type_of(t)), t)),
    transpose=lambda ct, x, y: (
        unbroadcast(_of_dtype(real(ct), x.type.dtype), x.shape) if isinstance(x, Linear) else None,
        unbroadcast(_of_dtype(-imag(ct), y.type.dtype), y.shape) if isinstance(y, Linear) else None,
    ),
    lower=_lower_make_complex,
    show=_show_make_complex,
)


# -- select and convert
def _infer_select(c, x, y):
    if c.dtype != BOOL or x.dtype != y.dtype:
        raise TypeError(at_user_line(f"select needs a bool and two equal dtypes, got {c}, {x}, {y}"))
    return ArrayType(broadcast_shape("where", c, x, y), x.dtype)


def _select_jvp(primals, out, tangents):
    c, x, y = primals
    _, tx, ty = tangents
    zero = np.zeros((), type_of(out).dtype)[()]
    return select(c, zero if tx is None else tx, zero if ty is None else ty)


def _select_transpose(ct, c, x, y):
    zero = np.zeros((), type_of(ct).dtype)[()]
    return (
        None,
        unbroadcast(select(c, ct, zero), x.shape) if isinstance(x, Linear) else None,
        unbroadcast(select(c, zero, ct), y.shape) if isinstance(y, Linear) else None,
    )


def _simplify_select(builder, c, x, y):
    if type(c) is Literal:
        chosen = x if c.value else y
        return chosen if chosen.type.shape == np.broadcast_shapes(c.type.shape, x.type.shape, y.type.shape) else None
    return x if x == y and x.type.shape == np.broadcast_shapes(c.type.shape, x.type.shape) else None


_select_cell: list[Op] = []
select = define(
    "select",
    infer=_infer_select,
    run=lambda xp, c, x, y: xp.where(c, x, y),
    jvp=_select_jvp,
    transpose=_select_transpose,
    batch=batch_elementwise(_select_cell),
    lower=lower_elementwise("select"),
    simplify=without_spread(_select_cell, _simplify_select),
    show="np.where",
    elementwise=True,
)
_select_cell.append(select)


def _convert_run(xp, x, dtype):
    with np.errstate(all="ignore"):
        return xp.real(x).astype(dtype) if x.dtype.kind == "c" and dtype.kind not in "cb" else x.astype(dtype)


def _convert_jvp(primals, out, tangents, dtype):
    return convert(tangents[0], dtype=dtype) if is_inexact(dtype) else None


def _show_convert(x, dtype):
    array = x if x.type.shape else f"np.asarray({x})"
    return f"{array}{'.real' if x.type.dtype.kind == 'c' and dtype.kind not in 'cb' else ''}.astype(np.{dtype.name})"


def _simplify_convert(builder, x, dtype):
    return x if x.type.dtype == dtype else None


convert = define(
    "convert",
    infer=lambda x, dtype: ArrayType(x.shape, dtype),
    run=_convert_run,
    jvp=_convert_jvp,
    transpose=lambda ct, x, dtype: (convert(ct, dtype=x.type.dtype),),
    batch=lambda args, batched, dtype: convert(args[0], dtype=dtype),
    lower=lambda k, xs, index, dtype: k.convert(xs[0].broadcast(index), dtype),
    simplify=_simplify_convert,
    show=_show_convert,
    elementwise=True,
)

# A value whose derivative is cut: `stop_gradient`.
_stop_cell: list[Op] = []
stop_gradient = define(
    "stop_gradient",
    infer=lambda x: x,
    run=lambda xp, x: x,
    jvp=lambda primals, out, tangents: None,
    batch=lambda args, batched: stop_gradient(args[0]),
    lower=lambda k, xs, index: xs[0].broadcast(index),
    expand=lambda x: x,  # values in compiled programs have no derivatives: equal ones are shared
    show=lambda x: x,
    singular=False,
    elementwise=True,
)
# The value x, whose derivative flows only where c holds: what a branch of a batched `switch` reads.
mask_gradient = define(
    "mask_gradient",
    infer=lambda c, x: ArrayType(broadcast_shape("where", c, x), x.dtype),
    run=lambda xp, c, x: x if np.shape(c) == np.shape(x) or np.shape(c) == () else xp.broadcast_to(x, np.broadcast_shapes(np.shape(c), np.shape(x))),
    jvp=lambda primals, out, tangents: select(primals[0], tangents[1], np.zeros((), type_of(out).dtype)[()]),
    batch=batch_elementwise(_stop_cell),
    lower=lambda k, xs, index: xs[1].broadcast(index),
    show=lambda c, x: f"np.broadcast_to({x}, {np.broadcast_shapes(c.type.shape, x.type.shape)})",
    singular=False,
    elementwise=True,
)
_stop_cell.append(mask_gradient)
