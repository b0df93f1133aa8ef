"""Functions of numbers that have no formula in elementwise operations: the greatest common divisor, the exponent of a float."""
from __future__ import annotations

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType
from .core import Op, define
from .elementwise_parts import batch_elementwise, broadcast_shape

EXPONENT = np.dtype(np.int32)


def _no_jvp(primals, out, tangents):
    return None


def _infer_gcd(x, y):
    if x.dtype != y.dtype or x.dtype.kind not in "iu":
        raise TypeError(at_user_line(f"gcd is defined for integers of equal dtypes, got {x} and {y}"))
    return ArrayType(broadcast_shape("gcd", x, y), x.dtype)


_gcd: list[Op] = []
gcd = define("gcd", infer=_infer_gcd, run=lambda xp, x, y: xp.gcd(x, y), jvp=_no_jvp, batch=batch_elementwise(_gcd), show="np.gcd", elementwise=True)
_gcd.append(gcd)


# -- exponent(x): the e of x = m 2^e with 0.5 <= |m| < 1, and 0 for 0, infinity and NaN
def _infer_exponent(x):
    if x.dtype.kind != "f":
        raise TypeError(at_user_line(f"exponent is not defined for dtype {x.dtype}"))
    return ArrayType(x.shape, EXPONENT)


_exponent: list[Op] = []
exponent = define("exponent", infer=_infer_exponent, run=lambda xp, x: xp.frexp(x)[1], jvp=_no_jvp, batch=batch_elementwise(_exponent),
                  show=lambda x: f"np.frexp({x})[1]", elementwise=True)
_exponent.append(exponent)


# -- reinterpret(x): the bits of x as numbers of another dtype of the same size
def _infer_reinterpret(x, dtype):
    if x.dtype.itemsize != dtype.itemsize or not {x.dtype.kind, dtype.kind} <= set("iuf"):
        raise TypeError(at_user_line(f"reinterpret is defined for integers and floats of one size, got {x.dtype} and {dtype}"))
    return ArrayType(x.shape, dtype)


_reinterpret: list[Op] = []
reinterpret = define("reinterpret", infer=_infer_reinterpret, run=lambda xp, x, dtype: xp.asarray(x).view(dtype)[()],
                     jvp=lambda primals, out, tangents, dtype: None, batch=batch_elementwise(_reinterpret),
                     show=lambda x, dtype: f"np.asarray({x}).view(np.{dtype.name})[()]", elementwise=True)
_reinterpret.append(reinterpret)
