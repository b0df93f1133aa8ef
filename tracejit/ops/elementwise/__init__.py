"""Elementwise operations. They broadcast as NumPy's do; all inputs have one dtype (`tracejit.numpy` promotes before).

A line of the tables is a whole op: its NumPy function is the reference, the type rule follows from its group (see elementwise_parts.py), and the
derivative is written next to it in terms of the tangent `t`, the inputs and the result (`y`, or `z` where there are two inputs). What the derivative
is at kinks and singular points is tested in tests/gradients.
"""

from .arithmetic import add, ceil, divide, floor, floor_divide, fmod, multiply, negative, remainder, rint, subtract, trunc
from .comparison import (
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    equal,
    fmax,
    fmin,
    greater,
    greater_equal,
    invert,
    isfinite,
    isinf,
    isnan,
    left_shift,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    not_equal,
    right_shift,
)
from .complex_parts import conjugate, imag, make_complex, real
from .exponential import erf, erfc, exp, exp2, expm1, log, log1p, log2, log10, logaddexp, logistic, power
from .magnitude import absolute, cbrt, copysign, hypot, nextafter, over, root, sign, signbit, sqrt, square
from .selection import convert, mask_gradient, select, stop_gradient
from .trigonometric import arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, cos, cosh, sin, sinh, tan, tanh

__all__ = [
    "absolute", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "bitwise_and", "bitwise_or", "bitwise_xor", "cbrt",
    "ceil", "conjugate", "convert", "copysign", "cos", "cosh", "divide", "equal", "erf", "erfc", "exp", "exp2", "expm1", "floor", "floor_divide",
    "fmax", "fmin", "fmod", "greater", "greater_equal", "hypot", "imag", "invert", "isfinite", "isinf", "isnan", "left_shift", "less", "less_equal",
    "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor", "logistic", "make_complex",
    "mask_gradient", "maximum", "minimum", "multiply", "negative", "nextafter", "not_equal", "over", "power", "real", "remainder", "right_shift",
    "rint", "root", "select", "sign", "signbit", "sin", "sinh", "sqrt", "square", "stop_gradient", "subtract", "tan", "tanh", "trunc",
]
