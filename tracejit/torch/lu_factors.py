"""The factors of Gaussian elimination: A = P L U."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..ops.linalg import lu as elimination
from ..trace import Tracer
from .dispatch import Primitive
from .linalg import _require_matrix
from .return_types import printed_as
from .tensor import Tensor


@printed_as("linalg_lu_factor")
class lu_factor_result(NamedTuple):
    """What `lu_factor` gives."""

    LU: Tensor
    pivots: Tensor


@printed_as("linalg_lu")
class lu_result(NamedTuple):
    """What `lu` gives."""

    P: Tensor
    L: Tensor
    U: Tensor


def _factors(x: Any) -> tuple[Any, Any]:
    packed, exchanged = elimination(x)
    return packed, (exchanged + 1).astype(np.int32)


_lu_factor = Primitive("LinalgLuFactorEx", _factors)


def lu_factor(A: Tensor, *, pivot: bool = True) -> lu_factor_result:
    """L and U in one matrix, and which rows were exchanged, counted from one.

    Raises `RuntimeError` where a pivot is zero, except in a compiled function, which does not look at values.
    """
    made = factored(A, pivot, "lu_factor")
    info = first_zero_pivot(made.LU)
    if type(info) is not Tracer and info.any():
        i = info.max()
        batch = "" if info.ndim == 0 else f" (Batch element {int(np.argmax(info.reshape(-1) != 0))}):"
        raise RuntimeError(
            f"torch.linalg.lu_factor:{batch} U[{i},{i}] is zero and using it on lu_solve would result in a division by zero. If you still want to "
            "perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
        )
    return made


def factored(A: Tensor, pivot: bool, name: str) -> lu_factor_result:
    """The factors, whatever the pivots."""
    _require_matrix(A, name)
    _require_pivots(pivot, name)
    return lu_factor_result(*_lu_factor(A))


def first_zero_pivot(LU: Tensor) -> Any:
    """The number of the first pivot that is zero, counted from one; zero where there is none."""
    zero = LU.detach().diagonal(dim1=-2, dim2=-1)._array == 0
    if not zero.shape[-1]:
        return np.zeros(zero.shape[:-1], np.int32)
    return np.where(np.any(zero, -1), np.argmax(zero, -1) + 1, 0).astype(np.int32)


def _require_pivots(pivot: bool, name: str) -> None:
    if not pivot:
        raise RuntimeError(f"linalg.{name}: LU without pivoting is not implemented on the CPU: leave pivot=False away")


def _lu_slope(xs: Any, ys: Any, ts: Any) -> Any:
    """d(P A) = dL U + L dU: the strict lower and the upper part of L^-1 P dA U^-1 (Giles 2008, and de Hoog et al. 2011 for LU).

    That is of the leading square; what is right of it or below it follows from the same equation.
    """
    P, L, U = ys
    moved = np.matmul(np.swapaxes(P, -1, -2), ts[0])
    k = L.shape[-1]
    L1, U1 = L[..., :k, :], U[..., :, :k]

    def over(x: Any) -> Any:
        return np.swapaxes(np.linalg.solve(np.swapaxes(U1, -1, -2), np.swapaxes(x, -1, -2)), -1, -2)

    inner = over(np.linalg.solve(L1, moved[..., :k, :k]))
    dL, dU = np.matmul(L1, np.tril(inner, -1)), np.matmul(np.triu(inner), U1)
    if U.shape[-1] > k:
        rest = np.linalg.solve(L1, moved[..., :, k:] - np.matmul(dL, U[..., :, k:]))
        dU = np.concatenate([dU, rest], -1)
    elif L.shape[-2] > k:
        dL = np.concatenate([dL, over(moved[..., k:, :] - np.matmul(L[..., k:, :], dU))], -2)
    return None, dL, dU


def _lu(x: Any) -> Any:
    if isinstance(x, Tracer):
        from ..scipy.linalg import lu as factor
    else:
        from scipy.linalg import lu as factor
    if not x.shape[-1] or not x.shape[-2] or not x.size:
        m, n = x.shape[-2:]
        k = min(m, n)
        return tuple([np.zeros((*x.shape[:-2], *shape), x.dtype) for shape in ((m, m), (m, k), (k, n))])
    P, lower, upper = factor(x)
    return P.astype(x.dtype), lower, upper


_lu_primitive = Primitive("LinalgLu", _lu, rule=_lu_slope)


def lu(A: Tensor, *, pivot: bool = True) -> lu_result:
    """P, L and U with A = P L U."""
    _require_matrix(A, "lu")
    _require_pivots(pivot, "lu")
    P, L, U = _lu_primitive(A)
    return lu_result(P.detach(), L, U)
