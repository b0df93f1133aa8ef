"""`scipy.linalg` on traced values: the same names, arguments and results.

`overwrite_*` allow nothing here and `check_finite` checks nothing: traced values are not known.  Singular triangular systems give infinities.

>>> import numpy as np, tracejit as tj
>>> from tracejit.scipy.linalg import cho_factor, cho_solve
>>> tj.grad(lambda s: cho_solve(cho_factor(s * np.eye(2)), np.ones(2)).sum())(4.0)
np.float64(-0.125)
"""
from __future__ import annotations

import numpy as np

from ..errors import at_user_line
from ..numpy import decompositions, systems
from ..numpy.promotion import as_array, promote
from ..numpy.systems import inexact, known_number, square
from ..numpy.taking import take
from ..ops import linalg as ops
from .delegate import refuse, scipy_function
from .special_matrices import block_diag, circulant, hankel, toeplitz

__all__ = [
    "LinAlgError", "block_diag", "cho_factor", "cho_solve", "cholesky", "circulant", "cosm", "det", "eig", "eigh", "eigvals", "eigvalsh", "expm",
    "expm_frechet", "hankel", "inv", "lstsq", "lu", "lu_factor", "lu_solve", "norm", "pinv", "polar", "qr", "sinm", "solve",
    "solve_continuous_lyapunov", "solve_sylvester", "solve_triangular", "sqrtm", "svd", "svdvals", "toeplitz",
]

LinAlgError = np.linalg.LinAlgError
_linalg = scipy_function("scipy.linalg")
_TRANS = {0: 0, "N": 0, 1: 1, "T": 1, 2: 2, "C": 2}


# -- systems
def _triangular(a, b, lower: bool, trans: int = 0, unit: bool = False):
    """op(a)^-1 b for a matrix or a vector b; `trans` as in `solve_triangular`."""
    a, b = promote(square(a), as_array(b))
    columns = b[:, None] if b.ndim == 1 else b
    if columns.ndim < 2 or columns.shape[-2] != a.shape[-1]:
        raise ValueError(at_user_line(f"shapes of a {a.shape} and b {b.shape} are incompatible"))
    if trans == 2:
        a = np.conj(a)
    x = ops.triangular_solve(*systems.stacked("solve_triangular", a, columns), lower=bool(lower), transposed=trans != 0, unit=bool(unit))
    return x[..., 0] if b.ndim == 1 else x


@_linalg
def solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False, overwrite_b=False, check_finite=True):
    """As `scipy.linalg.solve_triangular`."""
    if trans not in _TRANS:
        raise ValueError(at_user_line(f"trans must be 0, 1, 2, 'N', 'T' or 'C', got {trans!r}"))
    return _triangular(a, b, lower, _TRANS[trans], unit_diagonal)


@_linalg
def solve(a, b, lower=False, overwrite_a=False, overwrite_b=False, check_finite=True, assume_a=None, transposed=False):
    """As `scipy.linalg.solve`. A structure that is assumed decides which part of a is read, and so where gradients are."""
    a = square(a)
    structure = {"pos": "positive definite", "sym": "symmetric", "her": "hermitian"}.get(assume_a, assume_a)
    if structure == "positive definite":
        factor = ops.cholesky(ops.hermitian(a, bool(lower)))
        return _triangular(factor, _triangular(factor, b, True), True, 2)
    if structure in ("lower triangular", "upper triangular"):
        return _triangular(a, b, structure == "lower triangular", int(transposed))
    if structure == "hermitian":
        a = ops.hermitian(a, bool(lower))
    elif structure == "symmetric":
        half = ops.half_lower(a if lower else a.mT)
        a = half + half.mT
    elif structure not in (None, "gen", "general", "diagonal", "tridiagonal", "banded"):
        raise ValueError(at_user_line(f"{assume_a} is not a recognized matrix structure"))
    return systems.solve(a.mT if transposed else a, b)


@_linalg
def inv(a, overwrite_a=False, check_finite=True, *, assume_a=None, lower=False):
    """As `scipy.linalg.inv`."""
    refuse("scipy.linalg.inv", assume_a=assume_a)
    return systems.inv(a)


@_linalg
def det(a, overwrite_a=False, check_finite=True):
    """As `scipy.linalg.det`."""
    return systems.det(a)


@_linalg
def lstsq(a, b, cond=None, overwrite_a=False, overwrite_b=False, check_finite=True, lapack_driver=None):
    """As `scipy.linalg.lstsq`, for a matrix of full rank as far as the residues' shape goes."""
    a = inexact(a)
    rcond = np.finfo(a.dtype).eps if cond is None else known_number(cond, "scipy.linalg.lstsq", "cond")
    return systems.lstsq(a, b, float(rcond))


