"""The block function of `ops/random_bits.py` as instructions: 20 rounds of an addition, a rotation and an exclusive or on 32-bit words.

Rotations are funnel shifts, one instruction with AVX-512.  What depends on the key alone stays scalar, and LLVM computes it in front of the loop.

Scalar blocks, of which keys are made, are calls to one function: LLVM follows sums through a loop (scalar evolution), and two blocks in a row, where
each word is used twice in every round, take it 8 s.
"""

from __future__ import annotations

import numpy as np

from ...ops.random_bits import GROUPS, PARITY, ROTATIONS
from .emit import Emitter, Function, Value

SCALAR = "threefry2x32"


def random_bits(e: Emitter, dtype: np.dtype, key: Value, counter: Value) -> Value:
    """64 random bits for a key and a counter of 64 bits, each of which may be the same in all lanes."""
    if e.lanes > 1:
        return block(e, key, counter)
    module = e.function.module
    if SCALAR not in module.shared:
        f = Function(module, SCALAR, [("i64", "key"), ("i64", "counter")], "i64", attributes="noinline", linkage="internal")
        module.shared[SCALAR] = f
        f.ret(block(Emitter(f, 1), f.parameter("key"), f.parameter("counter")))
    return e.function.let("i64", 1, f"call i64 @{SCALAR}({key.typed}, {counter.typed})")


def block(e: Emitter, key: Value, counter: Value) -> Value:
    """The instructions of one block."""
    of_key = e if key.lanes > 1 else e.single()
    k0, k1 = _halves(of_key, key)
    keys = k0, k1, of_key.xor(of_key.xor(k0, k1), of_key.const("i32", PARITY))
    x0, x1 = _halves(e if counter.lanes > 1 else e.single(), counter)
    x0, x1 = e.iadd(x0, k0), e.iadd(x1, k1)
    for group in range(1, GROUPS + 1):
        for r in ROTATIONS[(group - 1) % 2]:
            x0 = e.iadd(x0, x1)
            x1 = e.xor(e.intrinsic("fshl", x1, x1, e.const("i32", r)), x0)
        x0 = e.iadd(x0, keys[group % 3])
        x1 = e.iadd(x1, of_key.iadd(keys[(group + 1) % 3], of_key.const("i32", group)))
    return e.or_(e.shl(e.zext(x0, "i64"), e.const("i64", 32)), e.zext(x1, "i64"))


def _halves(e: Emitter, x: Value) -> tuple[Value, Value]:
    return e.trunc(e.lshr(x, e.const("i64", 32)), "i32"), e.trunc(x, "i32")
