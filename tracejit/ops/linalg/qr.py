"""`qr(a, full)`: (q, r) with a = q r, q^H q = 1 and r upper triangular; `full`: q is square, else it has min(m, n) columns."""
from __future__ import annotations

import numpy as np

from ..core import define
from .matrices import adjoint, check_matrix, matrix_of, on_diagonal, widened
from .triangular import triangular_solve


def _infer(a, full):
    m, n = check_matrix("qr", a)
    k = m if full else min(m, n)
    return matrix_of(a, m, k), matrix_of(a, k, n)


def _jvp(primals, outs, tangents, full):
    """q^H dq is anti-Hermitian, and below its diagonal it is c = q^H da r^-1; its diagonal keeps that of r real. dr = q^H da - q^H dq r.

    A wide matrix is that of its first m columns, which q depends on alone. What of da r^-1 is outside the span of q moves q there.
    """
    t, (q, r) = tangents[0], outs
    m, n = t.shape[-2:]
    k, width = min(m, n), q.shape[-1]
    x = triangular_solve(r[..., :k, :k], t[..., :k].mT, lower=False, transposed=True, unit=False).mT
    c = adjoint(q) @ x
    below = widened(np.tril(c, -1), width)
    rotation = below - adjoint(below)
    if t.dtype.kind == "c":
        rotation = rotation + widened(on_diagonal(c - np.conj(c)) * 0.5, width)
    dq = q @ rotation
    if m > width:
        dq = dq + (x - q @ c)
    return dq, np.triu(adjoint(q) @ t - rotation @ r)


def _mode(full: bool) -> str:
    return "complete" if full else "reduced"


qr = define("qr", infer=_infer, run=lambda xp, a, full: tuple(xp.linalg.qr(a, _mode(full))), jvp=_jvp,
            batch=lambda args, batched, full: qr(args[0], full=full), multiple=True, kind="lapack", dear=True,
            show=lambda a, full: f"np.linalg.qr({a}, {_mode(full)!r})")
