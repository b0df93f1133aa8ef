"""Operations that move elements and compute nothing: in compiled code each is a change of index, so most of them vanish.

All are linear, so their derivative is themselves.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType
from ..ir.printer import parameter
from ..trace import dispatch, type_of
from .core import Contribution, Linear, Op, define
from .elementwise import add
from .elementwise_parts import unbroadcast


def _movement(name, *, infer, run, transpose, batch, lower, simplify=None, show) -> Op:
    """A linear op of one array."""
    cell: list[Op] = []
    op = define(
        name,
        infer=infer,
        run=run,
        jvp=lambda primals, out, tangents, **params: cell[0](tangents[0], **params),
        transpose=transpose,
        batch=batch,
        lower=lower,
        simplify=simplify,
        show=show,
    )
    cell.append(op)
    return op


# -- broadcast_to(x, shape): NumPy's rule, trailing axes line up
def _infer_broadcast(x, shape):
    try:
        ok = np.broadcast_shapes(x.shape, shape) == shape
    except ValueError:
        ok = False
    if not ok:
        raise ValueError(at_user_line(f"broadcast_to: an array of shape {x.shape} cannot be broadcast to shape {shape}"))
    return ArrayType(shape, x.dtype)


def spread_number(builder, x):
    """The number that `x` repeats, if it is a number broadcast or reshaped."""
    node = builder.produced_by(x, broadcast_to) or builder.produced_by(x, reshape)
    return node.inputs[0] if node and node.inputs[0].type.shape == () else None


def _simplify_broadcast(builder, x, shape):
    if x.type.shape == shape:
        return x
    number = spread_number(builder, x)
    return number and builder.emit(broadcast_to, (number,), {"shape": shape})[0]


def _batch_broadcast(args, batched, shape):
    x = args[0]
    n, *rest = type_of(x).shape
    lined = reshape(x, shape=(n, *(1,) * (len(shape) - len(rest)), *rest))
    return broadcast_to(lined, shape=(n, *shape))


broadcast_to = _movement(
    "broadcast_to",
    infer=_infer_broadcast,
    run=lambda xp, x, shape: xp.broadcast_to(x, shape),
    transpose=lambda ct, x, shape: (unbroadcast(ct, x.shape),),
    batch=_batch_broadcast,
    lower=lambda k, xs, index, shape: xs[0].broadcast(index),
    simplify=_simplify_broadcast,
    show=lambda x, shape: f"np.broadcast_to({x}, {shape})",
)


dispatch.operators["spread"] = broadcast_to  # how a trace takes in an array that is one number everywhere


# -- reshape(x, shape), in C order
def _infer_reshape(x, shape):
    if math.prod(shape) != x.size:
        raise ValueError(at_user_line(f"cannot reshape array of size {x.size} into shape {shape}"))
    return ArrayType(shape, x.dtype)


def _simplify_reshape(builder, x, shape):
    if x.type.shape == shape:
        return x
    number = spread_number(builder, x)
    if number:
        return builder.emit(broadcast_to, (number,), {"shape": shape})[0]
    before = builder.produced_by(x, reshape)
    return builder.emit(reshape, before.inputs, {"shape": shape})[0] if before else None


reshape = _movement(
    "reshape",
    infer=_infer_reshape,
    run=lambda xp, x, shape: xp.reshape(x, shape),
    transpose=lambda ct, x, shape: (reshape(ct, shape=x.shape),),
    batch=lambda args, batched, shape: reshape(args[0], shape=(type_of(args[0]).shape[0], *shape)),
    lower=lambda k, xs, index, shape: xs[0][k.reindex(index, shape, xs[0].shape)],
    simplify=_simplify_reshape,
    show=lambda x, shape: f"np.reshape({x}, {shape})",
)


# -- transpose(x, permutation): result axis i is axis permutation[i] of x
def _simplify_transpose(builder, x, permutation):
    if permutation == tuple(range(len(permutation))):
        return x
    before = builder.produced_by(x, transpose)
    if before:
        first = before.params["permutation"]
        return builder.emit(transpose, before.inputs, {"permutation": tuple(first[p] for p in permutation)})[0]
    return None


def inverse(permutation):
    return tuple(sorted(range(len(permutation)), key=permutation.__getitem__))


transpose = _movement(
    "transpose",
    infer=lambda x, permutation: ArrayType(tuple(x.shape[p] for p in permutation), x.dtype),
    run=lambda xp, x, permutation: xp.transpose(x, permutation),
    transpose=lambda ct, x, permutation: (transpose(ct, permutation=inverse(permutation)),),
    batch=lambda args, batched, permutation: transpose(args[0], permutation=(0, *(p + 1 for p in permutation))),
    lower=lambda k, xs, index, permutation: xs[0][tuple(index[i] for i in inverse(permutation))],
    simplify=_simplify_transpose,
    show=lambda x, permutation: f"np.transpose({x}, {permutation})",
)

# -- reverse(x, axes)
reverse = _movement(
    "reverse",
    infer=lambda x, axes: x.strong,
    run=lambda xp, x, axes: xp.flip(x, axes),
    transpose=lambda ct, x, axes: (reverse(ct, axes=axes),),
    batch=lambda args, batched, axes: reverse(args[0], axes=tuple(a + 1 for a in axes)),
    lower=lambda k, xs, index, axes: xs[0][tuple(xs[0].shape[d] - 1 - i if d in axes else i for d, i in enumerate(index))],
    simplify=lambda builder, x, axes: x if not axes else None, show=lambda x, axes: f"np.flip({x}, {axes})",
)


# -- slice(x, start, stop, step): one positive step per axis
def _slices(start, stop, step):
    return tuple(map(slice, start, stop, step))


def _slice_shape(start, stop, step):
    return tuple(max(0, -(-(e - s) // k)) for s, e, k in zip(start, stop, step))


def _transpose_slice(ct, x, start, stop, step):
    ends = tuple(s + (n - 1) * k + 1 if n else s for s, n, k in zip(start, type_of(ct).shape, step))
    return (
        Contribution(
            lambda: pad(ct, low=start, high=tuple(n - e for n, e in zip(x.shape, ends)), interior=tuple(k - 1 for k in step), value=0),
            lambda acc: slice_add(acc, ct, start=start, step=step),
        ),
    )


_CHAIN = 32  # so many updates are looked through: enough for loops that read what they wrote a few steps before


def _simplify_slice(builder, x, start, stop, step):
    """Looks through updates of other parts: what was written in just this place, or an older array. A part of one number is that number."""
    shape = _slice_shape(start, stop, step)
    if shape == x.type.shape:
        return x
    found = x
    for _ in range(_CHAIN):
        node = builder.producer.get(found)
        if node is None or node.op.name != "slice_update":
            break
        base, update = node.inputs
        where = node.params
        if update.type.shape == shape and where["start"] == start and (where["step"] == step or all(n <= 1 for n in shape)):
            return update
        if not any(e <= s or s + (n - 1) * k < b for b, e, s, n, k in zip(start, stop, where["start"], update.type.shape, where["step"])):
            break
        found = base
    number = spread_number(builder, found)
    if number:
        return builder.emit(broadcast_to, (number,), {"shape": shape})[0]
    return None if found is x else builder.emit(slice_, (found,), {"start": start, "stop": stop, "step": step})[0]


slice_ = _movement(
    "slice",
    infer=lambda x, start, stop, step: ArrayType(_slice_shape(start, stop, step), x.dtype),
    run=lambda xp, x, start, stop, step: x[_slices(start, stop, step)],
    transpose=_transpose_slice,
    batch=lambda args, batched, start, stop, step: slice_(args[0], start=(0, *start), stop=(type_of(args[0]).shape[0], *stop), step=(1, *step)),
    lower=lambda k, xs, index, start, stop, step: xs[0][tuple(s + i * d for s, i, d in zip(start, index, step))],
    simplify=_simplify_slice,
    show=lambda x, start, stop, step: f"{x}[{', '.join(map(show_slice, _slices(start, stop, step)))}]" if start else x,
)


def show_slice(s: slice) -> str:
    return f"{s.start}:{s.stop}" + (f":{s.step}" if s.step != 1 else "")


# -- pad(x, low, high, interior, value): `interior` elements of padding between neighbours, then `low` before and `high` behind
def _infer_pad(x, low, high, interior, value):
    return ArrayType(tuple(lo + hi + n + max(0, n - 1) * inner for n, lo, hi, inner in zip(x.shape, low, high, interior)), x.dtype)


def _inside(x_shape, low, interior):
    ends = [lo + (n - 1) * (inner + 1) + 1 if n else lo for n, lo, inner in zip(x_shape, low, interior)]
    return tuple(slice(lo, e, inner + 1) for lo, e, inner in zip(low, ends, interior))


def _run_pad(xp, x, low, high, interior, value):
    out = xp.full(_infer_pad(x, low, high, interior, value).shape, value, x.dtype)
    out[_inside(x.shape, low, interior)] = x
    return out


def _jvp_pad(primals, out, tangents, low, high, interior, value):
    return pad(tangents[0], low=low, high=high, interior=interior, value=0)


def _transpose_pad(ct, x, low, high, interior, value):
    inside = _inside(x.shape, low, interior)
    return (slice_(ct, start=tuple(s.start for s in inside), stop=tuple(s.stop for s in inside), step=tuple(s.step for s in inside)),)


def inside_tests(k, index, shape, low, high, interior):
    """The tests that `index` of a padded array falls on an element of an array of `shape`, and that element's index."""
    tests, source = [], []
    for i, n, lo, hi, inner in zip(index, shape, low, high, interior):
        at = i - lo
        if lo:
            tests.append(k.index_at_least(at, 0))
        if inner:
            tests.append(k.index_divisible(at, inner + 1))
        at = at // (inner + 1)
        if hi or inner:
            tests.append(k.index_less(at, n))
        source.append(at)
    return tests, tuple(source)


