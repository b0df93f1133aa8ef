"""`triangular_solve(a, b)`: x with a x = b for triangular a, of which only the one triangle is read. Linear in b."""
from __future__ import annotations

import math

import numpy as np

from ...trace import type_of
from ..core import Linear, Op, add_tangents, define
from ..movement import all_batched
from .matrices import check_system, each

# Stacks of more matrices than they have rows are solved row by row, in all matrices at once: each call of BLAS costs 2 us.
_LONG = 4


def _infer(a, b, lower, transposed, unit):
    check_system("triangular_solve", a, b)
    return b.strong


def _run(xp, a, b, lower, transposed, unit):
    if b.size == 0:
        return xp.zeros(b.shape, b.dtype)
    if transposed:
        a, lower = a.mT, not lower
    if math.prod(a.shape[:-2]) > max(_LONG, a.shape[-1]) or xp is not np:
        return _substitute(xp, a, b, lower, unit)
    return each(lambda a, b: (_trsm(a, b, lower, unit),), a, b)[0]


def _trsm(a, b, lower, unit):
    """By BLAS, which wants columns: rows are the columns of the transpose, so only b is copied. A zero on the diagonal gives infinities."""
    from scipy.linalg.blas import get_blas_funcs
    trsm = get_blas_funcs("trsm", (a, b))
    if a.flags.f_contiguous:
        return trsm(1, a, b, lower=lower, diag=unit)
    return trsm(1, a.T, b, lower=not lower, trans_a=1, diag=unit)


def _substitute(xp, a, b, lower, unit):
    """Forward or back substitution, in all matrices of the stack at once."""
    n = a.shape[-1]
    x = xp.array(b)
    for i in range(n) if lower else range(n - 1, -1, -1):
        known = slice(0, i) if lower else slice(i + 1, n)
        x[..., i:i + 1, :] -= a[..., i:i + 1, known] @ x[..., known, :]
        if not unit:
            x[..., i:i + 1, :] /= a[..., i:i + 1, i:i + 1]
    return x


def triangle(x, lower: bool, unit: bool = False):
    """What is read of x, with zeros elsewhere (and, with `unit`, on the diagonal)."""
    return np.tril(x, -1 if unit else 0) if lower else np.triu(x, 1 if unit else 0)


def _jvp(primals, out, tangents, lower, transposed, unit):
    a, _ = primals
    ta, tb = tangents
    if ta is not None:
        moved = triangle(ta, lower, unit)
        ta = -((moved.mT if transposed else moved) @ out)
    return triangular_solve(a, add_tangents(tb, ta), lower=lower, transposed=transposed, unit=unit)


def _transpose(ct, a, b, lower, transposed, unit):
    if isinstance(a, Linear):
        raise TypeError("triangular_solve is linear in its right side only")
    return None, triangular_solve(a, ct, lower=lower, transposed=not transposed, unit=unit)


def columns_of_stack(op: Op, a, b, **params):
    """One matrix and a stack of right sides, whose leading axis is the batch: one system with more columns."""
    if type_of(a).ndim > 2:
        return op(*all_batched((a, b), (False, True)), **params)
    m, n, k = b.shape
    together = np.reshape(np.swapaxes(b, 0, 1), (n, m * k))
    x = op(a, together, **params)
    return np.swapaxes(np.reshape(x, (x.shape[0], m, k)), 0, 1)


def _batch(args, batched, **params):
    if batched == (False, True):
        return columns_of_stack(triangular_solve, *args, **params)
    return triangular_solve(*all_batched(args, batched), **params)


triangular_solve = define("triangular_solve", infer=_infer, run=_run, jvp=_jvp, transpose=_transpose, batch=_batch, kind="lapack", dear=True,
                          singular=True)
