"""`checkpoint`: what is computed again in the backward pass instead of kept for it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import at_user_line
from ..ops import checkpoint as ops
from ..trace import Tracer
from ..trace.constants import active_traces
from .recording import argument_paths, as_value, check_leaves, defined_at, name_of, record, require_callable, with_keywords
from .states import carried


def checkpoint(f: Callable | None = None, *, policy: Callable[..., bool] | None = None, static_argnums: int | Sequence[int] = ()) -> Callable:
    """`f`, whose inner values are not kept for the backward pass but computed again there from its arguments: less memory for more work.

    `policy` says which values are kept all the same: one of `tracejit.checkpoint_policies`, or any function of an operation and its types that gives
    a bool. Values can be given names for it by `checkpoint_name`. Arguments numbered in `static_argnums` are passed to `f` as they are.
    `print_saved_residuals` shows what is kept.  Derivatives of any order and `vmap` work; usable as a decorator, with or without arguments.
    Python may branch on values inside where it may outside: what it asks is computed then from the arguments.

    >>> import numpy as np, tracejit as tj
    >>> layer = tj.checkpoint(lambda x: np.sin(np.sin(x)))
    >>> bool(tj.grad(lambda x: layer(layer(x)))(0.0) == 1.0)
    True
    """
    if f is None:
        return lambda g: checkpoint(g, policy=policy, static_argnums=static_argnums)
    require_callable(f, "checkpoint")
    if policy is not None and not callable(policy):
        raise TypeError(at_user_line(f"checkpoint: policy is a function, such as those in tracejit.checkpoint_policies, got {policy!r}"))
    numbers = (static_argnums,) if isinstance(static_argnums, (int, np.integer)) else tuple(static_argnums)
    what = f"checkpoint of {name_of(f)}"

    @functools.wraps(f)
    def checkpointed(*args, **kwargs):
        if not active_traces():
            return f(*args, **kwargs)
        function, moving = _without_statics(f, args, numbers)
        flat, structure = tree.flatten((moving, kwargs))
        types = check_leaves(flat, lambda: argument_paths(moving, kwargs), f, what)
        made = record(with_keywords(function), what, types, structure, concrete=False, keep_cells=True, actual=flat)
        count, cells = made.structure.num_leaves, made.cells.written
        body = carried(made, len(flat), count, cells)
        values = [*map(as_value, flat), *(cell.read() for cell in cells), *body.consts]
        graph = body.captures_last() if policy is None else ops.flat(body.captures_last())
        results = ops.checkpoint(*values, graph=graph, policy=policy, again=False)
        made.cells.write(results[count:])
        return made.structure.unflatten(results[:count])

    return checkpointed


def _without_statics(f: Callable, args: tuple, numbers: Sequence[int]) -> tuple[Callable, tuple]:
    """`f` as a function of its other arguments, and those."""
    if not numbers:
        return f, args
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise TypeError(
                at_user_line(f"checkpoint: static_argnums has {n}, but {defined_at(f)} was called with {len(args)} positional arguments")
            )
    fixed = {n % len(args): args[n % len(args)] for n in numbers}

    @functools.wraps(f)
    def function(*moving, **kwargs):
        rest = iter(moving)
        return f(*(fixed[i] if i in fixed else next(rest) for i in range(len(args))), **kwargs)

    return function, tuple(a for i, a in enumerate(args) if i not in fixed)


def checkpoint_name(x: Any, name: str) -> Any:
    """`x`, a tree of arrays, under a name by which a policy of `checkpoint` finds it: `checkpoint_policies.save_only_these_names(name)`.

    >>> import numpy as np, tracejit as tj
    >>> policy = tj.checkpoint_policies.save_only_these_names("hidden")
    >>> f = tj.checkpoint(lambda x: np.sin(tj.checkpoint_name(np.sin(x), "hidden")), policy=policy)
    >>> tj.grad(f)(0.0)
    np.float64(1.0)
    """
    if not isinstance(name, str):
        raise TypeError(at_user_line(f"checkpoint_name: the name is a string, got {name!r}"))
    return tree.map(lambda leaf: ops.named(leaf, name=name) if type(leaf) is Tracer else leaf, x)


remat = checkpoint

__all__ = ["checkpoint", "checkpoint_name", "remat"]
