"""Order: sorting along an axis, the permutation that sorts, positions in a sorted array. Sorts are stable, and NaN counts as the largest value."""
from __future__ import annotations

import math

from ..errors import at_user_line
from ..ir import ArrayType, is_inexact
from ..ir.types import INT
from ..trace import type_of
from .core import define, move_axis
from .indexing import take_along_axis
from .movement import broadcast_to, reverse, slice_


def _no_jvp(primals, out, tangents, **params):
    return None


# -- argsort(x, axis, descending): equal elements keep their order either way
def _run_argsort(xp, x, axis, descending):
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    return xp.flip(x.shape[axis] - 1 - xp.argsort(xp.flip(x, axis), axis=axis, kind="stable"), axis)


def _show_argsort(x, axis, descending):
    if not descending:
        return f"np.argsort({x}, {axis}, kind='stable')"
    return f"np.flip({x.type.shape[axis] - 1} - np.argsort(np.flip({x}, {axis}), {axis}, kind='stable'), {axis})"


def _expand_argsort(x, axis, descending):
    """Sorts upwards along the last axis, which is what native code has."""
    last = x.ndim - 1
    if not x.size or axis == last and not descending:
        return None
    x = move_axis(x, axis, last)
    if not descending:
        return move_axis(argsort(x, axis=last, descending=False), last, axis)
    from_behind = argsort(reverse(x, axes=(last,)), axis=last, descending=False)
    return move_axis(reverse(x.shape[last] - 1 - from_behind, axes=(last,)), last, axis)


argsort = define("argsort", infer=lambda x, axis, descending: ArrayType(x.shape, INT), run=_run_argsort, jvp=_no_jvp, show=_show_argsort,
                 expand=_expand_argsort, kind="sort",
                 batch=lambda args, batched, axis, descending: argsort(args[0], axis=axis + 1, descending=descending))


# -- sort(x, axis): its derivative permutes the tangent
def _jvp_sort(primals, out, tangents, axis):
    x = primals[0]
    return take_along_axis(tangents[0], argsort(x, axis=axis, descending=False), axis) if is_inexact(type_of(x).dtype) else None


def _expand_sort(x, axis):
    last = x.ndim - 1
    return move_axis(sort(move_axis(x, axis, last), axis=last), last, axis) if x.size and axis != last else None


sort = define("sort", expand=_expand_sort, kind="sort", infer=lambda x, axis: x.strong,
              run=lambda xp, x, axis: xp.sort(x, axis=axis, kind="stable"), jvp=_jvp_sort,
              batch=lambda args, batched, axis: sort(args[0], axis=axis + 1), show=lambda x, axis: f"np.sort({x}, {axis}, kind='stable')")


def top_k(x, k: int):
    """The k largest elements along the last axis in descending order, the earlier first among equals, and their positions.

    >>> import numpy as np
    >>> top_k(np.array([3.0, 1.0, 3.0, 2.0]), 3)
    (array([3., 3., 2.]), array([0, 2, 3]))
    """
    shape = type_of(x).shape
    if not shape or not 0 <= k <= shape[-1]:
        raise ValueError(at_user_line(f"top_k: the last axis of an array of shape {shape} does not have {k} elements"))
    order = argsort(x, axis=len(shape) - 1, descending=True)
    first = slice_(order, start=(0,) * len(shape), stop=(*shape[:-1], k), step=(1,) * len(shape))
    return take_along_axis(x, first, len(shape) - 1), first


# -- searchsorted(a, v, side): a has the shape (*rows, n), sorted along its last axis, and v the shape (*rows, ...), searched for in its own row of a
def _infer_searchsorted(a, v, side):
    rows = a.shape[:-1]
    if a.ndim == 0 or v.shape[:len(rows)] != rows:
        raise ValueError(at_user_line(f"searchsorted: cannot search for values of shape {v.shape} in sorted arrays of shape {a.shape}"))
    if a.dtype != v.dtype:
        raise TypeError(at_user_line(f"searchsorted needs equal dtypes, got {a} and {v}"))
    if side not in ("left", "right"):
        raise ValueError(at_user_line(f"searchsorted: side must be 'left' or 'right', got {side!r}"))
    return ArrayType(v.shape, INT)


def _run_searchsorted(xp, a, v, side):
    if a.ndim == 1:
        return xp.searchsorted(a, v, side=side)
    rows = math.prod(a.shape[:-1])
    width = math.prod(v.shape[a.ndim - 1:])
    found = [xp.searchsorted(row, values, side=side) for row, values in zip(a.reshape(rows, a.shape[-1]), v.reshape(rows, width))]
    return xp.array(found, INT).reshape(v.shape)


def _batch_searchsorted(args, batched, side):
    a, v = args
    n = next(type_of(x).shape[0] for x, b in zip(args, batched) if b)
    if not batched[0] and type_of(a).ndim == 1:
        return searchsorted(a, v, side=side)
    a, v = (x if b else broadcast_to(x, shape=(n, *type_of(x).shape)) for x, b in zip(args, batched))
    return searchsorted(a, v, side=side)


def _before(k, x, y):
    """x < y in the order of sorting: complex numbers by their real parts first, NaN last."""
    if x.dtype.kind == "c":
        (a, b), (c, d) = ((k.apply("real", z), k.apply("imag", z)) for z in (x, y))
        return k.apply("logical_or", k.apply("less", a, c), k.apply("logical_and", k.apply("equal", a, c), k.apply("less", b, d)))
    less = k.apply("less", x, y)
    if x.dtype.kind != "f":
        return less
    return k.apply("logical_or", less, k.apply("logical_and", k.apply("not_equal", y, y), k.apply("equal", x, x)))


def _lower_searchsorted(k, xs, index, side):
    """Bisection by halving steps, the same for every element: no branch, so that it runs in vectors."""
    a, v = xs
    rows, n = len(a.shape) - 1, a.shape[-1]
    value, position = v[index], k.constant(0, INT)
    step = 1 << n.bit_length() >> 1
    while step:
        further = k.apply("add", position, k.constant(step, INT))
        element = a.gather((*index[:rows], k.apply("minimum", k.apply("subtract", further, k.constant(1, INT)), k.constant(n - 1, INT))))
        goes = _before(k, element, value) if side == "left" else k.apply("logical_not", _before(k, value, element))
        goes = k.apply("logical_and", goes, k.apply("less_equal", further, k.constant(n, INT)))
        position = k.apply("select", goes, further, position)
        step >>= 1
    return position


searchsorted = define("searchsorted", infer=_infer_searchsorted, run=_run_searchsorted, jvp=_no_jvp, batch=_batch_searchsorted,
                      lower=_lower_searchsorted, dear=True,
                      show=lambda a, v, side: f"{'np' if a.type.ndim == 1 else 'tracejit.ops.sorting'}.searchsorted({a}, {v}, side={side!r})")
