"""The words that the source of a kernel is written in.

    exec(source, words := namespace())  # for Numba's simulator

The source of a kernel is a Python function whose globals are these words, and nothing else.  There are two versions of each: how it is written as
LLVM IR for a device (words.py), and a function of NumPy scalars for Numba's simulator (simulated.py).  Both mean the same thing:

- `cuda` is `numba.cuda`, of which kernels use `threadIdx`, `blockIdx`, `blockDim`, `gridDim`, `grid`, `gridsize`, `syncthreads`, `syncwarp`, and
  `shared.array` and `local.array` of a constant size.
- Casts: `float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 boolean`.  Integers wrap, floats are truncated towards zero.
  They are also the dtypes of `cuda.shared.array` and `cuda.local.array`.
- The same bits as another type: `bits_f16 bits_f32 bits_f64` (to the signed integer of the width) and `float_i16 float_i32 float_i64` (back).
- Functions of one float32 or float64 with the type of the argument: `exp exp2 expm1 log log1p log2 log10 sin cos tan asin acos atan sinh cosh tanh
  asinh acosh atanh erf erfc cbrt gammaln sqrt floor ceil trunc rint fabs`; of two: `atan2 hypot power fmod copysign maxnum minnum` (maxnum and
  minnum drop a NaN); of three: `fma`.  As in C: bad arguments give NaN, never an exception.
- `divide(a, b)` of two floats of any one type; by zero it gives what IEEE says.
- Integers of one type, signed or not, where the name decides what the bits mean: `sdiv srem udiv urem` (towards zero; the caller keeps zero
  divisors and the most negative number by -1 away), `shl lshr ashr` (by less than the width), `ult ule ugt uge`, `smax smin umax umin`, and
  `fshl(a, b, n)`: the high half of the 64 bits of a and b, of 32 each, shifted left by n < 32.
- `select(condition, a, b)`, where both are known already: an instruction, not a branch.
- `shuffle_down(x, delta, exchange)`, `shuffle_xor(x, mask, exchange)`: the x of the lane `delta` further on (of the thread itself where the warp
  ends), or of the lane whose number differs in the bits of `mask`.  All threads of the block take part.  The simulator has no warps, and passes
  the values through `exchange`, a shared array with an element for each thread.
- `atomic_add atomic_mul atomic_min atomic_max atomic_and atomic_or(buffer, index, value)`, where `has_atomic` says so.  A NaN wins against any
  number.
- `load_vector(buffer, index, n)`, a tuple of n neighbouring elements, and `store_vector(buffer, index, ...)`: one access of up to 16 bytes, whose
  address is a multiple of its size.

Buffers are arrays of one dimension; `b[i]` neither checks nor wraps the index.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ATOMIC", "SIMULATED_WARP", "WARP", "has_atomic", "namespace"]

WARP = 32
SIMULATED_WARP = 4  # a simulated thread is a thread of the interpreter: few of them, and still enough for every step of a reduction
ATOMIC = ("add", "mul", "min", "max", "and", "or")


def namespace() -> dict[str, Any]:
    """A new dictionary of the words, as the simulator understands them.

    >>> words = namespace()
    >>> words["int32"](2**31), words["ult"](words["int32"](1), words["int32"](-1))
    (np.int32(-2147483648), True)
    """
    from .simulated import NAMES

    return dict(NAMES)


def has_atomic(dtype: np.dtype, combine: str) -> bool:
    """Whether there is an `atomic_<combine>` for elements of `dtype`: on elements of 32 and 64 bits.

    >>> has_atomic(np.dtype("float32"), "max"), has_atomic(np.dtype("int8"), "add")
    (True, False)
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return combine in ("add", "mul", "min", "max") and dtype.itemsize in (4, 8)
    return combine in ATOMIC and dtype.kind in "iu" and dtype.itemsize in (4, 8)
