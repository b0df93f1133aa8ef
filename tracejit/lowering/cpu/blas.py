"""Matrix products by the BLAS that is in the process already.

NumPy's wheels carry OpenBLAS with 64-bit integers and the prefix `scipy_`; its functions are taken from the library that NumPy has loaded (1 ms).
Where NumPy was built otherwise, SciPy's `cython_blas` gives the addresses (importing `scipy.linalg` takes 150 ms).
"""

from __future__ import annotations

import ctypes
import glob
import os
from functools import cache
from typing import NamedTuple

import numpy as np

from .emit import Emitter, Function, Value

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112
# What is multiplied, by dtype, and the letter of its routines.
KINDS = {
    np.dtype(np.float64): "double",
    np.dtype(np.float32): "float",
    np.dtype(np.complex128): "complex_double",
    np.dtype(np.complex64): "complex_float",
}
LETTERS = {"double": "d", "float": "s", "complex_double": "z", "complex_float": "c"}


class Blas(NamedTuple):
    """Addresses by name (`gemm_double`, ...); `cblas`: C calling convention and row-major order, else Fortran's; `integer`: its integers' kind;
    `has_limit`: `blas_get_threads` and `blas_set_threads` say how many threads it may use."""

    symbols: dict[str, int]
    cblas: bool
    integer: str
    has_limit: bool


@cache
def find() -> Blas:
    """The BLAS to call."""
    found = _numpy_openblas()
    if found is not None:
        return found
    from scipy.linalg import cython_blas

    capsules = {
        f"{routine}_{kind}": cython_blas.__pyx_capi__[letter + routine]
        for routine in ("gemm", "gemv")
        for kind, letter in LETTERS.items()
    }
    return Blas({name: capsule_pointer(c) for name, c in capsules.items()}, False, "i32", False)


def capsule_pointer(capsule) -> int:
    """The address that a module of Cython exports in a capsule."""
    name_of, pointer_of = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return pointer_of(capsule, name_of(capsule))


def numpy_openblas() -> ctypes.CDLL | None:
    """The OpenBLAS with 64-bit integers that NumPy has loaded, if it has one."""
    folder = os.path.join(os.path.dirname(os.path.dirname(np.__file__)), "numpy.libs")
    found = sorted(glob.glob(os.path.join(folder, "libscipy_openblas64_*")))
    return ctypes.CDLL(found[0]) if found else None  # loaded already: this finds it


def _numpy_openblas() -> Blas | None:
    library = numpy_openblas()
    if library is not None:
        names = {
            f"{routine}_{kind}": f"scipy_cblas_{letter}{routine}64_"
            for routine in ("gemm", "gemv")
            for kind, letter in LETTERS.items()
        }
        limit = {f"blas_{verb}_threads": f"scipy_openblas_{verb}_num_threads64_" for verb in ("get", "set")}
        address = lambda name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        if all(hasattr(library, name) for name in (*names.values(), *limit.values())):
            return Blas({key: address(name) for key, name in (names | limit).items()}, True, "i64", True)
    return None


class Matrix(NamedTuple):
    """A matrix in memory; `transposed`: lines of memory are its columns. `line` is the distance between lines, in elements."""

    pointer: Value
    line: int
    transposed: bool


def matrix(pointer: Value, shape: tuple[int, int], strides: tuple[int, int]) -> Matrix:
    """A strided matrix that `partition.is_matrix` accepts."""
    (m, n), (row, column) = shape, strides
    if (column == 1 or n == 1) and (row >= max(n, 1) or m == 1):
        return Matrix(pointer, max(row if m > 1 else n, n, 1), False)
    return Matrix(pointer, max(column if n > 1 else m, m, 1), True)


def _factor(f: Function, kind: str, value: float, by_value: bool) -> Value:
    """A scalar argument; complex ones always go by address."""
    *is_complex, part = kind.split("_")
    if is_complex or not by_value:
        return f.module.table(part, (value, 0.0) if is_complex else (value,))
    return Emitter(f, 1).const(part, value)


def product(f: Function, kind: str, m: int, n: int, k: int, a: Matrix, b: Matrix, out: Value, line: int) -> None:
    """Write out = a @ b, where out is m by n in C order, with `line` elements from row to row."""
    if n == 1 or m == 1:
        _vector_product(f, kind, (m, k) if n == 1 else (k, n), a if n == 1 else b, b if n == 1 else a, n == 1, out, line if n == 1 else 1)
        return
    blas, e = find(), Emitter(f, 1)
    one, zero = (_factor(f, kind, value, blas.cblas) for value in (1.0, 0.0))
    if blas.cblas:
        size = lambda v: e.const(blas.integer, v)
        flag = lambda x: e.const("i32", TRANSPOSED if x.transposed else PLAIN)
        f.call(
            f"gemm_{kind}",
            "void",
            [
                e.const("i32", ROW_MAJOR),
                flag(a),
                flag(b),
                size(m),
                size(n),
                size(k),
                one,
                a.pointer,
                size(a.line),
                b.pointer,
                size(b.line),
                zero,
                out,
                size(line),
            ],
        )
        return
    # Fortran's order is by columns: the transposed product b.T @ a.T has the same memory. Everything goes by address.
    flag = lambda x: f.module.table("i8", b"T" if x.transposed else b"N")
    size = lambda v: f.module.table(blas.integer, (v,))
    f.call(
        f"gemm_{kind}",
        "void",
        [flag(b), flag(a), size(n), size(m), size(k), one, b.pointer, size(b.line), a.pointer, size(a.line), zero, out, size(line)],
    )


def _vector_product(f: Function, kind: str, shape: tuple[int, int], a: Matrix, x: Matrix, plain: bool, out: Value, out_step: int) -> None:
    """out = a @ x (plain) or a.T @ x for a matrix of `shape` and a vector; elements of `out` are `out_step` apart."""
    blas, e = find(), Emitter(f, 1)
    one, zero = (_factor(f, kind, value, blas.cblas) for value in (1.0, 0.0))
    # As lines in memory: a transposed matrix is the plain one of the other shape.
    rows, columns = shape[::-1] if a.transposed else shape
    turned = plain == a.transposed
    step = (
        x.line if (plain and not x.transposed) or (not plain and x.transposed) else 1
    )  # a column of a C-ordered matrix, or a row of a transposed one
    if blas.cblas:
        size = lambda v: e.const(blas.integer, v)
        how = [e.const("i32", ROW_MAJOR), e.const("i32", TRANSPOSED if turned else PLAIN), size(rows), size(columns)]
    else:
        size = lambda v: f.module.table(blas.integer, (v,))
        how = [f.module.table("i8", b"N" if turned else b"T"), size(columns), size(rows)]
    f.call(f"gemv_{kind}", "void", [*how, one, a.pointer, size(a.line), x.pointer, size(step), zero, out, size(out_step)])
