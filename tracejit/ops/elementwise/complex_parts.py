"""Complex numbers from their parts, their parts, and conjugates."""

from __future__ import annotations

import numpy as np

from ...trace import type_of
from ..core import Linear, zeros
from ..elementwise_parts import FLOATS, binary, real_part, unary, unbroadcast
from .selection import convert

real = unary("real", np.real, "c", result=real_part, jvp=lambda t, x, y: real(t), transpose=lambda ct, x: (make_complex(ct, zeros(type_of(ct))),))
imag = unary("imag", np.imag, "c", result=real_part, jvp=lambda t, x, y: imag(t), transpose=lambda ct, x: (make_complex(zeros(type_of(ct)), -ct),))
conjugate = unary("conjugate", np.conjugate, "c", jvp=lambda t, x, y: conjugate(t), transpose=lambda ct, x: (conjugate(ct),))


def _join(x, y):
    return np.asarray(x + 1j * y, np.result_type(x.dtype, np.complex64))[()] if np.ndim(x) == np.ndim(y) == 0 else _fill_complex(x, y)


def _fill_complex(x, y):
    out = np.empty(np.broadcast_shapes(np.shape(x), np.shape(y)), np.result_type(x.dtype, np.complex64))
    out.real, out.imag = x, y
    return out


def _show_make_complex(x, y):
    dtype = np.result_type(x.type.dtype, np.complex64)
    shape = np.broadcast_shapes(x.type.shape, y.type.shape)
    return f"np.full({shape}, {x}, np.{dtype.name})", lambda out: f"{out}.imag[...] = {y}"


def _of_dtype(x, dtype: np.dtype):
    return x if type_of(x).dtype == dtype else convert(x, dtype=dtype)


def _lower_make_complex(k, xs, index):
    """There are no complex halves: they become single precision."""
    part = np.dtype(np.float32) if xs[0].dtype == np.float16 else xs[0].dtype
    return k.apply("make_complex", *[k.convert(x.broadcast(index), part) for x in xs])


make_complex = binary(
    "make_complex",
    _join,
    FLOATS,
    result=lambda d: np.result_type(d, np.complex64),
    jvp=(lambda t, x, y, z: make_complex(t, zeros(type_of(t))), lambda t, x, y, z: make_complex(zeros(type_of(t)), t)),
    transpose=lambda ct, x, y: (
        unbroadcast(_of_dtype(real(ct), x.type.dtype), x.shape) if isinstance(x, Linear) else None,
        unbroadcast(_of_dtype(-imag(ct), y.type.dtype), y.shape) if isinstance(y, Linear) else None,
    ),
    lower=_lower_make_complex,
    show=_show_make_complex,
)
