"""Counting into bins. Counts are sums of scattered weights, so derivatives flow to the weights; edges follow the data or the range."""
from __future__ import annotations

import operator as python_operator

import numpy as np

from ..errors import at_user_line
from ..ir.types import FLOAT, INT
from ..ops import elementwise as ops
from ..ops import movement
from ..ops.indexing import scatter_add
from ..ops.sorting import searchsorted
from ..trace import Tracer
from . import reductions
from .comparing import where
from .constants import filled
from .creation import linspace
from .mathematics import diff
from .promotion import as_array, cast, common_dtype, promote
from .register import implements, known, static
from .shaping import part, ravel
from .taking import take


@implements(np.bincount)
def bincount(x, /, weights=None, minlength=0):
    """As `numpy.bincount`. Where the values are not known, `minlength` is the length, and a larger value is an `IndexError` when the program runs."""
    i = as_array(x)
    if i.ndim != 1:
        raise ValueError(at_user_line("object too deep for desired array" if i.ndim else "object of too small depth for desired array"))
    if i.dtype.kind not in "biu" and not (i.size == 0 and isinstance(x, (list, tuple))):
        raise TypeError(at_user_line(f"Cannot cast array data from {i.dtype!r} to dtype('int64') according to the rule 'safe'"))
    least = python_operator.index(minlength)
    if least < 0:
        raise ValueError(at_user_line("'minlength' must not be negative"))
    values = known(i)
    if values is None:
        if not least and i.size:
            raise TypeError(at_user_line("np.bincount of traced values has a length that depends on them: give `minlength`, more than the largest"))
        length = least
    else:
        values = np.asarray(values)
        if values.size and values.min() < 0:
            raise ValueError(at_user_line("'list' argument must have no negative elements"))
        length = max(least, int(values.max()) + 1 if values.size else 0)
    i = cast(i, INT)
    if weights is None:
        amounts = filled(i, i.shape, 1, INT)
    else:
        amounts = cast(as_array(weights), FLOAT)
        if amounts.shape != i.shape:
            raise ValueError(at_user_line("The weights and list don't have the same length."))
    if i.size == 0:
        return filled(amounts, (length,), 0, amounts.dtype)
    i = ops.select(ops.less(i, np.int64(0)), np.int64(length), i)   # out of range: a negative value does not count from the end
    return scatter_add(filled(amounts, (length,), 0, amounts.dtype), amounts, i, axes=(0,), mode="raise")


# -- edges
def _range(x, given):
    """The ends of the histogram; an empty range is widened to one."""
    if given is not None:
        low, high = given
        if type(low) is not Tracer and type(high) is not Tracer:
            if low > high:
                raise ValueError(at_user_line("max must be larger than min in range parameter."))
            if not (np.isfinite(low) and np.isfinite(high)):
                raise ValueError(at_user_line(f"supplied range of [{low}, {high}] is not finite"))
    elif x.size == 0:
        low, high = 0.0, 1.0
    else:
        low, high = reductions.min(x), reductions.max(x)
    dtype = common_dtype(low, high, x)
    low, high = (cast(v, FLOAT if dtype.kind in "biu" else dtype) for v in (low, high))
    alike = ops.equal(low, high)
    return where(alike, low - 0.5, low), where(alike, high + 0.5, high)


def _edges(x, bins, given_range, weights, function: str):
    """The edges, and the ends and number of the bins where they are equally wide."""
    if isinstance(bins, str):
        if weights is not None:
            raise TypeError(at_user_line("Automated estimation of the number of bins is not supported for weighted data"))
        known = np.asarray(static(x, function, "a"))
        bins = len(np.histogram_bin_edges(known, bins, given_range)) - 1
    if np.ndim(bins) == 0:
        try:
            count = python_operator.index(static(bins, function, "bins"))
        except TypeError as error:
            raise TypeError(at_user_line("`bins` must be an integer, a string, or an array")) from error
        if count < 1:
            raise ValueError(at_user_line("`bins` must be positive, when an integer"))
        low, high = _range(x, given_range)
        return linspace(low, high, count + 1, dtype=low.dtype), (low, high, count)
    edges = as_array(bins)
    if edges.ndim != 1:
        raise ValueError(at_user_line("`bins` must be 1d, when an array"))
    if type(edges) is not Tracer and np.any(edges[:-1] > edges[1:]):
        raise ValueError(at_user_line("`bins` must increase monotonically, when an array"))
    return edges, None


