"""Reading and writing at positions that are known only when the program runs.

`gather(x, *indices, axes, mode)` is NumPy's advanced indexing with the result axes in a fixed order: the integer arrays `indices` broadcast together
and address the axes `axes` of x, one array an axis; the result has the axes of the broadcast indices first and x's other axes behind, in order.
The scatters write an array of that same shape back.  Indices are int64 and arrive as the user wrote them: `mode` says what becomes of those outside.

    raise   -n..-1 count from the end, anything else is an `IndexError` (NumPy indexing, `np.take`)
    clip    moved to the nearer end; negative ones do not count from the end
    wrap    taken modulo n

All are linear in the arrays (not in the indices, which have no tangents), except the scatters that take an extremum.
"""
from __future__ import annotations

import math

import numpy as np

from .. import residence
from ..errors import at_user_line
from ..ir import ArrayType
from ..ir.types import INT
from ..trace import Tracer, type_of
from .core import Contribution, Linear, Op, define, move_axis, zeros
from .elementwise import equal, select
from .movement import broadcast_to, iota, reshape

MODES = "raise", "clip", "wrap"


# -- shared parts
def positions_along(like, shape: tuple[int, ...], axis: int):
    """`iota` in the trace that the array `like` belongs to: compiled code then counts, where an array made here would be read. Or where it lives."""
    params = {"shape": shape, "axis": axis, "dtype": INT}
    if type(like) is Tracer:
        return like.owner.emit(iota, (), params)
    device = residence.home(like)
    return iota(**params) if device is None else device.from_host(iota(**params))


def type_either(x) -> ArrayType:
    """The type of an input of a transpose rule, linear or not."""
    return x.type if isinstance(x, Linear) else type_of(x)


