"""Fourier transforms by the pocketfft that NumPy carries, called from native code.

`numpy.fft` computes with ufuncs, and a ufunc is a public C structure (numpy/ufuncobject.h) that points to a C loop for each dtype:

    void loop(char **args, const npy_intp *dimensions, const npy_intp *steps, void *data)

Here these loops have the signature (n),()->(m): samples, scale, result.  `dimensions` are how many transforms, n and m; `steps` the bytes from one
transform to the next for the three arguments, then from one sample to the next.  Samples may be strided and the result may be the samples.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from ...ir import ArrayType, Node
from .complex import part_dtype
from .counting import each
from .emit import Emitter, Function, Value

_KINDS = {np.dtype(np.float64): "double", np.dtype(np.float32): "float"}
_LOOPS = {"fft": "Dd->D", "ifft": "Dd->D", "rfft_n_even": "dd->D", "rfft_n_odd": "dd->D", "irfft": "Dd->d"}
_SINGLE = str.maketrans("Dd", "Ff")


class _UFunc(ctypes.Structure):
    """The first fields of a PyUFuncObject, behind those that every object has."""

    _fields_ = [
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
    ]


def ufunc_loop(ufunc: object, types: str) -> tuple[int, int] | None:
    """The addresses of a ufunc's C loop for these types (`dd->d`) and of the loop's data, 0 where it needs none; None where there is no such loop."""
    if not isinstance(ufunc, np.ufunc) or types not in ufunc.types:
        return None
    place, head = ufunc.types.index(types), _UFunc.from_address(id(ufunc) + object.__basicsize__)
    if (head.nin, head.nout, head.nargs) != (ufunc.nin, ufunc.nout, ufunc.nargs):
        return None
    return head.functions[place], (head.data[place] or 0) if head.data else 0


@cache
def symbols() -> dict[str, int]:
    """Addresses of the loops (`fft_double`, ...) and of their data (`fft_double_data`); none where this NumPy has other ones."""
    try:
        from numpy.fft import _pocketfft_umath as ufuncs
    except ImportError:
        return {}
    found = {}
    for name, loop in _LOOPS.items():
        for kind, types in (("double", loop), ("float", loop.translate(_SINGLE))):
            addresses = ufunc_loop(getattr(ufuncs, name, None), types)
            if addresses is None:
                return {}
            found[f"{name}_{kind}"] = addresses[0]
            if addresses[1]:
                found[f"{name}_{kind}_data"] = addresses[1]
    return found


def has_routine(node: Node) -> bool:
    """Whether there is a loop for the node, and something to transform."""
    x, out = node.inputs[0].type, node.outputs[0].type
    real_to_complex = x.dtype.kind == "f" and node.params["kind"] != "rfft"
    return bool(symbols()) and not real_to_complex and x.size > 0 and out.size > 0


def work(node: Node) -> list[ArrayType]:
    """No work arrays: pocketfft has its own."""
    return []


def write(f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]) -> Value:
    """Transform the samples at `operands` into `results`, axis after axis; those after the first in place. Returns the status, always 0."""
    x, out, axes = node.inputs[0].type, node.outputs[0].type, node.params["axes"]
    (at,), (to,) = operands, results
    for axis in reversed(axes):
        _write_axis(f, node, at, x, to, out, axis)
        at, x = to, out
    return Emitter(f, 1).const("i64", 0)


def _write_axis(f: Function, node: Node, at: Value, x: ArrayType, to: Value, out: ArrayType, axis: int) -> None:
    """One call for the last or the first axis; for an axis inside, one for each index in front of it."""
    outside, inside = math.prod(out.shape[:axis]), math.prod(out.shape[axis + 1 :])
    n, m = x.shape[axis], out.shape[axis]
    steps = [inside * x.dtype.itemsize, inside * out.dtype.itemsize]   # from sample to sample
    if inside == 1:
        _call(f, node, at, to, (outside, n, m), (n * x.dtype.itemsize, 0, m * out.dtype.itemsize, *steps), axis)
        return
    e = Emitter(f, 1)
    turn = lambda i: _call(
        f,
        node,
        e.gep(at, "i8", e.imul(i, e.const("i64", n * steps[0]))),
        e.gep(to, "i8", e.imul(i, e.const("i64", m * steps[1]))),
        (inside, n, m),
        (x.dtype.itemsize, 0, out.dtype.itemsize, *steps),
        axis,
    )
    each(f, outside, turn)


def _call(f: Function, node: Node, at: Value, to: Value, dimensions: tuple[int, ...], steps: tuple[int, ...], axis: int) -> None:
    e = Emitter(f, 1)
    kind, part = node.params["kind"], part_dtype(node.outputs[0].type.dtype)
    length = node.params["length"] if axis == node.params["axes"][-1] else dimensions[1]
    loop = f"rfft_n_{'odd' if length % 2 else 'even'}" if kind == "rfft" else kind
    name = f"{loop}_{_KINDS[part]}"
    data = Value("null", "ptr")
    if f"{name}_data" in symbols():
        f.module.declare(f"{name}_data", "void", [])   # only its address is used
        data = Value(f"@{name}_data", "ptr")
    scale = f.module.table(_KINDS[part], (_scale(kind, node.params["norm"], length, part),))
    args = f.alloca("ptr", 3)
    for place, pointer in enumerate((at, scale, to)):
        e.store(pointer, e.gep(args, "ptr", e.const("i64", place)), 8)
    f.call(name, "void", [args, f.module.table("i64", dimensions), f.module.table("i64", steps), data])


def _scale(kind: str, norm: str, n: int, part: np.dtype) -> float:
    """What NumPy multiplies with, rounded as there."""
    scaled_by_all = norm == ("backward" if kind.startswith("i") else "forward")
    factor = np.reciprocal(np.sqrt(n, dtype=part)) if norm == "ortho" else np.reciprocal(n, dtype=part) if scaled_by_all else 1.0
    return float(factor)
