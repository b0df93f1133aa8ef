"""Trigonometric and hyperbolic functions."""

from __future__ import annotations

import numpy as np

from ...trace import type_of
from ..elementwise_parts import FLOATS, binary, unary
from .magnitude import sqrt, square
from .selection import select

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
