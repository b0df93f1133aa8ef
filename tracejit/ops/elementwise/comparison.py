"""Comparisons, logic, bits, and the greater or smaller of two values."""

from __future__ import annotations

import numpy as np

from ...ir import is_inexact
from ...ir.types import BOOL
from ...trace import type_of
from ..core import Op, add_tangents, define
from ..elementwise_parts import ALL, INTEGERS, batch_elementwise, binary, type_rule, unary
from .selection import select

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
