"""Writes in place: augmented assignment, `out=`, and NumPy's functions that write into an argument.

Each computes the new contents and gives them to `assign`, which rebinds the proxy and what shares memory with it (`trace/views.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..ir.types import BOOL, INT
from ..ops import elementwise as ops
from ..ops import movement
from ..trace import Tracer, dispatch
from ..trace.constants import CONSTANTS, as_proxy, known, plain, refuse_plain, writable_value
from ..trace.tracer import FOREIGN, as_new
from ..trace.views import assign
from .axes import axis_index
from .comparing import where as choose_where
from .indexing import Place, cycled
from .masks import places_of
from .promotion import as_array, cast, kind_of
from .register import operator
from .shaping import broadcast_to, ravel
from .taking import take


# -- augmented assignment and out=
@operator("in place")
def in_place(ufunc: np.ufunc, x: Tracer, other: Any):
    """`x += other` and its like. Raises `UFuncTypeError` where the result has another kind of dtype, and `ValueError` where its shape is larger."""
    if isinstance(other, FOREIGN):
        return NotImplemented
    result = dispatch.operators["pow"](x, other) if ufunc is np.power else dispatch.ufuncs[ufunc](x, other)
    if result.dtype != x.dtype and not np.can_cast(result.dtype, x.dtype, "same_kind"):
        ufunc.resolve_dtypes((x.dtype, kind_of(as_array(other)), x.dtype))  # raises NumPy's own error
    store(x, result, "same_kind")
    return x


@operator("ufunc into")
def ufunc_into(ufunc: np.ufunc, method: str, inputs: tuple, kwargs: dict[str, Any]):
    """`np.add(x, y, out=z, where=mask)`, `np.add.reduce(x, out=z)`."""
    kwargs = dict(kwargs)
    outs = kwargs.pop("out")
    casting = kwargs.get("casting", "same_kind")
    mask = kwargs.pop("where", True) if method == "__call__" else True
    results = dispatch.call_ufunc(ufunc, method, inputs, kwargs)
    stored = []
    for out, result in zip(outs, results if isinstance(results, tuple) else (results,)):
        if out is None:
            stored.append(as_new(result, *inputs))
            continue
        if not np.can_cast(result.dtype, out.dtype, casting):
            said = f"Cannot cast ufunc {ufunc.__name__!r} output from {result.dtype!r} to {out.dtype!r} with casting rule {casting!r}"
            raise TypeError(at_user_line(said))
        store(out, result, casting, mask)
        stored.append(out)
    return stored[0] if len(stored) == 1 else tuple(stored)


@operator("function into")
def function_into(function: Callable, args: tuple, kwargs: dict[str, Any]):
    """`np.sum(x, out=z)`."""
    kwargs = dict(kwargs)
    out = kwargs.pop("out")
    result = dispatch.call_function(function, args, kwargs)
    store(out[0] if isinstance(out, tuple) else out, result, "same_kind")
    return out


def store(out: Any, value: Any, casting: str, mask: Any = True) -> None:
    """Write `value`, broadcast, into the array or proxy `out`, where the mask holds."""
    if type(out) is not Tracer:
        if not known((value, mask)):
            refuse_plain(out)
        np.copyto(out, plain(value), casting, plain(mask))
        return
    value = as_array(value)
    if not np.can_cast(value.dtype, out.dtype, casting):
        raise TypeError(at_user_line(f"Cannot cast array data from {value.dtype!r} to {out.dtype!r} according to the rule {casting!r}"))
    if value.shape != out.shape:
        try:
            value = broadcast_to(value, out.shape)
        except ValueError:
            said = f"non-broadcastable output operand with shape {out.shape} doesn't match the broadcast shape {value.shape}"
            raise ValueError(at_user_line(said)) from None
    value = cast(value, out.dtype)
    assign(out, as_proxy(value if mask is True else choose_where(mask, value, out)))


# -- functions that write into their first argument
def writes(function: Callable, entered: bool = True):
    """Decorator: the traced version of a function that writes into its first argument. Where all is known, NumPy's own works on the array."""

    def enter(traced: Callable) -> Callable:
        def write(target, *args, **kwargs):
            if type(target) is Tracer and not (target.owner is CONSTANTS and known(args) and known(kwargs)):
                return traced(target, *args, **kwargs)
            if not known((args, kwargs)):
                refuse_plain(target)
            array = writable_value(target) if type(target) is Tracer else target
            function(array, *plain(args), **plain(kwargs))
            if type(target) is Tracer:
                assign(target, as_proxy(array))

        if entered:
            dispatch.functions[function] = functools.wraps(traced)(write)
            dispatch.writers.add(function)
        return write

    return enter


@writes(np.copyto)
def copyto(dst, src, casting="same_kind", where=True):
    """As `numpy.copyto`."""
    store(dst, src, casting, where)


def _repeated(values, count: int):
    """`values` in one line, repeated or cut to `count` elements. Raises `ValueError` where there are none."""
    values = as_array(values)
    if values.size == 0:
        raise ValueError(at_user_line("Cannot insert from an empty array!"))
    return cycled(values, count)


