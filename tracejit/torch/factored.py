"""Linear systems that are given by factors of their matrix, results with a number that says whether all went well, and systems of tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..ops.linalg import permutation
from . import linalg, lu_factors
from .dispatch import FUNCTIONS, function
from .return_types import printed_as
from .tensor import Tensor, wrap

LinAlgError = linalg.LinAlgError


# -- results with `info`: zero where all went well
@printed_as("linalg_cholesky_ex")
class cholesky_ex_result(NamedTuple):
    """What `cholesky_ex` gives."""

    L: Tensor
    info: Tensor


@printed_as("linalg_inv_ex")
class inv_ex_result(NamedTuple):
    """What `inv_ex` gives."""

    inverse: Tensor
    info: Tensor


@printed_as("linalg_solve_ex")
class solve_ex_result(NamedTuple):
    """What `solve_ex` gives."""

    result: Tensor
    info: Tensor


@printed_as("linalg_lu_factor_ex")
class lu_factor_ex_result(NamedTuple):
    """What `lu_factor_ex` gives."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


def _with_info(f: Callable[..., Tensor], check_errors: bool, *matrices: Tensor) -> tuple[Tensor, Tensor]:
    """The result and zeros; for those matrices of a batch that have none, NaN and ones, or the error if `check_errors`."""
    lead = matrices[0]._data.shape[:-2]
    info = wrap(np.zeros(lead, np.int32))
    try:
        return f(*matrices), info
    except LinAlgError:
        if check_errors:
            raise
        if not lead:
            return FUNCTIONS["full_like"](matrices[-1], float("nan")), info + 1
    rows = [m.expand((*lead, *m._data.shape[-2:])).reshape(-1, *m._data.shape[-2:]) for m in matrices]
    parts = [_with_info(f, False, *row) for row in zip(*[r.unbind() for r in rows])]
    made = FUNCTIONS["stack"]([p[0] for p in parts])
    return made.reshape(*lead, *made._data.shape[1:]), FUNCTIONS["stack"]([p[1] for p in parts]).reshape(lead)


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> cholesky_ex_result:
    """`cholesky`; where a matrix is not positive definite, `info` is not zero and the result is NaN."""
    return cholesky_ex_result(*_with_info(lambda a: linalg.cholesky(a, upper=upper), check_errors, A))


def inv_ex(A: Tensor, *, check_errors: bool = False) -> inv_ex_result:
    """`inv`; where a matrix is singular, `info` is not zero and the result is NaN."""
    return inv_ex_result(*_with_info(linalg.inv, check_errors, A))


def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> solve_ex_result:
    """`solve`; where a matrix is singular, `info` is not zero and the result is NaN."""
    vectors = B._data.ndim == 1 or B._data.shape == A._data.shape[:-1] and B._data.ndim == A._data.ndim - 1
    made, info = _with_info(lambda a, b: linalg.solve(a, b, left=left), check_errors, A, B.unsqueeze(-1) if vectors else B)
    return solve_ex_result(made.squeeze(-1) if vectors else made, info)


def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> lu_factor_ex_result:
    """`lu_factor`; `info` is the number of the first pivot that is zero."""
    LU, pivots = lu_factors.factored(A, pivot, "lu_factor_ex")
    info = lu_factors.first_zero_pivot(LU)
    if check_errors and info.any():
        raise LinAlgError(
            f"torch.linalg.lu_factor_ex: U[{info.max()},{info.max()}] is zero and using it on lu_solve would result in a division by zero."
        )
    return lu_factor_ex_result(LU, pivots, wrap(info))


# -- systems from factors
def _order(pivots: Tensor, n: int) -> Any:
    """The rows in the order that exchanges, counted from one, bring them in."""
    return permutation(pivots.detach()._array.astype(np.int64) - 1, size=n)


def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """The X with A X = B, from what `lu_factor` gave of A; with `adjoint` of its adjoint, with `left=False` on the other side.

    >>> from tracejit import torch
    >>> torch.linalg.lu_solve(*torch.linalg.lu_factor(torch.tensor([[0.0, 2.0], [1.0, 0.0]])), torch.tensor([[2.0], [3.0]]))
    tensor([[3.],
            [1.]])
    """
    if not left:
        return lu_solve(LU, pivots, B.mH, adjoint=not adjoint).mH
    n = LU._data.shape[-1]
    order = _order(pivots, n)
    L, U = LU.tril(-1) + wrap(np.eye(n, dtype=LU._data.dtype)), LU.triu()
    if adjoint:
        made = linalg.solve_triangular(L.mH, linalg.solve_triangular(U.mH, B, upper=False), upper=True)
        back = np.argsort(order, -1)
        return FUNCTIONS["take_along_dim"](made, wrap(back[..., None]), -2)
    moved = FUNCTIONS["take_along_dim"](B, wrap(order[..., None]), -2)
    return linalg.solve_triangular(U, linalg.solve_triangular(L, moved, upper=False), upper=True)


@printed_as("lu_unpack")
class lu_unpack_result(NamedTuple):
    """What `lu_unpack` gives."""

    P: Tensor
    L: Tensor
    U: Tensor


@function("lu_unpack", method=False)
def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> lu_unpack_result:
    """P, L and U with A = P L U, from what `lu_factor` gave."""
    m, n = LU_data._data.shape[-2:]
    k = min(m, n)
    order = _order(LU_pivots, m)
    P = (order[..., None, :] == np.arange(m)[:, None]).astype(LU_data._data.dtype)
    L = LU_data[..., :, :k].tril(-1) + wrap(np.eye(m, k, dtype=LU_data._data.dtype))
    return lu_unpack_result(wrap(P), L, LU_data[..., :k, :].triu())


@printed_as("triangular_solve")
class triangular_solve_result(NamedTuple):
    """What `triangular_solve` gives."""

    solution: Tensor
    cloned_coefficient: Tensor


@function("triangular_solve")
def triangular_solve(b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> triangular_solve_result:
    """The X with A X = b for a triangular A, or its transpose: the older `linalg.solve_triangular`."""
    matrix, high = (A.mT, not upper) if transpose else (A, upper)
    return triangular_solve_result(linalg.solve_triangular(matrix, b, upper=high, unitriangular=unitriangular), A.clone())


@function("cholesky_inverse")
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of the matrix whose Cholesky factor this is."""
    return FUNCTIONS["cholesky_solve"](wrap(np.eye(L._data.shape[-1], dtype=L._data.dtype)), L, upper)


@function("lu_solve")
def _lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """The X with A X = b, from what `lu_factor` gave of A."""
    return lu_solve(LU_data, LU_pivots, b)


# -- systems of tensors
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of `tensordot` with A, whose first `ind` dimensions are the rows."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    first, last = A._data.shape[:ind], A._data.shape[ind:]
    if math.prod(first) != math.prod(last):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got "
            f"{math.prod(last)} != {math.prod(first)}"
        )
    return linalg.inv(A.reshape(math.prod(first), -1)).reshape(*last, *first)


def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """The X with `tensordot(A, X, X.ndim) == B`; `dims` of A are moved to the end first."""
    if dims is not None:
        n = A._data.ndim
        A = A.movedim(tuple(dims), tuple(range(n - len(dims), n)))
    shape = A._data.shape[B._data.ndim :]
    if math.prod(shape) != B._data.size:
        raise RuntimeError(
            f"Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but got {math.prod(shape)} != "
            f"{B._data.size}"
        )
    return linalg.solve(A.reshape(B._data.size, -1), B.reshape(-1)).reshape(shape)
