"""Determinants, whose derivatives exist at every matrix: a determinant is a polynomial.

    det(a)                 its derivative is the matrix of cofactors
    cofactors(a)           det(a) a^-T where a can be inverted
    cofactor_slope(a, t)   the derivative of the cofactors in the direction t; linear in t and its own transpose
    slogdet(a)             (sign, log |det|)

Where a is singular or nearly so, the second and third come from its singular values: with a = u diag(s) v^H they are products of all s but one
or two, so they are right at any rank, with no division.  Third derivatives exist only where a can be inverted (elsewhere they are NaN).
"""
from __future__ import annotations

import numpy as np

from ..core import add_tangents, define
from ..movement import all_batched
from .matrices import check_matrix, diagonal, each, real_dtype
from .solve import inverse


# -- det
def _infer_det(a):
    check_matrix("det", a, square=True)
    return a.strong._replace(shape=a.shape[:-2])


def _jvp_det(primals, out, tangents):
    return np.sum(cofactors(primals[0]) * tangents[0], axis=(-2, -1))


det = define("det", infer=_infer_det, run=lambda xp, a: xp.linalg.det(a), jvp=_jvp_det, batch=lambda args, batched: det(args[0]), kind="lapack", dear=True,
             show="np.linalg.det")


# -- cofactors and their slope
def _infer_cofactors(a):
    check_matrix("cofactors", a, square=True)
    return a.strong


def _well_conditioned_inverse(a):
    """The inverse where it is accurate to about half the digits, else None."""
    try:
        inverted = np.linalg.inv(a)
    except np.linalg.LinAlgError:
        return None
    condition = np.abs(a).sum(0).max() * np.abs(inverted).sum(0).max()
    return inverted if condition < np.finfo(a.dtype).eps ** -0.5 else None


def _without(s):
    """For each pair i, j the product of all elements of s but these two; on the diagonal, of all but the one."""
    n = len(s)
    rows = np.where(np.eye(n, dtype=bool), 1, s)
    ones = np.ones((n, 1), s.dtype)
    before = np.cumprod(np.hstack([ones, rows[:, :-1]]), axis=1)
    behind = np.cumprod(np.hstack([ones, rows[:, :0:-1]]), axis=1)[:, ::-1]
    return before * behind


def _singular_basis(a):
    """u, s, vh and the determinant of u vh, by which products of s are multiplied."""
    u, s, vh = np.linalg.svd(a)
    return u, s, vh, np.linalg.det(u) * np.linalg.det(vh)


def _cofactors(a):
    if len(a) == 1:
        return np.ones_like(a),
    inverted = _well_conditioned_inverse(a)
    if inverted is not None:
        return np.linalg.det(a) * inverted.T,
    u, s, vh, sign = _singular_basis(a)
    return sign * (u.conj() * np.diagonal(_without(s))) @ vh.conj(),


def _cofactor_slope(a, t):
    if len(a) == 1:
        return np.zeros_like(a),
    inverted = _well_conditioned_inverse(a)
    if inverted is not None:
        moved = inverted @ t
        return np.linalg.det(a) * (np.trace(moved) * inverted - moved @ inverted).T,
    u, s, vh, sign = _singular_basis(a)
    h = u.conj().T @ t @ vh.conj().T
    pairs = _without(s) * (1 - np.eye(len(s), dtype=s.dtype))
    slope = np.diag(pairs @ np.diagonal(h)) - pairs * h
    return sign * u.conj() @ slope.T @ vh.conj(),


def _run_on_stack(function):
    def run(xp, *stacks):
        a = stacks[0]
        return each(function, *stacks)[0].astype(a.dtype, copy=False) if a.size else xp.zeros(a.shape, a.dtype)
    return run


def _jvp_cofactors(primals, out, tangents):
    a = primals[0]
    return cofactor_slope(a, tangents[0]) if a.shape[-1] > 1 else None


cofactors = define("cofactors", infer=_infer_cofactors, run=_run_on_stack(_cofactors), jvp=_jvp_cofactors,
                   batch=lambda args, batched: cofactors(args[0]), dear=True)


def _infer_slope(a, t):
    check_matrix("cofactor_slope", a, square=True)
    if t.strong != a.strong:
        raise TypeError(f"cofactor_slope needs two matrices of one type, got {a} and {t}")
    return a.strong


def _jvp_slope(primals, out, tangents):
    """Of det(a) (tr(b t) b - b t b)^T with b = a^-1."""
    a, t = primals
    ta, tt = tangents
    straight = None if tt is None else cofactor_slope(a, tt)
    if ta is None or a.shape[-1] <= 2:   # the cofactors of 2 by 2 matrices are linear
        return straight
    b = inverse(a, strict=False)
    moved, other = b @ t, b @ ta
    trace = np.sum(diagonal(moved), axis=-1)[..., None, None]
    slope = trace * b - moved @ b
    change = -np.sum(diagonal(other @ moved), axis=-1)[..., None, None] * b - trace * (other @ b) + other @ moved @ b + moved @ other @ b
    bent = det(a)[..., None, None] * (np.sum(diagonal(other), axis=-1)[..., None, None] * slope + change)
    return add_tangents(bent.mT, straight)


cofactor_slope = define("cofactor_slope", infer=_infer_slope, run=_run_on_stack(_cofactor_slope), jvp=_jvp_slope,
                        transpose=lambda ct, a, t: (None, cofactor_slope(a, ct)),
                        batch=lambda args, batched: cofactor_slope(*all_batched(args, batched)), dear=True)


# -- slogdet
def _infer_slogdet(a):
    sign = _infer_det(a)
    return sign, sign._replace(dtype=real_dtype(a.dtype))


def _jvp_slogdet(primals, outs, tangents):
    sign, _ = outs
    moved = np.sum(inverse(primals[0], strict=False).mT * tangents[0], axis=(-2, -1))
    return sign * (moved - np.conj(moved)) * 0.5 if moved.dtype.kind == "c" else None, np.real(moved)


slogdet = define("slogdet", infer=_infer_slogdet, run=lambda xp, a: tuple(xp.linalg.slogdet(a)), jvp=_jvp_slogdet,
                 batch=lambda args, batched: slogdet(args[0]), multiple=True, kind="lapack", dear=True, show="np.linalg.slogdet")
