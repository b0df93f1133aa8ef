"""Sums, products, quotients, remainders and rounding."""

from __future__ import annotations

import numpy as np

from ...ir import Literal
from ..core import Linear
from ..elementwise_parts import ALL, FLOATS, INEXACT, NUMBERS, binary, is_literal, unary, unbroadcast


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
floor = unary("floor", np.floor, FLOATS)
ceil = unary("ceil", np.ceil, FLOATS)
trunc = unary("trunc", np.trunc, FLOATS)
rint = unary("rint", np.rint, INEXACT)
floor_divide = binary("floor_divide", np.floor_divide, "iuf", dear=True)
remainder = binary("remainder", np.remainder, "iuf", jvp=(lambda t, x, y, z: t, lambda t, x, y, z: -t * floor_divide(x, y)), dear=True)
fmod = binary("fmod", np.fmod, "iuf", jvp=(lambda t, x, y, z: t, lambda t, x, y, z: -t * trunc(x / y)), dear=True)