@_linalg
def pinv(a, *, atol=None, rtol=None, return_rank=False, check_finite=True):
    """As `scipy.linalg.pinv`, without `atol` and `return_rank`."""
    refuse("scipy.linalg.pinv", atol=atol, return_rank=return_rank)
    return systems.pinv(a, rtol=rtol)


@_linalg
def solve_sylvester(a, b, q):
    """As `scipy.linalg.solve_sylvester`: x with a x + x b = q."""
    return ops.sylvester(*promote(square(a), square(b), inexact(q)))


@_linalg
def solve_continuous_lyapunov(a, q):
    """As `scipy.linalg.solve_continuous_lyapunov`: x with a x + x a^H = q."""
    a, q = promote(square(a), square(q))
    return ops.sylvester(a, ops.adjoint(a), q)


# -- Cholesky
@_linalg
def cholesky(a, lower=False, overwrite_a=False, check_finite=True):
    """As `scipy.linalg.cholesky`. Only one triangle of a is read, the upper one by default, so gradients have only that triangle."""
    return decompositions.cholesky(square(a), upper=not lower)


@_linalg
def cho_factor(a, lower=False, overwrite_a=False, check_finite=True):
    """As `scipy.linalg.cho_factor`: the other triangle of the factor is that of a."""
    a = square(a)
    factor = decompositions.cholesky(a, upper=not lower)
    return factor + (np.triu(a, 1) if lower else np.tril(a, -1)), lower


@_linalg
def cho_solve(c_and_lower, b, overwrite_b=False, check_finite=True):
    """As `scipy.linalg.cho_solve`."""
    c, lower = c_and_lower
    if lower:
        return _triangular(c, _triangular(c, b, True), True, 2)
    return _triangular(c, _triangular(c, b, False, 2), False)


# -- LU
@_linalg
def lu_factor(a, overwrite_a=False, check_finite=True):
    """As `scipy.linalg.lu_factor`."""
    packed, pivots = ops.lu(inexact(a))
    return packed, pivots.astype(np.int32)


@_linalg
def lu_solve(lu_and_piv, b, trans=0, overwrite_b=False, check_finite=True):
    """As `scipy.linalg.lu_solve`."""
    packed, pivots = lu_and_piv
    packed, b = promote(square(packed), as_array(b))
    rows = ops.permutation(as_array(pivots).astype(np.int64), size=packed.shape[-1])
    if trans == 0:
        return _triangular(packed, _triangular(packed, _permuted(b, rows), True, unit=True), False)
    turned = _triangular(packed, _triangular(packed, b, False, trans), True, trans, unit=True)
    return _permuted(turned, np.argsort(rows, axis=-1))


def _permuted(b, rows):
    """The rows of a matrix, or the elements of a vector, in another order."""
    if rows.ndim == 1:
        return take(b, rows, axis=0 if b.ndim == 1 else -2)   # np.take looks at the array alone for who should take
    return np.take_along_axis(b, rows[..., None], axis=-2)


@_linalg
def lu(a, permute_l=False, overwrite_a=False, check_finite=True, p_indices=False):
    """As `scipy.linalg.lu`."""
    a = inexact(a)
    m, n = a.shape[-2:]
    k = min(m, n)
    packed, pivots = ops.lu(a)
    order = np.argsort(ops.permutation(pivots, size=m), axis=-1)
    lower = np.tril(packed, -1)[..., :k] + np.eye(m, k, dtype=a.dtype)
    upper = np.triu(packed)[..., :k, :]
    if permute_l:
        return np.take_along_axis(lower, order[..., None], axis=-2), upper
    if p_indices:
        return order.astype(np.int32), lower, upper
    real = np.finfo(a.dtype).dtype
    return np.equal(order[..., None], np.arange(m)).astype(real), lower, upper


# -- orthogonal factors and spectra
@_linalg
def qr(a, overwrite_a=False, lwork=None, mode="full", pivoting=False, check_finite=True):
    """As `scipy.linalg.qr`, for the modes "full", "economic" and "r", without pivoting."""
    refuse("scipy.linalg.qr", pivoting=pivoting)
    names = {"full": "complete", "economic": "reduced"}
    if mode not in ("full", "economic", "r"):
        raise ValueError(at_user_line(f"scipy.linalg.qr: the traced modes are 'full', 'economic' and 'r', got {mode!r}"))
    if mode == "r":
        return (decompositions.qr(a, "complete").R,)
    return tuple(decompositions.qr(a, names[mode]))


@_linalg
def svd(a, full_matrices=True, compute_uv=True, overwrite_a=False, check_finite=True, lapack_driver="gesdd"):
    """As `scipy.linalg.svd`."""
    result = decompositions.svd(a, full_matrices, compute_uv)
    return tuple(result) if compute_uv else result


