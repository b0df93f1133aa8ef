"""Matrices made of given parts: `block_diag`, `toeplitz`, `hankel`, `circulant`."""
from __future__ import annotations

import numpy as np

from ..errors import at_user_line
from ..numpy.promotion import as_array, promote
from .delegate import scipy_function

_linalg = scipy_function("scipy.linalg")


@_linalg
def block_diag(*arrs):
    """As `scipy.linalg.block_diag`, for matrices, vectors (rows) and numbers."""
    blocks = promote(*[np.atleast_2d(as_array(a)) for a in arrs])
    if any(b.ndim != 2 for b in blocks):
        raise ValueError(at_user_line(f"block_diag: blocks have at most two axes, got shapes {', '.join(str(b.shape) for b in blocks)}"))
    columns = sum(b.shape[1] for b in blocks)
    rows, at = [], 0
    for b in blocks:
        rows.append(np.pad(b, ((0, 0), (at, columns - at - b.shape[1]))))
        at += b.shape[1]
    return np.concatenate(rows, axis=0)


def _vector(x, name: str):
    x = as_array(x)
    if x.ndim > 1:
        raise ValueError(at_user_line(f"{name}: expected vectors, got an array of shape {x.shape}"))
    return np.ravel(x)


@_linalg
def toeplitz(c, r=None):
    """As `scipy.linalg.toeplitz`, for vectors: constant along each diagonal, with the first column c and the first row r."""
    c = _vector(c, "toeplitz")
    r = np.conj(c) if r is None else _vector(r, "toeplitz")
    rows, columns = c.shape[0], r.shape[0]
    values = np.concatenate(promote(np.flip(c, 0), r[1:]))
    return np.take(values, rows - 1 - np.arange(rows)[:, None] + np.arange(columns))


@_linalg
def hankel(c, r=None):
    """As `scipy.linalg.hankel`, for vectors: constant along each antidiagonal, with the first column c and the last row r."""
    c = _vector(c, "hankel")
    r = np.zeros_like(c) if r is None else _vector(r, "hankel")
    values = np.concatenate(promote(c, r[1:]))
    return np.take(values, np.arange(c.shape[0])[:, None] + np.arange(r.shape[0]))


@_linalg
def circulant(c):
    """As `scipy.linalg.circulant`, for a vector: each column is the one before it, rotated down."""
    c = _vector(c, "circulant")
    n = c.shape[0]
    return np.take(c, (np.arange(n)[:, None] - np.arange(n)) % n)
