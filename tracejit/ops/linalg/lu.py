"""`lu(a, strict)`: LU factors with partial pivoting, as LAPACK gives them, for matrices of any shape.

    packed        u in the upper triangle, l without its unit diagonal below it
    pivots        int64; row i was exchanged with row pivots[i], in this order
    permutation   int64; a[permutation] = l u

A zero pivot raises `LinAlgError` if `strict`.
"""
from __future__ import annotations

import numpy as np

from ...errors import at_user_line
from ...ir.types import INT
from ..core import define
from ..indexing import positions_along
from .matrices import check_matrix, each, identity_like, vector_of, widened
from .triangular import triangular_solve


def _infer(a, strict):
    m, n = check_matrix("lu", a)
    return a.strong, vector_of(a, min(m, n), INT), vector_of(a, m, INT)


def _run(xp, a, strict):
    if a.size == 0:
        m, n = a.shape[-2:]
        return xp.empty(a.shape, a.dtype), xp.empty((*a.shape[:-2], min(m, n)), INT), xp.broadcast_to(xp.arange(m), (*a.shape[:-2], m))
    return each(lambda a: _factor(a, strict), a)


def _factor(a, strict):
    from scipy.linalg.lapack import get_lapack_funcs
    packed, pivots, info = get_lapack_funcs("getrf", (a,))(a)
    if strict and info > 0:
        raise np.linalg.LinAlgError(at_user_line("Singular matrix"))
    permutation = np.arange(a.shape[0])
    for i, p in enumerate(pivots):
        permutation[i], permutation[p] = permutation[p], permutation[i]
    return packed, pivots.astype(INT), permutation


def _lower(packed):
    """l as a square matrix, completed by columns of the identity."""
    m, n = packed.shape[-2:]
    return widened(np.tril(packed, -1)[..., :min(m, n)], m) + identity_like(packed, m)


def _upper(packed):
    """u as a square matrix, completed by rows of the identity."""
    m, n = packed.shape[-2:]
    above = np.triu(packed)[..., :min(m, n), :]
    return above if n <= m else widened(above.mT, n).mT + identity_like(packed, n) * (positions_along(packed, (n, 1), 0) >= m)


def _jvp(primals, outs, tangents, strict):
    """With x = l^-1 da[permutation] u^-1, where l and u are completed to squares: dl = l tril(x, -1) and du = triu(x) u."""
    packed, _, permutation = outs
    l, u = _lower(packed), _upper(packed)
    t = np.take_along_axis(tangents[0], permutation[..., :, None], axis=-2)
    left = triangular_solve(l, t, lower=True, transposed=False, unit=True)
    x = triangular_solve(u, left.mT, lower=False, transposed=True, unit=False).mT
    return l @ np.tril(x, -1) + np.triu(x) @ u, None, None


lu = define("lu", infer=_infer, run=_run, jvp=_jvp, batch=lambda args, batched, strict: lu(args[0], strict=strict), multiple=True, dear=True)
