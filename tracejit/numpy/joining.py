"""Arrays put together, taken apart and repeated."""
from __future__ import annotations

import operator as python_operator

import numpy as np

from ..errors import at_user_line
from ..ops import movement
from ..ops.indexing import gather
from .axes import axis_index
from .promotion import as_array, cast, checked_dtype, common_dtype
from .register import implements, refuse, static
from .shaping import atleast_1d, atleast_2d, atleast_3d, expand_dims, lined, part, ravel


def _same_dtype(arrays: list, dtype, casting: str) -> list:
    together = common_dtype(*arrays) if dtype is None else checked_dtype(dtype)
    for x in arrays:
        if not np.can_cast(x.dtype, together, casting):
            raise TypeError(at_user_line(f"Cannot cast array data from {x.dtype!r} to {together!r} according to the rule {casting!r}"))
    return [cast(x, together) for x in arrays]


@implements(np.concatenate, np.concat)
def concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """As `numpy.concatenate`."""
    refuse("np.concatenate", out=out)
    arrays = [as_array(a) for a in arrays]
    if not arrays:
        raise ValueError(at_user_line("need at least one array to concatenate"))
    if axis is None:
        arrays, axis = [ravel(x) for x in arrays], 0
    ndim = arrays[0].ndim
    if ndim == 0:
        raise ValueError(at_user_line("zero-dimensional arrays cannot be concatenated"))
    arrays = _same_dtype(arrays, dtype, casting)
    axis = axis_index(axis, ndim)
    for i, x in enumerate(arrays):
        if x.ndim != ndim:
            raise ValueError(at_user_line(f"all the input arrays must have same number of dimensions, but the array at index 0 has {ndim} "
                                          f"dimension(s) and the array at index {i} has {x.ndim} dimension(s)"))
    return movement.concatenate(*arrays, axis=axis)


@implements(np.stack)
def stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """As `numpy.stack`."""
    refuse("np.stack", out=out)
    arrays = [as_array(a) for a in arrays]
    if not arrays:
        raise ValueError(at_user_line("need at least one array to stack"))
    if len({x.shape for x in arrays}) != 1:
        raise ValueError(at_user_line("all input arrays must have the same shape"))
    axis = axis_index(axis, arrays[0].ndim + 1)
    return concatenate([expand_dims(x, axis) for x in arrays], axis=axis, dtype=dtype, casting=casting)


