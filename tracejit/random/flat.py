"""Uniform numbers: floats in an interval, integers in a range, bits of a given probability."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import at_user_line
from ..ir.types import INT
from ..numpy.promotion import as_array
from ..ops.elementwise import convert, less, maximum, select
from ..ops.movement import broadcast_to
from ..ops.random_bits import WORD
from ..trace import type_of
from .draws import FLOAT, continuous, draw, fitting, integral, parameters
from .keys import as_key, narrow_words, words

_LAYOUT = {2: (np.dtype(np.uint16), 10), 4: (np.dtype(np.uint32), 23), 8: (WORD, 52)}  # by itemsize: bits drawn, explicit mantissa bits


def unit(key: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Multiples of the spacing of numbers between 1 and 2, in [0, 1)."""
    word, mantissa = _LAYOUT[dtype.itemsize]
    drawn = narrow_words(key, shape, word) >> word.type(8 * word.itemsize - mantissa)
    return convert(drawn, dtype=dtype) * dtype.type(2.0**-mantissa)


def between(key: Any, low: Any, high: Any, *, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """In [low, high), which have the dtype."""
    return maximum(low, unit(key, shape, dtype) * (high - low) + low, tie=0.0)


def uniform(key: Any, shape: Any = (), dtype: Any = float, minval: Any = 0.0, maxval: Any = 1.0) -> Any:
    """Real numbers in [minval, maxval), arrays that broadcast to `shape`; with derivatives in both. The numbers are those of `jax.random.uniform`.

    >>> import tracejit as tj
    >>> tj.random.uniform(tj.random.key(0), (2,))
    array([0.41845711, 0.21629545])
    """
    return continuous(between, "uniform", key, shape, dtype, minval, maxval)


# -- integers
def randint(key: Any, shape: Any = (), minval: Any = 0, maxval: Any = 2, dtype: Any = np.int64) -> Any:
    """Integers from minval to maxval - 1, arrays that broadcast to `shape`; minval where the range is empty.

    The bias is below 2^-64 times the length of the range: 64 bits are scaled by a product of 128 bits (Lemire 2019), without rejection.

    >>> import tracejit as tj
    >>> tj.random.randint(tj.random.key(0), (5,), 0, 10)
    array([4, 2, 9, 5, 5])
    """
    dtype = integral(dtype, "randint")
    info = np.iinfo(dtype)
    low, high = (_bound(x, info) for x in (minval, maxval))
    key, shape = as_key(key, "randint"), fitting("randint", shape, type_of(low).shape, type_of(high).shape)
    beyond = isinstance(maxval, int) and maxval == info.max + 1
    if beyond and info.bits == 64 and isinstance(minval, int) and minval == info.min:
        return draw(_any_integer, key, (), shape, dtype)
    with np.errstate(over="ignore"):
        count = high - low
    if not beyond:
        ordered = (low, high) if info.min == 0 else (convert(low, dtype=INT), convert(high, dtype=INT))
        count = select(less(*ordered), count, WORD.type(0))
    return draw(_integers, key, (low, count), shape, dtype)


def _bound(x: Any, info: np.iinfo) -> Any:
    """A bound in 64 bits, which wrap as the dtype's do: one past its greatest number is a bound, too."""
    if isinstance(x, int):
        if not info.min <= x <= info.max + 1:
            raise ValueError(at_user_line(f"randint: the bound {x} is out of the range of {info.dtype}"))
        return WORD.type(x & ((1 << 64) - 1))
    x = as_array(x)
    if type_of(x).dtype.kind not in "biu":
        raise TypeError(at_user_line(f"randint: minval and maxval are integers, got {type_of(x)}"))
    return convert(x, dtype=WORD)


def _integers(key, low, count, *, shape, dtype):
    return convert(below(key, count, shape) + low, dtype=dtype)


def _any_integer(key, *, shape, dtype):
    return convert(words(key, shape), dtype=dtype)


def below(key: Any, n: Any, shape: tuple[int, ...]) -> Any:
    """Integers from 0 to n - 1 as uint64; 0 where n is 0. The high word of the product of n and 64 random bits."""
    return high_product(words(key, shape), n)


def high_product(a: Any, b: Any) -> Any:
    """The high 64 bits of the product of two uint64, from the four products of their halves."""
    half, low = WORD.type(32), WORD.type(0xFFFFFFFF)
    a0, a1, b0, b1 = a & low, a >> half, b & low, b >> half
    middle = a1 * b0 + ((a0 * b0) >> half)
    return a1 * b1 + (middle >> half) + (((middle & low) + a0 * b1) >> half)


# -- two values
def bernoulli(key: Any, p: Any = 0.5, shape: Any = None) -> Any:
    """True with probability `p`, an array that broadcasts to `shape`; bool.

    >>> import tracejit as tj
    >>> tj.random.bernoulli(tj.random.key(0), 0.3, (4,))
    array([False,  True, False, False])
    """
    (p,), shape = parameters("bernoulli", FLOAT, shape, p)
    return draw(_bernoulli, as_key(key, "bernoulli"), (p,), shape, np.dtype(bool))


def _bernoulli(key, p, *, shape, dtype):
    return less(unit(key, shape, FLOAT), p)


def rademacher(key: Any, shape: Any = (), dtype: Any = np.int64) -> Any:
    """-1 or 1, each with probability 1/2, of an integer or floating dtype.

    >>> import tracejit as tj
    >>> tj.random.rademacher(tj.random.key(0), (4,))
    array([-1, -1,  1,  1])
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "if":
        raise TypeError(at_user_line(f"rademacher: dtype is a signed integer or floating one, got {dtype}"))
    return draw(rademacher_body, as_key(key, "rademacher"), (), fitting("rademacher", shape), dtype)


def rademacher_body(key, *, shape, dtype):
    return select(less(unit(key, shape, FLOAT), np.float64(0.5)), dtype.type(-1), dtype.type(1))


def spread(x: Any, shape: tuple[int, ...]) -> Any:
    """A parameter in the shape of the draw."""
    return x if type_of(x).shape == shape else broadcast_to(x, shape=shape)


__all__ = ["bernoulli", "rademacher", "randint", "uniform"]
