"""Diagonals and triangles."""
from __future__ import annotations

import numpy as np

from ..errors import at_user_line
from ..ops import elementwise as ops
from ..ops import movement
from . import reductions
from .axes import axis_index
from .constants import positions
from .promotion import as_array
from .register import implements, static
from .shaping import ravel


@implements(np.diagonal)
def diagonal(a, offset=0, axis1=0, axis2=1):
    """As `numpy.diagonal`: in the flat order of a matrix its diagonal is a slice with the step columns + 1."""
    x, offset = as_array(a), static(offset, "np.diagonal", "offset")
    if x.ndim < 2:
        raise ValueError(at_user_line("diag requires an array of at least two dimensions"))
    i, j = axis_index(axis1, x.ndim), axis_index(axis2, x.ndim)
    if i == j:
        raise ValueError(at_user_line("axis1 and axis2 cannot be the same"))
    rest = tuple(d for d in range(x.ndim) if d not in (i, j))
    x = movement.transpose(x, permutation=(*rest, i, j))
    *lead, rows, columns = x.shape
    first = offset if offset >= 0 else -offset * columns
    count = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    flat = movement.reshape(x, shape=(*lead, rows * columns))
    start, step = (0,) * len(lead), (1,) * len(lead)
    if count == 0:
        return movement.slice_(flat, start=(*start, 0), stop=(*lead, 0), step=(*step, 1))
    return movement.slice_(flat, start=(*start, first), stop=(*lead, first + (count - 1) * (columns + 1) + 1), step=(*step, columns + 1))


@implements(np.linalg.diagonal)
def linalg_diagonal(x, /, *, offset=0):
    """As `numpy.linalg.diagonal`."""
    return diagonal(x, offset, -2, -1)


@implements(np.diag)
def diag(v, k=0):
    """As `numpy.diag`."""
    x = as_array(v)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ValueError(at_user_line("Input must be 1- or 2-d."))
    n = x.size + abs(k)
    if x.size == 0:
        return movement.pad(movement.reshape(x, shape=(0, 0)), low=(0, 0), high=(n, n), interior=(0, 0), value=0)
    first = k if k >= 0 else -k * n
    used = first + (x.size - 1) * (n + 1) + 1
    flat = movement.pad(x, low=(first,), high=(n * n - used,), interior=(n,), value=0)
    return movement.reshape(flat, shape=(n, n))


@implements(np.diagflat)
def diagflat(v, k=0):
    """As `numpy.diagflat`."""
    return diag(ravel(v), k)


@implements(np.trace)
def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    """As `numpy.trace`."""
    return reductions.sum(diagonal(a, offset, axis1, axis2), -1, dtype, out)


@implements(np.linalg.trace)
def linalg_trace(x, /, *, offset=0, dtype=None):
    """As `numpy.linalg.trace`."""
    return trace(x, offset, -2, -1, dtype)


def _triangle(name: str, inside):
    def triangle(m, k=0):
        x = as_array(m)
        if x.ndim == 1:   # a row, repeated
            x = movement.broadcast_to(x, shape=(x.size, x.size))
        if x.ndim < 2:
            raise TypeError(at_user_line(f"np.{name}: the array must have at least one dimension"))
        rows, columns = x.shape[-2:]
        i, j = positions(x, (rows, 1), 0), positions(x, (1, columns), 1)
        return ops.select(inside(ops.subtract(j, i), np.int64(k)), x, x.dtype.type(0))
    triangle.__name__ = name
    triangle.__doc__ = f"As `numpy.{name}`."
    return triangle


tril = implements(np.tril)(_triangle("tril", ops.less_equal))
triu = implements(np.triu)(_triangle("triu", ops.greater_equal))
