"""Index arrays: of diagonals and triangles, of grids, and between flat and multiple indices."""
from __future__ import annotations

import math
import operator as python_operator

import numpy as np

from ..errors import at_user_line
from ..ir.types import BOOL, INT
from ..ops import elementwise as ops
from ..ops import movement
from ..trace import Tracer
from .promotion import as_array, cast
from .register import implements
from .shaping import broadcast_arrays
from .taking import nonzero


@implements(np.diag_indices_from)
def diag_indices_from(arr):
    """As `numpy.diag_indices_from`."""
    shape = as_array(arr).shape
    if len(shape) < 2:
        raise ValueError(at_user_line("input array must be at least 2-d"))
    if len(set(shape)) != 1:
        raise ValueError(at_user_line("All dimensions of input must be of equal length"))
    return np.diag_indices(shape[0], len(shape))


def _triangle_from(name: str, indices):
    def triangle_from(arr, k=0):
        shape = as_array(arr).shape
        if len(shape) != 2:
            raise ValueError(at_user_line("input array must be 2-d"))
        return indices(shape[0], k=k, m=shape[1])
    triangle_from.__name__ = name
    return triangle_from


tril_indices_from = implements(np.tril_indices_from)(_triangle_from("tril_indices_from", np.tril_indices))
triu_indices_from = implements(np.triu_indices_from)(_triangle_from("triu_indices_from", np.triu_indices))


@implements(np.ix_)
def ix_(*args):
    """As `numpy.ix_`; booleans must be known while tracing."""
    result = []
    for d, sequence in enumerate(args):
        x = as_array(sequence)
        if x.ndim != 1:
            raise ValueError(at_user_line("Cross index must be 1 dimensional"))
        if x.size == 0 and type(x) is not Tracer:
            x = x.astype(INT)
        if x.dtype == BOOL:
            (x,) = nonzero(x)
        result.append(movement.reshape(x, shape=tuple(x.size if e == d else 1 for e in range(len(args)))))
    return tuple(result)


# -- flat and multiple indices. Traced ones are not checked here: where they are used to index, that is.
@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index, dims, mode="raise", order="C"):
    """As `numpy.ravel_multi_index`. With mode raise, traced indices are taken as they are."""
    sizes = _sizes(dims)
    rows = list(multi_index)
    if len(rows) != len(sizes):
        raise ValueError(at_user_line(f"parameter multi_index must be a sequence of length {len(sizes)}"))
    modes = (mode,) * len(sizes) if isinstance(mode, str) else tuple(mode)
    rows = broadcast_arrays(*[_integers(r) for r in rows])
    flat = np.int64(0)
    for i, n, how in (list(zip(rows, sizes, modes)) if order == "C" else list(zip(rows, sizes, modes))[::-1]):
        flat = flat * n + _settled(i, n, how)
    return flat


def _sizes(dims) -> tuple[int, ...]:
    return tuple(map(python_operator.index, dims)) if np.iterable(dims) else (python_operator.index(dims),)


def _integers(x):
    x = as_array(x)
    if x.dtype.kind not in "iu":
        raise TypeError(at_user_line("only int indices permitted"))
    return cast(x, INT)


def _settled(i, n: int, mode: str):
    if mode == "wrap":
        return ops.remainder(i, np.int64(n))
    if mode == "clip":
        return ops.minimum(ops.maximum(i, np.int64(0), tie=0.5), np.int64(n - 1), tie=0.5)
    if mode != "raise":
        raise ValueError(at_user_line(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got '{mode}')"))
    if type(i) is not Tracer and np.any((i < 0) | (i >= n)):
        raise ValueError(at_user_line("invalid entry in coordinates array"))
    return i


@implements(np.unravel_index)
def unravel_index(indices, shape, order="C"):
    """As `numpy.unravel_index`."""
    sizes = _sizes(shape)
    flat = _integers(indices)
    if type(flat) is not Tracer and np.any((flat < 0) | (flat >= math.prod(sizes))):
        raise ValueError(at_user_line(f"index {np.asarray(flat).ravel()[0]} is out of bounds for array with size {math.prod(sizes)}"))
    found = []
    for n in sizes[::-1] if order == "C" else sizes:
        found.append(ops.remainder(flat, np.int64(n)))
        flat = ops.floor_divide(flat, np.int64(n))
    return tuple(found[::-1] if order == "C" else found)
