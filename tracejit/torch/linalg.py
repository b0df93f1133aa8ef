"""Linear algebra, as `torch.linalg`. Derivatives are those of the operations that NumPy's functions are traced to."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..ops.elementwise import stop_gradient
from ..trace import Tracer
from .absent import of_module
from .dispatch import FUNCTIONS, Primitive
from .functions.arranging import diagonal
from .functions.keywords import let_write
from .functions.operands import axis
from .functions.products import cross, matmul, matrix_power
from .functions.reductions import vector_norm
from .functions.shaping import transpose
from .return_types import printed_as
from .tensor import Tensor, wrap

__all__ = [
    "LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "householder_product", "inv", "lstsq", "lu",
    "lu_factor", "matmul", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve",
    "solve_triangular", "svd", "svdvals", "vander", "vecdot", "vector_norm",
]  # fmt: skip


class LinAlgError(RuntimeError):
    """A matrix for which the result does not exist."""


def _guarded(name: str, f: Callable) -> Callable:
    """NumPy's error as torch's."""

    def impl(*args: Any, **static: Any) -> Any:
        try:
            return f(*args, **static)
        except np.linalg.LinAlgError as error:
            raise LinAlgError(f"linalg.{name}: {error}") from None

    return impl


def _primitive(node: str, name: str, f: Callable) -> Primitive:
    return Primitive(node, _guarded(name, f))


def _require_square(A: Tensor, name: str) -> None:
    shape = A._data.shape
    if len(shape) < 2:
        raise RuntimeError(f"linalg.{name}: The input tensor A must have at least 2 dimensions, but it has {len(shape)}.")
    if shape[-1] != shape[-2]:
        raise RuntimeError(f"linalg.{name}: A must be batches of square matrices, but they are {shape[-2]} by {shape[-1]} matrices")


def _require_matrix(A: Tensor, name: str) -> None:
    if A._data.ndim < 2:
        raise RuntimeError(f"linalg.{name}: The input tensor A must have at least 2 dimensions, but it has {A._data.ndim}.")


def _require_floating(A: Tensor, name: str) -> None:
    if A._data.dtype.kind not in "fc":
        raise RuntimeError(f"linalg.{name}: Expected a floating point or complex tensor as input. Got {A.dtype}. Convert it first: A.float()")


def _adjoint(x: Any) -> Any:
    moved = np.swapaxes(x, -1, -2)
    return np.conjugate(moved) if x.dtype.kind == "c" else moved


def _hermitian(x: Any, uplo: str = "L") -> Any:
    """The Hermitian matrix of which x has one triangle. Its gradient is Hermitian, as if both had been read."""
    half = np.tril(x, -1) if uplo == "L" else np.triu(x, 1)
    read = half + _adjoint(half) + np.tril(np.triu(x))
    mean = (x + _adjoint(x)) * x.dtype.type(0.5)
    return mean + stop_gradient(read - mean)


def _eig_impl(x: Any) -> tuple[Any, Any]:
    dtype = np.result_type(x.dtype, np.complex64)
    if isinstance(x, Tracer):
        return tuple(np.linalg.eig(x.astype(dtype)))
    values, vectors = np.linalg.eig(x)  # of real matrices they are real or in conjugate pairs, exactly
    return values.astype(dtype), vectors.astype(dtype)


_inv = _primitive("LinalgInvEx", "inv", np.linalg.inv)
_det = _primitive("LinalgDet", "det", np.linalg.det)
_slogdet = _primitive("LinalgSlogdet", "slogdet", lambda x: tuple(np.linalg.slogdet(x)))
_cholesky = _primitive("LinalgCholeskyEx", "cholesky", lambda x: np.linalg.cholesky(_hermitian(x)))
_solve = _primitive("LinalgSolveEx", "solve", np.linalg.solve)
_qr = _primitive("LinalgQr", "qr", lambda x: tuple(np.linalg.qr(x)))
_eigh = _primitive("LinalgEigh", "eigh", lambda x, uplo: tuple(np.linalg.eigh(_hermitian(x, uplo))))
_eigvalsh = _primitive("LinalgEigh", "eigvalsh", lambda x, uplo: np.linalg.eigvalsh(_hermitian(x, uplo)))
_svd = _primitive("LinalgSvd", "svd", lambda x, full: tuple(np.linalg.svd(x, full_matrices=full)))
_svdvals = _primitive("LinalgSvd", "svdvals", lambda x: np.linalg.svd(x, compute_uv=False))
_eig = _primitive("LinalgEig", "eig", _eig_impl)
_pinv = _primitive("LinalgPinv", "pinv", lambda x, rcond, hermitian: np.linalg.pinv(x, rcond=rcond, hermitian=hermitian))


def inv(A: Tensor) -> Tensor:
    """The inverse. Raises `LinAlgError` for a singular matrix.

    >>> from tracejit import torch
    >>> torch.linalg.inv(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    _require_square(A, "inv")
    _require_floating(A, "inv")
    return _inv(A)


def det(A: Tensor) -> Tensor:
    """The determinant."""
    _require_square(A, "det")
    _require_floating(A, "det")
    return _det(A)


@printed_as("linalg_slogdet")
class slogdet_result(NamedTuple):
    """What `slogdet` gives."""

    sign: Tensor
    logabsdet: Tensor


def slogdet(A: Tensor) -> slogdet_result:
    """The sign and the logarithm of the absolute value of the determinant."""
    _require_square(A, "slogdet")
    return slogdet_result(*_slogdet(A))


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L with A = L L^H; with `upper`, its adjoint. Raises `LinAlgError` where A is not positive definite."""
    _require_square(A, "cholesky")
    L = _cholesky(A)
    return L.mH if upper else L


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """The X with A X = B; with `left=False`, with X A = B. A vector B gives a vector."""
    _require_square(A, "solve")
    if not left:
        return transpose(solve(transpose(A, -1, -2), transpose(B, -1, -2)), -1, -2)
    if B._data.ndim == 1 or (B._data.ndim == A._data.ndim - 1 and B._data.shape == A._data.shape[:-1]):
        return _solve(A, B.unsqueeze(-1)).squeeze(-1)
    return _solve(A, B)


def _triangular(A: Any, B: Any, upper: bool, unit: bool) -> Any:
    A = np.triu(A) if upper else np.tril(A)
    if unit:
        n = A.shape[-1]
        A = A * (1 - np.eye(n, dtype=A.dtype)) + np.eye(n, dtype=A.dtype)
    return np.linalg.solve(A, B)


_solve_triangular = _primitive("LinalgSolveTriangular", "solve_triangular", _triangular)


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """The X with A X = B, where A is triangular: only that part of it is read."""
    _require_square(A, "solve_triangular")
    if not left:
        return transpose(solve_triangular(transpose(A, -1, -2), transpose(B, -1, -2), upper=not upper, unitriangular=unitriangular), -1, -2)
    return _solve_triangular(A, B, upper=bool(upper), unit=bool(unitriangular))


@printed_as("linalg_qr")
class qr_result(NamedTuple):
    """What `qr` gives."""

    Q: Tensor
    R: Tensor


def qr(A: Tensor, mode: str = "reduced") -> qr_result:
    """The orthogonal Q and upper triangular R with A = Q R. Only the mode "reduced" has a derivative."""
    if mode == "reduced":
        return qr_result(*_qr(A))
    if mode not in ("complete", "r"):
        raise RuntimeError(f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'")
    if A.requires_grad:
        raise RuntimeError(f"linalg.qr: mode='{mode}' has no derivative: use mode='reduced'")
    q, r = np.linalg.qr(A._array, "complete" if mode == "complete" else "reduced")
    return qr_result(wrap(q if mode == "complete" else np.zeros(0, q.dtype)), wrap(r))


@printed_as("linalg_eigh")
class eigh_result(NamedTuple):
    """What `eigh` gives."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def eigh(A: Tensor, UPLO: str = "L") -> eigh_result:
    """Eigenvalues in ascending order, and eigenvectors, of a Hermitian matrix."""
    _require_square(A, "eigh")
    return eigh_result(*_eigh(A, uplo=UPLO))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Eigenvalues of a Hermitian matrix in ascending order."""
    _require_square(A, "eigvalsh")
    return _eigvalsh(A, uplo=UPLO)


@printed_as("linalg_eig")
class eig_result(NamedTuple):
    """What `eig` gives."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def eig(A: Tensor) -> eig_result:
    """Eigenvalues and eigenvectors of a matrix, always complex."""
    _require_square(A, "eig")
    return eig_result(*_eig(A))


def eigvals(A: Tensor) -> Tensor:
    """Eigenvalues of a matrix, always complex."""
    return eig(A).eigenvalues


@printed_as("linalg_svd")
class svd_result(NamedTuple):
    """What `svd` gives."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def svd(A: Tensor, full_matrices: bool = True, *, driver: Any = None) -> svd_result:
    """U, S and Vh with A = U diag(S) Vh."""
    full = bool(full_matrices) and A._data.shape[-1] != A._data.shape[-2]
    return svd_result(*_svd(A, full=full))


def svdvals(A: Tensor, *, driver: Any = None) -> Tensor:
    """The singular values, the largest first."""
    return _svdvals(A)


def pinv(A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The pseudo-inverse: singular values below `atol`, or below `rtol` (or `rcond`) times the largest, count as zero.

    Without them, those below max(m, n) times the precision of the dtype do.
    """
    _require_floating(A, "pinv")
    _require_matrix(A, "pinv")
    rtol, atol = rcond if rtol is None else rtol, 0.0 if atol is None else float(atol)
    if rtol is None:
        rtol = 0.0 if atol else max(A._data.shape[-2:]) * float(np.finfo(A._data.dtype).eps)
    if not atol or not A._data.size:
        return _pinv(A, rcond=float(rtol), hermitian=bool(hermitian))
    if A._data.ndim > 2:
        parts = [pinv(a, float(rtol), hermitian, atol=atol) for a in A.reshape(-1, *A._data.shape[-2:])]
        return FUNCTIONS["stack"](parts).reshape(*A._data.shape[:-2], *A._data.shape[:-3:-1])
    largest = float(np.linalg.norm(A.detach()._array, 2))
    return _pinv(A, rcond=max(float(rtol), atol / largest if largest else 1.0), hermitian=bool(hermitian))


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> lstsq_result:
    """The X with the least |A X - B|: its `solution`, and the rank.

    The drivers other than "gelsy", which is the default, also give the sums of squares that remain, where A has more rows than columns and full rank;
    "gelsd" and "gelss" give the singular values.
    """
    _require_matrix(A, "lstsq")
    _require_floating(A, "lstsq")
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(f"torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss), got {driver!r}")
    if B._data.dtype != A._data.dtype:
        raise RuntimeError(f"torch.linalg.lstsq: Expected input and other to have the same dtype, but got {A.dtype} and {B.dtype}")
    vector = B._data.ndim == A._data.ndim - 1
    right = B.unsqueeze(-1) if vector else B
    if right._data.ndim < 2 or right._data.shape[-2] != A._data.shape[-2]:
        raise RuntimeError(f"torch.linalg.lstsq: input.size(-2) should match other.size(-2), got {list(A._data.shape)} and {list(B._data.shape)}")
    made = matmul(pinv(A, rcond), right)
    m, n = A._data.shape[-2:]
    ranks = matrix_rank(A, rtol=rcond)
    nothing = wrap(np.zeros(0, A.dtype.to_real().numpy))
    rest = nothing
    if m > n and driver not in (None, "gelsy") and bool((ranks == n).all()):
        rest = vector_norm(matmul(A, made) - right, 2, -2) ** 2
    values = svdvals(A.detach()) if driver in ("gelsd", "gelss") else nothing
    no_ranks = wrap(np.zeros(0, np.int64))
    return lstsq_result(made.squeeze(-1) if vector else made, rest, no_ranks if driver == "gels" else ranks, values)


@printed_as("linalg_lstsq")
class lstsq_result(NamedTuple):
    """What `lstsq` gives."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


def matrix_norm(A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm of matrices: "fro", "nuc", 1, -1, 2, -2, inf, -inf."""
    A = A if dtype is None else A.to(dtype)
    rows, columns = (axis(d, A._data.ndim) for d in dim)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord in (1, -1, math.inf, -math.inf):
        first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = vector_norm(A, 1, first, True)
        found = sums.amax(second, True) if ord > 0 else sums.amin(second, True)
        return found if keepdim else found.squeeze((rows, columns))
    if ord in (2, -2, "nuc"):
        s = svdvals(A.movedim((rows, columns), (-2, -1)))
        found = s.sum(-1) if ord == "nuc" else s.amax(-1) if ord == 2 else s.amin(-1)
        if keepdim:
            for d in sorted((rows, columns)):
                found = found.unsqueeze(d)
        return found
    raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm of vectors or matrices: of matrices where there are two dimensions and an order.

    >>> from tracejit import torch
    >>> torch.linalg.norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    two = A._data.ndim == 2 if dim is None else isinstance(dim, (tuple, list)) and len(dim) == 2
    if two:
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number."""
    if p is None or p in (2, -2):
        s = svdvals(A)
        return s.amax(-1) / s.amin(-1) if p != -2 else s.amin(-1) / s.amax(-1)
    return matrix_norm(A, p) * matrix_norm(inv(A), p)


def matrix_rank(A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """How many singular values are above `atol` (or `tol`) and above `rtol` times the largest."""
    _require_matrix(A, "matrix_rank")
    s = np.linalg.svd(A.detach()._array, compute_uv=False)
    atol = tol if atol is None else atol
    rtol = max(A._data.shape[-2:]) * np.finfo(s.dtype).eps if rtol is None and atol is None else rtol or 0.0
    bound = np.maximum(s.max(-1, keepdims=True, initial=0) * rtol, atol or 0.0)
    return wrap(np.asarray((s > bound).sum(-1)))


def multi_dot(tensors: Any) -> Tensor:
    """The product of several matrices."""
    made = tensors[0]
    for t in tensors[1:]:
        made = matmul(made, t)
    return made


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Sums of products of conj(x) and y along a dimension."""
    return ((x.conj() if x._data.dtype.kind == "c" else x) * y).sum(dim)


def _expm(x: Any) -> Any:
    if isinstance(x, Tracer):
        from ..scipy.linalg import expm
    else:
        from scipy.linalg import expm
    return expm(x)


_matrix_exp = Primitive("LinalgMatrixExp", _expm)


def matrix_exp(A: Tensor) -> Tensor:
    """The exponential of a matrix."""
    _require_square(A, "matrix_exp")
    return _matrix_exp(A)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """Powers of the elements, ascending, along a new last dimension: as many as there are elements, or N."""
    n = (x._data.shape[-1] if x._data.ndim else 1) if N is None else N
    if n <= 1 and N is not None:
        raise RuntimeError(f"N must be greater than 1, got {N}")
    return (x if x._data.ndim else x.reshape(1)).unsqueeze(-1) ** wrap(np.arange(n))


def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """The product of the reflections I - tau v v^H whose vectors are below the diagonal of A."""
    m, n = A._data.shape[-2:]
    made = wrap(np.broadcast_to(np.eye(m, dtype=A._data.dtype), (*A._data.shape[:-2], m, m)).copy())
    unit = wrap(np.eye(m, n, dtype=A._data.dtype))
    vectors = A.tril(-1) + unit
    for i in range(tau._data.shape[-1]):
        v = vectors[..., :, i : i + 1]
        made = made - tau[..., i : i + 1, None] * matmul(matmul(made, v), v.mH)
    return made[..., :n]


def _cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """The X with A X = B, from the Cholesky factor of A."""
    if upper:
        return solve_triangular(L, solve_triangular(L.mH, B, upper=False), upper=True)
    return solve_triangular(L.mH, solve_triangular(L, B, upper=False), upper=True)


FUNCTIONS.update(
    inverse=inv, det=det, slogdet=slogdet, cholesky=lambda input, upper=False: cholesky(input, upper=upper),
    qr=lambda input, some=True: qr(input, "reduced" if some else "complete"),
    pinverse=lambda input, rcond=1e-15: pinv(input, rcond),
    svd=lambda input, some=True, compute_uv=True: _old_svd(input, some), logdet=lambda input: _logdet(input), matrix_exp=matrix_exp,
    cholesky_solve=_cholesky_solve,
)  # fmt: skip


def _old_svd(input: Tensor, some: bool) -> tuple[Tensor, Tensor, Tensor]:
    """`torch.svd`, which gives V in the place of its adjoint."""
    U, S, Vh = svd(input, not some)
    return U, S, Vh.mH


def _logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant; NaN where that is negative."""
    sign, value = slogdet(input)
    return value + (sign if input._data.dtype.kind == "c" else sign.detach()).log()


for _name in ("inverse", "det", "slogdet", "cholesky", "qr", "pinverse", "svd", "logdet", "matrix_exp", "cholesky_solve"):
    setattr(Tensor, _name, FUNCTIONS[_name])

from .factored import cholesky_ex, inv_ex, lu_factor_ex, lu_solve, solve_ex, tensorinv, tensorsolve  # noqa: E402  (made of what is above)
from .lu_factors import lu, lu_factor  # noqa: E402

__all__ += ["cholesky_ex", "inv_ex", "lu_factor_ex", "lu_solve", "solve_ex", "tensorinv", "tensorsolve"]
let_write(globals(), [name for name in __all__ if name != "LinAlgError"])
__getattr__ = of_module(globals())
