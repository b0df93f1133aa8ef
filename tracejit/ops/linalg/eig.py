"""Eigenvalues and eigenvectors of general matrices. The results are complex, also where every eigenvalue of a real matrix is real.

    eig(a)       (w, v) with a v = v diag(w); the columns of v have length 1, and their largest element is real
    eigvals(a)   w alone

Where eigenvalues repeat, their eigenvectors have no derivative (NaN); a defective matrix, whose eigenvectors do not span the space, has none at all.
"""
from __future__ import annotations

import numpy as np

from ..core import define
from .eigh import over_gap
from .matrices import check_matrix, complex_dtype, diagonal, gaps_between, matrix_of, off_diagonal, vector_of
from .solve import inverse


def _infer(a):
    n, _ = check_matrix("eig", a, square=True)
    dtype = complex_dtype(a.dtype)
    return vector_of(a, n, dtype), matrix_of(a, n, n)._replace(dtype=dtype)


def _run(xp, a):
    w, v = xp.linalg.eig(a)
    dtype = complex_dtype(a.dtype)
    return w.astype(dtype, copy=False), v.astype(dtype, copy=False)


def _in_eigenbasis(a_tangent, v):
    return inverse(v, strict=False) @ a_tangent.astype(v.dtype) @ v


def _jvp(primals, outs, tangents):
    """As `eigh` with v^-1 in place of v^H; then the columns' length and the phase of their largest element stay as they are."""
    w, v = outs
    m = _in_eigenbasis(tangents[0], v)
    free = v @ over_gap(off_diagonal(m), gaps_between(w, v))
    largest = np.argmax(np.abs(v), axis=-2)[..., None, :]
    along = np.sum(np.conj(v) * free, axis=-2, keepdims=True)
    turned = np.take_along_axis(free, largest, axis=-2) / np.take_along_axis(v, largest, axis=-2)
    drift = np.real(along) + 1j * np.imag(turned)
    return diagonal(m), free - v * drift.astype(v.dtype)


eig = define("eig", infer=_infer, run=_run, jvp=_jvp, batch=lambda args, batched: eig(args[0]), multiple=True, dear=True)


def _jvp_values(primals, out, tangents):
    _, v = eig(primals[0])
    return diagonal(_in_eigenbasis(tangents[0], v))


eigvals = define("eigvals", infer=lambda a: _infer(a)[0], run=lambda xp, a: xp.linalg.eigvals(a).astype(complex_dtype(a.dtype), copy=False),
                 jvp=_jvp_values, batch=lambda args, batched: eigvals(args[0]), dear=True,
                 show=lambda a: f"np.linalg.eigvals({a}).astype(np.{complex_dtype(a.type.dtype).name})")
