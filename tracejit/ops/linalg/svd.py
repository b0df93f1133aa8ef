"""Singular values and vectors.

    svd(a, full)         (u, s, vh) with a = u diag(s) vh, s descending; `full`: u and vh are square, else they have min(m, n) columns and rows
    singular_values(a)   s alone

As with eigenvectors, singular vectors of equal singular values have no derivative (NaN), and singular values never divide by a gap.
"""
from __future__ import annotations

import numpy as np

from ..core import define
from .eigh import over_gap
from .matrices import adjoint, check_matrix, diagonal, gaps_between, like_real, matrix_of, off_diagonal, real_dtype, vector_of


def _infer(a, full):
    m, n = check_matrix("svd", a)
    k = min(m, n)
    return matrix_of(a, m, m if full else k), vector_of(a, k, real_dtype(a.dtype)), matrix_of(a, n if full else k, n)


def _jvp(primals, outs, tangents, full):
    """With p = u^H da v, h its Hermitian and k its other part:

        ds = diag(p),   u^H du = h / (s_j - s_i) + k / (s_j + s_i),   v^H dv = h / (s_j - s_i) - k / (s_j + s_i)

    and what moves out of the span of u is (da v - u p) / s_j.
    """
    t, (u, s, vh) = tangents[0], outs
    rank = s.shape[-1]
    u_null, v = u[..., rank:], adjoint(vh)
    u, v, v_null = u[..., :rank], v[..., :rank], v[..., rank:]
    p = adjoint(u) @ t @ v
    turn = over_gap(off_diagonal(p + adjoint(p)) * 0.5, gaps_between(s, t))
    twist = over_gap((p - adjoint(p)) * 0.5, like_real(t, s[..., None, :] + s[..., :, None]))
    columns = like_real(t, s[..., None, :])
    du = _moved(u, u_null, turn + twist, t @ v - u @ p, columns)
    dv = _moved(v, v_null, turn - twist, adjoint(t) @ u - v @ adjoint(p), columns)
    return du, np.real(diagonal(p)), adjoint(dv)


def _moved(u, null, inside, outside, s):
    """The tangent of orthonormal columns u, and of the columns `null` that complete them: `outside` is orthogonal to u."""
    rows, rank = u.shape[-2:]
    du = u @ inside
    if rows == rank:   # `outside` is zero but for rounding
        return du
    out = over_gap(outside, s)
    du = du + out
    return np.concatenate([du, -(u @ (adjoint(out) @ null))], axis=-1) if null.shape[-1] else du


svd = define("svd", infer=_infer, run=lambda xp, a, full: tuple(xp.linalg.svd(a, full_matrices=full)), jvp=_jvp,
             batch=lambda args, batched, full: svd(args[0], full=full), multiple=True, kind="lapack", dear=True,
             show=lambda a, full: f"np.linalg.svd({a}, full_matrices={full})")


def _jvp_values(primals, out, tangents):
    u, _, vh = svd(primals[0], full=False)
    return np.real(np.sum(np.conj(u) * (tangents[0] @ adjoint(vh)), axis=-2))


singular_values = define("singular_values", infer=lambda a: _infer(a, False)[1], run=lambda xp, a: xp.linalg.svd(a, compute_uv=False),
                         jvp=_jvp_values, batch=lambda args, batched: singular_values(args[0]), kind="lapack", dear=True,
                         show=lambda a: f"np.linalg.svd({a}, compute_uv=False)")
