"""Norms. At the origin their slope is 0: the subgradient of least norm."""
from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ir.types import FLOAT
from ..ops import elementwise as ops
from ..ops import movement
from . import reductions
from .axes import axis_index
from .promotion import as_array, cast
from .register import implements
from .shaping import ravel
from .statistics import root
from .ufuncs import absolute


@implements(np.linalg.norm)
def norm(x, ord=None, axis=None, keepdims=False):
    """As `numpy.linalg.norm`."""
    x = as_array(x)
    if x.dtype.kind not in "fc":
        x = cast(x, FLOAT)
    if axis is None:
        if ord is None or (ord == 2 and x.ndim == 1) or (ord in ("f", "fro") and x.ndim == 2):
            length = _euclidean(ravel(x), 0)
            return movement.reshape(length, shape=(1,) * x.ndim) if keepdims else length
        axes = tuple(range(x.ndim))
    else:
        axes = axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(axis_index(d, x.ndim) for d in axes)
    if len(axes) == 1:
        return _vector(x, ord, axes, keepdims)
    if len(axes) != 2:
        raise ValueError(at_user_line("Improper number of dimensions to norm."))
    if axes[0] == axes[1]:
        raise ValueError(at_user_line("Duplicate axes given."))
    return _matrix(x, ord, axes, keepdims)


def _euclidean(x, axes, keepdims=False):
    squares = ops.square(x) if x.dtype.kind != "c" else ops.add(ops.square(ops.real(x)), ops.square(ops.imag(x)))
    return root(reductions.sum(squares, axes, keepdims=keepdims))


def _vector(x, ord, axes, keepdims):
    if ord is None or ord == 2:
        return _euclidean(x, axes, keepdims)
    size = absolute(x)
    if ord == math.inf:
        return reductions.max(size, axes, keepdims=keepdims)
    if ord == -math.inf:
        return reductions.min(size, axes, keepdims=keepdims)
    if ord == 0:
        return reductions.sum(cast(ops.not_equal(x, x.dtype.type(0)), size.dtype), axes, keepdims=keepdims)
    if ord == 1:
        return reductions.sum(size, axes, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(at_user_line(f"Invalid norm order '{ord}' for vectors"))
    total = reductions.sum(ops.power(size, size.dtype.type(ord)), axes, keepdims=keepdims)
    zero, one = size.dtype.type(0), size.dtype.type(1)
    at_zero = ops.equal(total, zero)
    rooted = ops.power(ops.select(at_zero, one, total), size.dtype.type(1 / ord))
    return ops.select(at_zero, size.dtype.type(0 if ord > 0 else math.inf), rooted)


def _matrix(x, ord, axes, keepdims):
    rows, columns = axes
    if ord in (None, "fro", "f"):
        return _euclidean(x, axes, keepdims)
    if ord in (2, -2, "nuc"):
        found = _spectral(x, ord, axes)
    elif ord not in (1, -1, math.inf, -math.inf):
        raise ValueError(at_user_line("Invalid norm order for matrices."))
    else:
        summed, compared = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = reductions.sum(absolute(x), summed, keepdims=True)
        found = (reductions.max if ord > 0 else reductions.min)(sums, compared, keepdims=True)
    kept = tuple(1 if d in axes else n for d, n in enumerate(x.shape))
    return movement.reshape(found, shape=kept if keepdims else tuple(n for d, n in enumerate(x.shape) if d not in axes))


def _spectral(x, ord, axes):
    """The largest, the smallest, or the sum of the singular values. |s| has the slope 0 where s is 0: the subgradient of least norm."""
    rest = tuple(d for d in range(x.ndim) if d not in axes)
    s = np.linalg.svd(movement.transpose(x, permutation=(*rest, *axes)), compute_uv=False)
    return reductions.sum(absolute(s), -1) if ord == "nuc" else (reductions.max if ord > 0 else reductions.min)(s, -1)


@implements(np.linalg.vector_norm)
def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """As `numpy.linalg.vector_norm`."""
    x = as_array(x)
    if axis is None:
        result = norm(ravel(x), ord, 0)
        return movement.reshape(result, shape=(1,) * x.ndim) if keepdims else result
    if isinstance(axis, tuple) and len(axis) != 1:
        chosen = tuple(axis_index(d, x.ndim) for d in axis)
        rest = tuple(d for d in range(x.ndim) if d not in chosen)
        count = math.prod(x.shape[d] for d in chosen)
        lined = movement.reshape(movement.transpose(x, permutation=(*chosen, *rest)), shape=(count, *(x.shape[d] for d in rest)))
        result = norm(lined, ord, 0)
        return movement.reshape(result, shape=tuple(1 if d in chosen else n for d, n in enumerate(x.shape))) if keepdims else result
    return norm(x, ord, axis if isinstance(axis, tuple) else (axis,), keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """As `numpy.linalg.matrix_norm`."""
    return norm(x, ord, (-2, -1), keepdims)
