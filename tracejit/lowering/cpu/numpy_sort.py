"""Sorting along the last axis by the C functions that NumPy sorts with, called from native code.

Every dtype of NumPy has a table of C functions (`PyArray_ArrFuncs`, numpy/ndarraytypes.h), which its C interface gives.  Among them are

    int sort(void *start, npy_intp n, void *array)                        in place
    int argsort(void *start, npy_intp *order, npy_intp n, void *array)    `order` holds 0 .. n-1 at first

one for each kind of sort; numbers need no `array`.  NaN comes last, and complex numbers are ordered by their real parts first, as `np.sort` does.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from ...ir import ArrayType, Node
from . import abi
from .counting import each
from .emit import Emitter, Function, Value

# In NumPy's table of C functions, from NumPy 2.0 on; and in the functions of a dtype: 21 casts and 12 others come first, then three kinds of sort.
_GET_FUNCTIONS = 365
_QUICKSORT, _STABLE_ARGSORT = 33, 38


@cache
def symbols() -> dict[str, int]:
    """The address of `sort_<dtype>`, the fastest, and of `argsort_<dtype>`, the stable one; none where this NumPy has other tables."""
    if abi.PROBLEM is not None:
        return {}
    functions = ctypes.PYFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.py_object)(abi.c_function(_GET_FUNCTIONS))
    found: dict[str, int] = {}
    for character in "?bhilBHILefdFD":
        dtype = np.dtype(character)
        table = functions(dtype)
        found |= {f"sort_{dtype.name}": table[_QUICKSORT] or 0, f"argsort_{dtype.name}": table[_STABLE_ARGSORT] or 0}
    return found if all(found.values()) and _sorts(found) else {}


def _sorts(found: dict[str, int]) -> bool:
    """Whether the functions do what is expected of them, seen on one array."""
    pointer, count = ctypes.c_void_p, ctypes.c_ssize_t
    x, order = np.array([3.0, np.nan, 1.0, 2.0]), np.arange(4)
    ctypes.PYFUNCTYPE(ctypes.c_int, pointer, pointer, count, pointer)(found["argsort_float64"])(x.ctypes.data, order.ctypes.data, 4, None)
    ctypes.PYFUNCTYPE(ctypes.c_int, pointer, count, pointer)(found["sort_float64"])(x.ctypes.data, 4, None)
    return order.tolist() == [2, 3, 0, 1] and x[:3].tolist() == [1.0, 2.0, 3.0]


def has_routine(node: Node) -> bool:
    """Whether the node sorts along the last axis, upwards, and there is something to sort."""
    x = node.inputs[0].type
    last = x.size > 0 and node.params["axis"] == len(x.shape) - 1 and not node.params.get("descending", False)
    return last and f"sort_{x.dtype.name}" in symbols()


def work(node: Node) -> list[ArrayType]:
    """No work arrays: the functions have their own."""
    return []


def write(f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]) -> Value:
    """Sort the rows at `operands` into `results`, or the positions in them. Returns the status, 0 where there was enough memory."""
    x, out = node.inputs[0].type, node.outputs[0].type
    n = x.shape[-1]
    e, (given,), (to,) = Emitter(f, 1), operands, results
    length, null = e.const("i64", n), Value("null", "ptr")
    status = f.alloca("i32", 1, 4)
    e.store(e.const("i32", 0), status, 4)
    if node.op.name == "sort":
        f.module.declare("llvm.memcpy.p0.p0.i64", "void", ["ptr", "ptr", "i64", "i1"])
        f.do(f"call void @llvm.memcpy.p0.p0.i64({to.typed}, {given.typed}, i64 {x.nbytes}, i1 false)")

    def one(row: Value) -> None:
        source, target = (e.gep(at, "i8", e.imul(row, e.const("i64", n * t.dtype.itemsize))) for at, t in ((given, x), (to, out)))
        if node.op.name == "sort":
            failed = f.call(f"sort_{x.dtype.name}", "i32", [target, length, null])
        else:
            each(f, n, lambda i: e.store(i, e.gep(target, "i64", i), 8))
            failed = f.call(f"argsort_{x.dtype.name}", "i32", [source, target, length, null])
        e.store(e.or_(e.load(status, "i32", 4), failed), status, 4)

    each(f, math.prod(x.shape[:-1]), one)
    return e.zext(e.load(status, "i32", 4), "i64")
