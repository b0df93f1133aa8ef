"""The operator `**`, with the shortcuts that NumPy's arrays have: squares, roots and reciprocals instead of a general power."""
from __future__ import annotations

import numpy as np

from ..ops import elementwise as ops
from ..trace import Tracer
from ..trace.tracer import FOREIGN, acts_as_scalar, counting
from .promotion import cast, common_dtype
from .register import operator
from .ufuncs import power, square


@operator("pow")
def pow_operator(x, y):
    """`x ** y`. Raises `ValueError` for integers to a negative integer power, as NumPy does."""
    if isinstance(x, FOREIGN) or isinstance(y, FOREIGN):
        return NotImplemented
    scalars = acts_as_scalar(x) and acts_as_scalar(y)
    if scalars:
        x, y = counting(x), counting(y)
    result = _to_constant(x, y) if type(y) in (int, float) and not isinstance(x, (list, tuple)) else power(x, y)
    if scalars and type(result) is Tracer:
        result.weak = True
    return result


def _to_constant(x, n: int | float):
    """`x ** n` for a Python number n."""
    dtype = common_dtype(x, n)
    if type(n) is int and n == 2 and x.dtype.kind == "b" and x.shape:  # a scalar, which what is 0-d here counts as, has no such shortcut
        return square(x)
    x, exponent = cast(x, dtype), cast(n, dtype)
    if n == 2:
        return ops.square(x)
    if dtype.kind not in "fc":
        return power(x, exponent)
    if n == 1:
        return Tracer(x.owner, x.atom)
    if n == 0.5:
        return ops.sqrt(x)
    if n == -1:
        return ops.divide(dtype.type(1), x)
    if n == 0:
        return np.ones(x.shape, dtype)[()]
    return ops.power(x, exponent)
