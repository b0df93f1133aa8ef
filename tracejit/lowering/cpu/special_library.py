"""Special functions that have no vector form here: SciPy's own compiled code, called lane by lane without Python.

`scipy.special.cython_special` publishes the C functions behind SciPy's ufuncs.  `FUNCTIONS` has the entries for `scalar.py`, computed in double; what
they import is resolved by `symbols` when a module that names them is loaded (importing `cython_special` takes 5 ms after `scipy.special`).
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable

import numpy as np

from .emit import Emitter, Value, lane_loop

PREFIX = "scipy_special_"
ARITY = {
    **dict.fromkeys(("y0", "y1", "k0", "k1", "k0e", "k1e", "erfi", "dawsn", "expi", "exp1"), 1),
    **dict.fromkeys(("beta", "betaln", "binom", "poch", "gammainc", "gammaincc", "gammaincinv", "gammainccinv", "stdtr", "stdtrit"), 2),
    **dict.fromkeys(("jv", "iv", "ive", "yv", "kv", "kve"), 2),
    **dict.fromkeys(("betainc", "betaincc", "betaincinv", "betainccinv"), 3),
}


def _caller(name: str) -> Callable[..., Value]:
    def emit(e: Emitter, dtype: np.dtype, *args: Value) -> Value:
        kind = args[0].kind
        wide = [e.splat(e.fpext(a, "double")) for a in args]
        skip_dispatch = Value("0", "i32")  # the last argument of every function that Cython exports so
        if e.lanes == 1:
            result = e.function.call(PREFIX + name, "double", [*wide, skip_dispatch], pure=True)
        else:
            callee = lane_loop(e.function.module, PREFIX + name, "double", e.lanes, len(wide), (skip_dispatch,))
            vector = wide[0].type
            result = e.function.let("double", e.lanes, f"call {vector} @{callee}({', '.join(a.typed for a in wide)})")
        return e.fptrunc(result, kind) if kind != "double" else result

    return emit


FUNCTIONS: dict[str, Callable[..., Value]] = {name: _caller(name) for name in ARITY}


def symbols(text: str) -> dict[str, int]:
    """The addresses of the functions that LLVM text calls.

    >>> symbols("call double @scipy_special_k0(double 1.0, i32 0)")["scipy_special_k0"] > 0
    True
    """
    names = sorted(set(re.findall(rf"@{PREFIX}(\w+)\(", text)))
    return {PREFIX + name: _address(name) for name in names}


def _address(name: str) -> int:
    """Of the variant for doubles: Cython numbers the variants of a function that has several."""
    from scipy.special import cython_special

    signature = ", ".join(["double"] * ARITY[name])
    name_of, pointer_of = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    for key in (name, f"__pyx_fuse_0{name}", f"__pyx_fuse_1{name}"):
        capsule = cython_special.__pyx_capi__.get(key)
        if capsule is not None and name_of(capsule).decode().startswith(f"double ({signature}, int"):
            return pointer_of(capsule, name_of(capsule))
    raise LookupError(f"this SciPy does not export {name} of doubles")
