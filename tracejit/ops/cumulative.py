"""Running sums, products and extrema along one axis; `reverse` runs from the end."""
from __future__ import annotations

import itertools
from functools import lru_cache, partial

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType, Graph, is_inexact
from ..trace import Trace, constant_beside, type_of
from .core import Op, define, move_axis
from .elementwise import add, equal, logical_or, maximum, minimum, multiply, not_equal, select
from .indexing import positions_along, take_along_axis
from .movement import broadcast_to, concatenate, pad, slice_

# Up to this many elements a run is written out in kernels; a longer one is a loop. Both combine in NumPy's order.
WRITTEN_OUT = 16


def _expanded(combine, neutral):
    """What compiled code computes instead. `neutral(dtype)`: what leaves anything as it is that it is combined with; None where nothing does."""

    @lru_cache(256)
    def step(row: ArrayType) -> Graph:
        trace = Trace("a running total")
        total = combine(trace.input(row), trace.input(row))
        return trace.finish([total, total])[0]

    def expand(x, axis, reverse):
        n, start = x.shape[axis], neutral(x.dtype)
        if not x.size or start is None:
            return None
        if n > WRITTEN_OUT:
            from .scan import scan

            rows = move_axis(x, axis, 0)
            row = ArrayType(rows.shape[1:], x.dtype)
            state = broadcast_to(constant_beside(x, x.dtype.type(start)), shape=row.shape)
            return move_axis(scan(state, rows, body=step(row), consts=0, carry=1, length=n, reverse=reverse)[1], 0, axis)
        rest = (0,) * x.ndim
        parts = [slice_(x, start=_at(rest, axis, i), stop=_at(x.shape, axis, i + 1), step=(1,) * x.ndim) for i in range(n)]
        running = list(itertools.accumulate(reversed(parts) if reverse else parts, combine))
        return concatenate(*(reversed(running) if reverse else running), axis=axis)
    return expand


def _at(others: tuple[int, ...], axis: int, i: int) -> tuple[int, ...]:
    return (*others[:axis], i, *others[axis + 1:])


def _cumulative(name, ufunc, combine, neutral, kinds, jvp, transpose=None) -> Op:
    cell: list[Op] = []

    def infer(x, axis, reverse):
        if x.dtype.kind not in kinds:
            raise TypeError(at_user_line(f"{name} is not defined for dtype {x.dtype}"))
        return x.strong

    def run(xp, x, axis, reverse):
        x = xp.flip(x, axis) if reverse else x
        out = ufunc.accumulate(x, axis=axis, dtype=x.dtype)
        return xp.flip(out, axis) if reverse else out

    def show(x, axis, reverse):
        if reverse:
            return f"np.flip(np.{ufunc.__name__}.accumulate(np.flip({x}, {axis}), {axis}, np.{x.type.dtype.name}), {axis})"
        return f"np.{ufunc.__name__}.accumulate({x}, {axis}, np.{x.type.dtype.name})"

    op = define(name, infer=infer, run=run, jvp=jvp, transpose=transpose, show=show, expand=_expanded(combine, neutral),
                batch=lambda args, batched, axis, reverse: cell[0](args[0], axis=axis + 1, reverse=reverse))
    cell.append(op)
    return op


# The sum of a negative zero and x is x, also where x is a zero.
cumsum = _cumulative("cumsum", np.add, add, lambda dtype: {"f": -0.0, "c": complex(-0.0, -0.0)}.get(dtype.kind, 0), "iufc",
                     jvp=lambda primals, out, tangents, axis, reverse: cumsum(tangents[0], axis=axis, reverse=reverse),
                     transpose=lambda ct, x, axis, reverse: (cumsum(ct, axis=axis, reverse=not reverse),))


# -- the product's derivative has no division, so zeros are exact: dual numbers, over windows that double
def _jvp_cumprod(primals, out, tangents, axis, reverse):
    x, t = primals[0], tangents[0]
    width, n = 1, type_of(x).shape[axis]
    while width < n:   # x and t hold the product, and its tangent, of the last `width` elements up to each
        before, before_t = _shifted(x, width, axis, reverse, 1), _shifted(t, width, axis, reverse, 0)
        x, t = x * before, t * before + x * before_t
        width *= 2
    return t


def _shifted(x, by: int, axis: int, reverse: bool, fill):
    """x moved `by` places along `axis` in the direction of the run, `fill` where nothing moves in."""
    shape = type_of(x).shape
    n, still = shape[axis], (0,) * len(shape)

    def along(value, others=still):
        return tuple(value if d == axis else o for d, o in enumerate(others))
    start, stop = (by, n) if reverse else (0, n - by)
    part = slice_(x, start=along(start), stop=along(stop, shape), step=(1,) * len(shape))
    return pad(part, low=still if reverse else along(by), high=along(by) if reverse else still, interior=still, value=fill)


# The product of a complex one and an infinity has a part that is NaN.
cumprod = _cumulative("cumprod", np.multiply, multiply, lambda dtype: None if dtype.kind == "c" else 1, "iufc", _jvp_cumprod)


# -- extrema: the tangent is that of the latest element that holds the record; a NaN holds it from there on
def _jvp_extremum(primals, out, tangents, axis, reverse):
    x, t = primals[0], tangents[0]
    shape = type_of(x).shape
    if not is_inexact(type_of(x).dtype) or 0 in shape:
        return None
    n = shape[axis]
    at = broadcast_to(positions_along(x, tuple(n if d == axis else 1 for d in range(len(shape))), axis), shape=shape)
    holds = logical_or(equal(x, out), not_equal(x, x))
    if reverse:
        latest = cummin(select(holds, at, np.int64(n - 1)), axis=axis, reverse=True)
    else:
        latest = cummax(select(holds, at, np.int64(0)), axis=axis, reverse=False)
    return take_along_axis(t, latest, axis)


def _least(dtype: np.dtype):
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min


def _greatest(dtype: np.dtype):
    return np.inf if dtype.kind == "f" else True if dtype.kind == "b" else np.iinfo(dtype).max


cummax = _cumulative("cummax", np.maximum, partial(maximum, tie=0.5), _least, "biuf", _jvp_extremum)
cummin = _cumulative("cummin", np.minimum, partial(minimum, tie=0.5), _greatest, "biuf", _jvp_extremum)
