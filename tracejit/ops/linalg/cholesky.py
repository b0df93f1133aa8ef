"""`cholesky(a)`: the lower triangular factor L of a positive definite matrix, L L^H = a.

Only the lower triangle of a is read, as NumPy does, so the derivative is with respect to that: gradients are lower triangular.
For a symmetric gradient give the symmetric part, `cholesky((a + a.T) / 2)`.
"""
from __future__ import annotations

from ..core import define
from .matrices import adjoint, check_matrix, half_lower, hermitian
from .triangular import triangular_solve


def _infer(a):
    check_matrix("cholesky", a, square=True)
    return a.strong


def _jvp(primals, out, tangents):
    """dL = L half_lower(L^-1 da L^-H)."""
    lower = dict(lower=True, transposed=False, unit=False)
    half = triangular_solve(out, hermitian(tangents[0]), **lower)
    return out @ half_lower(triangular_solve(out, adjoint(half), **lower))


cholesky = define("cholesky", infer=_infer, run=lambda xp, a: xp.linalg.cholesky(a), jvp=_jvp,
                  batch=lambda args, batched: cholesky(args[0]), kind="lapack", dear=True, show="np.linalg.cholesky")
