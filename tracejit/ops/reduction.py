"""Reductions over a tuple of axes. The reduced axes disappear; `keepdims` is a reshape that the array namespace adds."""

from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType, is_inexact
from ..ir.types import BOOL, INT
from ..trace import type_of
from .core import Op, define
from .elementwise import convert, select
from .movement import broadcast_to, reshape, slice_, transpose


def kept_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with the reduced axes of size one."""
    return tuple(1 if d in axes else n for d, n in enumerate(shape))


def expand(y, shape: tuple[int, ...], axes: tuple[int, ...]):
    """The result of a reduction, spread over the shape that was reduced."""
    return broadcast_to(reshape(y, shape=kept_shape(shape, axes)), shape=shape)


def _infer(name, kinds, needs_elements, dtype=None):
    def infer(x, axes):
        if x.dtype.kind not in kinds:
            raise TypeError(at_user_line(f"{name} is not defined for dtype {x.dtype}"))
        if needs_elements and any(x.shape[a] == 0 for a in axes):
            raise ValueError(at_user_line(f"zero-size array to reduction operation {name} which has no identity"))
        return ArrayType(tuple(n for d, n in enumerate(x.shape) if d not in axes), dtype or x.dtype)

    return infer


def _reduction(name, fn, combine, kinds, jvp, transpose=None, needs_elements=False) -> Op:
    """`combine` names the elementwise operation whose repetition the reduction is: what compiled loops accumulate with."""
    cell: list[Op] = []

    def run(xp, x, axes):
        return fn(x, axis=axes, dtype=x.dtype) if fn in (np.sum, np.prod) else fn(x, axis=axes)

    def show(x, axes):
        dtype = f", dtype=np.{x.type.dtype.name}" if fn in (np.sum, np.prod) and x.type.dtype.kind in "iu" and x.type.dtype.itemsize < 8 else ""
        return f"np.{fn.__name__}({x}, axis={axes}{dtype})"

    op = define(
        name,
        infer=_infer(name, kinds, needs_elements),
        run=run,
        jvp=jvp,
        transpose=transpose,
        batch=lambda args, batched, axes: cell[0](args[0], axes=tuple(a + 1 for a in axes)),
        lower=lambda k, xs, axes: combine,
        kind="reduce",
        simplify=lambda builder, x, axes: x if not axes else None,
        show=show,
    )
    cell.append(op)
    return op


def _max_jvp(primals, out, tangents, axes):
    """Ties share the tangent evenly: the subgradient of least norm."""
    x, t = primals[0], tangents[0]
    if not is_inexact(type_of(x).dtype):
        return None
    shape, dtype = type_of(x).shape, type_of(x).dtype
    y = expand(out, shape, axes)
    hit = (x == y) | (x != x)
    zero, one = np.zeros((), dtype)[()], np.ones((), dtype)[()]
    count = reduce_sum(select(hit, one, zero), axes=axes)
    return reduce_sum(select(hit, t, zero), axes=axes) / count


def _prod_jvp(primals, out, tangents, axes):
    """Dual numbers multiplied in pairs: no division, so zeros are exact."""
    x, t = primals[0], tangents[0]
    if not is_inexact(type_of(x).dtype):
        return None
    shape = type_of(x).shape
    rest = tuple(d for d in range(len(shape)) if d not in axes)
    n = math.prod(shape[a] for a in axes)
    if n == 0:
        return None
    lined = (n, *(shape[d] for d in rest))
    x, t = (reshape(transpose(v, permutation=(*axes, *rest)), shape=lined) for v in (x, t))

    def part(v, low, high):
        return slice_(v, start=(low,) + (0,) * len(rest), stop=(high, *lined[1:]), step=(1,) * len(lined))

    while n > 1:
        half = n // 2
        a, b, ta, tb = part(x, 0, half), part(x, half, 2 * half), part(t, 0, half), part(t, half, 2 * half)
        px, pt = a * b, ta * b + a * tb
        if n % 2:
            from .movement import concatenate

            px, pt = concatenate(px, part(x, n - 1, n), axis=0), concatenate(pt, part(t, n - 1, n), axis=0)
        x, t, n = px, pt, half + n % 2
    return reshape(t, shape=lined[1:])


def _no_jvp(primals, out, tangents, **params):
    return None


reduce_sum = _reduction(
    "reduce_sum",
    np.sum,
    "add",
    "iufc",
    jvp=lambda primals, out, tangents, axes: reduce_sum(tangents[0], axes=axes),
    transpose=lambda ct, x, axes: (expand(ct, x.shape, axes),),
)
reduce_prod = _reduction("reduce_prod", np.prod, "multiply", "iufc", jvp=_prod_jvp)
reduce_max = _reduction("reduce_max", np.max, "maximum", "biufc", jvp=_max_jvp, needs_elements=True)
reduce_min = _reduction("reduce_min", np.min, "minimum", "biufc", jvp=_max_jvp, needs_elements=True)
reduce_any = _reduction("reduce_any", np.any, "logical_or", "b", jvp=_no_jvp)
reduce_all = _reduction("reduce_all", np.all, "logical_and", "b", jvp=_no_jvp)


def _infer_arg(name):
    def infer(x, axis):
        if x.shape[axis] == 0:
            raise ValueError(at_user_line(f"attempt to get {name} of an empty sequence"))
        return ArrayType(x.shape[:axis] + x.shape[axis + 1 :], INT)

    return infer


# One line of so many elements is looked through block by block: 10^6 numbers in the time of one pass and not of two.
LONG_LINE, BLOCK = 1 << 15, 1024


def _first_of(extremum):
    """In kernels: the first position of the extremum, or of the first NaN, by two reductions."""

    def in_kernels(x, axis):
        if x.dtype.kind not in "biuf":
            return None
        from .indexing import positions_along

        n = x.shape[axis]
        if x.ndim == 1 and n >= LONG_LINE:
            return in_blocks(x)
        best = expand(extremum(x, axes=(axis,)), x.shape, (axis,))
        hit = (x == best) | (x != x)
        at = broadcast_to(positions_along(x, kept_shape(x.shape, tuple(d for d in range(x.ndim) if d != axis)), axis), shape=x.shape)
        return reduce_min(select(hit, at, np.int64(n)), axes=(axis,))

    def in_blocks(x):
        """Of one long line: first the block that has it, so that all elements are read once."""
        from .indexing import gather, positions_along
        from .movement import concatenate

        n = x.shape[0]
        end = n // BLOCK * BLOCK
        part = lambda start, stop, rows: reshape(slice_(x, start=(start,), stop=(stop,), step=(1,)), shape=(rows, (stop - start) // rows))
        best = extremum(part(0, end, n // BLOCK), axes=(1,))
        if end < n:
            best = concatenate(best, extremum(part(end, n, 1), axes=(1,)), axis=0)
        start = in_kernels(best, 0) * np.int64(BLOCK)
        if end < n:  # the last block is moved back: it is the first that has the extremum, so what is now in front of it has none
            start = select(start < end, start, np.int64(n - BLOCK))
        return start + in_kernels(gather(x, start + positions_along(x, (BLOCK,), 0), axes=(0,), mode="clip"), 0)

    return in_kernels


def _arg_reduction(name, fn, extremum) -> Op:
    cell: list[Op] = []
    op = define(
        name,
        infer=_infer_arg(name),
        run=lambda xp, x, axis: getattr(xp, name)(x, axis=axis),
        expand=_first_of(extremum),
        jvp=_no_jvp,
        batch=lambda args, batched, axis: cell[0](args[0], axis=axis + 1),
        show=lambda x, axis: f"np.{name}({x}, axis={axis})",
    )
    cell.append(op)
    return op


argmax = _arg_reduction("argmax", np.argmax, reduce_max)
argmin = _arg_reduction("argmin", np.argmin, reduce_min)
__all__ = [
    "BOOL",
    "argmax",
    "argmin",
    "convert",
    "expand",
    "kept_shape",
    "reduce_all",
    "reduce_any",
    "reduce_max",
    "reduce_min",
    "reduce_prod",
    "reduce_sum",
]
