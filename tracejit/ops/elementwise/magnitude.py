"""Squares, roots and norms, absolute values and signs.

`over` is x / r, and 0 where r is 0 (NaN if x is); `root` is sqrt with the slope 0 at 0. So the slope of a norm at the origin is the one of least
norm, and its second derivative there, which has no meaning, is NaN.
"""

from __future__ import annotations

import numpy as np

from ...ir.types import BOOL
from ...trace import type_of
from ..elementwise_parts import FLOATS, INEXACT, NUMBERS, binary, real_part, unary, unbroadcast
from .arithmetic import add
from .complex_parts import conjugate, imag, real
from .selection import convert


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


# -- squares and roots
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
cbrt = unary("cbrt", np.cbrt, FLOATS, jvp=lambda t, x, y: t / (3 * square(y)), dear=True)
hypot = binary("hypot", np.hypot, FLOATS, jvp=(lambda t, x, y, z: t * over(x, z), lambda t, x, y, z: t * over(y, z)), dear=True)


# -- absolute values and signs: piecewise linear or constant
def _sign_slope(t, x, y):
    """Of z / |z|: the part of the tangent across z turns it. A real sign is constant."""
    return (
        over(t - y * convert(real(conjugate(y) * t), dtype=type_of(x).dtype), _complex_like(absolute(x), x)) if type_of(x).dtype.kind == "c" else None
    )


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