@writes(np.put)
def put(a, ind, v, mode="raise"):
    """As `numpy.put`."""
    at = ravel(as_array(ind))
    if mode == "wrap":
        at = ops.remainder(cast(at, INT), np.int64(a.size))
    elif mode == "clip":
        at = ops.minimum(ops.maximum(cast(at, INT), np.int64(0), tie=0.5), np.int64(a.size - 1), tie=0.5)
    if at.size:
        a.flat[at] = _repeated(v, at.size)


@writes(np.putmask)
def putmask(a, mask, values):
    """As `numpy.putmask`: values are repeated, and each is written where it lies over the mask."""
    spread = movement.reshape(_repeated(values, a.size), shape=a.shape)
    store(a, spread, "same_kind", cast(as_array(mask), BOOL))


@writes(np.place)
def place(arr, mask, vals):
    """As `numpy.place`: values are written one after another where the mask holds."""
    mask = cast(as_array(mask), BOOL)
    values = ravel(as_array(vals))
    if values.size == 0:
        raise ValueError(at_user_line("Cannot insert from an empty array!"))
    found = take(values, ops.remainder(places_of(mask), np.int64(values.size)))
    store(arr, movement.reshape(cast(found, arr.dtype), shape=arr.shape), "unsafe", movement.reshape(mask, shape=arr.shape))


@writes(np.put_along_axis)
def put_along_axis(arr, indices, values, axis=-1):
    """As `numpy.put_along_axis`."""
    indices = as_array(indices)
    if indices.dtype.kind not in "iu":
        raise IndexError(at_user_line("`indices` must be an integer array"))
    if axis is None:
        arr.flat[ravel(indices)] = values
        return
    axis = axis_index(axis, arr.ndim)
    if indices.ndim != arr.ndim:
        raise ValueError(at_user_line("`indices` and `arr` must have the same number of dimensions"))
    ranges = (np.arange(n).reshape(tuple(-1 if e == d else 1 for e in range(arr.ndim))) for d, n in enumerate(arr.shape))
    arr[tuple(indices if d == axis else r for d, r in enumerate(ranges))] = values


@writes(np.fill_diagonal)
def fill_diagonal(a, val, wrap=False):
    """As `numpy.fill_diagonal`."""
    if a.ndim < 2:
        raise ValueError(at_user_line("array must be at least 2-d"))
    if a.ndim == 2:
        step, end = a.shape[1] + 1, None if wrap else a.shape[1] * a.shape[1]
    else:
        if len(set(a.shape)) != 1:
            raise ValueError(at_user_line("All dimensions of input must be of equal length"))
        step, end = 1 + sum(a.shape[0] ** d for d in range(1, a.ndim)), None
    count = len(range(*slice(None, end, step).indices(a.size)))
    a.flat[:end:step] = _repeated(val, count) if count else val


# -- ufunc.at
_IN_ANY_ORDER = {np.add: "add", np.subtract: "subtract", np.maximum: "max", np.minimum: "min"}  # the names of `x.at[index]`


def at(ufunc: np.ufunc, target, indices, *operands):
    """`ufunc.at(target, indices, b)`: where positions meet, every operand takes its turn."""
    write = writes(ufunc.at, entered=False)(functools.partial(_at, ufunc))
    return write(target, indices, *operands)


def _at(ufunc, target, indices, *operands):
    place = Place(target, indices)
    name = _IN_ANY_ORDER.get(ufunc)
    if name is not None:
        assign(target, as_proxy(getattr(place, name)(*operands)))
        return
    if place.plan.arrays and not place.addresses_once():
        _in_turns(ufunc, target, place, *operands)
        return
    new = dispatch.ufuncs[ufunc](place.get(), *operands)
    assign(target, as_proxy(place.set(new)))


def _in_turns(ufunc, target, place, *operands):
    """The n-th visits to all positions are made together."""
    p = place.plan
    if any(type(a) is Tracer for a in p.arrays) or p.array_axes != tuple(range(len(p.arrays))) or not p.in_order:
        raise TypeError(at_user_line(f"np.{ufunc.__name__}.at needs index arrays that are known while tracing and stand in front"))
    arrays = [a.ravel() for a in np.broadcast_arrays(*p.arrays)]
    rest = p.shape[np.broadcast(*p.arrays).ndim :]
    flat = np.ravel_multi_index(tuple(a % n for a, n in zip(arrays, target.shape)), target.shape[: len(arrays)])
    order = np.argsort(flat, kind="stable")
    _, first, count = np.unique(flat[order], return_index=True, return_counts=True)
    turn = np.empty(flat.size, INT)
    turn[order] = np.arange(flat.size) - np.repeat(first, count)
    rows = [movement.reshape(broadcast_to(b, p.shape), shape=(flat.size, *rest)) for b in operands]
    for n in range(turn.max() + 1):
        chosen = np.flatnonzero(turn == n)
        here = Place(target, tuple(a[chosen] for a in arrays))
        assign(target, as_proxy(here.set(dispatch.ufuncs[ufunc](here.get(), *[take(b, chosen, 0) for b in rows]))))


dispatch.ufunc_methods["at"] = at
