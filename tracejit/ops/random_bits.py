"""`random_bits(key, counter)`: 64 random bits for each pair of a 64-bit key and a 64-bit counter, by the block function Threefry-2x32 of 20 rounds.

Nothing is stored between draws: number i of a stream is a function of (key, i).  So draws are lowered like any elementwise op, fuse into what reads
them, and are the same numbers in every tier and for any number of threads.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), and the known-answer tests of its library Random123.
The high half of key and counter is the first word, and the first word of the result is its high half, as in `jax.random`, whose bits these are.

Chosen by measurement, for 64 bits an element on AVX-512, in vectors of 8 and of 16 lanes:

    Threefry-2x32, 20 rounds    1.7  1.3 ns      Philox-4x32, 10 rounds    1.4  1.3 ns
    Threefry-2x64, 20 rounds    2.0  1.7 ns      Philox-2x32, 10 rounds    1.0  0.9 ns

Philox-2x32 has keys of 32 bits: too few to split.  Philox-4x32 would throw half of its block away, and gains nothing where vectors are wide.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType
from ..trace import Tracer
from .core import Op, define
from .elementwise_parts import batch_elementwise, broadcast_shape, lower_elementwise
from .movement import iota

WORD = np.dtype(np.uint64)
ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
PARITY = 0x1BD11BDA
GROUPS = 5  # of four rounds; the key is added after each
_FEW = 16  # so many are computed with Python integers
_BLOCK = 1 << 12  # elements computed at a time with NumPy: what the 100 passes over them touch stays in L1


def _rounds(x0, x1, k0, k1, rotate, low):
    """The block function on words of any kind; `low` drops the carry."""
    keys = k0, k1, k0 ^ k1 ^ PARITY
    x0, x1 = low(x0 + k0), low(x1 + k1)
    for group in range(1, GROUPS + 1):
        for r in ROTATIONS[(group - 1) % 2]:
            x0 = low(x0 + x1)
            x1 = rotate(x1, r) ^ x0
        x0, x1 = low(x0 + keys[group % 3]), low(x1 + keys[(group + 1) % 3] + group)
    return x0, x1


def _one_block(key: int, counter: int) -> int:
    """On Python integers: 14 us, and NumPy takes 280 us for few numbers."""
    low = lambda x: x & 0xFFFFFFFF
    x0, x1 = _rounds(counter >> 32, low(counter), key >> 32, low(key), lambda x, r: low(x << r) | x >> 32 - r, low)
    return x0 << 32 | x1


def threefry2x32(key, counter, xp=np):
    """The reference: an array of uint64 for arrays of uint64 that broadcast.

    >>> hex(threefry2x32(np.uint64(0), np.uint64(0)))
    '0x6b20015999ba4efe'
    """
    shape = np.broadcast_shapes(key.shape, counter.shape)
    if xp is np and shape == ():
        return WORD.type(_one_block(int(key), int(counter)))
    if xp is np and math.prod(shape) <= _FEW:
        pairs = zip(np.broadcast_to(key, shape).flat, np.broadcast_to(counter, shape).flat)
        return np.array([_one_block(int(k), int(c)) for k, c in pairs], WORD).reshape(shape)
    word = xp.uint32
    halves = lambda x: ((x >> WORD.type(32)).astype(word), x.astype(word))
    rotate = lambda x, r: x << word(r) | x >> word(32 - r)
    counters = xp.broadcast_to(counter, shape).reshape(-1)
    keys = xp.asarray(key).reshape(-1) if key.size == 1 else xp.broadcast_to(key, shape).reshape(-1)
    out = xp.empty(counters.shape, WORD)
    for start in range(0, out.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        x0, x1 = _rounds(*halves(counters[part]), *halves(keys if key.size == 1 else keys[part]), rotate, lambda x: x)
        out[part] = x0.astype(WORD) << WORD.type(32) | x1
    return out.reshape(shape)


def _infer(key, counter):
    if key.dtype != WORD or counter.dtype != WORD:
        raise TypeError(at_user_line(f"random bits are made of a key and a counter of dtype uint64, got {key} and {counter}"))
    return ArrayType(broadcast_shape("random_bits", key, counter), WORD)


_cell: list[Op] = []
random_bits = define(
    "random_bits",
    infer=_infer,
    run=lambda xp, key, counter: threefry2x32(key, counter, xp),
    jvp=lambda primals, out, tangents: None,
    batch=batch_elementwise(_cell),
    lower=lower_elementwise("random_bits"),
    dear=True,
    elementwise=True,
    show=lambda key, counter: f"tracejit.ops.random_bits.threefry2x32({key}, {counter})",
)
_cell.append(random_bits)


def counters(like, count: int):
    """0, 1, ... below `count` as uint64, in the trace that the key `like` belongs to: compiled code counts and reads no array."""
    params = {"shape": (count,), "axis": 0, "dtype": WORD}
    return like.owner.emit(iota, (), params) if type(like) is Tracer else iota(**params)
