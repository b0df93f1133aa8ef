"""What the factorisations share: type rules, batching, and the matrix functions that their derivatives are written with.

Every op here works on stacks of matrices: all its arguments have the same leading axes.
The rules call NumPy's own functions, on arrays as on proxies.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...errors import at_user_line
from ...ir import ArrayType
from ..elementwise import convert, equal
from ..indexing import positions_along


# -- type rules
def check_matrix(name: str, a: ArrayType, square: bool = False) -> tuple[int, int]:
    """Rows and columns. Raises `LinAlgError` and `TypeError` as NumPy does."""
    if a.ndim < 2:
        raise np.linalg.LinAlgError(at_user_line(f"{name}: {a.ndim}-dimensional array given. Array must be at least two-dimensional"))
    if a.dtype.kind not in "fc" or a.dtype.itemsize < 4:
        raise TypeError(at_user_line(f"{name}: array type {a.dtype} is unsupported in linalg"))
    rows, columns = a.shape[-2:]
    if square and rows != columns:
        raise np.linalg.LinAlgError(at_user_line(f"{name}: last 2 dimensions of the array must be square, got shape {a.shape}"))
    return rows, columns


def check_system(name: str, a: ArrayType, b: ArrayType, square: bool = True) -> None:
    """Of a system a x = b, where both are stacks of matrices."""
    rows, _ = check_matrix(name, a, square)
    if b.dtype != a.dtype:
        raise TypeError(at_user_line(f"{name} needs equal dtypes, got {a} and {b}"))
    if b.ndim != a.ndim or b.shape[:-2] != a.shape[:-2] or b.shape[-2] != rows:
        raise ValueError(at_user_line(f"{name}: matrices of shape {a.shape} and right sides of shape {b.shape} do not fit together"))


def matrix_of(a: ArrayType, rows: int, columns: int) -> ArrayType:
    """A stack like `a` of matrices of another size."""
    return ArrayType((*a.shape[:-2], rows, columns), a.dtype)


def vector_of(a: ArrayType, size: int, dtype: np.dtype | None = None) -> ArrayType:
    """A stack like `a` of vectors."""
    return ArrayType((*a.shape[:-2], size), a.dtype if dtype is None else dtype)


def real_dtype(dtype: np.dtype) -> np.dtype:
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def complex_dtype(dtype: np.dtype) -> np.dtype:
    return np.result_type(dtype, np.complex64)


# -- running
def each(function: Callable, *stacks: np.ndarray) -> tuple[np.ndarray, ...]:
    """`function` of the matrices at each position of the stacks; it gives a tuple of arrays, which are stacked alike.

    For a stack of one matrix the results are not copied. A stack of no matrices is the caller's to exclude.
    """
    lead = stacks[0].shape[:-2]
    if not lead:
        return function(*stacks)
    results = [function(*[s[at] for s in stacks]) for at in np.ndindex(*lead)]
    return tuple(np.stack(parts).reshape(*lead, *np.shape(parts[0])) for parts in zip(*results))


# -- functions of matrices, on arrays and proxies
def adjoint(x):
    """The conjugate transpose."""
    return np.conj(x.mT) if x.dtype.kind == "c" else x.mT


def half_lower(x):
    """The lower triangle with half the diagonal: `half_lower(x) + adjoint(half_lower(x))` is the Hermitian matrix whose lower triangle x has."""
    return (np.tril(x) + np.tril(x, -1)) * 0.5


def hermitian(x, lower: bool = True):
    """The Hermitian matrix of which LAPACK reads only one triangle."""
    half = half_lower(x if lower else x.mT)
    return half + adjoint(half) if lower else half.mT + np.conj(half)


def diagonal(x):
    return np.diagonal(x, axis1=-2, axis2=-1)


def off_diagonal(x):
    """x with zeros on the diagonal."""
    return np.tril(x, -1) + np.triu(x, 1)


def on_diagonal(x):
    """x with zeros off the diagonal."""
    return np.tril(np.triu(x))


def like_real(x, real):
    """The array `real` in the dtype of x, which may be complex."""
    return real if x.dtype == real.dtype else real.astype(x.dtype)


def gaps_between(values, like):
    """The differences w_j - w_i of the elements of each vector, in the dtype of `like`, with ones on the diagonal in place of zeros."""
    gaps = values[..., None, :] - values[..., :, None]
    return like_real(like, gaps) + identity_like(like, values.shape[-1])


def identity_like(x, size: int):
    """The identity in x's dtype, which broadcasts against stacks; compiled code computes it."""
    return convert(equal(positions_along(x, (size, 1), 0), positions_along(x, (1, size), 1)), dtype=x.dtype)


def widened(x, columns: int):
    """x with zero columns added up to `columns`."""
    missing = columns - x.shape[-1]
    return np.pad(x, (*((0, 0),) * (x.ndim - 1), (0, missing))) if missing else x
