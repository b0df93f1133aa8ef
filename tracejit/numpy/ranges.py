"""`logspace` and `geomspace` with traced ends."""
from __future__ import annotations

import numpy as np

from ..errors import at_user_line
from ..ops import elementwise as ops
from .comparing import where
from .constants import positions
from .creation import linspace
from .promotion import as_array, astype, cast, common_dtype, operand
from .register import implements, known
from .shaping import expand_dims, moveaxis
from .ufuncs import log10, power
from .ufuncs import sign as ufunc_sign


@implements(np.logspace)
def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    """As `numpy.logspace`."""
    y = linspace(start, stop, num, endpoint, axis=axis)
    base = operand(base)
    if type(base) is not float and np.ndim(base):
        base = expand_dims(base, axis)
    result = power(base, y)
    return result if dtype is None else astype(result, dtype)


@implements(np.geomspace)
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """As `numpy.geomspace`, exact at its ends."""
    first, last = operand(start), operand(stop)
    real = common_dtype(first, last, np.zeros(()) if dtype is None else np.zeros((), dtype))
    first, last = cast(as_array(first), real), cast(as_array(last), real)
    for end in (first, last):
        values = known(end)
        if values is not None and np.any(values == 0):
            raise ValueError(at_user_line("Geometric sequence cannot include zero"))
    sign = ufunc_sign(first)
    ratio = last / sign
    logs = linspace(log10(first / sign), log10(ratio), num, endpoint)
    y = power(real.type(10) if real.kind == "f" else 10.0, logs)
    if num > 0:
        at = positions(y, (num, *(1,) * (y.ndim - 1)), 0)
        y = where(ops.equal(at, np.int64(0)), expand_dims(first / sign, 0), y)
        if num > 1 and endpoint:
            y = where(ops.equal(at, np.int64(num - 1)), expand_dims(ratio, 0), y)
    y = y * sign
    y = moveaxis(y, 0, axis) if axis != 0 else y
    return y if dtype is None else astype(y, dtype)
