"""Blocks: a rectangular part of an array, read or written as a whole.

`dynamic_slice`, `dynamic_update_slice` and `dynamic_slice_add` find the first element of the block by traced 0-d integers, one an axis.
A negative start counts from the end; a block that does not lie inside raises `IndexError`, it is never moved or cut.
`slice_update` writes at positions known while tracing.

All are linear in the arrays, not in the starts, which have no tangents.
"""
from __future__ import annotations

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType, Literal
from ..ir.types import INT
from ..trace import type_of
from ..trace.views import READ_ONLY
from .core import Contribution, Linear, Op, define, zeros
from .elementwise import add, imag, less, make_complex, real, select
from .indexing import batch_size, gather, materialized, others, positions_along, scatter_add, scatter_set, type_either, up
from .movement import all_batched, broadcast_to, inverse, reshape, reverse, show_slice, show_write, slice_, slice_of, transpose


# -- dynamic_slice(x, *starts, sizes)
def _show_block(shape, starts, sizes) -> str:
    """`s % n` counts a negative start from the end."""
    firsts = [f"{s} % {n}" for s, n in zip(starts, shape)]
    return ", ".join(":" if m == n else f"{first}:{first} + {m}" for first, m, n in zip(firsts, sizes, shape)) or "()"


def _check_starts(name, x, starts, sizes):
    if len(starts) != x.ndim or len(sizes) != x.ndim or any(s.shape != () or s.dtype != INT for s in starts):
        raise TypeError(at_user_line(f"{name}: an array of shape {x.shape} needs {x.ndim} starts that are 0-d int64 and {x.ndim} sizes, "
                                     f"got {', '.join(map(str, starts))} and {sizes}"))
    if any(not 0 <= m <= n for m, n in zip(sizes, x.shape)):
        raise ValueError(at_user_line(f"{name}: a block of shape {sizes} does not fit into an array of shape {x.shape}"))


def _infer_dynamic_slice(x, *starts, sizes):
    _check_starts("dynamic_slice", x, starts, sizes)
    return ArrayType(sizes, x.dtype)


def _block(shape, starts, sizes) -> tuple[slice, ...]:
    """The block as slices. Raises `IndexError` where it does not lie inside."""
    slices = []
    for d, (start, size, n) in enumerate(zip(starts, sizes, shape)):
        first = int(start) + (n if start < 0 else 0)
        if not 0 <= first <= n - size:
            what = f"index {int(start)}" if size == 1 else f"a slice of {size} elements from {int(start)}"
            raise IndexError(at_user_line(f"{what} is out of bounds for axis {d} with size {n}"))
        slices.append(slice(first, first + size))
    return tuple(slices)


def _transpose_dynamic_slice(ct, x, *starts, sizes):
    part = Contribution(
        lambda: dynamic_update_slice(zeros(x.type), ct, *starts), lambda acc: dynamic_slice_add(acc, ct, *starts), scattered=True
    )
    return part, *(None,) * len(starts)


def _block_indices(args, batched, shape, sizes, starts_at: int):
    """For a batch of starts: index arrays of shape (batch, *sizes of the axes they address), and those axes.

    An axis that is taken whole from a start known to be 0 is not addressed. A start that is out of bounds becomes one that stays so.
    """
    starts, moving = args[starts_at:], batched[starts_at:]
    axes = tuple(d for d, (s, b, m, n) in enumerate(zip(starts, moving, sizes, shape)) if b or m != n or not (isinstance(s, np.generic) and s == 0))
    like = next(s for s, b in zip(starts, moving) if b)
    rank, indices = len(axes), []
    for place, d in enumerate(axes, 1):
        s, n, none = starts[d], np.int64(shape[d]), np.int64(0)
        first = select(less(s, none), select(less(s, -n), n, add(s, n)), s)
        if moving[d]:
            first = reshape(first, shape=(*type_of(s).shape, *(1,) * rank))
        indices.append(add(first, positions_along(like, tuple(sizes[d] if p == place else 1 for p in range(rank + 1)), place)))
    return indices, axes


