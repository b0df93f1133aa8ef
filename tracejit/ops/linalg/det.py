"""Determinants, whose derivatives exist at every matrix: a determinant is a polynomial.

    det(a)                 its derivative is the matrix of cofactors
    cofactors(a)           det(a) a^-T where a can be inverted
    cofactor_slope(a, t)   the derivative of the cofactors in the direction t; linear in t and its own transpose
    slogdet(a)             (sign, log |det|)

Up to three rows the cofactors are written out.  Else, where a is singular or nearly so, they and their slope come from its singular values: with
a = u diag(s) v^H they are products of all s but one or two, so they are right at any rank, with no division.  Third derivatives of such matrices
exist only where they can be inverted (elsewhere they are NaN).
"""
from __future__ import annotations

import numpy as np

from ..core import add_tangents, define
from ..movement import all_batched
from .matrices import check_matrix, diagonal, real_dtype
from .solve import inverse


# -- det
def _infer_det(a):
    check_matrix("det", a, square=True)
    return a.strong._replace(shape=a.shape[:-2])


def _jvp_det(primals, out, tangents):
    a = primals[0]
    slope = _written_out(a) if a.shape[-1] <= 3 else cofactors(a)
    return np.sum(slope * tangents[0], axis=(-2, -1))


def _written_out(a):
    """The cofactors of matrices of up to three rows, as polynomials."""
    if a.shape[-1] < 2:
        return np.ones_like(a)
    if a.shape[-1] == 2:
        return np.flip(a, (-2, -1)) * np.array([[1, -1], [-1, 1]], a.dtype)
    x, y, z = (a[..., i, :] for i in range(3))
    return np.stack([np.cross(y, z), np.cross(z, x), np.cross(x, y)], axis=-2)


det = define("det", infer=_infer_det, run=lambda xp, a: xp.linalg.det(a), jvp=_jvp_det, batch=lambda args, batched: det(args[0]),
             kind="lapack", dear=True, show="np.linalg.det")


# -- cofactors and their slope
def _infer_cofactors(a):
    check_matrix("cofactors", a, square=True)
    return a.strong


def _inverses(a):
    """The inverses of a list of matrices, and which of them are accurate to about half the digits."""
    inverted = inverse.run(np, a, strict=False)
    condition = np.linalg.norm(a, axis=(-2, -1)) * np.linalg.norm(inverted, axis=(-2, -1))
    return inverted, condition < np.finfo(a.dtype).eps ** -0.5


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


def _cofactors_at(a):
    u, s, vh, sign = _singular_basis(a)
    return sign * (u.conj() * np.diagonal(_without(s))) @ vh.conj()


def _slope_at(a, t):
    u, s, vh, sign = _singular_basis(a)
    h = u.conj().T @ t @ vh.conj().T
    pairs = _without(s) * (1 - np.eye(len(s), dtype=s.dtype))
    slope = np.diag(pairs @ np.diagonal(h)) - pairs * h
    return sign * u.conj() @ slope.T @ vh.conj()


def _on_lists(regular, singular):
    """A `run` on stacks: `regular(inverses, *lists)` for all matrices at once, and `singular(*matrices)` for each that is nearly singular."""
    def run(xp, *stacks):
        shape = stacks[0].shape
        if stacks[0].size == 0:
            return xp.zeros(shape, stacks[0].dtype)
        lists = [x.reshape(-1, *shape[-2:]) for x in stacks]
        inverted, accurate = _inverses(lists[0])
        with np.errstate(all="ignore"):
            out = regular(inverted, *lists)
        for i in np.flatnonzero(~accurate):
            out[i] = singular(*[x[i] for x in lists])
        return out.reshape(shape)
    return run


def _regular_cofactors(b, a):
    return np.linalg.det(a)[:, None, None] * b.mT


def _regular_slope(b, a, t):
    moved = b @ t
    return np.linalg.det(a)[:, None, None] * (np.trace(moved, axis1=-2, axis2=-1)[:, None, None] * b - moved @ b).mT


cofactors = define("cofactors", infer=_infer_cofactors, run=_on_lists(_regular_cofactors, _cofactors_at), dear=True,
                   jvp=lambda primals, out, tangents: cofactor_slope(primals[0], tangents[0]), batch=lambda args, batched: cofactors(args[0]))


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
    if ta is None:
        return straight
    b = inverse(a, strict=False)
    moved, other = b @ t, b @ ta
    trace = np.sum(diagonal(moved), axis=-1)[..., None, None]
    slope = trace * b - moved @ b
    change = -np.sum(diagonal(other @ moved), axis=-1)[..., None, None] * b - trace * (other @ b) + other @ moved @ b + moved @ other @ b
    bent = det(a)[..., None, None] * (np.sum(diagonal(other), axis=-1)[..., None, None] * slope + change)
    return add_tangents(bent.mT, straight)


cofactor_slope = define("cofactor_slope", infer=_infer_slope, run=_on_lists(_regular_slope, _slope_at), jvp=_jvp_slope,
                        transpose=lambda ct, a, t: (None, cofactor_slope(a, ct)),
                        batch=lambda args, batched: cofactor_slope(*all_batched(args, batched)), dear=True, singular=True)


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
