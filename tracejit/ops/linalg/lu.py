"""`lu(a)`: LU factors with partial pivoting, as LAPACK gives them, for matrices of any shape; `permutation(pivots, size)`: the order of rows.

    packed        u in the upper triangle, l without its unit diagonal below it
    pivots        int64; row i was exchanged with row pivots[i], in this order
    permutation   int64; a[permutation] = l u
"""
from __future__ import annotations

import numpy as np

from ...errors import at_user_line
from ...ir import ArrayType
from ...ir.types import INT
from ..core import define
from ..indexing import positions_along
from .matrices import check_matrix, each, identity_like, vector_of, widened
from .triangular import triangular_solve


def _infer(a):
    m, n = check_matrix("lu", a)
    return a.strong, vector_of(a, min(m, n), INT)


def _run(xp, a):
    if a.size == 0:
        return xp.empty(a.shape, a.dtype), xp.empty((*a.shape[:-2], min(a.shape[-2:])), INT)
    return each(_factor, a)


def _factor(a):
    from scipy.linalg.lapack import get_lapack_funcs
    packed, pivots, _ = get_lapack_funcs("getrf", (a,))(a)
    return packed, pivots.astype(INT)


def _infer_permutation(pivots, size):
    if pivots.dtype != INT or pivots.ndim < 1:
        raise TypeError(at_user_line(f"permutation: pivots are vectors of int64, got {pivots}"))
    return ArrayType((*pivots.shape[:-1], size), INT)


def _run_permutation(xp, pivots, size):
    rows = xp.array(xp.broadcast_to(xp.arange(size), (*pivots.shape[:-1], size)))
    for i in range(pivots.shape[-1]):
        other = pivots[..., i:i + 1]
        moved = xp.take_along_axis(rows, other, axis=-1)
        xp.put_along_axis(rows, other, rows[..., i:i + 1], axis=-1)
        rows[..., i:i + 1] = moved
    return rows


permutation = define("permutation", infer=_infer_permutation, run=_run_permutation, jvp=lambda primals, out, tangents, size: None,
                     batch=lambda args, batched, size: permutation(args[0], size=size))


def _lower(packed):
    """l as a square matrix, completed by columns of the identity."""
    m, n = packed.shape[-2:]
    return widened(np.tril(packed, -1)[..., :min(m, n)], m) + identity_like(packed, m)


def _upper(packed):
    """u as a square matrix, completed by rows of the identity."""
    m, n = packed.shape[-2:]
    above = np.triu(packed)[..., :min(m, n), :]
    return above if n <= m else widened(above.mT, n).mT + identity_like(packed, n) * (positions_along(packed, (n, 1), 0) >= m)


def _jvp(primals, outs, tangents):
    """With x = l^-1 da[permutation] u^-1, where l and u are completed to squares: dl = l tril(x, -1) and du = triu(x) u."""
    packed, pivots = outs
    l, u = _lower(packed), _upper(packed)
    t = np.take_along_axis(tangents[0], permutation(pivots, size=packed.shape[-2])[..., :, None], axis=-2)
    left = triangular_solve(l, t, lower=True, transposed=False, unit=True)
    x = triangular_solve(u, left.mT, lower=False, transposed=True, unit=False).mT
    return l @ np.tril(x, -1) + np.triu(x) @ u, None


lu = define("lu", infer=_infer, run=_run, jvp=_jvp, batch=lambda args, batched: lu(args[0]), multiple=True, dear=True)
