"""`nonzero` and its kin with `size=`: results of a given length, where the number of elements is not known while tracing, as under `vmap`.

There are `size` places: what is more is left out, and places that remain take `fill_value`.  Without `size` these are NumPy's functions.

>>> import numpy as np, tracejit as tj
>>> tj.vmap(lambda x: tj.numpy.flatnonzero(x, size=2, fill_value=-1))(np.array([[0, 1, 1], [0, 0, 1]]))
array([[ 1,  2],
       [ 2, -1]])
"""
from __future__ import annotations

import operator as python_operator

import numpy as np

from ..errors import at_user_line
from ..ops import elementwise as ops
from ..trace import Tracer
from .joining import concatenate, stack
from .masks import listed
from .promotion import as_array
from .sets import Runs
from .shaping import part, ravel

__all__ = ["argwhere", "flatnonzero", "nonzero", "unique"]


def _length(size) -> int:
    size = python_operator.index(size)
    if size < 0:
        raise ValueError(at_user_line(f"size must not be negative, got {size}"))
    return size


def _held(mask, size: int):
    """The first `size` positions of the elements that a mask of one axis holds, and which of these places are taken."""
    positions = listed(mask)[: min(size, mask.size)]
    if size > mask.size:
        positions = concatenate([positions, np.zeros(size - mask.size, np.int64)])
    return positions, ops.less(np.arange(size), np.sum(mask))


def nonzero(a, *, size=None, fill_value=0):
    """As `numpy.nonzero`; with `size`, of that length: `fill_value`, a number or one for each axis, is in the places that remain.

    >>> nonzero(np.array([0, 3, 0, 5]), size=3)
    (array([1, 3, 0]),)
    """
    if size is None:
        return np.nonzero(a)
    x, size = as_array(a), _length(size)
    if not x.ndim:
        raise ValueError(at_user_line("Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar).nonzero() instead."))
    fill = fill_value if isinstance(fill_value, (tuple, list)) else (fill_value,) * x.ndim
    if len(fill) != x.ndim:
        raise ValueError(at_user_line(f"fill_value has {len(fill)} numbers for an array of {x.ndim} axes"))
    line, taken = _held(ops.not_equal(ravel(x), x.dtype.type(0)), size)
    places = []
    for n in reversed(x.shape[1:]):
        places.append(line % max(n, 1))
        line = line // max(n, 1)
    return tuple(np.where(taken, place, f) for place, f in zip((line, *reversed(places)), fill))


def flatnonzero(a, *, size=None, fill_value=0):
    """As `numpy.flatnonzero`; see `nonzero`.

    >>> flatnonzero(np.array([0, 3, 0, 5]), size=1)
    array([1])
    """
    return np.flatnonzero(a) if size is None else nonzero(ravel(as_array(a)), size=size, fill_value=fill_value)[0]


def argwhere(a, *, size=None, fill_value=0):
    """As `numpy.argwhere`; see `nonzero`.

    >>> argwhere(np.eye(2), size=3, fill_value=-1)
    array([[ 0,  0],
           [ 1,  1],
           [-1, -1]])
    """
    return np.argwhere(a) if size is None else stack(nonzero(a, size=size, fill_value=fill_value), axis=1)


def unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True, sorted=True, size=None, fill_value=None):
    """As `numpy.unique`; with `size`, of that length: in the places that remain are `fill_value`, by default the smallest value, its index, and the
    count 0. `axis` and `size` together have no traced form: `TypeError`.

    >>> unique(np.array([3.0, 1.0, 3.0]), size=3, return_counts=True)
    (array([1., 3., 1.]), array([1, 2, 0]))
    """
    if size is None:
        return np.unique(ar, return_index, return_inverse, return_counts, axis, equal_nan=equal_nan, sorted=sorted)
    x, size = as_array(ar), _length(size)
    if axis is not None or not x.size:
        raise TypeError(at_user_line("tracejit.numpy.unique(..., size=) takes elements of a whole array that has some: leave `axis` out"))
    runs = Runs(x if type(x) is Tracer else np.asarray(x), equal_nan)
    first, taken = _held(runs.begin, size + 1)   # the run behind the last one says where that ends
    ends, first = np.where(taken[1:], first[1:], x.size), first[:-1]
    taken = taken[:-1]
    values, index = runs.chosen(first, True, False, False)
    counts = np.where(taken, ends - first, 0)
    wanted = [np.where(taken, values, part(runs.ordered, 0, 1, 0) if fill_value is None else fill_value).astype(x.dtype)]
    wanted += [index] * return_index + ([runs.inverse()] if return_inverse else []) + [counts] * return_counts
    return tuple(wanted) if len(wanted) > 1 else wanted[0]
