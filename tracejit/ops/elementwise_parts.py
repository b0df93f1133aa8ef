"""How elementwise operations are made: the type rule that broadcasts, the identities that all share, and the makers `unary` and `binary`."""

from __future__ import annotations

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType, Literal, Var, is_inexact
from ..trace import type_of
from .core import Op, add_tangents, define

FLOATS, INEXACT, NUMBERS, ALL, INTEGERS = "f", "fc", "iufc", "biufc", "biu"


# -- type rules
def broadcast_shape(name: str, *types: ArrayType) -> tuple[int, ...]:
    """The common shape, by NumPy's rule. Raises `ValueError` that names the shapes and the user's line."""
    shape = types[0].shape
    for t in types[1:]:
        if t.shape != shape and t.shape != ():
            try:
                shape = np.broadcast_shapes(shape, t.shape)
            except ValueError:
                raise ValueError(
                    at_user_line(f"{name}: operands could not be broadcast together with shapes {' '.join(str(t.shape) for t in types)}")
                ) from None
    return shape


def type_rule(name: str, kinds: str, result):
    def infer(*types):
        dtype = types[0].dtype
        for t in types[1:]:
            if t.dtype != dtype:
                raise TypeError(at_user_line(f"{name}: the operation needs equal dtypes, got {', '.join(str(t) for t in types)}"))
        if dtype.kind not in kinds:
            raise TypeError(at_user_line(f"{name} is not defined for dtype {dtype}"))
        return ArrayType(broadcast_shape(name, *types), dtype if result is None else result(dtype))

    return infer


def real_part(dtype: np.dtype) -> np.dtype:
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


# -- shared parts
def batch_elementwise(op):
    """Batched operands of lower rank get axes of size one behind the batch axis, so that the others still line up at the end."""

    def batch(args, batched, **params):
        from .movement import reshape

        rank = max(type_of(a).ndim - b for a, b in zip(args, batched))
        lined = []
        for a, b in zip(args, batched):
            shape = type_of(a).shape
            missing = rank - (len(shape) - 1) if b else 0
            lined.append(reshape(a, shape=(shape[0], *(1,) * missing, *shape[1:])) if missing else a)
        return op[0](*lined, **params)

    return batch


def lower_elementwise(name: str):
    def lower(k, xs, index, **params):
        return k.apply(name, *[x.broadcast(index) for x in xs], **params)

    return lower


def unbroadcast(ct, shape: tuple[int, ...]):
    """Sum `ct` down to `shape`, the transpose of broadcasting."""
    have = type_of(ct).shape
    if have == shape:
        return ct
    from .movement import reshape
    from .reduction import reduce_sum

    lead = len(have) - len(shape)
    axes = (*range(lead), *(i + lead for i, n in enumerate(shape) if n == 1 and have[i + lead] != 1))
    summed = reduce_sum(ct, axes=axes) if axes else ct
    return summed if type_of(summed).shape == shape else reshape(summed, shape=shape)


def without_spread(cell, special):
    """Numbers that were broadcast are used as numbers, since elementwise operations broadcast by themselves: `special` is the op's own identity,
    tried first."""

    def simplify(builder, *inputs, **params):
        found = special(builder, *inputs, **params) if special else None
        if found is not None:
            return found
        numbers = [_spread_number(builder, a) for a in inputs]
        if not any(numbers):
            return None
        from .movement import broadcast_to

        try:
            shape = np.broadcast_shapes(*[a.type.shape for a in inputs])
        except ValueError:
            return None  # the type rule says what is wrong
        (result,) = builder.emit(cell[0], tuple([n or a for n, a in zip(numbers, inputs)]), params)
        return result if result.type.shape == shape else builder.emit(broadcast_to, (result,), {"shape": shape})[0]

    return simplify


def _spread_number(builder, atom):
    """The number that was broadcast to make `atom`, or None."""
    node = builder.producer.get(atom) if type(atom) is Var else None
    return node.inputs[0] if node is not None and node.op.name == "broadcast_to" and node.inputs[0].type.shape == () else None


def elementwise_op(name, fn, kinds, result, jvp, transpose, lower, simplify, dear, singular, show) -> Op:
    """An op of any number of inputs; `jvp` is that of `Op`, `fn` the reference on NumPy's arrays. `unary` and `binary` are the usual ways to it."""
    cell: list[Op] = []

    def run(xp, *args):
        return fn(*args) if xp is np else getattr(xp, fn.__name__)(*args)

    op = define(
        name,
        infer=type_rule(name, kinds, result),
        run=run,
        jvp=jvp,
        transpose=transpose,
        batch=batch_elementwise(cell),
        lower=lower or lower_elementwise(name),
        simplify=without_spread(cell, simplify),
        show=show or f"np.{fn.__name__}",
        dear=dear,
        singular=singular,
        elementwise=True,
    )
    cell.append(op)
    return op


def unary(name, fn, kinds=INEXACT, result=None, jvp=None, transpose=None, lower=None, simplify=None, dear=False, singular=None, show=None) -> Op:
    """`jvp` is (t, x, y) -> tangent; None: the op has no derivative (it is piecewise constant), so its tangent is zero."""

    def rule(primals, out, tangents):
        return None if jvp is None or not is_inexact(type_of(primals[0]).dtype) else jvp(tangents[0], primals[0], out)

    return elementwise_op(name, fn, kinds, result, rule, transpose, lower, simplify, dear, singular if jvp else False, show)


def binary(name, fn, kinds=NUMBERS, result=None, jvp=None, transpose=None, lower=None, simplify=None, dear=False, singular=None, show=None) -> Op:
    """`jvp` is a pair of (t, x, y, z) -> tangent, one for each input, where z is the result."""

    def rule(primals, out, tangents):
        if jvp is None:
            return None
        return add_tangents(*[None if t is None else part(t, *primals, out) for t, part in zip(tangents, jvp)])

    return elementwise_op(name, fn, kinds, result, rule, transpose, lower, simplify, dear, singular if jvp else False, show)


def is_literal(atom, value) -> bool:
    return type(atom) is Literal and atom.value == value
