"""The block function of `ops/random_bits.py` as instructions: 20 rounds of an addition, a rotation and an exclusive or on 32-bit words.

Rotations are funnel shifts, one instruction with AVX-512.  What depends on the key alone stays scalar, and LLVM computes it in front of the loop.
"""

from __future__ import annotations

import numpy as np

from ...ops.random_bits import GROUPS, PARITY, ROTATIONS
from .emit import Emitter, Value


def _halves(e: Emitter, x: Value) -> tuple[Value, Value]:
    e = e if x.lanes > 1 else Emitter(e.function, 1)
    return e.trunc(e.lshr(x, e.const("i64", 32)), "i32"), e.trunc(x, "i32")


def random_bits(e: Emitter, dtype: np.dtype, key: Value, counter: Value) -> Value:
    """64 random bits for a key and a counter of 64 bits, each of which may be the same in all lanes."""
    scalar = Emitter(e.function, 1)
    of_key = e if key.lanes > 1 else scalar
    k0, k1 = _halves(e, key)
    keys = k0, k1, of_key.xor(of_key.xor(k0, k1), of_key.const("i32", PARITY))
    x0, x1 = _halves(e, counter)
    x0, x1 = e.iadd(x0, k0), e.iadd(x1, k1)
    for group in range(1, GROUPS + 1):
        for r in ROTATIONS[(group - 1) % 2]:
            x0 = e.iadd(x0, x1)
            x1 = e.xor(e.intrinsic("fshl", x1, x1, e.const("i32", r)), x0)
        x0 = e.iadd(x0, keys[group % 3])
        x1 = e.iadd(x1, of_key.iadd(keys[(group + 1) % 3], of_key.const("i32", group)))
    return e.or_(e.shl(e.zext(x0, "i64"), e.const("i64", 32)), e.zext(x1, "i64"))
