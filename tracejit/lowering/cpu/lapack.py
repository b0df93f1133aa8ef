"""Factorisations and solves by the LAPACK that is in the process already: the routines of OpenBLAS that NumPy has loaded, or SciPy's `cython_lapack`.

LAPACK stores matrices by columns, so an array in C order is to it the transposed matrix; each routine below says how that comes out right.
Everything goes by address.  A routine that fails (a singular or an indefinite matrix) makes the program's status other than 0: the interpreter
then raises the error.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from ...ir import ArrayType, Node
from . import blas
from .emit import Emitter, Function, Value

_ROUTINES = "potrf", "getrf", "getrs", "getri", "trsm"
_BLOCK = 64  # columns of work for each column of an inverse: what LAPACK's blocked code asks for


@cache
def symbols() -> dict[str, int]:
    """Addresses by name (`potrf_double`, ...)."""
    names = {f"{routine}_{kind}": letter + routine for routine in _ROUTINES for kind, letter in blas.LETTERS.items()}
    library = blas.numpy_openblas()
    if library is not None and blas.find().integer == "i64":
        return {key: ctypes.cast(getattr(library, f"scipy_{name}_64_"), ctypes.c_void_p).value for key, name in names.items()}
    from scipy.linalg import cython_blas, cython_lapack

    return {key: blas.capsule_pointer((cython_blas if name.endswith("trsm") else cython_lapack).__pyx_capi__[name]) for key, name in names.items()}


def has_routine(node: Node) -> bool:
    """Whether the node's op has a routine for its dtype and parameters, and there is something to compute."""
    types = [a.type for a in (*node.inputs, *node.outputs)]
    # Of a singular matrix `inverse` may have to give NaN instead of an error.
    return types[0].dtype in blas.KINDS and all(t.size for t in types) and node.params.get("strict", True)


def work(node: Node) -> list[ArrayType]:
    """The types of the work arrays that the node's routine needs."""
    a = node.inputs[0].type
    n = a.shape[-1]
    pivots = ArrayType((n,), np.dtype(np.int64))
    if node.op.name == "solve":
        return [ArrayType((n, n), a.dtype), pivots, ArrayType(node.outputs[0].type.shape[-2:], a.dtype)]
    if node.op.name == "inverse":
        return [pivots, ArrayType((_BLOCK * n,), a.dtype)]
    return []


def write(f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]) -> Value:
    """Compute the node on the matrices at `operands` into `results`, which end with the work arrays. Returns the status, 0 if all went well."""
    dtype = node.outputs[0].type.dtype
    routine = _Routine(f, dtype)
    count = len(node.inputs)
    shapes = [a.type.shape for a in (*node.inputs, *node.outputs)]
    own, shared = list(results[: len(node.outputs)]), list(results[len(node.outputs) :])

    def one(i: Value) -> None:
        at = [routine.element(p, i, math.prod(s[-2:])) for p, s in zip((*operands, *own), shapes)]
        getattr(routine, node.op.name)(at[:count], at[count:], shared, [s[-2:] for s in shapes], **node.params)

    routine.loop(math.prod(shapes[0][:-2]), one)
    return routine.failed()


class _Routine:
    """Writes calls for matrices of one dtype. `status` collects what they report."""

    def __init__(self, f: Function, dtype: np.dtype):
        self.f, self.e = f, Emitter(f, 1)
        self.kind = blas.KINDS[dtype]
        self.part = self.kind.removeprefix("complex_")
        self.parts = 2 if dtype.kind == "c" else 1
        self.bytes = dtype.itemsize // self.parts
        self.integer = blas.find().integer
        self.info = f.alloca(self.integer, 1)
        self.status = f.alloca("i64", 1)
        self.e.store(self.e.const("i64", 0), self.status, 8)

    # -- parts
    def element(self, pointer: Value, i: Value, size: int = 1) -> Value:
        """The address of part `i` of an array, in parts of `size` elements."""
        return self.e.gep(pointer, self.part, self.e.imul(i, self.e.const("i64", size * self.parts)))

    def loop(self, count: int, body: Callable[[Value], None]) -> None:
        f, e = self.f, self.e
        if count == 1:
            body(e.const("i64", 0))
            return
        before, head, done = f.block, f.fresh_label("each"), f.fresh_label("done")
        f.br(head)
        f.label(head, dominator=before)
        i = f.phi("i64")
        i.add(e.const("i64", 0), before)
        body(i.value)
        following = e.iadd(i.value, e.const("i64", 1))
        i.add(following, f.block)
        f.cbr(e.icmp("slt", following, e.const("i64", count)), head, done)
        f.label(done, dominator=before)

    def copy(self, source: Value, target: Value, rows: int, columns: int, transposed: bool = False, lower: bool = False) -> None:
        """Copy a matrix, transposed or with zeros above its diagonal."""
        e = self.e

        def row(i: Value) -> None:
            def column(j: Value) -> None:
                here = e.iadd(e.imul(i, e.const("i64", columns)), j)
                there = e.iadd(e.imul(j, e.const("i64", rows)), i) if transposed else here
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

    # -- the ops: (operands, results, work, shapes of one matrix each, parameters)
    def cholesky(self, operands, results, work, shapes) -> None:
        """The lower triangle of a is the upper one of what LAPACK sees, conj(a); its factor u, u^H u = conj(a), is l^T, which in C order is l."""
        n = shapes[0][0]
        self.copy(operands[0], results[0], n, n, lower=True)
        self.call("potrf", "U", n, results[0], n, self.info)

    def triangular_solve(self, operands, results, work, shapes, lower, transposed, unit) -> None:
        """op(a) x = b as x^T op(a)^T = b^T, where LAPACK sees x^T, b^T and a^T."""
        n, k = shapes[1]
        self.copy(operands[1], results[0], n, k)
        sides = "U" if lower else "L", "T" if transposed else "N", "U" if unit else "N"
        self.call("trsm", "R", *sides, k, n, 1.0, operands[0], n, results[0], k)

    def solve(self, operands, results, work, shapes) -> None:
        """LAPACK factors a^T, and solves with the transpose of that. More than one right side is brought into its order and back."""
        n, k = shapes[1]
        factors, pivots, columns = work
        self.copy(operands[0], factors, n, n)
        self.call("getrf", n, n, factors, n, pivots, self.info)
        x = results[0] if k == 1 else columns
        self.copy(operands[1], x, n, k, transposed=True)
        self.call("getrs", "T", n, k, factors, n, pivots, x, n, self.info)
        if k > 1:
            self.copy(x, results[0], k, n, transposed=True)

    def inverse(self, operands, results, work, shapes, strict) -> None:
        """The inverse of a^T is what C order reads as the inverse of a."""
        n = shapes[0][0]
        pivots, space = work
        self.copy(operands[0], results[0], n, n)
        self.call("getrf", n, n, results[0], n, pivots, self.info)
        self.call("getri", n, results[0], n, pivots, space, _BLOCK * n, self.info)