def _lower_pad(k, xs, index, low, high, interior, value):
    x = xs[0]
    tests, source = inside_tests(k, index, x.shape, low, high, interior)
    return k.guard(tests, lambda: x[source], k.constant(value, x.dtype))


def _show_pad(x, low, high, interior, value):
    if not low:
        return x
    if not any(interior):
        return f"np.pad({x}, {tuple(zip(low, high))}, constant_values={parameter(value)})"
    t = _infer_pad(x.type, low, high, interior, value)
    inside = ", ".join(map(show_slice, _inside(x.type.shape, low, interior)))
    return f"np.full({t.shape}, {parameter(value)}, np.{t.dtype.name})", lambda out: f"{out}[{inside}] = {x}"


pad = define(
    "pad",
    infer=_infer_pad,
    run=_run_pad,
    jvp=_jvp_pad,
    transpose=_transpose_pad,
    batch=lambda args, batched, low, high, interior, value: pad(args[0], low=(0, *low), high=(0, *high), interior=(0, *interior), value=value),
    lower=_lower_pad, simplify=lambda builder, x, low, high, interior, value: x if not any((*low, *high, *interior)) else None,
    show=_show_pad,
)


# -- slice_add(acc, x, start, step): acc with x added into the slice that begins at `start`; compiled code writes into acc where nobody else reads it
def slice_of(start, step, shape):
    return tuple(slice(s, s + (n - 1) * k + 1 if n else s, k) for s, k, n in zip(start, step, shape))


