"""Sorting and searching."""
from __future__ import annotations

import operator as python_operator

import numpy as np

from ..errors import at_user_line
from ..ops import elementwise as ops
from ..ops import movement, sorting
from .axes import axis_index
from .promotion import as_array, cast, promote
from .register import implements, known, refuse
from .shaping import moveaxis, part, ravel
from .taking import take, take_along_axis


@implements(np.sort)
def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    """As `numpy.sort`; always stable."""
    refuse("np.sort", order=order)
    x = as_array(a)
    if axis is None:
        x, axis = ravel(x), 0
    return sorting.sort(x, axis=axis_index(axis, x.ndim))


@implements(np.argsort)
def argsort(a, axis=-1, kind=None, order=None, *, stable=None):
    """As `numpy.argsort`; always stable."""
    refuse("np.argsort", order=order)
    x = as_array(a)
    if axis is None or x.ndim == 0:   # also of a number it is an array of one position
        x, axis = ravel(x), 0 if axis is None else axis
    return sorting.argsort(x, axis=axis_index(axis, x.ndim), descending=False)


@implements(np.searchsorted)
def searchsorted(a, v, side="left", sorter=None):
    """As `numpy.searchsorted`."""
    x, v = promote(as_array(a), as_array(v))
    if x.ndim != 1:
        raise ValueError(at_user_line("object too deep for desired array"))
    if sorter is not None:
        x = take(x, sorter)
    return sorting.searchsorted(x, v, side=side)


@implements(np.digitize)
def digitize(x, bins, right=False):
    """As `numpy.digitize`. Traced bins that do not ascend or descend are not noticed."""
    edges = as_array(bins)
    if edges.ndim != 1:
        raise ValueError(at_user_line("object of too small depth for desired array" if edges.ndim == 0 else "object too deep for desired array"))
    if as_array(x).dtype.kind == "c":
        raise TypeError(at_user_line("x may not be complex"))
    if edges.size < 2:
        return searchsorted(edges, x, side="left" if right else "right")
    values = known(edges)
    if values is None:
        first, last = (movement.reshape(part(edges, i, i + 1, 0), shape=()) for i in (0, edges.size - 1))
        falling = ops.less(last, first)
        return ops.select(falling, _in_falling(edges, x, right), searchsorted(edges, x, side="left" if right else "right"))
    steps = np.diff(values)
    if (steps >= 0).all():
        return searchsorted(edges, x, side="left" if right else "right")
    if (steps <= 0).all():
        return _in_falling(edges, x, right)
    raise ValueError(at_user_line("bins must be monotonically increasing or decreasing"))


def _in_falling(edges, x, right: bool):
    from_end = searchsorted(movement.reverse(edges, axes=(0,)), x, side="left" if right else "right")
    return ops.subtract(np.int64(edges.size), from_end)


# -- partial and several orders
def _partitioned(name: str, a, kth, axis, order):
    """The array to sort, and along which axis. `kth` changes nothing where everything is sorted, but a wrong one is an error."""
    refuse(name, order=order)
    x = as_array(a)
    x, axis = (ravel(x), 0) if axis is None else (x, axis_index(axis, x.ndim))
    n = x.shape[axis]
    for k in [] if n == 0 else np.asarray(kth).ravel().tolist():
        if not -n <= python_operator.index(k) < n:
            raise ValueError(at_user_line(f"kth(={k}) out of bounds ({n})"))
    return x, axis


@implements(np.partition)
def partition(a, kth, axis=-1, kind="introselect", order=None):
    """As `numpy.partition`; both sides of the k-th element are sorted, too."""
    x, axis = _partitioned("np.partition", a, kth, axis, order)
    return sorting.sort(x, axis=axis)


@implements(np.argpartition)
def argpartition(a, kth, axis=-1, kind="introselect", order=None):
    """As `numpy.argpartition`; both sides of the k-th element are sorted, too."""
    x, axis = _partitioned("np.argpartition", a, kth, axis, order)
    return sorting.argsort(x, axis=axis, descending=False)


@implements(np.lexsort)
def lexsort(keys, axis=-1):
    """As `numpy.lexsort`: sorted by each key in turn, the last one last, and every sort is stable."""
    keys = [as_array(k) for k in keys]
    if not keys:
        raise TypeError(at_user_line("need sequence of keys with len > 0 in lexsort"))
    if len({k.shape for k in keys}) != 1:
        raise ValueError(at_user_line("all keys need to be the same shape"))
    ndim = keys[0].ndim
    if ndim == 0:
        return np.int64(0)
    axis = axis_index(axis, ndim)
    order = sorting.argsort(keys[0], axis=axis, descending=False)
    for key in keys[1:]:
        order = take_along_axis(order, sorting.argsort(take_along_axis(key, order, axis), axis=axis, descending=False), axis)
    return order


@implements(np.sort_complex)
def sort_complex(a):
    """As `numpy.sort_complex`."""
    x = as_array(a)
    ordered = sorting.sort(x, axis=axis_index(-1, x.ndim))
    if x.dtype.kind == "c":
        return ordered
    return cast(ordered, np.dtype(np.complex64 if x.dtype.itemsize <= 2 and x.dtype.kind in "iu" else np.complex128))


def top_k(a, k: int, axis: int = -1):
    """The `k` largest elements along an axis in descending order, the earlier first among equals, and their positions.

    Raises `ValueError` where the axis is shorter than `k`.

    >>> import tracejit.numpy as tnp
    >>> tnp.top_k([3.0, 1.0, 3.0, 2.0], 3)
    (array([3., 3., 2.]), array([0, 2, 3]))
    """
    x = as_array(a)
    axis = axis_index(axis, x.ndim)
    values, places = sorting.top_k(moveaxis(x, axis, -1), python_operator.index(k))
    return moveaxis(values, -1, axis), moveaxis(places, -1, axis)
