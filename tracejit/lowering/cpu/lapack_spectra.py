"""QR factors, singular values and eigenvalues of Hermitian matrices by LAPACK.

Matrices are brought into LAPACK's order and back, so that it sees what NumPy shows it, and signs and phases come out as NumPy's.
"""

from __future__ import annotations

import numpy as np

from ...ir import ArrayType, Node
from .emit import Value
from .lapack_calls import INTEGER_WORK, REAL_WORK, UNUSED, WORK, Calls, work_sizes

NAMES = frozenset({"qr", "svd", "singular_values", "eigh", "eigvalsh"})
_INTEGER = np.dtype(np.int64)


def work(node: Node) -> list[ArrayType]:
    """The types of the work arrays of a node: copies of matrices first, then what the routine asks for."""
    a = node.inputs[0].type
    m, n = a.shape[-2:]
    k, dtype = min(m, n), a.dtype
    real = np.empty(0, dtype).real.dtype
    if node.op.name == "qr":
        width = node.outputs[0].type.shape[-1]
        (first,) = work_sizes("geqrf", dtype, m, n, UNUSED, m, UNUSED, WORK, -1, UNUSED)
        (second,) = work_sizes("make_q", dtype, m, width, k, UNUSED, m, UNUSED, WORK, -1, UNUSED)
        return [ArrayType((m * max(n, width),), dtype), ArrayType((k,), dtype), ArrayType((max(first, second),), dtype)]
    if node.op.name in ("eigh", "eigvalsh"):
        job = "V" if node.op.name == "eigh" else "N"
        reals = (REAL_WORK, -1) if dtype.kind == "c" else ()
        sizes = work_sizes("eigh", dtype, job, "L", n, UNUSED, n, UNUSED, WORK, -1, *reals, INTEGER_WORK, -1, UNUSED)
        return [ArrayType((n, n), dtype), *_arrays(sizes, dtype, real)]
    rows, columns = _vectors(node.op.name, node.params.get("full"), m, n)
    sizes = work_sizes(
        "gesdd", dtype, _job(node.op.name, node.params.get("full")), m, n, UNUSED, m, UNUSED, UNUSED, m, UNUSED, max(columns, 1), WORK, -1,
        *(UNUSED,) * (dtype.kind == "c"), UNUSED, UNUSED
    )
    reals = [] if dtype.kind != "c" else [max(5 * k * k + 7 * k, 2 * max(m, n) * k + 2 * k * k + k)]   # this one cannot be asked for
    vectors = [ArrayType((m, max(rows, 1)), dtype), ArrayType((max(columns, 1), n), dtype)]
    return [ArrayType((m, n), dtype), *vectors, *_arrays([*sizes, *reals, 8 * k], dtype, real)]


def _arrays(sizes: list[int], dtype: np.dtype, real: np.dtype) -> list[ArrayType]:
    """Work arrays of numbers, of reals if the matrix is complex, and of integers."""
    kinds = [dtype, real, _INTEGER] if len(sizes) == 3 else [dtype, _INTEGER]
    return [ArrayType((max(size, 1),), kind) for size, kind in zip(sizes, kinds)]


def _job(name: str, full: bool | None) -> str:
    return "N" if name == "singular_values" else "A" if full else "S"


def _vectors(name: str, full: bool | None, m: int, n: int) -> tuple[int, int]:
    """How many left and right singular vectors there are."""
    return (0, 0) if name == "singular_values" else (m, n) if full else (min(m, n),) * 2


class Spectra(Calls):
    """The routines, in the form that `lapack.write` calls."""

    def qr(self, operands, results, work, shapes, full) -> None:
        m, n = shapes[0]
        k = min(m, n)
        width = m if full else k
        factors, scales, space = work
        self.copy(operands[0], factors, m, n, transposed=True)
        self.call("geqrf", m, n, factors, m, scales, space, self.lengths[2], self.info)
        self.copy(factors, results[1], n, width, transposed=True, lower=True, line=m)
        self.call("make_q", m, width, k, factors, m, scales, space, self.lengths[2], self.info)
        self.copy(factors, results[0], width, m, transposed=True)

    def eigh(self, operands, results, work, shapes, lower) -> None:
        n = shapes[0][0]
        self._eigenvalues("V", operands[0], results[0], work, n, lower)
        self.copy(work[0], results[1], n, n, transposed=True)

    def eigvalsh(self, operands, results, work, shapes, lower) -> None:
        self._eigenvalues("N", operands[0], results[0], work, shapes[0][0], lower)

    def _eigenvalues(self, job: str, a: Value, w: Value, work, n: int, lower: bool) -> None:
        matrix, *spaces = work
        self.copy(a, matrix, n, n, transposed=True)
        sized = [x for space, length in zip(spaces, self.lengths[1:]) for x in (space, length)]
        self.call("eigh", job, "L" if lower else "U", n, matrix, n, w, *sized, self.info)

    def svd(self, operands, results, work, shapes, full) -> None:
        m, n = shapes[0]
        rows, columns = _vectors("svd", full, m, n)
        self._singular_values(operands[0], results[1], work, m, n, "svd", full)
        self.copy(work[1], results[0], rows, m, transposed=True)
        self.copy(work[2], results[2], n, columns, transposed=True)

    def singular_values(self, operands, results, work, shapes) -> None:
        self._singular_values(operands[0], results[0], work, *shapes[0], "singular_values", None)

    def _singular_values(self, a: Value, s: Value, work, m: int, n: int, name: str, full: bool | None) -> None:
        matrix, u, vh, space, *others = work
        self.copy(a, matrix, m, n, transposed=True)
        columns = max(_vectors(name, full, m, n)[1], 1)
        self.call("gesdd", _job(name, full), m, n, matrix, m, s, u, m, vh, columns, space, self.lengths[3], *others, self.info)