def _run_slice_add(xp, acc, x, start, step):
    out = xp.array(acc)
    out[slice_of(start, step, x.shape)] += x
    return out


def _jvp_slice_add(primals, out, tangents, start, step):
    ta, tx = tangents
    if tx is None:
        return ta
    from .core import zeros

    return slice_add(zeros(type_of(out)) if ta is None else ta, tx, start=start, step=step)


def _transpose_slice_add(ct, acc, x, start, step):
    part = slice_of(start, step, x.shape)
    read = dict(start=start, stop=tuple(s.stop for s in part), step=step)
    return (ct if isinstance(acc, Linear) else None, slice_(ct, **read) if isinstance(x, Linear) else None)


def _batch_slice_add(args, batched, start, step):
    acc, x = all_batched(args, batched)
    return slice_add(acc, x, start=(0, *start), step=(1, *step))


def all_batched(args, batched):
    """Every argument with the batch axis in front, broadcast where it had none."""
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    return [a if b else broadcast_to(a, shape=(n, *type_of(a).shape)) for a, b in zip(args, batched)]


def show_write(x, at: str, operator: str, value):
    """A copy of x, then a statement that writes `value` into a part of it."""
    return f"np.array({x})", lambda out: f"{out}[{at or '...'}] {operator} {value}"


