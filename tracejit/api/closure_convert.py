"""`closure_convert`: what a function closes over becomes its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import tree
from ..errors import at_user_line
from ..interpret import replay
from ..trace import type_of
from .recording import as_value, defined_at, is_abstract, name_of, record_types, require_callable


def closure_convert(f: Callable, *example_args: Any) -> tuple[Callable, list[Any]]:
    """`f` as a function of its arguments and then of the arrays that it closes over, and the list of these arrays.

    For rules of `tj.custom`, which see no derivative with respect to what a function closes over: pass the list on as arguments. `f` is traced once,
    for arguments like `example_args` (or `tj.ShapeDtype`); the result takes arguments of the same structures and shapes, and no keywords.
    Raises `TypeError` where it is called with others.

    >>> import numpy as np, tracejit as tj
    >>> def f(w):
    ...     g, consts = tj.closure_convert(lambda x: w * x, 1.0)
    ...     return g(3.0, *consts)
    >>> tj.grad(f)(2.0)
    np.float64(3.0)
    """
    require_callable(f, "closure_convert")
    what = f"closure_convert of {name_of(f)}"
    made = record_types(f, what, example_args, {})
    count, structure = len(example_args), tree.structure(tuple(example_args), is_abstract)
    types = [t.strong for t in made.graph.in_types[: structure.num_leaves]]

    def converted(*args: Any) -> Any:
        given, consts = args[:count], args[count:]
        flat, have = tree.flatten(given)
        values = [as_value(x) for x in flat]
        if len(consts) != len(made.outside) or have != structure or [type_of(v).strong for v in values] != types:
            got = ", ".join(str(type_of(v).strong) for v in values)
            raise TypeError(
                at_user_line(
                    f"{what}: {defined_at(f)} was traced for {structure} of {', '.join(map(str, types))}, closing over {len(made.outside)} arrays; "
                    f"got {have} of {got}, and {len(consts)} arrays"
                )
            )
        return made.structure.unflatten(replay(made.graph, [*values, *map(as_value, consts)]))

    return converted, list(made.outside)
