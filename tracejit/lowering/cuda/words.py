"""The vocabulary of kernels (device_functions.py) as LLVM IR: for each word, how a thread computes it from typed values."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..cpu import scalar
from ..cpu.emit import Value
from .thread import DeviceThread

BOOL = np.dtype(bool)
INT32 = np.dtype(np.int32)
TYPES = {
    name: np.dtype(name)
    for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
} | {"boolean": BOOL}


class Typed(NamedTuple):
    """A value with its dtype, which says whether the bits of an integer have a sign."""

    value: Value
    dtype: np.dtype


def typed(e: DeviceThread, x: Typed | bool | int | float, dtype: np.dtype | None = None) -> Typed:
    """x as a value of a dtype; without one, as it is, numbers in Python's widths."""
    if isinstance(x, Typed):
        return x if dtype is None or dtype == x.dtype else Typed(scalar.convert(e, x.value, x.dtype, dtype), dtype)
    if dtype is None:
        dtype = np.dtype(type(x))
    if dtype.kind in "iu" and isinstance(x, int):
        width = 8 * dtype.itemsize
        x = (int(x) + (1 << width - 1)) % (1 << width) - (1 << width - 1)
    return Typed(scalar.constant(e, dtype, dtype.type(x) if dtype.kind == "b" else x), dtype)


def same(e: DeviceThread, *args: Typed | bool | int | float) -> list[Typed]:
    """Arguments in the type that NumPy computes them in, where plain numbers take that of the others."""
    dtypes = [a.dtype for a in args if isinstance(a, Typed)]
    dtype = np.result_type(*dtypes) if dtypes else np.result_type(*map(type, args))
    if any(d.kind in "iu" for d in dtypes) and dtype.kind not in "iu":
        raise TypeError(f"the types {', '.join(d.name for d in dtypes)} meet: say which one is meant")
    return [typed(e, a, dtype) for a in args]


def _function(name: str) -> Callable:
    def write(e, *args):
        args = same(e, *args)
        return Typed(scalar.apply(e, name, args[0].dtype, *[a.value for a in args]), args[0].dtype)

    return write


def _method(name: str) -> Callable:
    """A method of the emitter, of arguments of one type."""

    def write(e, *args):
        args = same(e, *args)
        return Typed(getattr(e, name)(*[a.value for a in args]), args[0].dtype)

    return write


def _signless(name: str) -> Callable:
    """An integer operation in the type of the first argument."""

    def write(e, a, b):
        a = typed(e, a, None if isinstance(a, Typed) else b.dtype)
        return Typed(getattr(e, name)(a.value, typed(e, b, a.dtype).value), a.dtype)

    return write


def _compare(predicate: str) -> Callable:
    def write(e, a, b):
        a = typed(e, a, None if isinstance(a, Typed) else b.dtype)
        return Typed(e.icmp(predicate, a.value, typed(e, b, a.dtype).value), BOOL)

    return write


def _bits(target: str) -> Callable:
    dtype = np.dtype(target)

    def write(e, x):
        x = typed(e, x, np.dtype(("f" if dtype.kind == "i" else "i") + target[1:]))
        return Typed(e.bitcast(x.value, scalar.kind_of(dtype)), dtype)

    return write


def _fshl(e, a, b, n):
    return Typed(e.intrinsic("fshl", *[typed(e, x, INT32).value for x in (a, b, n)]), INT32)


def _select(e, condition, a, b):
    a, b = same(e, a, b)
    return Typed(e.select(typed(e, condition, BOOL).value, a.value, b.value), a.dtype)


def _shuffle(mode: str) -> Callable:
    def write(e, x, offset, exchange):
        return Typed(e.shuffle_lanes(mode, x.value, typed(e, offset, INT32).value, exchange), x.dtype)

    return write


def _cast(dtype: np.dtype) -> Callable:
    return lambda e, x: typed(e, x, dtype)


_ELEMENTARY = {
    **{name: name for name in "exp exp2 expm1 log log1p log2 log10 sin cos tan sinh cosh tanh erf erfc cbrt gammaln".split()},
    **{name: name.replace("a", "arc", 1) for name in "asin acos atan asinh acosh atanh".split()},
}

WORDS: dict[str, Callable] = {
    **{name: _cast(dtype) for name, dtype in TYPES.items()},
    "bits_f16": _bits("i2"),
    "bits_f32": _bits("i4"),
    "bits_f64": _bits("i8"),
    "float_i16": _bits("f2"),
    "float_i32": _bits("f4"),
    "float_i64": _bits("f8"),
    **{word: _function(name) for word, name in _ELEMENTARY.items()},
    **{name: _method(name) for name in "sqrt floor ceil rint fabs fma copysign maxnum minnum sdiv srem udiv urem smax smin umax umin".split()},
    "trunc": _method("ftrunc"),
    "fmod": _method("frem"),
    "divide": _method("fdiv"),
    "atan2": _function("arctan2"),
    "hypot": _function("hypot"),
    "power": _function("power"),
    **{name: _signless(name) for name in "shl lshr ashr".split()},
    **{name: _compare(name) for name in "ult ule ugt uge".split()},
    "fshl": _fshl,
    "select": _select,
    "shuffle_down": _shuffle("down"),
    "shuffle_xor": _shuffle("bfly"),
}

ATOMIC = {f"atomic_{name}": name for name in ("add", "mul", "min", "max", "and", "or")}

__all__ = ["ATOMIC", "BOOL", "INT32", "TYPES", "WORDS", "Typed", "same", "typed"]
