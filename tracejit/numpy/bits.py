"""Integers as bits and as factors; floats as mantissa and exponent."""
from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ops import elementwise as ops
from ..ops import movement
from ..ops.numbers import exponent
from ..ops.numbers import gcd as gcd_op
from . import reductions
from .axes import axis_index
from .loops import elementwise
from .promotion import as_array, cast
from .register import implements
from .shaping import part, ravel

_BYTE = np.dtype(np.uint8)


# -- ufuncs
def _bit_count(x):
    """Counts of pairs, of nibbles and of bytes, which a multiplication adds up."""
    if x.dtype.kind == "b":
        return cast(x, _BYTE)
    bits = 8 * x.dtype.itemsize
    word = np.dtype(f"u{x.dtype.itemsize}")
    if x.dtype.kind == "i":
        x = ops.absolute(x)
    x = ops.convert(x, dtype=word)
    every = (1 << bits) - 1

    def number(n):
        return word.type(n)

    def masked(v, mask):
        return ops.bitwise_and(v, number(mask))
    pairs, nibbles, octets = every // 3, every // 5, every // 17
    x = ops.subtract(x, masked(ops.right_shift(x, number(1)), pairs))
    x = ops.add(masked(x, nibbles), masked(ops.right_shift(x, number(2)), nibbles))
    x = masked(ops.add(x, ops.right_shift(x, number(4))), octets)
    if bits > 8:
        x = ops.right_shift(ops.multiply(x, number(every // 255)), number(bits - 8))
    return cast(x, _BYTE)


def _lcm(x, y):
    divisor = gcd_op(x, y)
    zero = x.dtype.type(0)
    quotient = ops.floor_divide(x, ops.select(ops.equal(divisor, zero), x.dtype.type(1), divisor))
    product = ops.multiply(quotient, y)
    return ops.absolute(product) if x.dtype.kind == "i" else product


def _frexp(x):
    """The mantissa is x over a power of two, in two steps: the power may be too large or too small for a float."""
    power = exponent(x)
    half = ops.right_shift(power, np.int32(1))
    mantissa = x
    for n in (half, ops.subtract(power, half)):
        mantissa = ops.multiply(mantissa, ops.exp2(ops.convert(ops.negative(n), dtype=x.dtype)))
    return mantissa, power


bitwise_count = elementwise(np.bitwise_count, _bit_count)
gcd = elementwise(np.gcd, gcd_op)
lcm = elementwise(np.lcm, _lcm)
frexp = elementwise(np.frexp, _frexp)


# -- packed bits
def _weights(bitorder: str) -> np.ndarray:
    if bitorder not in ("big", "little"):
        raise ValueError(at_user_line("'order' must be either 'little' or 'big'"))
    shifts = np.arange(8, dtype=_BYTE)
    return shifts[::-1].copy() if bitorder == "big" else shifts


@implements(np.packbits)
def packbits(a, /, axis=None, bitorder="big"):
    """As `numpy.packbits`."""
    shifts = _weights(bitorder)
    x = as_array(a)
    if x.dtype.kind not in "biu":
        raise TypeError(at_user_line("Expected an input array of integer or boolean data type"))
    x, axis = (ravel(x), 0) if axis is None else (x, axis_index(axis, x.ndim))
    n = x.shape[axis]
    bits = cast(ops.not_equal(x, x.dtype.type(0)), _BYTE)
    missing = -n % 8
    zeros = (0,) * x.ndim
    bits = movement.pad(bits, low=zeros, high=tuple(missing if d == axis else 0 for d in range(x.ndim)), interior=zeros, value=0)
    bits = movement.reshape(bits, shape=(*x.shape[:axis], math.ceil(n / 8), 8, *x.shape[axis + 1:]))
    placed = ops.left_shift(bits, shifts.reshape(8, *(1,) * (x.ndim - axis - 1)))
    return reductions.sum(placed, axis + 1, dtype=_BYTE)


@implements(np.unpackbits)
def unpackbits(a, /, axis=None, count=None, bitorder="big"):
    """As `numpy.unpackbits`."""
    shifts = _weights(bitorder)
    x = as_array(a)
    if x.dtype != _BYTE:
        raise TypeError(at_user_line("Expected an input array of unsigned byte data type"))
    x, axis = (ravel(x), 0) if axis is None else (x, axis_index(axis, x.ndim))
    spread = movement.reshape(x, shape=(*x.shape[:axis + 1], 1, *x.shape[axis + 1:]))
    bits = ops.bitwise_and(ops.right_shift(spread, shifts.reshape(8, *(1,) * (x.ndim - axis - 1))), np.uint8(1))
    n = 8 * x.shape[axis]
    bits = movement.reshape(bits, shape=(*x.shape[:axis], n, *x.shape[axis + 1:]))
    if count is None:
        return bits
    if count <= n:
        if count < -n:
            raise ValueError(at_user_line(f"-count ({-count}) is larger than the number of elements ({n})"))
        return part(bits, 0, count if count >= 0 else n + count, axis)
    zeros = (0,) * x.ndim
    return movement.pad(bits, low=zeros, high=tuple(count - n if d == axis else 0 for d in range(x.ndim)), interior=zeros, value=0)
