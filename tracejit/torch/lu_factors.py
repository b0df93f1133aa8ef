"""The factors of Gaussian elimination: A = P L U."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..trace import Tracer
from .dispatch import FUNCTIONS, Primitive
from .linalg import _require_matrix
from .return_types import printed_as
from .tensor import Tensor, wrap


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


def lu_factor(A: Tensor, *, pivot: bool = True) -> lu_factor_result:
    """L and U in one matrix, and which rows were exchanged, counted from one."""
    from scipy.linalg import lu_factor as factor

    _require_matrix(A, "lu_factor")
    _require_pivots(pivot, "lu_factor")
    array = A.detach()._array
    m, n = array.shape[-2:]
    flat = array.reshape(-1, m, n)
    both, pivots = np.empty(flat.shape, flat.dtype), np.empty((len(flat), min(m, n)), np.int32)
    for i, x in enumerate(flat):
        both[i], places = factor(x)
        pivots[i] = places + 1
    LU = wrap(both.reshape(array.shape))
    if A.requires_grad:
        _, L, U = lu(A)
        k = min(m, n)
        below = L.tril(-1)
        LU = FUNCTIONS["cat"]([below[..., :k] + U[..., :, :k], U[..., :, k:]], -1) if m <= n else below + FUNCTIONS["cat"](
            [U, wrap(np.zeros((*U._data.shape[:-2], m - n, n), U._data.dtype))], -2
        )
    return lu_factor_result(LU, wrap(pivots.reshape(*array.shape[:-2], min(m, n))))


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
