"""Values that are chosen, converted to another dtype, or cut off from differentiation."""

from __future__ import annotations

import numpy as np

from ...errors import at_user_line
from ...ir import ArrayType, Literal, is_inexact
from ...ir.types import BOOL
from ...trace import type_of
from ..core import Linear, Op, define
from ..elementwise_parts import batch_elementwise, broadcast_shape, lower_elementwise, unbroadcast, without_spread


def _infer_select(c, x, y):
    if c.dtype != BOOL or x.dtype != y.dtype:
        raise TypeError(at_user_line(f"select needs a bool and two equal dtypes, got {c}, {x}, {y}"))
    return ArrayType(broadcast_shape("where", c, x, y), x.dtype)


def _select_jvp(primals, out, tangents):
    c, x, y = primals
    _, tx, ty = tangents
    zero = np.zeros((), type_of(out).dtype)[()]
    return select(c, zero if tx is None else tx, zero if ty is None else ty)


def _select_transpose(ct, c, x, y):
    zero = np.zeros((), type_of(ct).dtype)[()]
    return (
        None,
        unbroadcast(select(c, ct, zero), x.shape) if isinstance(x, Linear) else None,
        unbroadcast(select(c, zero, ct), y.shape) if isinstance(y, Linear) else None,
    )


def _simplify_select(builder, c, x, y):
    if type(c) is Literal:
        chosen = x if c.value else y
        return chosen if chosen.type.shape == np.broadcast_shapes(c.type.shape, x.type.shape, y.type.shape) else None
    return x if x == y and x.type.shape == np.broadcast_shapes(c.type.shape, x.type.shape) else None


_select_cell: list[Op] = []
select = define(
    "select",
    infer=_infer_select,
    run=lambda xp, c, x, y: xp.where(c, x, y),
    jvp=_select_jvp,
    transpose=_select_transpose,
    batch=batch_elementwise(_select_cell),
    lower=lower_elementwise("select"),
    simplify=without_spread(_select_cell, _simplify_select),
    show="np.where",
    elementwise=True,
)
_select_cell.append(select)


def _convert_run(xp, x, dtype):
    with np.errstate(all="ignore"):
        return xp.real(x).astype(dtype) if x.dtype.kind == "c" and dtype.kind not in "cb" else x.astype(dtype)


def _convert_jvp(primals, out, tangents, dtype):
    return convert(tangents[0], dtype=dtype) if is_inexact(dtype) else None


def _show_convert(x, dtype):
    array = x if x.type.shape else f"np.asarray({x})"
    return f"{array}{'.real' if x.type.dtype.kind == 'c' and dtype.kind not in 'cb' else ''}.astype(np.{dtype.name})"


def _simplify_convert(builder, x, dtype):
    return x if x.type.dtype == dtype else None


convert = define(
    "convert",
    infer=lambda x, dtype: ArrayType(x.shape, dtype),
    run=_convert_run,
    jvp=_convert_jvp,
    transpose=lambda ct, x, dtype: (convert(ct, dtype=x.type.dtype),),
    batch=lambda args, batched, dtype: convert(args[0], dtype=dtype),
    lower=lambda k, xs, index, dtype: k.convert(xs[0].broadcast(index), dtype),
    simplify=_simplify_convert,
    show=_show_convert,
    elementwise=True,
)

# A value whose derivative is cut: `stop_gradient`.
_stop_cell: list[Op] = []
stop_gradient = define(
    "stop_gradient",
    infer=lambda x: x,
    run=lambda xp, x: x,
    jvp=lambda primals, out, tangents: None,
    batch=lambda args, batched: stop_gradient(args[0]),
    lower=lambda k, xs, index: xs[0].broadcast(index),
    expand=lambda x: x,  # values in compiled programs have no derivatives: equal ones are shared
    show=lambda x: x,
    singular=False,
    elementwise=True,
)
# The value x, whose derivative flows only where c holds: what a branch of a batched `switch` reads.
mask_gradient = define(
    "mask_gradient",
    infer=lambda c, x: ArrayType(broadcast_shape("where", c, x), x.dtype),
    run=lambda xp, c, x: x if np.shape(c) == np.shape(x) or np.shape(c) == () else xp.broadcast_to(x, np.broadcast_shapes(np.shape(c), np.shape(x))),
    jvp=lambda primals, out, tangents: select(primals[0], tangents[1], np.zeros((), type_of(out).dtype)[()]),
    batch=batch_elementwise(_stop_cell),
    lower=lambda k, xs, index: xs[1].broadcast(index),
    show=lambda c, x: f"np.broadcast_to({x}, {np.broadcast_shapes(c.type.shape, x.type.shape)})",
    singular=False,
    elementwise=True,
)
_stop_cell.append(mask_gradient)
