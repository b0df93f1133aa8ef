"""Sets: distinct values, membership, unions.

How many distinct values there are decides the shape.  Where values are known while tracing, as they are under a bare `grad`, NumPy says which
elements they are, and derivatives flow to those; of other traced values `unique` asks the number.  Membership has a known shape and is always traced.
"""
from __future__ import annotations

import numpy as np

from ..ops import elementwise as ops
from ..ops import movement, sorting
from ..trace import Tracer
from . import reductions
from .joining import concatenate
from .masks import held
from .promotion import as_array, promote
from .register import implements, known, static
from .shaping import ravel
from .taking import take

_FEW = 32   # searched for one by one, which compiles to a loop; more are sorted
_RESULTS = {name: type(getattr(np, name)(np.zeros(1))) for name in ("unique_all", "unique_counts", "unique_inverse")}
_DISTINCT = ("unique_all", "unique_counts", "unique_inverse", "unique_values")


def _known(x, function: str) -> np.ndarray:
    return np.asarray(static(as_array(x), function, "values"))


@implements(np.unique)
def unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True, sorted=True):
    """As `numpy.unique`, for values that are known while tracing."""
    if axis is None and known(as_array(ar)) is None:
        runs = Runs(as_array(ar), equal_nan)
        return runs.chosen(held(runs.begin, "np.unique"), return_index, return_inverse, return_counts)
    values = _known(ar, "np.unique")
    _, index, inverse, counts = np.unique(values, True, True, True, axis, equal_nan=equal_nan)
    distinct = take(ravel(ar) if axis is None else as_array(ar), index, 0 if axis is None else axis)
    wanted = [r for r, asked in ((index, return_index), (inverse, return_inverse), (counts, return_counts)) if asked]
    return (distinct, *wanted) if wanted else distinct


class Runs:
    """The elements of x in order, which come in runs of equal ones: where the runs `begin`."""

    def __init__(self, x, equal_nan: bool = True):
        self.x, flat = x, ravel(x)
        self.order = sorting.argsort(flat, axis=0, descending=False)
        self.ordered = take(flat, self.order)
        before, after = self.ordered[:-1], self.ordered[1:]
        differ = ops.not_equal(before, after)
        if equal_nan and x.dtype.kind in "fc":
            differ = ops.logical_and(differ, ops.logical_not(ops.logical_and(ops.not_equal(before, before), ops.not_equal(after, after))))
        self.begin = concatenate([movement.broadcast_to(np.True_, shape=(min(1, x.size),)), differ])

    def chosen(self, first, return_index: bool, return_inverse: bool, return_counts: bool):
        """What `np.unique` returns, from the positions where the runs begin."""
        wanted = [take(self.ordered, first)]
        if return_index:
            wanted.append(take(self.order, first))
        if return_inverse:
            wanted.append(self.inverse())
        if return_counts:
            wanted.append(ops.subtract(concatenate([first[1:], np.array([self.x.size])]), first))
        return tuple(wanted) if len(wanted) > 1 else wanted[0]

    def inverse(self):
        """For each element of x the number of its run."""
        number = ops.subtract(np.cumsum(self.begin), np.int64(1))
        return movement.reshape(take(number, sorting.argsort(self.order, axis=0, descending=False)), shape=self.x.shape)


def _enter_array_api(name: str) -> None:
    function = getattr(np, name)

    def distinct(x, /):
        if known(as_array(x)) is None:
            result = unique(x, name in ("unique_all",), "inverse" in name or name == "unique_all", "counts" in name or name == "unique_all",
                            equal_nan=False)
            return result if name == "unique_values" else _RESULTS[name](*result)
        found = function(_known(x, f"np.{name}"))
        if name == "unique_values":
            return np.sort(found) if type(x) is not Tracer else unique(x, equal_nan=False)
        return found._replace(values=unique(x, equal_nan=False))
    distinct.__name__ = name
    implements(function)(distinct)


for _name in _DISTINCT:
    _enter_array_api(_name)


@implements(np.isin)
def isin(element, test_elements, assume_unique=False, invert=False, *, kind=None):
    """As `numpy.isin`; NaN is in nothing."""
    x, wanted = promote(as_array(element), ravel(as_array(test_elements)))
    n = wanted.size
    if n == 0:
        found = movement.broadcast_to(np.False_, shape=x.shape)
    elif n <= _FEW:
        found = reductions.any(ops.equal(movement.reshape(x, shape=(*x.shape, 1)), wanted), -1)
    else:
        ordered = sorting.sort(wanted, axis=0)
        at = ops.minimum(sorting.searchsorted(ordered, x, side="left"), np.int64(n - 1), tie=0.5)
        found = ops.equal(take(ordered, at), x)
    return ops.logical_not(found) if invert else found


@implements(np.intersect1d)
def intersect1d(ar1, ar2, assume_unique=False, return_indices=False):
    """As `numpy.intersect1d`, for values that are known while tracing."""
    x, y = (_known(a, "np.intersect1d") for a in (ar1, ar2))
    _, i, j = np.intersect1d(x, y, assume_unique, True)
    common = take(ravel(promote(as_array(ar1), as_array(ar2))[0]), i)
    return (common, i, j) if return_indices else common


@implements(np.union1d)
def union1d(ar1, ar2):
    """As `numpy.union1d`, for values that are known while tracing."""
    return unique(concatenate([ravel(ar1), ravel(ar2)]))


def _difference(function, ar1, ar2, assume_unique: bool):
    """Elements of the two, joined, that `function` keeps: it is asked about their values, and the first place of each is taken."""
    x, y = (_known(a, f"np.{function.__name__}").ravel() for a in (ar1, ar2))
    kept = function(x, y, assume_unique)
    both = np.concatenate([x, y])
    order = np.argsort(both, kind="stable")
    places = order[np.searchsorted(both, kept, sorter=order)]
    joined = concatenate([ravel(ar1), ravel(ar2)])
    return take(joined if function is np.setxor1d else ravel(ar1), places)


@implements(np.setdiff1d)
def setdiff1d(ar1, ar2, assume_unique=False):
    """As `numpy.setdiff1d`, for values that are known while tracing."""
    return _difference(np.setdiff1d, ar1, ar2, assume_unique)


@implements(np.setxor1d)
def setxor1d(ar1, ar2, assume_unique=False):
    """As `numpy.setxor1d`, for values that are known while tracing."""
    return _difference(np.setxor1d, ar1, ar2, assume_unique)


@implements(np.trim_zeros)
def trim_zeros(filt, trim="fb", axis=None):
    """As `numpy.trim_zeros`, for values that are known while tracing."""
    x = as_array(filt)
    values = _known(x, "np.trim_zeros")
    places = np.arange(1, x.size + 1).reshape(x.shape) * (values != 0)
    kept = np.trim_zeros(places, trim, axis)
    if kept.size == 0:
        return movement.slice_(x, start=(0,) * x.ndim, stop=kept.shape, step=(1,) * x.ndim)
    first = np.argwhere(places == kept[kept > 0].min())[0] - np.argwhere(kept == kept[kept > 0].min())[0]
    return movement.slice_(x, start=tuple(map(int, first)), stop=tuple(int(i) + n for i, n in zip(first, kept.shape)), step=(1,) * x.ndim)