def _bin_of(x, edges, even):
    """The bin of each element, and whether it is in any; the last bin includes its right end."""
    if even is None:
        x, edges = promote(x, edges)
        n = edges.size - 1
        at = searchsorted(edges, x, side="right") - 1
        last = movement.reshape(part(edges, n, n + 1, 0), shape=())
        at = where(ops.equal(x, last), n - 1, at)
        return at, (at >= 0) & (at < n)
    low, high, n = even
    x = cast(x, FLOAT) if x.dtype.kind != "f" else x
    inside = (x >= low) & (x <= high)
    at = cast(where(inside, (x - low) / (high - low) * n, 0.0), INT)
    at = where(at == n, n - 1, at)
    # Division rounds: an element next to an edge may have to move by one bin.
    at = where(x < take(edges, at, mode="clip"), at - 1, at)
    at = where((x >= take(edges, at + 1, mode="clip")) & (at != n - 1), at + 1, at)
    return at, inside


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a, bins=10, range=None, weights=None):
    """As `numpy.histogram_bin_edges`; rules by name need values that are known while tracing."""
    return _edges(ravel(a), bins, range, weights, "np.histogram_bin_edges")[0]


@implements(np.histogram)
def histogram(a, bins=10, range=None, density=None, weights=None):
    """As `numpy.histogram`; rules for bins by name need values that are known while tracing."""
    x = ravel(a)
    x = cast(x, np.dtype(np.uint8)) if x.dtype.kind == "b" else x
    amounts = None if weights is None else as_array(weights)
    if amounts is not None and amounts.shape != as_array(a).shape:
        raise ValueError(at_user_line("weights should have the same shape as a."))
    edges, even = _edges(x, bins, range, weights, "np.histogram")
    n = edges.shape[0] - 1
    at, inside = _bin_of(x, edges, even)
    counts = _scattered(at, inside, None if amounts is None else ravel(amounts), n)
    if density:
        widths = cast(diff(edges), FLOAT)
        return counts / widths / reductions.sum(counts), edges
    return counts, edges


def _scattered(at, inside, amounts, n: int):
    amounts = filled(at, at.shape, 1, INT) if amounts is None else amounts
    amounts = cast(amounts, INT) if amounts.dtype.kind == "b" else amounts
    amounts = ops.select(inside, amounts, amounts.dtype.type(0))
    return scatter_add(filled(amounts, (n,), 0, amounts.dtype), amounts, ops.select(inside, at, np.int64(0)), axes=(0,), mode="clip")


# -- several dimensions
@implements(np.histogramdd)
def histogramdd(sample, bins=10, range=None, density=None, weights=None):
    """As `numpy.histogramdd`."""
    if isinstance(sample, (list, tuple)):
        columns = [ravel(column) for column in sample]
    else:
        x = as_array(sample)
        x = movement.reshape(x, shape=(x.size, 1)) if x.ndim < 2 else x
        columns = [movement.reshape(part(x, d, d + 1, 1), shape=(x.shape[0],)) for d in np.arange(x.shape[1]).tolist()]
    alone = not isinstance(bins, (list, tuple)) and np.ndim(bins) == 0
    bins = [bins] * len(columns) if alone else list(bins)
    if len(bins) != len(columns):
        raise ValueError(at_user_line("The dimension of bins must be equal to the dimension of the sample x."))
    ranges = [None] * len(columns) if range is None else list(range)
    if len(ranges) != len(columns):
        raise ValueError(at_user_line("range argument must have one entry per dimension"))
    found = [_edges(x, b, r, None, "np.histogramdd") for x, b, r in zip(columns, bins, ranges)]
    counts = [edges.shape[0] - 1 for edges, _ in found]
    flat, inside = np.int64(0), np.True_
    for x, (edges, _), n in zip(columns, found, counts):
        at, here = _bin_of(x, edges, None)
        flat, inside = flat * n + where(here, at, 0), here & inside
    amounts = filled(flat, flat.shape, 1.0, FLOAT) if weights is None else cast(ravel(weights), FLOAT)
    result = movement.reshape(_scattered(flat, inside, amounts, int(np.prod(counts))), shape=tuple(counts))
    edges = [e for e, _ in found]
    if density:
        total = reductions.sum(result)
        for d, e in enumerate(edges):
            result = result / movement.reshape(cast(diff(e), FLOAT), shape=tuple(n if d == i else 1 for i, n in enumerate(counts)))
        result = result / total
    return result, edges


@implements(np.histogram2d)
def histogram2d(x, y, bins=10, range=None, density=None, weights=None):
    """As `numpy.histogram2d`."""
    if as_array(x).shape != as_array(y).shape:
        raise ValueError(at_user_line("x and y must have the same length."))
    if (isinstance(bins, (list, tuple)) or np.ndim(bins)) and len(bins) not in (1, 2):   # one sequence of edges for both
        bins = [as_array(bins)] * 2
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, edges[0], edges[1]


