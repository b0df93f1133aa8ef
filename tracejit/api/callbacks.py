"""`pure_callback`: a function that is not traced, computed by plain Python inside a traced program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..errors import at_user_line
from ..ops.callback import Function
from ..ops.callback import pure_callback as pure_callback_op
from ..trace import type_of
from .recording import abstract, argument_paths, as_value, check_leaves, defined_at, is_abstract, require_callable

METHODS = (None, "sequential", "expand_dims", "broadcast_all")


def pure_callback(callback: Callable, result_shape_dtypes: Any, /, *args: Any, vmap_method: str | None = None, **kwargs: Any) -> Any:
    """`callback(*args, **kwargs)`, called with plain arrays, also inside a traced function: a way out to code that cannot be traced.

    `result_shape_dtypes` is a tree of `tj.ShapeDtype` (or arrays) that says what the function returns. The function must be pure: it is called once,
    again, or not at all, as the program needs its value, and equal calls may become one. Under `vmap` it is called as `vmap_method` says:
    "sequential", once for each example; "expand_dims", once, with a batch axis in front of all arguments, of length 1 where they do not differ;
    "broadcast_all", once, with that axis of full length; None, not at all. It has no derivative: wrap it in `tj.custom`.
    Raises `TypeError` where the function returns something else than was announced, and under differentiation; what it raises itself goes to the
    caller.

    >>> import numpy as np, tracejit as tj
    >>> f = tj.jit(lambda x: 2 * tj.pure_callback(lambda x: np.sort(x), x, x))
    >>> f(np.array([3.0, 1.0, 2.0]))
    array([2., 4., 6.])
    """
    require_callable(callback, "pure_callback")
    if vmap_method not in METHODS:
        raise ValueError(at_user_line(f"pure_callback: vmap_method is one of {', '.join(map(repr, METHODS))}, got {vmap_method!r}"))
    wanted, out = tree.flatten(result_shape_dtypes, is_leaf=is_abstract)
    flat, structure = tree.flatten((args, kwargs))
    check_leaves(flat, lambda: argument_paths(args, kwargs), callback, "pure_callback")
    what = f"the callback {defined_at(callback)}"

    def call(*arrays: Any) -> list[Any]:
        given, named = structure.unflatten(arrays)
        result = callback(*given, **named)
        if tree.structure(result) != out:
            raise TypeError(f"{what} returned {tree.structure(result)}, and {out} was announced")
        return tree.leaves(result)

    out_types = tuple(abstract(t).strong for t in wanted)
    results = pure_callback_op(*map(as_value, flat), function=Function(call, what), out_types=out_types, method=vmap_method)
    return out.unflatten(results)


def split_arrays(trees: Any) -> tuple[list[Any], Callable[[Any], Any]]:
    """The arrays among the leaves, and the function that puts others in their places; leaves that are no arrays stay."""
    leaves, structure = tree.flatten(trees)
    places = [i for i, x in enumerate(leaves) if _is_array(x)]

    def restored(arrays: Any) -> Any:
        full = list(leaves)
        for i, a in zip(places, arrays):
            full[i] = a
        return structure.unflatten(full)

    return [leaves[i] for i in places], restored


def _is_array(x: Any) -> bool:
    try:
        type_of(x)
    except (TypeError, OverflowError):
        return False
    return not isinstance(x, (bool, int, float, complex)) or isinstance(x, np.generic)


__all__ = ["pure_callback", "split_arrays"]
