"""`pinv(a, ...)`: the pseudoinverse, and `lstsq(a, b, rcond)`: least squares. Their derivatives hold the rank fixed."""
from __future__ import annotations

import numpy as np

from ..core import add_tangents, define
from ..movement import all_batched
from .matrices import adjoint, check_matrix, check_system, each, matrix_of, real_dtype, vector_of


# -- pinv(a, rcond, hermitian)
def _infer_pinv(a, rcond, hermitian):
    m, n = check_matrix("pinv", a, square=hermitian)
    return matrix_of(a, n, m)


def pinv_slope(a, p, t):
    """The derivative of the pseudoinverse p of a in the direction t (Golub and Pereyra, 1973)."""
    th, ph = adjoint(t), adjoint(p)
    crossed = p @ ph @ th
    turned = th @ ph @ p
    return -(p @ t @ p) + (crossed - crossed @ a @ p) + (turned - p @ a @ turned)


pinv = define("pinv", infer=_infer_pinv, run=lambda xp, a, rcond, hermitian: xp.linalg.pinv(a, rcond=rcond, hermitian=hermitian),
              jvp=lambda primals, out, tangents, rcond, hermitian: pinv_slope(primals[0], out, tangents[0]),
              batch=lambda args, batched, rcond, hermitian: pinv(args[0], rcond=rcond, hermitian=hermitian), dear=True,
              show=lambda a, rcond, hermitian: f"np.linalg.pinv({a}, rcond={rcond}, hermitian={hermitian})")


# -- lstsq(a, b, rcond): the solution of least length, the rank, the singular values of a
def _infer_lstsq(a, b, rcond):
    check_system("lstsq", a, b, square=False)
    m, n = a.shape[-2:]
    return matrix_of(b, n, b.shape[-1]), a._replace(shape=a.shape[:-2], dtype=np.dtype(np.int32)), vector_of(a, min(m, n), real_dtype(a.dtype))


def _run_lstsq(xp, a, b, rcond):
    def one(a, b):
        x, _, rank, s = xp.linalg.lstsq(a, b, rcond)
        return x, np.int32(rank), s
    return each(one, a, b)


def _jvp_lstsq(primals, outs, tangents, rcond):
    """Of x = p b, with the residual in place of b where the pseudoinverse p would lose digits."""
    from .svd import singular_values
    a, b = primals
    x, (ta, tb) = outs[0], tangents
    p = pinv(a, rcond=rcond, hermitian=False)
    if ta is None:
        return p @ tb, None, None
    th, ph = adjoint(ta), adjoint(p)
    turned = th @ (ph @ x)
    moved = p @ (ph @ (th @ (b - a @ x))) - p @ (ta @ x) + turned - p @ (a @ turned)
    ds = singular_values.jvp((a,), outs[2], (ta,))
    return add_tangents(moved, None if tb is None else p @ tb), None, ds


lstsq = define("lstsq", infer=_infer_lstsq, run=_run_lstsq, jvp=_jvp_lstsq,
               batch=lambda args, batched, rcond: lstsq(*all_batched(args, batched), rcond=rcond), multiple=True, dear=True)
