"""`linear_call`: a linear function with a transpose of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import tree
from ..errors import at_user_line
from ..interpret import replay
from ..ops.core import zeros
from ..ops.custom_linear import Direction
from ..ops.custom_linear import linear_call as linear_call_op
from ..ops.elementwise import convert
from ..trace import type_of
from .recording import argument_paths, as_value, check_leaves, defined_at, name_of, record, require_callable


def linear_call(fun: Callable, fun_transpose: Callable, residual_args: Any, linear_args: Any) -> Any:
    """`fun(residual_args, linear_args)`, a function that is linear in `linear_args`, with the transpose `fun_transpose(residual_args, cotangent)`.

    The cotangent is a tree like the result, and `fun_transpose` returns a tree like `linear_args`. The arguments are trees of arrays; what the two
    functions close over counts as residuals. With respect to residuals, the derivative is that of `fun` itself.
    Raises `TypeError` where the result of `fun_transpose` has another structure or shape than `linear_args`.

    >>> import numpy as np, tracejit as tj
    >>> halve = lambda d, x: x / d
    >>> tj.grad(lambda x: tj.linear_call(halve, halve, 2.0, x))(3.0)
    np.float64(0.5)
    """
    require_callable(fun, "linear_call")
    require_callable(fun_transpose, "linear_call")
    kept, linear = tree.flatten(residual_args)[0], tree.flatten(linear_args)[0]
    check_leaves([*kept, *linear], lambda: argument_paths((residual_args, linear_args)), fun, "linear_call")
    residuals, xs = [as_value(x) for x in kept], [as_value(x) for x in linear]
    res_types, x_types = [type_of(x).strong for x in residuals], tuple(type_of(x).strong for x in xs)
    made = record(fun, f"linear_call of {name_of(fun)}", [*res_types, *x_types], tree.structure((residual_args, linear_args)), concrete=False)
    out_types = tuple(t.strong for t in made.graph.out_types)
    back_structure = tree.structure((residual_args, made.structure.unflatten(range(len(out_types)))))
    back = record(fun_transpose, f"linear_call of {name_of(fun_transpose)}", [*res_types, *out_types], back_structure, concrete=False)
    if back.structure != tree.structure(linear_args) or tuple(t.shape for t in back.graph.out_types) != tuple(t.shape for t in x_types):
        raise TypeError(
            at_user_line(
                f"linear_call: {defined_at(fun_transpose)} returns {back.structure} of {', '.join(map(str, back.graph.out_types))}, "
                f"expected what {defined_at(fun)} is linear in: {tree.structure(linear_args)} of {', '.join(map(str, x_types))}"
            )
        )
    n, outside = len(residuals), len(made.outside)

    def forward(values: list, moving: list) -> list:
        dense = [zeros(t) if t_ is None else t_ for t_, t in zip(moving, x_types)]
        return replay(made.graph, [*values[:n], *dense, *values[n : n + outside]])

    def backward(values: list, cts: list) -> list:
        dense = [zeros(t) if c is None else c for c, t in zip(cts, out_types)]
        found = replay(back.graph, [*values[:n], *dense, *values[n + outside :]])
        return [convert(b, dtype=t.dtype) if type_of(b).dtype != t.dtype else b for b, t in zip(found, x_types)]

    results = linear_call_op(
        *residuals,
        *made.outside,
        *back.outside,
        *xs,
        residuals=n + outside + len(back.outside),
        forward=Direction(forward, defined_at(fun), unit=True),
        backward=Direction(backward, defined_at(fun_transpose), unit=True),
        out_types=out_types,
    )
    return made.structure.unflatten(results)
