"""Reading and writing at positions that are known only when the program runs.

`gather(x, *indices, axes, mode)` is NumPy's advanced indexing with the result axes in a fixed order: the integer arrays `indices` broadcast together
and address the axes `axes` of x, one array an axis; the result has the axes of the broadcast indices first and x's other axes behind, in order.
The scatters write an array of that same shape back.  Indices are int64 and arrive as the user wrote them: `mode` says what becomes of those outside.

    raise   -n..-1 count from the end, anything else is an `IndexError` (NumPy indexing, `np.take`)
    clip    moved to the nearer end; negative ones do not count from the end
    wrap    taken modulo n

`dynamic_slice` and `dynamic_update_slice` read and write one block whose first element is given by traced 0-d integers, one an axis.
A negative start counts from the end; a block that does not lie inside raises `IndexError`, it is never moved or cut.
`slice_update` writes at positions known while tracing.

All are linear in the arrays (not in the indices, which have no tangents), except the scatters that take an extremum.
"""
from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType, Literal
from ..ir.types import INT
from ..trace import Tracer, type_of
from .core import Contribution, Linear, Op, define, move_axis, zeros
from .elementwise import add, equal, less, select
from .movement import all_batched, broadcast_to, iota, reshape, show_slice, show_write, slice_, slice_of, transpose

MODES = "raise", "clip", "wrap"


# -- shared parts
def positions_along(like, shape: tuple[int, ...], axis: int):
    """`iota` in the trace that the array `like` belongs to: compiled code then counts, where an array made here would be read."""
    params = {"shape": shape, "axis": axis, "dtype": INT}
    return like.owner.emit(iota, (), params) if type(like) is Tracer else iota(**params)