@implements(np.vstack)
def vstack(tup, *, dtype=None, casting="same_kind"):
    """As `numpy.vstack`."""
    return concatenate([atleast_2d(a) for a in tup], axis=0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(tup, *, dtype=None, casting="same_kind"):
    """As `numpy.hstack`."""
    arrays = [atleast_1d(a) for a in tup]
    return concatenate(arrays, axis=0 if arrays and arrays[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup):
    """As `numpy.dstack`."""
    return concatenate([atleast_3d(a) for a in tup], axis=2)


@implements(np.column_stack)
def column_stack(tup):
    """As `numpy.column_stack`."""
    arrays = [as_array(a) for a in tup]
    return concatenate([x if x.ndim >= 2 else movement.reshape(x, shape=(x.size, 1)) for x in arrays], axis=1)


@implements(np.block)
def block(arrays):
    """As `numpy.block`."""
    def depth(a):
        return 1 + max(map(depth, a)) if isinstance(a, list) else 0
    levels = depth(arrays)

    def widened(x, ndim):
        return movement.reshape(x, shape=(1,) * (ndim - x.ndim) + x.shape)

    def rank(a):
        return max(map(rank, a)) if isinstance(a, list) else as_array(a).ndim
    ndim = max(levels, rank(arrays))

    def join(a, level):
        if not isinstance(a, list):
            return widened(as_array(a), ndim)
        if not a:
            raise ValueError(at_user_line("arrays cannot be empty"))
        return concatenate([join(b, level + 1) for b in a], axis=ndim - levels + level)
    return join(arrays, 0)


# -- splitting
@implements(np.array_split)
def array_split(ary, indices_or_sections, axis=0):
    """As `numpy.array_split`."""
    x = as_array(ary)
    axis = axis_index(axis, x.ndim)
    n = x.shape[axis]
    where = static(indices_or_sections, "np.array_split", "indices_or_sections")
    if np.ndim(where) == 0:
        sections = int(where)
        if sections <= 0:
            raise ValueError(at_user_line("number sections must be larger than 0."))
        each, larger = divmod(n, sections)
        bounds = [0, *np.cumsum([each + 1] * larger + [each] * (sections - larger)).tolist()]
    else:
        bounds = [0, *map(python_operator.index, where), n]
    ranges = [slice(a, b).indices(n)[:2] for a, b in zip(bounds, bounds[1:])]
    return [part(x, a, max(a, b), axis) for a, b in ranges]


@implements(np.split)
def split(ary, indices_or_sections, axis=0):
    """As `numpy.split`."""
    if np.ndim(indices_or_sections) == 0:
        n = as_array(ary).shape[axis]
        if n % indices_or_sections:
            raise ValueError(at_user_line("array split does not result in an equal division"))
    return array_split(ary, indices_or_sections, axis)


def _split_along(name: str, axis, least: int):
    def split_along(ary, indices_or_sections):
        x = as_array(ary)
        if x.ndim < least:
            raise ValueError(at_user_line(f"{name} only works on arrays of {least} or more dimensions"))
        return split(x, indices_or_sections, axis(x.ndim))
    split_along.__name__ = name
    return split_along


hsplit = implements(np.hsplit)(_split_along("hsplit", lambda ndim: 1 if ndim > 1 else 0, 1))
vsplit = implements(np.vsplit)(_split_along("vsplit", lambda ndim: 0, 2))
dsplit = implements(np.dsplit)(_split_along("dsplit", lambda ndim: 2, 3))


@implements(np.unstack)
def unstack(x, /, *, axis=0):
    """As `numpy.unstack`."""
    x = as_array(x)
    if x.ndim == 0:
        raise ValueError(at_user_line("Input array must be at least 1-d."))
    axis = axis_index(axis, x.ndim)
    shape = x.shape[:axis] + x.shape[axis + 1:]
    return tuple(movement.reshape(part(x, i, i + 1, axis), shape=shape) for i in range(x.shape[axis]))


# -- repetition
@implements(np.tile)
def tile(A, reps):
    """As `numpy.tile`."""
    x = as_array(A)
    reps = tuple(map(python_operator.index, reps)) if np.iterable(reps) else (python_operator.index(reps),)
    ndim = max(x.ndim, len(reps))
    reps = (1,) * (ndim - len(reps)) + reps
    shape = (1,) * (ndim - x.ndim) + x.shape
    # Each axis becomes (repetition, element): a broadcast and a reshape, which compiled code reads by index alone.
    pairs = movement.reshape(x, shape=tuple(m for n in shape for m in (1, n)))
    spread = movement.broadcast_to(pairs, shape=tuple(m for r, n in zip(reps, shape) for m in (r, n)))
    return movement.reshape(spread, shape=tuple(r * n for r, n in zip(reps, shape)))


@implements(np.repeat)
def repeat(a, repeats, axis=None):
    """As `numpy.repeat`; `repeats` must be known while tracing, since it decides the shape."""
    x = as_array(a)
    x, axis = lined(x, axis)
    n = x.shape[axis]
    counts = np.asarray(static(repeats, "np.repeat", "repeats"))
    if counts.dtype.kind not in "iub":
        raise TypeError(at_user_line(f"Cannot cast array data from {counts.dtype!r} to dtype('int64') according to the rule 'safe'"))
    if (counts < 0).any():
        raise ValueError(at_user_line("repeats may not contain negative values."))
    if counts.size == 1:
        return _repeat_each(x, int(counts.reshape(())), axis)
    if counts.shape != (n,):
        raise ValueError(at_user_line(f"operands could not be broadcast together with shape ({n},) {counts.shape}"))
    rows = gather(x, np.repeat(np.arange(n), counts), axes=(axis,), mode="raise")
    return movement.transpose(rows, permutation=tuple(0 if d == axis else d + 1 if d < axis else d for d in range(x.ndim)))


def _repeat_each(x, times: int, axis: int):
    shape = x.shape
    pairs = movement.reshape(x, shape=(*shape[:axis + 1], 1, *shape[axis + 1:]))
    spread = movement.broadcast_to(pairs, shape=(*shape[:axis + 1], times, *shape[axis + 1:]))
    return movement.reshape(spread, shape=(*shape[:axis], shape[axis] * times, *shape[axis + 1:]))
