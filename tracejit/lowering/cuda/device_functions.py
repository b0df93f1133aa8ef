"""The words that the source of a kernel is written in.

    exec(source, names := namespace(simulated=True))

The source of a kernel is a Python function whose globals are these names, and nothing else.  There are two versions of each: for the device,
functions that numba-cuda types and prints as one or a few instructions (on_device.py), and for its simulator, functions of NumPy scalars
(simulated.py).  Both compute the same thing:

- `cuda` is `numba.cuda`.
- Casts: `float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 boolean`.  Integers wrap, floats are truncated towards zero.
  They are also the dtypes of `cuda.shared.array`.  Numba adds two int32 to an int64 and the simulator to an int32, so a kernel says `int32(a +
  b)`, which is free on the device.
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
  the values through `exchange`, a shared array with an element for each thread; `WARP` is the number of lanes.
- `atomic_add atomic_mul atomic_min atomic_max atomic_and atomic_or(buffer, index, value)`, where `has_atomic` says so.  A NaN wins against any
  number.

Buffers are `CPointer(dtype)` on the device and 1-D arrays in the simulator: `b[i]` reads and writes both, and neither checks or wraps the index.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ATOMIC", "SIMULATED_WARP", "WARP", "has_atomic", "namespace"]

WARP = 32
SIMULATED_WARP = 4  # a simulated thread is a thread of the interpreter: few of them, and still enough for every step of a reduction
ATOMIC = ("add", "mul", "min", "max", "and", "or")


def namespace(simulated: bool) -> dict[str, Any]:
    """A new dictionary of the names above.

    Raises ImportError (naming the extra to install) where the device version is asked for and numba-cuda is not installed.

    >>> names = namespace(simulated=True)
    >>> names["int32"](2**31), names["ult"](names["int32"](1), names["int32"](-1))
    (np.int32(-2147483648), True)
    """
    if simulated:
        from . import simulated as version
    else:
        from . import on_device as version
    return dict(version.NAMES)


def has_atomic(dtype: np.dtype, combine: str) -> bool:
    """Whether there is an `atomic_<combine>` for elements of `dtype`: on elements of 32 and 64 bits.

    >>> has_atomic(np.dtype("float32"), "max"), has_atomic(np.dtype("int8"), "add")
    (True, False)
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return combine in ("add", "mul", "min", "max") and dtype.itemsize in (4, 8)
    return combine in ATOMIC and dtype.kind in "iu" and dtype.itemsize in (4, 8)