def _batch_dynamic_slice(args, batched, sizes):
    x, *starts = args
    if not any(batched[1:]):
        return dynamic_slice(x, np.int64(0), *starts, sizes=(type_of(x).shape[0], *sizes))
    indices, axes = _block_indices(args, batched, type_of(x).shape[batched[0]:], sizes, 1)
    if batched[0]:
        row = positions_along(x, (type_of(x).shape[0], *(1,) * len(axes)), 0)
        got = gather(x, row, *indices, axes=(0, *up(axes)), mode="raise")
    else:
        got = gather(x, *indices, axes=axes, mode="raise")
    order = np.argsort((*axes, *others(len(sizes), axes)))
    return transpose(got, permutation=(0, *(int(o) + 1 for o in order)))


def _lower_positions(k, shape, starts, index) -> tuple:
    """The positions in an array of `shape` of the element `index` of the block."""
    return tuple(k.apply("add", _lower_start(k, s, n), k.index_value(i, INT)) for s, i, n in zip(starts, index, shape))


def _lower_dynamic_slice(k, xs, index, sizes):
    x, *starts = xs
    return x.gather(_lower_positions(k, x.shape, starts, index))


def _lower_start(k, start, n):
    """The first position of the block; a start below -n becomes n, which is out of bounds as well."""
    s, zero, low, n = start.broadcast(()), k.constant(0, INT), k.constant(-n, INT), k.constant(n, INT)
    return k.apply("select", k.apply("less", s, zero), k.apply("select", k.apply("less", s, low), n, k.apply("add", s, n)), s)


def _simplify_dynamic_slice(builder, x, *starts, sizes):
    if not all(type(s) is Literal for s in starts):
        return None
    block = _block(x.type.shape, [s.value for s in starts], sizes)
    return builder.emit(slice_, (x,), {"start": tuple(s.start for s in block), "stop": tuple(s.stop for s in block), "step": (1,) * len(sizes)})[0]


dynamic_slice = define(
    "dynamic_slice", infer=_infer_dynamic_slice, run=lambda xp, x, *starts, sizes: x[_block(x.shape, starts, sizes)],
    jvp=lambda primals, out, tangents, sizes: dynamic_slice(tangents[0], *primals[1:], sizes=sizes),
    transpose=_transpose_dynamic_slice, batch=_batch_dynamic_slice, lower=_lower_dynamic_slice, simplify=_simplify_dynamic_slice,
    show=lambda x, *starts, sizes: f"{x}[{_show_block(x.type.shape, starts, sizes)}]" if sizes else x)


# -- dynamic_update_slice(x, update, *starts) and dynamic_slice_add: x with the block replaced, or added to
def _dynamic_write(name, operator, write, combine, scatter, jvp, turn) -> Op:
    cell: list[Op] = []

    def infer(x, update, *starts):
        _check_starts(name, x, starts, update.shape)
        if update.dtype != x.dtype:
            raise TypeError(at_user_line(f"{name} needs equal dtypes, got {x} and {update}"))
        return x.strong

    def run(xp, x, update, *starts):
        out = xp.array(x)
        write(out, _block(x.shape, starts, update.shape), update)
        return out

    def batch(args, batched):
        starts, n = args[2:], batch_size(args, batched)
        x, update = (a if b else broadcast_to(a, shape=(n, *type_of(a).shape)) for a, b in zip(args, batched[:2]))
        if not any(batched[2:]):
            return cell[0](x, update, np.int64(0), *starts)
        sizes = type_of(update).shape[1:]
        indices, axes = _block_indices(args, batched, type_of(x).shape[1:], sizes, 2)
        row = positions_along(x, (n, *(1,) * len(axes)), 0)
        lined = transpose(update, permutation=(0, *up((*axes, *others(len(sizes), axes)))))
        return scatter(x, lined, row, *indices, axes=(0, *up(axes)), mode="raise")

    def show(x, update, *starts):
        return show_write(x, _show_block(x.type.shape, starts, update.type.shape), operator, update)

    def lower(k, xs, index):
        x, _, *starts = xs
        return combine, _lower_positions(k, x.shape, starts, index)

    op = define(name, infer=infer, run=run, jvp=jvp, transpose=turn, batch=batch, lower=lower, kind="write", show=show)
    cell.append(op)
    return op


