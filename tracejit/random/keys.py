"""Keys: what a draw is a function of. A key is 64 bits in a uint64 scalar or array; equal keys give equal numbers.

Keys are never changed and never used up by themselves, so each must be used for one draw only: `split` makes new ones.  The bits are those of
`jax.random` with its default generator: `key_data` and `wrap_key_data` translate.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import residence
from ..errors import at_user_line
from ..ops.elementwise import convert
from ..ops.movement import reshape
from ..ops.random_bits import WORD, counters, random_bits
from ..trace import Tracer, type_of
from ..trace.constants import constant, is_constant, plain

_MASK = (1 << 64) - 1
_DTYPES = {np.dtype(d): np.dtype(d).itemsize for d in (np.uint8, np.uint16, np.uint32, np.uint64)}


def key(seed: Any) -> Any:
    """The key of a seed: any integer, which may be traced; integers count modulo 2^64. Raises `TypeError` for anything else.

    >>> import tracejit as tj
    >>> tj.random.key(0)
    np.uint64(0)
    """
    if type(seed) is Tracer:
        if seed.dtype.kind not in "iu" or seed.shape:
            raise TypeError(at_user_line(f"a seed is one integer, got {seed.type}"))
        return convert(seed, dtype=WORD)
    try:
        return WORD.type(operator.index(seed) & _MASK)
    except TypeError:
        raise TypeError(at_user_line(f"a seed is one integer, got {type(seed).__name__}")) from None


def as_key(x: Any, what: str) -> Any:
    """One key, as it came. Raises `TypeError` for anything else."""
    x = plain(x) if is_constant(x) else x
    if (residence.is_array(x) or isinstance(x, (Tracer, np.generic))) and x.dtype == WORD:
        if x.shape == ():
            return x if type(x) is Tracer else x[()]
        raise TypeError(at_user_line(f"{what} takes one key, got an array of keys of shape {x.shape}: map over it with `tracejit.vmap`, or index it"))
    given = f"{type_of(x)}" if (residence.is_array(x) or isinstance(x, (Tracer, np.generic))) else type(x).__name__
    raise TypeError(at_user_line(f"{what} takes a key first, got {given}: make one with `tracejit.random.key(seed)`"))


def as_shape(shape: Any, what: str) -> tuple[int, ...]:
    """A shape given as an integer or a sequence of integers."""
    try:
        sizes = (operator.index(shape),) if not isinstance(shape, Sequence) else tuple(map(operator.index, shape))
    except TypeError:
        raise TypeError(at_user_line(f"{what}: a shape is an integer or a tuple of integers that are known while tracing, got {shape!r}")) from None
    if any(n < 0 for n in sizes):
        raise ValueError(at_user_line(f"{what}: negative dimensions are not allowed, got shape {sizes}"))
    return sizes


def words(key: Any, shape: tuple[int, ...]) -> Any:
    """64 random bits for each element of an array of this shape."""
    if not shape:
        return random_bits(key, WORD.type(0))
    return reshape(random_bits(key, counters(key, math.prod(shape))), shape=shape)


def narrow_words(key: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Random bits of an unsigned dtype: the exclusive or of the two halves of a word, cut to size."""
    found = words(key, shape)
    if dtype == WORD:
        return found
    return convert(found ^ (found >> WORD.type(32)), dtype=dtype)


def split(key: Any, num: int | tuple[int, ...] = 2) -> Any:
    """An array of new keys, of shape `num`, that are independent of each other and of what is drawn with `key` otherwise.

    >>> import tracejit as tj
    >>> a, b = tj.random.split(tj.random.key(0))
    >>> a
    np.uint64(7719171245655871230)
    """
    return constant(words(as_key(key, "split"), as_shape(num, "split")))


def fold_in(key: Any, data: Any) -> Any:
    """The key for number `data` (an integer modulo 2^64, which may be traced): for turn i of a loop, say. `split(key, n)[i]` is `fold_in(key, i)`.

    >>> import tracejit as tj
    >>> tj.random.fold_in(tj.random.key(0), 1) == tj.random.split(tj.random.key(0))[1]
    np.True_
    """
    number = data & _MASK if isinstance(data, int) else data
    if isinstance(number, int):
        number = WORD.type(number)
    elif type_of(number).dtype.kind not in "iu" or type_of(number).shape:
        raise TypeError(at_user_line(f"fold_in: data is one integer, got {type_of(number)}"))
    return random_bits(as_key(key, "fold_in"), convert(number, dtype=WORD))


def bits(key: Any, shape: Any = (), dtype: Any = np.uint32) -> Any:
    """Random bits as unsigned integers of 8, 16, 32 or 64 bits.

    >>> import tracejit as tj
    >>> tj.random.bits(tj.random.key(0), (2,))
    array([4070199207, 4202968722], dtype=uint32)
    """
    dtype = np.dtype(dtype)
    if dtype not in _DTYPES:
        raise TypeError(at_user_line(f"bits: dtype is uint8, uint16, uint32 or uint64, got {dtype}"))
    return constant(narrow_words(as_key(key, "bits"), as_shape(shape, "bits"), dtype))


def key_data(keys: Any) -> Any:
    """Keys as pairs of 32-bit words: shape (..., 2), dtype uint32, as `jax.random.key_data` gives them."""
    return np.stack([(keys >> WORD.type(32)).astype(np.uint32), keys.astype(np.uint32)], axis=-1)


def wrap_key_data(data: Any) -> Any:
    """The keys that such pairs of words stand for.

    >>> import tracejit as tj
    >>> tj.random.wrap_key_data(tj.random.key_data(tj.random.key(7)))
    np.uint64(7)
    """
    if type_of(data).dtype != np.uint32 or type_of(data).shape[-1:] != (2,):
        raise TypeError(at_user_line(f"wrap_key_data takes pairs of uint32 words along the last axis, got {type_of(data)}"))
    wide = data.astype(WORD)
    return wide[..., 0] << WORD.type(32) | wide[..., 1]


__all__ = ["bits", "fold_in", "key", "key_data", "split", "wrap_key_data"]
