"""How native code calls LAPACK: addresses of the routines, sizes of their work arrays, and `Calls`, which writes calls and the loops around them.

The routines are those of the OpenBLAS that NumPy has loaded, or of SciPy's `cython_lapack`.  Everything goes by address.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np

from . import blas
from .counting import each
from .emit import Emitter, Function, Value

_SHARED = "potrf", "getrf", "getrs", "getri", "trsm", "gesdd", "geqrf"
_REAL, _COMPLEX = {"eigh": "syevd", "make_q": "orgqr"}, {"eigh": "heevd", "make_q": "ungqr"}
WORK, REAL_WORK, INTEGER_WORK, UNUSED = object(), object(), object(), object()  # arguments of `work_sizes`


@cache
def symbols() -> dict[str, int]:
    """Addresses by name (`potrf_double`, ...); `eigh` and `make_q` stand for routines whose names differ for complex matrices."""
    names = {f"{routine}_{kind}": letter + routine for routine in _SHARED for kind, letter in blas.LETTERS.items()}
    for kind, letter in blas.LETTERS.items():
        names |= {f"{key}_{kind}": letter + routine for key, routine in (_COMPLEX if "complex" in kind else _REAL).items()}
    library = blas.numpy_openblas()
    if library is not None and blas.find().integer == "i64":
        return {key: ctypes.cast(getattr(library, f"scipy_{name}_64_"), ctypes.c_void_p).value for key, name in names.items()}
    from scipy.linalg import cython_blas, cython_lapack

    return {key: blas.capsule_pointer((cython_blas if name.endswith("trsm") else cython_lapack).__pyx_capi__[name]) for key, name in names.items()}


def work_sizes(routine: str, dtype: np.dtype, *arguments) -> list[int]:
    """What the routine asks for when it is called with sizes of -1: the lengths of the arrays in the places of WORK, REAL_WORK and INTEGER_WORK."""
    kind = blas.KINDS[dtype]
    integer = ctypes.c_int64 if blas.find().integer == "i64" else ctypes.c_int32
    number = ctypes.c_float if kind.endswith("float") else ctypes.c_double
    given, asked = [], []
    for a in arguments:
        if isinstance(a, str):
            given.append(ctypes.c_char(a.encode()))
        elif isinstance(a, int):
            given.append(integer(a))
        else:
            given.append((integer if a is INTEGER_WORK else number * 2)())
            if a is not UNUSED:
                asked.append(given[-1])
    ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(given))(symbols()[f"{routine}_{kind}"])(*map(ctypes.addressof, given))
    return [int(a.value if isinstance(a, integer) else a[0]) for a in asked]


class Calls:
    """Writes calls for matrices of one dtype. `status` collects what they report; `lengths` are those of the work arrays."""

    def __init__(self, f: Function, dtype: np.dtype, lengths: list[int]):
        self.lengths = lengths
        self.f, self.e = f, Emitter(f, 1)
        self.kind = blas.KINDS[dtype]
        self.part = self.kind.removeprefix("complex_")
        self.parts = 2 if dtype.kind == "c" else 1
        self.bytes = dtype.itemsize // self.parts
        self.integer = blas.find().integer
        self.info, self.unreported = f.alloca(self.integer, 1), f.alloca(self.integer, 1)
        self.status = f.alloca("i64", 1)
        self.e.store(self.e.const("i64", 0), self.status, 8)

    # -- parts
    def part_of(self, pointer: Value, i: Value, size: int) -> Value:
        """The address of part `i` of an array, in parts of `size` bytes."""
        return self.e.gep(pointer, "i8", self.e.imul(i, self.e.const("i64", size)))

    def element(self, pointer: Value, i: Value) -> Value:
        return self.part_of(pointer, i, self.bytes * self.parts)

    def loop(self, count: int, body: Callable[[Value], None]) -> None:
        each(self.f, count, body)

    def copy(
        self, source: Value, target: Value, rows: int, columns: int, transposed: bool = False, lower: bool = False, line: int | None = None
    ) -> None:
        """Copy a matrix whose rows are `line` elements apart, transposed or not, all of it or with zeros above its diagonal."""
        e = self.e

        def row(i: Value) -> None:
            def column(j: Value) -> None:
                here = e.iadd(e.imul(i, e.const("i64", line or columns)), j)
                there = e.iadd(e.imul(j if transposed else i, e.const("i64", rows if transposed else columns)), i if transposed else j)
                read, write = self.element(source, here), self.element(target, there)
                for k in range(self.parts):
                    value = e.load(e.gep(read, self.part, e.const("i64", k)), self.part, self.bytes)
                    kept = e.select(e.icmp("sle", j, i), value, e.const(self.part, 0.0)) if lower else value
                    e.store(kept, e.gep(write, self.part, e.const("i64", k)), self.bytes)

            self.loop(columns, column)

        self.loop(rows, row)

    def call(self, routine: str, *arguments: Value | int | str | float) -> None:
        """Texts, integers and factors go by address of a constant; a routine that reports does so in its last argument."""
        table = self.f.module.table
        given = []
        for a in arguments:
            if isinstance(a, str):
                a = table("i8", a.encode())
            elif isinstance(a, int):
                a = table(self.integer, (a,))
            elif isinstance(a, float):
                a = table(self.part, (a, 0.0)[: self.parts])
            given.append(a)
        self.f.call(f"{routine}_{self.kind}", "void", given)
        if given[-1] is self.info:
            e = self.e
            width = 4 if self.integer == "i32" else 8
            bad = e.zext(e.icmp("ne", e.load(self.info, self.integer, width), e.const(self.integer, 0)), "i64")
            e.store(e.or_(e.load(self.status, "i64", 8), bad), self.status, 8)

    def failed(self) -> Value:
        return self.e.load(self.status, "i64", 8)