def _others(ndim: int, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(d for d in range(ndim) if d not in axes)


def _in_front(x, axes: tuple[int, ...]):
    """x with the indexed axes first."""
    order = (*axes, *_others(x.ndim, axes))
    return x if order == tuple(range(x.ndim)) else x.transpose(order)


def _back(front, axes: tuple[int, ...]):
    """The inverse of `_in_front`."""
    order = (*axes, *_others(front.ndim, axes))
    return front if order == tuple(range(front.ndim)) else front.transpose(np.argsort(order))


def _index_shape(name: str, x, indices, axes, mode) -> tuple[int, ...]:
    if len(indices) != len(axes) or len(set(axes)) != len(axes) or not all(0 <= a < x.ndim for a in axes):
        raise IndexError(at_user_line(f"{name}: {len(indices)} index arrays for the axes {axes} of an array of shape {x.shape}"))
    if mode not in MODES:
        raise ValueError(at_user_line(f"{name}: mode must be one of {', '.join(MODES)}, got {mode!r}"))
    if any(i.dtype != INT for i in indices):
        raise TypeError(at_user_line(f"{name}: indices must be int64, got {', '.join(map(str, indices))}"))
    try:
        shape = np.broadcast_shapes(*[i.shape for i in indices])
    except ValueError:
        shapes = " ".join(str(i.shape) for i in indices)
        raise IndexError(at_user_line(f"shape mismatch: indexing arrays could not be broadcast together with shapes {shapes}")) from None
    if 0 not in shape and any(x.shape[a] == 0 for a in axes):
        raise IndexError(at_user_line(f"{name}: nothing can be taken from the empty axes of an array of shape {x.shape}"))
    return shape


def _settled(xp, shape, indices, axes, mode) -> list:
    """Non-negative indices, one array an axis. Raises the `IndexError` of mode "raise"."""
    settled = []
    for i, a in zip(indices, axes):
        n = shape[a]
        if mode == "clip":
            i = xp.clip(i, 0, max(n - 1, 0))
        elif mode == "wrap":
            i = xp.remainder(i, max(n, 1))
        else:
            negative = i < 0
            if xp.any(negative):
                i = xp.where(negative, i + n, i)
            if xp.any((i < 0) | (i >= n)):
                wrong = xp.extract((i < 0) | (i >= n), i)[0]
                raise IndexError(at_user_line(f"index {wrong if wrong >= n else wrong - n} is out of bounds for axis {a} with size {n}"))
        settled.append(i)
    return settled


def _lined(args, batched, rank: int):
    """Index arrays whose batch axis is in front and whose own axes line up at the end, padded to `rank` of them."""
    lined = []
    for i, b in zip(args, batched):
        shape = type_of(i).shape
        lined.append(reshape(i, shape=(shape[0], *(1,) * (rank + 1 - len(shape)), *shape[1:])) if b and len(shape) < rank + 1 else i)
    return lined


def _rank(indices, batched) -> int:
    return max(type_of(i).ndim - b for i, b in zip(indices, batched))


def _batch_size(args, batched) -> int:
    return next(type_of(a).shape[0] for a, b in zip(args, batched) if b)


def _up(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + 1 for a in axes)


# -- how they are printed: NumPy's indexing, with the indexed axes brought to the front
def _show_at(shape, indices, axes, mode) -> str:
    end = {"raise": "{}", "clip": "np.clip({}, 0, {})", "wrap": "{} % {}"}[mode]
    return ", ".join(end.format(i, shape[a] - (mode == "clip")) for i, a in zip(indices, axes))


def _show_front(text: str, ndim: int, axes) -> str:
    order = (*axes, *_others(ndim, axes))
    return text if order == tuple(range(ndim)) else f"np.transpose({text}, {order})"


def _show_gather(x, *indices, axes, mode):
    return f"{_show_front(x, x.type.ndim, axes)}[{_show_at(x.type.shape, indices, axes, mode)}]"


def _show_scatter(name):
    def show(x, updates, *indices, axes, mode):
        at = _show_at(x.type.shape, indices, axes, mode)

        def write(out):
            front = _show_front(out, x.type.ndim, axes)
            return f"{front}[{at}] = {updates}" if name == "scatter_set" else f"np.{_UFUNCS[name]}.at({front}, ({at},), {updates})"
        return f"np.array({x})", write
    return show


_UFUNCS = {"scatter_add": "add", "scatter_max": "maximum", "scatter_min": "minimum"}


def _show_block(shape, starts, sizes) -> str:
    """`s % n` counts a negative start from the end."""
    firsts = [f"{s} % {n}" for s, n in zip(starts, shape)]
    return ", ".join(":" if m == n else f"{first}:{first} + {m}" for first, m, n in zip(firsts, sizes, shape)) or "()"


# -- gather
def _infer_gather(x, *indices, axes, mode):
    return ArrayType((*_index_shape("gather", x, indices, axes, mode), *(x.shape[d] for d in _others(x.ndim, axes))), x.dtype)


def _run_gather(xp, x, *indices, axes, mode):
    front = _in_front(x, axes)
    if len(axes) == 1 and xp is np and x.shape[axes[0]]:   # np.take copies whole rows: several times faster than indexing
        try:
            return np.take(front, indices[0], axis=0, mode=mode)
        except IndexError:
            pass   # the general path says which index it was
    return front[tuple(_settled(xp, x.shape, indices, axes, mode))]


def _transpose_gather(ct, x, *indices, axes, mode):
    def into(acc):
        return scatter_add(acc, ct, *indices, axes=axes, mode=mode)
    return Contribution(lambda: into(zeros(x.type)), into), *(None,) * len(indices)


def _batch_gather(args, batched, axes, mode):
    x, *indices = args
    rank = _rank(indices, batched[1:])
    if not any(batched[1:]):
        return move_axis(gather(x, *indices, axes=_up(axes), mode=mode), rank, 0)
    lined = _lined(indices, batched[1:], rank)
    if not batched[0]:
        return gather(x, *lined, axes=axes, mode=mode)
    row = positions_along(x, (_batch_size(args, batched), *(1,) * rank), 0)
    return gather(x, row, *lined, axes=(0, *_up(axes)), mode=mode)


def _lower_gather(k, xs, index, axes, mode):
    x, *indices = xs
    rank = len(index) - len(x.shape) + len(axes)
    at, own = {}, iter(index[rank:])
    for i, a in zip(indices, axes):
        at[a] = _lower_mode(k, i.broadcast(index[:rank]), x.shape[a], mode)
    return x.gather(tuple(at[d] if d in at else next(own) for d in range(len(x.shape))))


def _lower_mode(k, i, n, mode):
    if mode == "clip":
        return k.apply("minimum", k.apply("maximum", i, k.constant(0, INT)), k.constant(n - 1, INT))
    return k.apply("remainder", i, k.constant(n, INT)) if mode == "wrap" else i


gather = define(
    "gather", infer=_infer_gather, run=_run_gather,
    jvp=lambda primals, out, tangents, axes, mode: gather(tangents[0], *primals[1:], axes=axes, mode=mode),
    transpose=_transpose_gather, batch=_batch_gather, lower=_lower_gather, show=_show_gather)


def take_along_axis(x, indices, axis: int):
    """As `np.take_along_axis`, for arrays whose shapes differ along `axis` only."""
    shape = type_of(indices).shape
    at = [indices if d == axis else positions_along(indices, tuple(n if e == d else 1 for e in range(len(shape))), d) for d, n in enumerate(shape)]
    return gather(x, *at, axes=tuple(range(len(shape))), mode="raise")


# -- scatter: a copy of x with updates written at the positions that gather would read
def _infer_scatter(name):
    def infer(x, updates, *indices, axes, mode):
        shape = (*_index_shape(name, x, indices, axes, mode), *(x.shape[d] for d in _others(x.ndim, axes)))
        if updates.shape != shape or updates.dtype != x.dtype:
            raise ValueError(at_user_line(f"{name}: the positions in {x} need updates {ArrayType(shape, x.dtype)}, got {updates}"))
        return x.strong
    return infer


def _run_scatter(write):
    """`write(rows, at, updates)` changes rows[at], both two-dimensional.  A flat index keeps NumPy on its fast path, 5 times faster."""
    def run(xp, x, updates, *indices, axes, mode):
        front = xp.array(_in_front(x, axes), order="C", copy=True)
        head = front.shape[:len(axes)]
        at = 0
        for i, n in zip(_settled(xp, x.shape, indices, axes, mode), head):
            at = at * n + i
        width = math.prod(front.shape[len(axes):])
        count = math.prod(np.shape(at)) if width == 0 else updates.size // width
        at = xp.broadcast_to(at, updates.shape[:updates.ndim - front.ndim + len(axes)]).reshape(count)
        if at.size and width:
            write(front.reshape(-1, width), at, updates.reshape(count, width))
        return _back(front, axes)
    return run


def _write_each(ufunc):
    """All of the updates, also those that meet at one position, through `ufunc.at` on flat arrays."""
    def write(rows, at, updates):
        width = rows.shape[1]
        flat = at if width == 1 else (at[:, None] * width + np.arange(width)).reshape(-1)
        ufunc.at(rows.reshape(-1), flat, updates.reshape(-1))
    return write


def _write_last(rows, at, updates):
    rows[at] = updates


def _lower_scatter(combine):
    """What compiled code combines with, and where in x the update at `index` goes."""
    def lower(k, xs, index, axes, mode):
        x, _, *indices = xs
        rank = len(index) - len(x.shape) + len(axes)
        at, own = {}, iter(index[rank:])
        for i, a in zip(indices, axes):
            at[a] = _lower_mode(k, i.broadcast(index[:rank]), x.shape[a], mode)
        return combine, tuple(at[d] if d in at else next(own) for d in range(len(x.shape)))
    return lower


def _scatter(name, write, combine, jvp, turn=None) -> Op:
    cell: list[Op] = []

    def batch(args, batched, axes, mode):
        x, updates, *indices = args
        rank, n = _rank(indices, batched[2:]), _batch_size(args, batched)
        x, updates = (a if b else broadcast_to(a, shape=(n, *type_of(a).shape)) for a, b in zip((x, updates), batched))
        if not any(batched[2:]):
            return cell[0](x, move_axis(updates, 0, rank), *indices, axes=_up(axes), mode=mode)
        row = positions_along(x, (n, *(1,) * rank), 0)
        return cell[0](x, updates, row, *_lined(indices, batched[2:], rank), axes=(0, *_up(axes)), mode=mode)

    op = define(name, infer=_infer_scatter(name), run=_run_scatter(write), jvp=jvp, transpose=turn, batch=batch,
                lower=_lower_scatter(combine), kind="write", show=_show_scatter(name))
    cell.append(op)
    return op


def _materialized(tangents, primals):
    """The tangents of x and of what is written into it, zeros where they are None."""
    return [zeros(type_of(p)) if t is None else t for t, p in zip(tangents, primals)]


def _jvp_scatter_add(primals, out, tangents, axes, mode):
    if tangents[1] is None:
        return tangents[0]
    tx, tu = _materialized(tangents, primals[:2])
    return scatter_add(tx, tu, *primals[2:], axes=axes, mode=mode)


def _transpose_scatter_add(ct, x, updates, *indices, axes, mode):
    read = gather(ct, *indices, axes=axes, mode=mode) if isinstance(updates, Linear) else None
    return ct if isinstance(x, Linear) else None, read, *(None,) * len(indices)


scatter_add = _scatter("scatter_add", _write_each(np.add), "add", _jvp_scatter_add, _transpose_scatter_add)


# Where indices meet, the last update stands, as in NumPy: in the transpose the others get nothing.
def _jvp_scatter_set(primals, out, tangents, axes, mode):
    return scatter_set(*_materialized(tangents, primals[:2]), *primals[2:], axes=axes, mode=mode)


def _transpose_scatter_set(ct, x, updates, *indices, axes, mode):
    to_x = to_updates = None
    if isinstance(x, Linear):
        to_x = scatter_set(ct, zeros(updates.type if isinstance(updates, Linear) else type_of(updates)), *indices, axes=axes, mode=mode)
    if isinstance(updates, Linear):
        read = gather(ct, *indices, axes=axes, mode=mode)
        to_updates = _only_last(read, type_of(ct).shape, indices, axes, mode)
    return to_x, to_updates, *(None,) * len(indices)


def _only_last(read, shape, indices, axes, mode):
    """`read`, what a gather read at the indices, with zeros at those that a later equal one overwrites."""
    index_shape = type_of(read).shape[:type_of(read).ndim - len(shape) + len(axes)]
    count = math.prod(index_shape)
    if count <= 1:
        return read
    number = reshape(positions_along(indices[0], (count,), 0), shape=index_shape)
    head = tuple(shape[a] for a in axes)
    where = dict(axes=tuple(range(len(axes))), mode=mode)
    last = gather(scatter_set(zeros(ArrayType(head, INT)), number, *indices, **where), *indices, **where)
    stands = reshape(equal(last, number), shape=(*index_shape, *(1,) * (len(shape) - len(axes))))
    return select(stands, read, np.zeros((), type_of(read).dtype)[()])


scatter_set = _scatter("scatter_set", _write_last, None, _jvp_scatter_set, _transpose_scatter_set)


# Ties share the tangent evenly, the value that was there before included, as in reduce_max.
def _jvp_extremum(primals, out, tangents, axes, mode):
    x, updates, *indices = primals
    where = dict(axes=axes, mode=mode)
    zero, one = (np.asarray(v, type_of(out).dtype)[()] for v in (0, 1))
    x_hit, u_hit = equal(x, out), equal(updates, gather(out, *indices, **where))
    tx, tu = _materialized(tangents, primals[:2])
    count = scatter_add(select(x_hit, one, zero), select(u_hit, one, zero), *indices, **where)
    return scatter_add(select(x_hit, tx, zero), select(u_hit, tu, zero), *indices, **where) / count


scatter_max = _scatter("scatter_max", _write_each(np.maximum), "maximum", _jvp_extremum)
scatter_min = _scatter("scatter_min", _write_each(np.minimum), "minimum", _jvp_extremum)


# -- dynamic_slice(x, *starts, sizes)
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
            raise IndexError(at_user_line(f"a slice of {size} elements from {int(start)} is out of bounds for axis {d} with size {n}"))
        slices.append(slice(first, first + size))
    return tuple(slices)


def _transpose_dynamic_slice(ct, x, *starts, sizes):
    part = Contribution(lambda: dynamic_update_slice(zeros(x.type), ct, *starts), lambda acc: dynamic_slice_add(acc, ct, *starts))
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
        got = gather(x, row, *indices, axes=(0, *_up(axes)), mode="raise")
    else:
        got = gather(x, *indices, axes=axes, mode="raise")
    order = np.argsort((*axes, *_others(len(sizes), axes)))
    return transpose(got, permutation=(0, *(int(o) + 1 for o in order)))


def _lower_dynamic_slice(k, xs, index, sizes):
    x, *starts = xs
    return x.gather(tuple(k.apply("add", _lower_start(k, s, n), k.index_value(i, INT)) for s, i, n in zip(starts, index, x.shape)))


def _lower_start(k, start, n):
    """The first position of the block; a start below -n becomes n, which is out of bounds as well."""
    s, zero, low, n = start.broadcast(()), k.constant(0, INT), k.constant(-n, INT), k.constant(n, INT)
    return k.apply("select", k.apply("less", s, zero), k.apply("select", k.apply("less", s, low), n, k.apply("add", s, n)), s)


def _static_block(x, starts, sizes):
    """(start, stop) of a block all of whose starts are literals, or None."""
    if not all(type(s) is Literal for s in starts):
        return None
    block = _block(x.type.shape, [s.value for s in starts], sizes)
    return tuple(s.start for s in block), tuple(s.stop for s in block)


def _simplify_dynamic_slice(builder, x, *starts, sizes):
    block = _static_block(x, starts, sizes)
    return block and builder.emit(slice_, (x,), {"start": block[0], "stop": block[1], "step": (1,) * len(sizes)})[0]


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
        starts, n = args[2:], _batch_size(args, batched)
        x, update = (a if b else broadcast_to(a, shape=(n, *type_of(a).shape)) for a, b in zip(args, batched[:2]))
        if not any(batched[2:]):
            return cell[0](x, update, np.int64(0), *starts)
        sizes = type_of(update).shape[1:]
        indices, axes = _block_indices(args, batched, type_of(x).shape[1:], sizes, 2)
        row = positions_along(x, (n, *(1,) * len(axes)), 0)
        lined = transpose(update, permutation=(0, *_up((*axes, *_others(len(sizes), axes)))))
        return scatter(x, lined, row, *indices, axes=(0, *_up(axes)), mode="raise")

    def show(x, update, *starts):
        return show_write(x, _show_block(x.type.shape, starts, update.type.shape), operator, update)

    def lower(k, xs, index):
        x, _, *starts = xs
        return combine, tuple(k.apply("add", _lower_start(k, s, n), k.index_value(i, INT)) for s, i, n in zip(starts, index, x.shape))

    op = define(name, infer=infer, run=run, jvp=jvp, transpose=turn, batch=batch, lower=lower, kind="write", show=show)
    cell.append(op)
    return op


def _write_block(out, block, update):
    out[block] = update


def _add_block(out, block, update):
    out[block] += update


def _transpose_update(ct, x, update, *starts):
    kept = dynamic_update_slice(ct, zeros(_type(update)), *starts) if isinstance(x, Linear) else None
    return kept, dynamic_slice(ct, *starts, sizes=update.shape) if isinstance(update, Linear) else None, *(None,) * len(starts)


def _type(x) -> ArrayType:
    return x.type if isinstance(x, Linear) else type_of(x)


def _jvp_update(primals, out, tangents):
    return dynamic_update_slice(*_materialized(tangents, primals[:2]), *primals[2:])


def _jvp_slice_add(primals, out, tangents):
    if tangents[1] is None:
        return tangents[0]
    return dynamic_slice_add(*_materialized(tangents, primals[:2]), *primals[2:])


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
    kept = slice_update(ct, zeros(_type(v)), start=start, step=step) if isinstance(x, Linear) else None
    part = slice_of(start, step, v.shape)
    return kept, slice_(ct, start=start, stop=tuple(s.stop for s in part), step=step) if isinstance(v, Linear) else None


def _batch_slice_update(args, batched, start, step):
    x, v = all_batched(args, batched)
    return slice_update(x, v, start=(0, *start), step=(1, *step))


def _lower_slice_update(k, xs, index, start, step):
    return None, tuple(s + i * d for s, i, d in zip(start, index, step))


slice_update = define(
    "slice_update", infer=_infer_slice_update, run=_run_slice_update,
    jvp=lambda primals, out, tangents, start, step: slice_update(*_materialized(tangents, primals), start=start, step=step),
    transpose=_transpose_slice_update, batch=_batch_slice_update, lower=_lower_slice_update, kind="write",
    simplify=lambda builder, x, v, start, step: v if v.type.shape == x.type.shape else None,
    show=lambda x, v, start, step: show_write(x, ", ".join(map(show_slice, slice_of(start, step, v.type.shape))), "=", v))
