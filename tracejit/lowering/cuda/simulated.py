"""The vocabulary of kernels (device_functions.py) for Numba's simulator: functions of NumPy scalars.

NumPy warns where a device says nothing (overflow, invalid values), and remembers what to warn of for each thread; a launch starts new threads.  So a
launch is made inside `quiet()`.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import operator
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.special
from numba import cuda

from .device_functions import SIMULATED_WARP


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings of floating-point exceptions and of wrapped integers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


class Cast:
    """A dtype that can be called, as Numba's types can."""

    def __init__(self, name: str):
        self.dtype = np.dtype(name)
        self._scalar = self.dtype.type
        self._mask = (1 << 8 * self.dtype.itemsize) - 1
        self._unsigned = np.dtype(f"u{self.dtype.itemsize}").type

    def __call__(self, x) -> np.generic:
        if type(x) is int and self.dtype.kind in "iu":  # NumPy refuses integers of Python that do not fit, and wraps its own
            x = self._unsigned(x & self._mask)
        return self._scalar(x)

    def __repr__(self) -> str:
        return self.dtype.name


CASTS = {
    name: Cast(name)
    for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
} | {"boolean": Cast("bool")}


def _view(source: str, target: str) -> Callable:
    source, target = np.dtype(source).type, np.dtype(target)
    return lambda x: source(x).view(target)


def _float_type(x) -> type[np.floating]:
    """The type of a float, where Python's own are doubles."""
    return np.float32 if isinstance(x, np.float32) else np.float64


def _unary(f: Callable) -> Callable:
    def function(x):
        scalar = _float_type(x)
        return scalar(f(scalar(x)))

    return function


def _binary(f: Callable) -> Callable:
    def function(a, b):
        scalar = type(a) if isinstance(a, np.floating) else np.float64
        return scalar(f(scalar(a), scalar(b)))

    return function


def _of_libm(name: str, arity: int) -> Callable:
    """A function of the C library: Python has an fma from 3.13 on, which raises where the result is infinite, and NumPy's power of one number goes
    by way of the square root, which has no value at -inf."""
    library = ctypes.PyDLL(ctypes.util.find_library("m"))
    double, single = getattr(library, name), getattr(library, f"{name}f")
    double.restype, double.argtypes = ctypes.c_double, [ctypes.c_double] * arity
    single.restype, single.argtypes = ctypes.c_float, [ctypes.c_float] * arity

    def function(*args):
        return np.float32(single(*args)) if isinstance(args[0], np.float32) else np.float64(double(*args))

    return function


def _integer(f: Callable, unsigned: bool = False) -> Callable:
    """A function of Python's integers as one of machine integers, with the type of the first; its bits are read as `unsigned` if so."""

    def function(a, b):
        scalar = type(a) if isinstance(a, np.integer) else np.int64
        mask = (1 << 8 * scalar(0).itemsize) - 1
        a, b = (int(a) & mask, int(b) & mask) if unsigned else (_signed(a, mask), _signed(b, mask))
        return CASTS[np.dtype(scalar).name](f(a, b))

    return function


def _signed(x, mask: int) -> int:
    x = int(x) & mask
    return x - mask - 1 if x > mask >> 1 else x


def _unsigned_compare(f: Callable) -> Callable:
    def function(a, b):
        mask = (1 << 8 * a.itemsize) - 1 if isinstance(a, np.integer) else (1 << 64) - 1
        return f(int(a) & mask, int(b) & mask)

    return function


def _quotient(a: int, b: int) -> int:
    """Towards zero."""
    q = abs(a) // abs(b)
    return -q if (a < 0) != (b < 0) else q


def fshl(a, b, n):
    word = (int(a) & 0xFFFFFFFF) << 32 | int(b) & 0xFFFFFFFF
    return CASTS["int32"](word << int(n) >> 32 & 0xFFFFFFFF)


def select(condition, a, b):
    return a if condition else b


# Numba's simulated threads know their place in the block, and stop at barriers.
def _lane_exchange(place: Callable[[int, int], int]) -> Callable:
    def shuffle(x, offset, exchange):
        thread = threading.current_thread()
        lane = thread.thread_id % SIMULATED_WARP
        exchange[thread.thread_id] = x
        thread.syncthreads()
        other = place(lane, int(offset))
        result = exchange[thread.thread_id - lane + other] if other < SIMULATED_WARP else x
        thread.syncthreads()
        return result

    return shuffle


_lock = threading.Lock()


def _atomic(f: Callable) -> Callable:
    def update(buffer, index, value):
        with _lock:
            buffer[index] = f(buffer[index], value)

    return update


def load_vector(buffer, index, count):
    return tuple(buffer[index + k] for k in range(count))


def store_vector(buffer, index, *values):
    for k, value in enumerate(values):
        buffer[index + k] = value


NAMES: dict[str, Any] = {
    "cuda": cuda,
    **CASTS,
    "bits_f16": _view("f2", "i2"),
    "bits_f32": _view("f4", "i4"),
    "bits_f64": _view("f8", "i8"),
    "float_i16": _view("i2", "f2"),
    "float_i32": _view("i4", "f4"),
    "float_i64": _view("i8", "f8"),
    **{name: _unary(getattr(np, name)) for name in "exp exp2 expm1 log log1p log2 log10 sin cos tan sinh cosh tanh".split()},
    **{name: _unary(getattr(np, name.replace("a", "arc", 1))) for name in "asin acos atan asinh acosh atanh".split()},
    **{name: _unary(getattr(np, name)) for name in "cbrt sqrt floor ceil trunc rint fabs".split()},
    **{name: _unary(getattr(scipy.special, name)) for name in "erf erfc gammaln".split()},
    "atan2": _binary(np.arctan2),
    "maxnum": _binary(np.fmax),
    "minnum": _binary(np.fmin),
    **{name: _binary(getattr(np, name)) for name in "hypot fmod copysign divide".split()},
    "power": _of_libm("pow", 2),
    "fma": _of_libm("fma", 3),
    "sdiv": _integer(_quotient),
    "srem": _integer(lambda a, b: a - b * _quotient(a, b)),
    "udiv": _integer(operator.floordiv, unsigned=True),
    "urem": _integer(operator.mod, unsigned=True),
    "shl": _integer(operator.lshift, unsigned=True),
    "lshr": _integer(operator.rshift, unsigned=True),
    "ashr": _integer(operator.rshift),
    "smax": _integer(max),
    "smin": _integer(min),
    "umax": _integer(max, unsigned=True),
    "umin": _integer(min, unsigned=True),
    "ult": _unsigned_compare(operator.lt),
    "ule": _unsigned_compare(operator.le),
    "ugt": _unsigned_compare(operator.gt),
    "uge": _unsigned_compare(operator.ge),
    "fshl": fshl,
    "select": select,
    "load_vector": load_vector,
    "store_vector": store_vector,
    "shuffle_down": _lane_exchange(operator.add),
    "shuffle_xor": _lane_exchange(operator.xor),
    "atomic_add": _atomic(operator.add),
    "atomic_mul": _atomic(operator.mul),
    "atomic_min": _atomic(np.minimum),
    "atomic_max": _atomic(np.maximum),
    "atomic_and": _atomic(operator.and_),
    "atomic_or": _atomic(operator.or_),
}
