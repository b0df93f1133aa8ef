"""`numpy.lib.scimath`: functions that leave the real line where their argument does.

Whether the result is complex depends on values.  Where they are not known, real arguments are refused: `x.astype(complex)` says what is wanted.
"""
from __future__ import annotations

import numpy as np
from numpy.lib import scimath

from ..errors import at_user_line
from ..ir.types import FLOAT
from . import ufuncs
from .promotion import as_array, cast, common_dtype
from .register import implements, known

_COMPLEX = {np.dtype(np.float32): np.dtype(np.complex64), np.dtype(np.float16): np.dtype(np.complex64)}


def _leaving(x, outside, name: str):
    """x, complex where `outside` holds for any of its elements."""
    x = as_array(x)
    if x.dtype.kind == "c":
        return x
    values = known(x)
    if values is None:
        raise TypeError(at_user_line(f"np.lib.scimath.{name} of traced real numbers is real or complex depending on their values: "
                                     f"use np.{name} for the one and {name} of x.astype(complex) for the other"))
    if np.any(outside(np.asarray(values))):
        small = x.dtype.kind in "biu" and x.dtype.itemsize < 4
        return cast(x, np.dtype(np.complex64) if small else _COMPLEX.get(x.dtype, np.dtype(np.complex128)))
    return x


def _enter(name: str, function, outside) -> None:
    def leaving(x):
        return function(_leaving(x, outside, name))
    leaving.__name__ = name
    implements(getattr(scimath, name))(leaving)


def _negative(x):
    return x < 0


def _beyond_one(x):
    return np.abs(x) > 1


for _name, _function, _outside in (("sqrt", ufuncs.sqrt, _negative), ("log", ufuncs.log, _negative), ("log2", ufuncs.log2, _negative),
                                   ("log10", ufuncs.log10, _negative), ("arccos", ufuncs.arccos, _beyond_one),
                                   ("arcsin", ufuncs.arcsin, _beyond_one), ("arctanh", ufuncs.arctanh, _beyond_one)):
    _enter(_name, _function, _outside)


@implements(scimath.logn)
def logn(n, x):
    """As `numpy.lib.scimath.logn`."""
    x, n = _leaving(x, _negative, "log"), _leaving(n, _negative, "log")
    return ufuncs.divide(ufuncs.log(x), ufuncs.log(n))


@implements(scimath.power)
def power(x, p):
    """As `numpy.lib.scimath.power`."""
    x, p = _leaving(x, _negative, "power"), as_array(p)
    exponents = known(p)
    if p.dtype.kind == "i" and exponents is not None and np.any(exponents < 0):
        p = cast(p, common_dtype(p, np.empty((), FLOAT)))
    return ufuncs.power(x, p)