@_linalg
def svdvals(a, overwrite_a=False, check_finite=True):
    """As `scipy.linalg.svdvals`."""
    return decompositions.svdvals(a)


@_linalg
def polar(a, side="right"):
    """As `scipy.linalg.polar`: a = u p or p u, with orthonormal u and positive p."""
    if side not in ("right", "left"):
        raise ValueError(at_user_line("`side` must be either 'right' or 'left'"))
    w, s, vh = ops.svd(inexact(a), full=False)
    s = s.astype(w.dtype)
    return w @ vh, (ops.adjoint(vh) * s[..., None, :]) @ vh if side == "right" else (w * s[..., None, :]) @ ops.adjoint(w)


@_linalg
def eigh(a, b=None, *, lower=True, eigvals_only=False, overwrite_a=False, overwrite_b=False, type=1, check_finite=True,
         subset_by_index=None, subset_by_value=None, driver=None):
    """As `scipy.linalg.eigh`, also for a v = w b v (`type` 1), without `subset_by_value`."""
    refuse("scipy.linalg.eigh", subset_by_value=subset_by_value, type=type != 1 or None)
    a, lower = square(a), bool(lower)
    chosen = slice(None) if subset_by_index is None else slice(subset_by_index[0], subset_by_index[1] + 1)
    if b is None:
        if eigvals_only:
            return ops.eigvalsh(a, lower=lower)[..., chosen]
        w, v = ops.eigh(a, lower=lower)
        return w[..., chosen], v[..., chosen]
    a, b = promote(a, square(b))
    factor = ops.cholesky(ops.hermitian(b, lower))
    half = _triangular(factor, ops.hermitian(a, lower), True)
    reduced = _triangular(factor, ops.adjoint(half), True)
    if eigvals_only:
        return ops.eigvalsh(reduced, lower=True)[..., chosen]
    w, v = ops.eigh(reduced, lower=True)
    return w[..., chosen], _triangular(factor, v, True, 2)[..., chosen]


@_linalg
def eigvalsh(a, b=None, *, lower=True, overwrite_a=False, overwrite_b=False, type=1, check_finite=True,
             subset_by_index=None, subset_by_value=None, driver=None):
    """As `scipy.linalg.eigvalsh`; see `eigh`."""
    return eigh(a, b, lower=lower, eigvals_only=True, type=type, subset_by_index=subset_by_index, subset_by_value=subset_by_value)


@_linalg
def eig(a, b=None, left=False, right=True, overwrite_a=False, overwrite_b=False, check_finite=True, homogeneous_eigvals=False):
    """As `scipy.linalg.eig`, for right eigenvectors of one matrix, which are complex."""
    refuse("scipy.linalg.eig", b=b, left=left, homogeneous_eigvals=homogeneous_eigvals)
    a = square(a)
    return tuple(ops.eig(a)) if right else ops.eigvals(a)


@_linalg
def eigvals(a, b=None, overwrite_a=False, check_finite=True, homogeneous_eigvals=False):
    """As `scipy.linalg.eigvals`, for one matrix."""
    refuse("scipy.linalg.eigvals", b=b, homogeneous_eigvals=homogeneous_eigvals)
    return ops.eigvals(square(a))


# -- functions of matrices
@_linalg
def norm(a, ord=None, axis=None, keepdims=False, check_finite=True):
    """As `scipy.linalg.norm`."""
    return np.linalg.norm(a, ord, axis, keepdims)


@_linalg
def expm(A):
    """As `scipy.linalg.expm`."""
    return ops.expm(square(A))


@_linalg
def expm_frechet(A, E, method=None, compute_expm=True, check_finite=True):
    """As `scipy.linalg.expm_frechet`: the exponential, and its derivative in the direction E."""
    a, e = promote(square(A), square(E))
    slope = ops.expm_slope(a, e)
    return (ops.expm(a), slope) if compute_expm else slope


def _of_exponential(a, part):
    """`part` of e^(i a) for a real matrix; a complex one needs e^(-i a), too."""
    a = square(a)
    turned = ops.expm(a * 1j)
    if a.dtype.kind != "c":
        return part(turned)
    back = ops.expm(a * -1j)
    return (turned + back) / 2 if part is np.real else (turned - back) / 2j


@_linalg
def cosm(A):
    """As `scipy.linalg.cosm`."""
    return _of_exponential(A, np.real)


@_linalg
def sinm(A):
    """As `scipy.linalg.sinm`."""
    return _of_exponential(A, np.imag)


@_linalg
def sqrtm(A):
    """As `scipy.linalg.sqrtm`, but complex for real matrices, too, where the root cannot be asked for while tracing (in `vmap` and loops)."""
    a = square(A)
    return decompositions.real_where_known(a, ops.sqrtm(a))[0]
