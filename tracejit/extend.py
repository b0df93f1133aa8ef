"""New operations, made outside of this package: what `docs/extending.md` shows by examples.

A primitive is one object with all its parts, like those in `tracejit.ops`: what it gives (`infer`), how it is computed (`run`), its derivative
(`jvp`, and `transpose` where it is linear), its batches (`batch`), and its native code (`lower`), without which compiled programs call `run`.
Reverse mode needs no rule of its own. To give a derivative to a function of NumPy, `tj.custom` is the shorter way; a primitive is for what NumPy
cannot say, and for what is to be one operation in graphs.

The names that rules are written with: `ArrayType` (shape and dtype), `type_of(x)`, `Linear` (stands for a linear input in a transpose),
`Contribution`, `add_tangents(*terms)` (any of which may be None, for zero), `zeros(type)`, `move_axis(x, source, destination)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .errors import at_user_line
from .ir import ArrayType
from .numpy.promotion import promote
from .ops.core import Contribution, Linear, Op, add_tangents, by_name, move_axis, zeros
from .ops.elementwise_parts import batch_elementwise, broadcast_shape
from .trace import dispatch, type_of

__all__ = [
    "ArrayType", "Contribution", "Linear", "Op", "add_tangents", "elementwise", "implements", "move_axis", "primitive", "sequential_batch",
    "type_of", "zeros",
]  # fmt: skip


def primitive(
    name: str,
    *,
    infer: Callable[..., ArrayType | tuple[ArrayType, ...]],
    run: Callable[..., Any],
    jvp: Callable | None = None,
    transpose: Callable | None = None,
    batch: Callable | str | None = None,
    lower: Callable | None = None,
    multiple: bool = False,
    effect: bool = False,
    dear: bool = False,
) -> Op:
    """A new operation: call it with arrays, and with static parameters by keyword, which must be hashable.

    `name` has a namespace in front ("mylib.filter"); a name that was given before now means the new operation. The parts, where `params` are the
    keywords of the call:

    - `infer(*types, **params)`: the type of the result, an `ArrayType`. It raises the error that the user sees for wrong arguments.
    - `run(xp, *arrays, **params)`: the result, with NumPy (`xp`). It must not write into its arguments.
    - `jvp(primals, out, tangents, **params)`: the tangent of the result; a zero tangent is None, and at least one is not. Without it the operation
      has no derivative, and says so.
    - `transpose(cotangent, *inputs, **params)`: for operations that are linear in some inputs, the cotangent of each of these, None for the others;
      the linear inputs arrive as `Linear`, which knows their type alone.
    - `batch(args, batched, **params)`: the result for a batch, in which the arguments marked in `batched` have a new axis in front, and the result
      too. "sequential" computes one example after the other.
    - `lower(k, xs, index, **params)`: the element of the result at `index` as an expression of elements of the inputs; see `elementwise`, and
      `tracejit/ops/movement.py` for examples that read elsewhere. Without it compiled programs call `run`.

    With `multiple` there are several results: `infer`, `run` and `jvp` give tuples, and `transpose` takes one. With `effect` it is never dropped,
    shared or moved past another effect; `dear` says that its value is rather stored than computed twice.

    >>> import numpy as np, tracejit as tj
    >>> from tracejit import extend
    >>> cumulative = extend.primitive(
    ...     "doc.cumulative",
    ...     infer=lambda x: x,
    ...     run=lambda xp, x: xp.cumsum(x),
    ...     jvp=lambda primals, out, tangents: cumulative(tangents[0]),
    ...     transpose=lambda ct, x: (cumulative(ct[::-1])[::-1],),
    ...     batch="sequential",
    ... )
    >>> tj.grad(lambda x: cumulative(x)[1])(np.ones(3))
    array([1., 1., 0.])
    """
    op = Op(
        _checked_name(name), infer=infer, run=run, jvp=jvp, transpose=transpose, lower=lower, multiple=multiple, effect=effect, dear=dear
    )  # fmt: skip
    op.batch = sequential_batch(op) if batch == "sequential" else batch
    by_name[name] = op
    return op


def _checked_name(name: str) -> str:
    if "." not in name.strip("."):
        raise ValueError(at_user_line(f"a primitive needs a name with a namespace in front, such as 'mylib.{name}', got {name!r}"))
    return name


def sequential_batch(op: Op) -> Callable:
    """The batch rule that applies an operation to one example after the other, as one loop."""

    def batch(args: Sequence[Any], batched: Sequence[bool], **params: Any) -> Any:
        from .api import scan

        def one(_, rows):
            rows = iter(rows)
            return (), op(*[next(rows) if b else a for a, b in zip(args, batched)], **params)

        return scan(one, (), tuple(a for a, b in zip(args, batched) if b))[1]

    return batch


def elementwise(
    name: str,
    function: Callable[..., Any],
    *slopes: Callable | None,
    lower: Callable | None = None,
    kinds: str = "f",
    singular: bool = True,
) -> Callable[..., Any]:
    """A new elementwise operation of as many arguments as there are `slopes`; it broadcasts and promotes as NumPy's do.

    `function(*arrays)` computes it with NumPy. A slope is `(t, *args, out)` -> the part of the tangent that the tangent t of its argument makes, or
    None where that is zero everywhere. `lower(k, *elements)` is the element of the result as an expression: `k.apply(name, *expressions)` of any
    elementwise operation in `tracejit.ops.elementwise`, by its name, and `k.constant(value, dtype)`; it fuses with what is around it. Without it
    compiled programs call `function`. `kinds` are the dtype kinds that it takes: of "b", "i", "u", "f" and "c"; a number of another kind is
    converted to float where "f" is among them. `singular=False` promises that no slope is infinite or NaN anywhere.

    >>> import numpy as np, tracejit as tj
    >>> from tracejit import extend
    >>> cube = extend.elementwise("doc.cube", lambda x: x * x * x, lambda t, x, y: 3 * x * x * t, lower=lambda k, x: k.apply("multiply", x,
    ...                           k.apply("multiply", x, x)))
    >>> tj.jit(tj.grad(lambda x: np.sum(cube(x))))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """

    def infer(*types: ArrayType) -> ArrayType:
        dtype = types[0].dtype
        if dtype.kind not in kinds or any(t.dtype != dtype for t in types):
            raise TypeError(at_user_line(f"{name} takes arrays of one dtype, of a kind in {kinds!r}, got {', '.join(map(str, types))}"))
        return ArrayType(broadcast_shape(name, *types), dtype)

    def jvp(primals: Sequence[Any], out: Any, tangents: Sequence[Any]) -> Any:
        return add_tangents(*[slope(t, *primals, out) for slope, t in zip(slopes, tangents) if slope is not None and t is not None])

    def at(k: Any, xs: Sequence[Any], index: Any) -> Any:
        return lower(k, *[x.broadcast(index) for x in xs])

    cell: list[Op] = []
    op = by_name[name] = Op(
        _checked_name(name),
        infer=infer,
        run=lambda xp, *args: np.asarray(function(*args), args[0].dtype)[()],
        jvp=jvp,
        batch=batch_elementwise(cell),
        lower=None if lower is None else at,
        elementwise=True,
        singular=singular,
        dear=True,
    )
    cell.append(op)

    def call(*args: Any) -> Any:
        if len(args) != len(slopes):
            raise TypeError(at_user_line(f"{name} takes {len(slopes)} arguments, got {len(args)}"))
        operands = promote(*args)
        if "f" in kinds and type_of(operands[0]).dtype.kind not in kinds:
            operands = [x.astype(np.float64) for x in operands]
        return op(*operands)

    call.__name__ = call.__qualname__ = name.rpartition(".")[2]
    call.__doc__ = function.__doc__
    return call


def implements(*functions: Callable) -> Callable[[Callable], Callable]:
    """A decorator: what a traced function computes where it calls one of these functions of NumPy, or ufuncs of NumPy or another library.

    >>> import math, numpy as np, tracejit as tj
    >>> from tracejit import extend
    >>> round_up = np.frompyfunc(math.ceil, 1, 1)
    >>> _ = extend.implements(round_up)(np.ceil)
    >>> tj.jit(lambda x: round_up(x) + 1)(1.5)
    np.float64(3.0)
    """

    def enter(traced: Callable) -> Callable:
        for function in functions:
            table = dispatch.ufuncs if isinstance(function, np.ufunc) else dispatch.functions
            table[function] = traced
        return traced

    return enter
