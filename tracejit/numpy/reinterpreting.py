"""`x.view(dtype)`: the bits of an array as numbers of another dtype.

Floats and integers of one size are reinterpreted, which has no derivative.  A complex array as the floats that it is made of, and back, is a
rearrangement, with one.  What is written into the result is written into the array, too.
"""

from __future__ import annotations

import builtins

import numpy as np

from ..errors import at_user_line
from ..ops import elementwise as ops
from ..ops import movement
from ..ops.numbers import reinterpret
from ..trace.views import Reading, link
from .joining import concatenate
from .promotion import checked_dtype
from .register import operator
from .shaping import part


@operator("view")
def view(x, dtype=None, type=None):
    """As `numpy.ndarray.view`. Raises `TypeError` for dtypes of other sizes, apart from the floats that a complex number is made of."""
    if isinstance(dtype, builtins.type) and issubclass(dtype, np.ndarray):
        dtype, type = None, dtype
    if type is not None and type is not np.ndarray:
        raise TypeError(at_user_line(f"a traced value cannot be viewed as {type.__qualname__}: it has no memory that another class could read"))
    dtype = x.dtype if dtype is None else checked_dtype(dtype)
    if dtype == x.dtype:
        return x[...]
    made = _read(x, dtype)
    link(made, Reading("view", _read, _written), (x,), {"dtype": dtype})
    return made


def _written(base, value, dtype: np.dtype):
    """The base with the bits that were written. Elements whose bits stay keep their derivative, which bits have none of."""
    if dtype.kind in "fc" or base.dtype.kind not in "fc":
        return _read(value, base.dtype)
    return ops.select(ops.equal(_read(base, dtype), value), base, _read(value, base.dtype))


def _read(x, dtype: np.dtype):
    have = x.dtype
    if have.itemsize == dtype.itemsize:
        if have.kind == "b" or have.kind in "iu" and dtype.kind in "iu":
            return ops.convert(x, dtype=dtype)
        if dtype.kind == "b":
            return ops.not_equal(x, have.type(0))
        if "c" not in (have.kind, dtype.kind):
            return reinterpret(x, dtype=dtype)
    elif x.ndim and have.kind == "c" and 2 * dtype.itemsize == have.itemsize and dtype.kind == "f":
        pair = [movement.reshape(p, shape=(*x.shape, 1)) for p in (ops.real(x), ops.imag(x))]
        return movement.reshape(concatenate(pair, axis=-1), shape=(*x.shape[:-1], 2 * x.shape[-1]))
    elif x.ndim and have.kind == "f" and dtype.itemsize == 2 * have.itemsize and dtype.kind == "c" and not x.shape[-1] % 2:
        pairs = movement.reshape(x, shape=(*x.shape[:-1], x.shape[-1] // 2, 2))
        return ops.make_complex(*[movement.reshape(part(pairs, k, k + 1, x.ndim), shape=pairs.shape[:-1]) for k in (0, 1)])
    raise TypeError(
        at_user_line(
            f"the bits of a traced value ({x.type}) cannot be viewed as {dtype}: this is possible for dtypes of one size, and between complex "
            f"numbers and the floats that they are made of, along a last axis that is long enough. To convert the values use `x.astype(np.{dtype})`."
        )
    )

