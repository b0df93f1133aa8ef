"""One vector function as a loop over contiguous arrays: whole vectors, then one masked iteration of the same code.

This is the smallest complete kernel there is; tests and `accuracy.py` run functions through it.
"""

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np

from .. import llvm
from ..emit import Emitter, Function, Module, Value
from .registry import FUNCTIONS, arity

KINDS = {"float64": "double", "float32": "float", "float16": "half"}


def apply(name: str, *arrays: np.ndarray, lanes: int | None = None) -> np.ndarray:
    """The function `name` of FUNCTIONS over 1-d contiguous arrays of one floating dtype and size; `lanes` overrides the native width.

    >>> apply("exp", np.zeros(3))
    array([1., 1., 1.])
    """
    out = np.empty_like(arrays[0])
    kernel(name, out.dtype.name, lanes or llvm.lanes(out.itemsize))(out.size, out.ctypes.data, *(array.ctypes.data for array in arrays))
    return out


@cache
def kernel(name: str, dtype: str, lanes: int) -> Callable:
    """A C function (n, out, x, ...)."""
    library = llvm.compile_module(kernel_text(name, dtype, lanes), {}, ["kernel"])
    pointers = [ctypes.c_void_p] * (1 + arity[name])
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, *pointers)(library.address("kernel"))
    function.library = library  # keeps the code loaded
    return function


def kernel_text(name: str, dtype: str, lanes: int) -> str:
    """The module that `kernel` compiles."""
    kind, align = KINDS[dtype], np.dtype(dtype).itemsize
    inputs = [f"x{i}" for i in range(arity[name])]
    module = Module()
    function = Function(module, "kernel", [("i64", "n"), *((f"ptr noalias align {align}", label) for label in ["out", *inputs])])
    scalar, vector = Emitter(function, 1), Emitter(function, lanes)
    n = function.parameter("n")

    def at(label: str, index: Value) -> Value:
        return scalar.gep(function.parameter(label), kind, index)

    whole = scalar.and_(n, scalar.const("i64", -lanes))
    function.cbr(scalar.icmp("sgt", whole, scalar.const("i64", 0)), "loop", "rest")

    function.label("loop")
    i = function.phi("i64")
    result = FUNCTIONS[name](vector, *(vector.load(at(label, i.value), kind, align) for label in inputs))
    vector.store(result, at("out", i.value), align)
    following = scalar.iadd(i.value, scalar.const("i64", lanes))
    i.add(scalar.const("i64", 0), "entry")
    i.add(following, function.block)
    function.cbr(scalar.icmp("slt", following, whole), "loop", "rest")

    function.label("rest", dominator="entry")
    function.cbr(scalar.icmp("slt", whole, n), "tail", "done")
    function.label("tail", dominator="rest")
    mask = vector.icmp("slt", vector.iota("i64"), vector.splat(scalar.isub(n, whole)))
    one = vector.const(kind, 1.0)
    result = FUNCTIONS[name](vector, *(vector.masked_load(at(label, whole), kind, align, mask, one) for label in inputs))
    vector.masked_store(result, at("out", whole), align, mask)
    function.br("done")
    function.label("done")
    function.ret()
    return module.text()
