"""Eigenvalues and eigenvectors of Hermitian matrices, of which one triangle is read.

    eigh(a, lower)       (w, v) with a v = v diag(w), w ascending
    eigvalsh(a, lower)   w alone

Where eigenvalues repeat, the eigenvectors of that space are arbitrary and have no derivative: theirs is NaN.  Eigenvalues, and eigenvectors of the
other eigenvalues, have one, and nothing divides by a gap that it does not need: see `over_gap`.
Derivatives are with respect to the triangle that is read.  A complex eigenvector's phase is arbitrary, too: its derivative has none, v^H dv = 0.
"""
from __future__ import annotations

import numpy as np

from ..core import define
from ..elementwise_parts import INEXACT, binary
from .matrices import adjoint, check_matrix, diagonal, gaps_between, hermitian, off_diagonal, real_dtype, vector_of


# -- over_gap(x, gap): x / gap; 0 where x is 0, even if the gap is; NaN where only the gap is 0. Linear in x.
def _run_over_gap(x, gap):
    quotient = np.divide(x, gap)
    return np.where(x == 0, quotient.dtype.type(0), np.where(gap == 0, quotient.dtype.type(np.nan), quotient))[()]


def _lower_over_gap(k, xs, index):
    x, gap = (a.broadcast(index) for a in xs)
    zero = k.constant(0, x.dtype)
    quotient = k.apply("select", k.apply("equal", gap, zero), k.constant(np.nan, x.dtype), k.apply("divide", x, gap))
    return k.apply("select", k.apply("equal", x, zero), zero, quotient)


over_gap = binary(
    "over_gap", _run_over_gap, INEXACT, jvp=(lambda t, x, gap, z: over_gap(t, gap), lambda t, x, gap, z: -over_gap(z * t, gap)),
    transpose=lambda ct, x, gap: (over_gap(ct, gap), None), lower=_lower_over_gap, dear=True, singular=True,
    show=lambda x, gap: f"np.where({x} == 0, 0, np.where({gap} == 0, np.nan, {x} / {gap}))")


# -- eigh
def _infer(a, lower):
    n, _ = check_matrix("eigh", a, square=True)
    return vector_of(a, n, real_dtype(a.dtype)), a.strong


def _triangle(lower: bool) -> str:
    return "L" if lower else "U"


def _jvp(primals, outs, tangents, lower):
    """With m = v^H da v: dw is its diagonal, and dv = v k, where k_ij = m_ij / (w_j - w_i) off the diagonal."""
    w, v = outs
    m = adjoint(v) @ hermitian(tangents[0], lower) @ v
    return np.real(diagonal(m)), v @ over_gap(off_diagonal(m), gaps_between(w, v))


eigh = define("eigh", infer=_infer, run=lambda xp, a, lower: tuple(xp.linalg.eigh(a, _triangle(lower))), jvp=_jvp,
              batch=lambda args, batched, lower: eigh(args[0], lower=lower), multiple=True, kind="lapack", dear=True,
              show=lambda a, lower: f"np.linalg.eigh({a}, {_triangle(lower)!r})")


# -- eigvalsh
def _jvp_values(primals, out, tangents, lower):
    _, v = eigh(primals[0], lower=lower)
    return np.real(np.sum(np.conj(v) * (hermitian(tangents[0], lower) @ v), axis=-2))


eigvalsh = define("eigvalsh", infer=lambda a, lower: _infer(a, lower)[0], run=lambda xp, a, lower: xp.linalg.eigvalsh(a, _triangle(lower)),
                  jvp=_jvp_values, batch=lambda args, batched, lower: eigvalsh(args[0], lower=lower), kind="lapack", dear=True,
                  show=lambda a, lower: f"np.linalg.eigvalsh({a}, {_triangle(lower)!r})")