slice_add = define(
    "slice_add",
    infer=lambda acc, x, start, step: acc.strong,
    run=_run_slice_add,
    jvp=_jvp_slice_add,
    transpose=_transpose_slice_add,
    batch=_batch_slice_add,
    lower=lambda k, xs, index, start, step: ("add", tuple(s + i * d for s, i, d in zip(start, index, step))),
    kind="write",
    simplify=lambda builder, acc, x, start, step: builder.emit(add, (acc, x), {})[0] if x.type.shape == acc.type.shape else None,
    show=lambda acc, x, start, step: show_write(acc, ", ".join(map(show_slice, slice_of(start, step, x.type.shape))), "+=", x),
)


# -- concatenate(*xs, axis)
def _infer_concatenate(*types, axis):
    first = types[0]
    for t in types[1:]:
        if t.dtype != first.dtype or t.shape[:axis] != first.shape[:axis] or t.shape[axis + 1 :] != first.shape[axis + 1 :]:
            raise ValueError(
                at_user_line(f"all the input arrays must match except along the concatenation axis {axis}, got {', '.join(map(str, types))}")
            )
    return ArrayType((*first.shape[:axis], sum(t.shape[axis] for t in types), *first.shape[axis + 1 :]), first.dtype)


def _jvp_concatenate(primals, out, tangents, axis):
    from .core import zeros

    return concatenate(*[zeros(type_of(p)) if t is None else t for p, t in zip(primals, tangents)], axis=axis)


def _transpose_concatenate(ct, *xs, axis):
    parts, at, shape = [], 0, type_of(ct).shape
    for x in xs:
        n = type_of(x).shape[axis] if not isinstance(x, Linear) else x.shape[axis]
        if isinstance(x, Linear):
            start = tuple(at if d == axis else 0 for d in range(len(shape)))
            stop = tuple(at + n if d == axis else m for d, m in enumerate(shape))
            parts.append(slice_(ct, start=start, stop=stop, step=(1,) * len(shape)))
        else:
            parts.append(None)
        at += n
    return tuple(parts)


def _lower_concatenate(k, xs, index, axis):
    i, at = index[axis], sum(x.shape[axis] for x in xs[:-1])
    result = k.guard([k.index_at_least(i, at)], lambda: xs[-1][(*index[:axis], i - at, *index[axis + 1 :])], k.constant(0, xs[-1].dtype))
    for x in reversed(xs[:-1]):
        at -= x.shape[axis]

        def read(x=x, at=at):
            return x[(*index[:axis], i - at, *index[axis + 1 :])]

        result = k.guard([k.index_at_least(i, at), k.index_less(i, at + x.shape[axis])] if at else [k.index_less(i, x.shape[axis])], read, result)
    return result


concatenate = define(
    "concatenate",
    infer=_infer_concatenate,
    run=lambda xp, *xs, axis: xp.concatenate(xs, axis),
    jvp=_jvp_concatenate,
    transpose=_transpose_concatenate,
    batch=lambda args, batched, axis: concatenate(*all_batched(args, batched), axis=axis + 1),
    lower=_lower_concatenate,
    simplify=lambda builder, *xs, axis: xs[0] if len(xs) == 1 else None,
    show=lambda *xs, axis: f"np.concatenate([{', '.join(xs)}], {axis})",
)


# -- iota(shape, axis, dtype): the position along one axis
def _run_iota(xp, shape, axis, dtype):
    column = xp.arange(shape[axis], dtype=dtype).reshape(tuple(-1 if d == axis else 1 for d in range(len(shape))))
    return xp.broadcast_to(column, shape)


def _show_iota(shape, axis, dtype):
    column = tuple(-1 if d == axis else 1 for d in range(len(shape)))
    return f"np.broadcast_to(np.arange({shape[axis]}, dtype=np.{dtype.name}).reshape({column}), {shape})"


iota = define(
    "iota",
    infer=lambda shape, axis, dtype: ArrayType(shape, dtype),
    run=_run_iota,
    lower=lambda k, xs, index, shape, axis, dtype: k.index_value(index[axis], dtype),
    show=_show_iota,
)