def others(ndim: int, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(d for d in range(ndim) if d not in axes)


def _in_front(x, axes: tuple[int, ...]):
    """x with the indexed axes first."""
    order = (*axes, *others(x.ndim, axes))
    return x if order == tuple(range(x.ndim)) else x.transpose(order)


def _back(front, axes: tuple[int, ...]):
    """The inverse of `_in_front`."""
    order = (*axes, *others(front.ndim, axes))
    return front if order == tuple(range(front.ndim)) else front.transpose(np.argsort(order).tolist())


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


def batch_size(args, batched) -> int:
    return next(type_of(a).shape[0] for a, b in zip(args, batched) if b)


def up(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + 1 for a in axes)


# -- how they are printed: NumPy's indexing, with the indexed axes brought to the front
def _show_at(shape, indices, axes, mode) -> str:
    end = {"raise": "{}", "clip": "np.clip({}, 0, {})", "wrap": "{} % {}"}[mode]
    return ", ".join(end.format(i, shape[a] - (mode == "clip")) for i, a in zip(indices, axes))


def _show_front(text: str, ndim: int, axes) -> str:
    order = (*axes, *others(ndim, axes))
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


# -- gather
def _infer_gather(x, *indices, axes, mode):
    return ArrayType((*_index_shape("gather", x, indices, axes, mode), *(x.shape[d] for d in others(x.ndim, axes))), x.dtype)


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
    return Contribution(lambda: into(zeros(x.type)), into, scattered=True), *(None,) * len(indices)


def _batch_gather(args, batched, axes, mode):
    x, *indices = args
    rank = _rank(indices, batched[1:])
    if not any(batched[1:]):
        return move_axis(gather(x, *indices, axes=up(axes), mode=mode), rank, 0)
    lined = _lined(indices, batched[1:], rank)
    if not batched[0]:
        return gather(x, *lined, axes=axes, mode=mode)
    row = positions_along(x, (batch_size(args, batched), *(1,) * rank), 0)
    return gather(x, row, *lined, axes=(0, *up(axes)), mode=mode)


def _lower_positions(k, shape, indices, index, axes, mode) -> tuple:
    """The positions in an array of `shape` that the element `index` of the result is read from."""
    rank = len(index) - len(shape) + len(axes)
    at, own = {}, iter(index[rank:])
    for i, a in zip(indices, axes):
        at[a] = _lower_mode(k, i.broadcast(index[:rank]), shape[a], mode)
    return tuple(at[d] if d in at else next(own) for d in range(len(shape)))


def _lower_mode(k, i, n, mode):
    if mode == "clip":
        return k.apply("minimum", k.apply("maximum", i, k.constant(0, INT)), k.constant(n - 1, INT))
    return k.apply("remainder", i, k.constant(n, INT)) if mode == "wrap" else i


gather = define(
    "gather", infer=_infer_gather, run=_run_gather,
    jvp=lambda primals, out, tangents, axes, mode: gather(tangents[0], *primals[1:], axes=axes, mode=mode),
    transpose=_transpose_gather, batch=_batch_gather, show=_show_gather,
    lower=lambda k, xs, index, axes, mode: xs[0].gather(_lower_positions(k, xs[0].shape, xs[1:], index, axes, mode)))


def take_along_axis(x, indices, axis: int):
    """As `np.take_along_axis`, for arrays whose shapes differ along `axis` only."""
    shape = type_of(indices).shape
    at = [indices if d == axis else positions_along(indices, tuple(n if e == d else 1 for e in range(len(shape))), d) for d, n in enumerate(shape)]
    return gather(x, *at, axes=tuple(range(len(shape))), mode="raise")


# -- scatter: a copy of x with updates written at the positions that gather would read
def _infer_scatter(name):
    def infer(x, updates, *indices, axes, mode):
        shape = (*_index_shape(name, x, indices, axes, mode), *(x.shape[d] for d in others(x.ndim, axes)))
        if updates.shape != shape or updates.dtype != x.dtype:
            raise ValueError(at_user_line(f"{name}: the positions in {x} need updates {ArrayType(shape, x.dtype)}, got {updates}"))
        return x.strong
    return infer


def _run_scatter(write):
    """`write(xp, rows, at, updates)` changes rows[at], both two-dimensional.  A flat index keeps NumPy on its fast path, 5 times faster."""
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
            write(xp, front.reshape(-1, width), at, updates.reshape(count, width))
        return _back(front, axes)
    return run


def _write_each(ufunc):
    """All of the updates, also those that meet at one position, through `ufunc.at` on flat arrays."""
    def write(xp, rows, at, updates):
        width = rows.shape[1]
        flat = at if width == 1 else (at[:, None] * width + xp.arange(width)).reshape(-1)
        getattr(xp, ufunc.__name__).at(rows.reshape(-1), flat, updates.reshape(-1))
    return write


def _write_last(xp, rows, at, updates):
    if xp is np:
        rows[at] = updates
        return
    order = xp.argsort(at, kind="stable")  # elsewhere it is undefined which of several updates of a row stays
    at = at[order]
    last = xp.concatenate([at[1:] != at[:-1], xp.full(1, True)])
    rows[at[last]] = updates[order[last]]


def _lower_scatter(combine):
    """What compiled code combines with, and where in x the update at `index` goes."""
    def lower(k, xs, index, axes, mode):
        x, _, *indices = xs
        return combine, _lower_positions(k, x.shape, indices, index, axes, mode)
    return lower


def _scatter(name, write, combine, jvp, turn=None) -> Op:
    cell: list[Op] = []

    def batch(args, batched, axes, mode):
        x, updates, *indices = args
        rank, n = _rank(indices, batched[2:]), batch_size(args, batched)
        x, updates = (a if b else broadcast_to(a, shape=(n, *type_of(a).shape)) for a, b in zip((x, updates), batched))
        if not any(batched[2:]):
            return cell[0](x, move_axis(updates, 0, rank), *indices, axes=up(axes), mode=mode)
        row = positions_along(x, (n, *(1,) * rank), 0)
        return cell[0](x, updates, row, *_lined(indices, batched[2:], rank), axes=(0, *up(axes)), mode=mode)

    op = define(name, infer=_infer_scatter(name), run=_run_scatter(write), jvp=jvp, transpose=turn, batch=batch,
                lower=_lower_scatter(combine), kind="write", show=_show_scatter(name))
    cell.append(op)
    return op


def materialized(tangents, primals):
    """The tangents of x and of what is written into it, zeros where they are None."""
    return [zeros(type_of(p)) if t is None else t for t, p in zip(tangents, primals)]


def _jvp_scatter_add(primals, out, tangents, axes, mode):
    if tangents[1] is None:
        return tangents[0]
    tx, tu = materialized(tangents, primals[:2])
    return scatter_add(tx, tu, *primals[2:], axes=axes, mode=mode)


def _transpose_scatter_add(ct, x, updates, *indices, axes, mode):
    read = gather(ct, *indices, axes=axes, mode=mode) if isinstance(updates, Linear) else None
    return ct if isinstance(x, Linear) else None, read, *(None,) * len(indices)


scatter_add = _scatter("scatter_add", _write_each(np.add), "add", _jvp_scatter_add, _transpose_scatter_add)


# Where indices meet, the last update stands, as in NumPy: in the transpose the others get nothing.
def _jvp_scatter_set(primals, out, tangents, axes, mode):
    return scatter_set(*materialized(tangents, primals[:2]), *primals[2:], axes=axes, mode=mode)


def _transpose_scatter_set(ct, x, updates, *indices, axes, mode):
    to_x = to_updates = None
    if isinstance(x, Linear):
        to_x = scatter_set(ct, zeros(type_either(updates)), *indices, axes=axes, mode=mode)
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
    tx, tu = materialized(tangents, primals[:2])
    count = scatter_add(select(x_hit, one, zero), select(u_hit, one, zero), *indices, **where)
    return scatter_add(select(x_hit, tx, zero), select(u_hit, tu, zero), *indices, **where) / count


scatter_max = _scatter("scatter_max", _write_each(np.maximum), "maximum", _jvp_extremum)
scatter_min = _scatter("scatter_min", _write_each(np.minimum), "minimum", _jvp_extremum)
