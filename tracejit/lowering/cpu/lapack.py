"""Factorisations, solves and determinants by LAPACK in native code.

LAPACK stores matrices by columns, so an array in C order is to it the transposed matrix; each routine below says how that comes out right.
A routine that fails (a singular or an indefinite matrix) makes the program's status other than 0: the interpreter then raises the error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ...ir import ArrayType, Node
from . import blas, lapack_spectra
from .emit import Function, Value
from .lapack_calls import symbols

__all__ = ["has_routine", "symbols", "work", "write"]
_BLOCK = 64  # columns of work for each column of an inverse: what LAPACK's blocked code asks for


def has_routine(node: Node) -> bool:
    """Whether the node's op has a routine for its dtype and parameters, and there is something to compute."""
    types = [a.type for a in (*node.inputs, *node.outputs)]
    if node.op.name == "slogdet" and types[0].dtype.kind == "c":
        return False  # the sign of a complex determinant is not written here
    if node.op.name in lapack_spectra.NAMES and not blas.KINDS.get(types[0].dtype, "").endswith("double"):
        return False  # NumPy computes them in double: in single precision other signs come out
    return types[0].dtype in blas.KINDS and all(t.size for t in types)


def work(node: Node) -> list[ArrayType]:
    """The types of the work arrays that the node's routine needs."""
    if node.op.name in lapack_spectra.NAMES:
        return lapack_spectra.work(node)
    a = node.inputs[0].type
    n = a.shape[-1]
    factors, pivots = ArrayType((n, n), a.dtype), ArrayType((n,), np.dtype(np.int64))
    columns = ArrayType(node.outputs[0].type.shape[-2:], a.dtype)
    needs = {
        "solve": [factors, pivots, columns],
        "factored_solve": [columns],
        "inverse": [pivots, ArrayType((_BLOCK * n,), a.dtype)],
        "det": [factors, pivots],
        "slogdet": [factors, pivots],
    }
    return needs.get(node.op.name, [])


def write(f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]) -> Value:
    """Compute the node on the matrices at `operands` into `results`, which end with the work arrays. Returns the status, 0 if all went well."""
    types = [a.type for a in (*node.inputs, *node.outputs)]
    routine = _Routines(f, types[0].dtype, [w.size for w in work(node)])
    given, made = len(node.inputs), len(node.outputs)
    matrices = math.prod(types[0].shape[:-2])
    shapes = [t.shape[-2:] for t in types[:given]]

    def one(i: Value) -> None:
        at = [routine.part_of(p, i, t.nbytes // matrices) for p, t in zip((*operands, *results[:made]), types)]
        getattr(routine, node.op.name)(at[:given], at[given:], results[made:], shapes, **node.params)

    routine.loop(matrices, one)
    return routine.failed()


class _Routines(lapack_spectra.Spectra):
    """Every op: (operands, results, work arrays, shapes of one matrix of each operand, parameters)."""

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
        factors, pivots, columns = work
        self.factor(operands[:1], [factors, pivots], [], shapes)
        self.factored_solve([None, factors, pivots, operands[1]], results, [columns], [*shapes[:1] * 3, shapes[1]], False)

    def factor(self, operands, results, work, shapes) -> None:
        n = shapes[0][0]
        self.copy(operands[0], results[0], n, n)
        self.call("getrf", n, n, results[0], n, results[1], self.info)

    def factored_solve(self, operands, results, work, shapes, transposed) -> None:
        _, factors, pivots, b = operands
        n, k = shapes[3]
        x = results[0] if k == 1 else work[0]
        self.copy(b, x, n, k, transposed=True)
        self.call("getrs", "N" if transposed else "T", n, k, factors, n, pivots, x, n, self.info)
        if k > 1:
            self.copy(x, results[0], k, n, transposed=True)

    def inverse(self, operands, results, work, shapes, strict) -> None:
        """The inverse of a^T is what C order reads as the inverse of a."""
        n = shapes[0][0]
        pivots, space = work
        info = self.info if strict else self.unreported
        self.copy(operands[0], results[0], n, n)
        self.call("getrf", n, n, results[0], n, pivots, info)
        self.call("getri", n, results[0], n, pivots, space, _BLOCK * n, info)
        if not strict:  # NaN where the matrix was singular, which the second call has found, too
            e = self.e
            failed = e.icmp("ne", e.load(info, self.integer, 4 if self.integer == "i32" else 8), e.const(self.integer, 0))

            def settle(i: Value) -> None:
                at = e.gep(results[0], self.part, i)
                e.store(e.select(failed, e.const(self.part, math.nan), e.load(at, self.part, self.bytes)), at, self.bytes)

            self.loop(n * n * self.parts, settle)

    def _diagonal(self, operands, work, n: int, body: Callable[[Value, list[Value]], None]) -> None:
        """Factor the matrix, and call `body` with whether row i was exchanged, and the parts of element i of the diagonal of u."""
        e = self.e
        factors, pivots = work
        self.copy(operands[0], factors, n, n)
        self.call("getrf", n, n, factors, n, pivots, self.unreported)  # singular is no failure here
        width = 4 if self.integer == "i32" else 8

        def row(i: Value) -> None:
            pivot = e.load(e.gep(pivots, self.integer, i), self.integer, width)
            own = e.iadd(i, e.const("i64", 1))
            exchanged = e.icmp("ne", e.sext(pivot, "i64"), own)
            at = self.element(factors, e.imul(i, e.const("i64", n + 1)))
            body(exchanged, [e.load(e.gep(at, self.part, e.const("i64", k)), self.part, self.bytes) for k in range(self.parts)])

        self.loop(n, row)

    def det(self, operands, results, work, shapes) -> None:
        e = self.e
        places = [e.gep(results[0], self.part, e.const("i64", k)) for k in range(self.parts)]
        for place, value in zip(places, (1.0, 0.0)):
            e.store(e.const(self.part, value), place, self.bytes)

        def multiply(exchanged: Value, d: list[Value]) -> None:
            x = [e.load(place, self.part, self.bytes) for place in places]
            product = [e.fmul(x[0], d[0])]
            if self.parts == 2:
                product = [e.fsub(product[0], e.fmul(x[1], d[1])), e.fadd(e.fmul(x[0], d[1]), e.fmul(x[1], d[0]))]
            for place, value in zip(places, product):
                e.store(e.select(exchanged, e.fneg(value), value), place, self.bytes)

        self._diagonal(operands, work, shapes[0][0], multiply)

    def slogdet(self, operands, results, work, shapes) -> None:
        e = self.e
        sign, logarithm = results
        zero, one = e.const(self.part, 0.0), e.const(self.part, 1.0)
        e.store(one, sign, self.bytes)
        e.store(zero, logarithm, self.bytes)

        def multiply(exchanged: Value, d: list[Value]) -> None:
            own = e.select(e.fcmp("oeq", d[0], zero), zero, e.copysign(one, d[0]))
            product = e.fmul(e.load(sign, self.part, self.bytes), own)
            e.store(e.select(exchanged, e.fneg(product), product), sign, self.bytes)
            size = self.f.call("log" if self.part == "double" else "logf", self.part, [e.fabs(d[0])], pure=True)
            e.store(e.fadd(e.load(logarithm, self.part, self.bytes), size), logarithm, self.bytes)

        self._diagonal(operands, work, shapes[0][0], multiply)