def _write_block(out, block, update):
    out[block] = update


def _add_block(out, block, update):
    out[block] += update


def _transpose_update(ct, x, update, *starts):
    kept = dynamic_update_slice(ct, zeros(type_either(update)), *starts) if isinstance(x, Linear) else None
    return kept, dynamic_slice(ct, *starts, sizes=update.shape) if isinstance(update, Linear) else None, *(None,) * len(starts)


def _jvp_update(primals, out, tangents):
    return dynamic_update_slice(*materialized(tangents, primals[:2]), *primals[2:])


def _jvp_slice_add(primals, out, tangents):
    if tangents[1] is None:
        return tangents[0]
    return dynamic_slice_add(*materialized(tangents, primals[:2]), *primals[2:])


def _transpose_slice_add(ct, x, update, *starts):
    read = dynamic_slice(ct, *starts, sizes=update.shape) if isinstance(update, Linear) else None
    return ct if isinstance(x, Linear) else None, read, *(None,) * len(starts)


dynamic_update_slice = _dynamic_write("dynamic_update_slice", "=", _write_block, None, scatter_set, _jvp_update, _transpose_update)
dynamic_slice_add = _dynamic_write("dynamic_slice_add", "+=", _add_block, "add", scatter_add, _jvp_slice_add, _transpose_slice_add)


# -- slice_update(x, v, start, step): x with v in the slice that begins at `start`
def _infer_slice_update(x, v, start, step):
    if v.dtype != x.dtype or any(s < 0 or s + (m - 1) * k + 1 > n for s, m, k, n in zip(start, v.shape, step, x.shape) if m) or v.ndim != x.ndim:
        raise ValueError(at_user_line(f"{v} cannot be written into {x} from {start} in steps of {step}"))
    return x.strong


def _run_slice_update(xp, x, v, start, step):
    out = xp.array(x)
    out[slice_of(start, step, v.shape)] = v
    return out


def _transpose_slice_update(ct, x, v, start, step):
    kept = slice_update(ct, zeros(type_either(v)), start=start, step=step) if isinstance(x, Linear) else None
    part = slice_of(start, step, v.shape)
    return kept, slice_(ct, start=start, stop=tuple(s.stop for s in part), step=step) if isinstance(v, Linear) else None


def _batch_slice_update(args, batched, start, step):
    x, v = all_batched(args, batched)
    return slice_update(x, v, start=(0, *start), step=(1, *step))


def _lower_slice_update(k, xs, index, start, step):
    return None, tuple(s + i * d for s, i, d in zip(start, index, step))


slice_update = define(
    "slice_update", infer=_infer_slice_update, run=_run_slice_update,
    jvp=lambda primals, out, tangents, start, step: slice_update(*materialized(tangents, primals), start=start, step=step),
    transpose=_transpose_slice_update, batch=_batch_slice_update, lower=_lower_slice_update, kind="write",
    simplify=lambda builder, x, v, start, step: v if v.type.shape == x.type.shape else None,
    show=lambda x, v, start, step: show_write(x, ", ".join(map(show_slice, slice_of(start, step, v.type.shape))), "=", v))


# -- views: what a write into the result of an op that reads a part makes of the array that it read (trace/views.py)
slice_.view = lambda base, value, start, stop, step: slice_update(base, value, start=start, step=step)
dynamic_slice.view = lambda base, value, *starts, sizes: dynamic_update_slice(base, value, *starts)
reshape.view = lambda base, value, shape: reshape(value, shape=base.shape)
reverse.view = lambda base, value, axes: reverse(value, axes=axes)
transpose.view = lambda base, value, permutation: transpose(value, permutation=inverse(permutation))
broadcast_to.view = READ_ONLY
real.view = lambda base, value: make_complex(value, imag(base))
imag.view = lambda base, value: make_complex(real(base), value)
