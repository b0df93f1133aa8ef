"""`vmap`: a function of one example becomes a function of many."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import optree

from .. import tree
from ..errors import at_user_line
from ..ops.core import move_axis
from ..ops.movement import broadcast_to
from ..trace import type_of
from ..transforms.batch import batch
from .placement import require_together
from .recording import argument_paths, as_value, check_leaves, defined_at, name_of, record, require_callable, with_keywords
from .results import own
from .states import spread_states


def vmap(f: Callable, in_axes: Any = 0, out_axes: Any = 0, axis_size: int | None = None) -> Callable:
    """`f` over an axis of its arguments, in one pass and without a Python loop.

    `in_axes` says which axis of each argument is mapped: an integer, None for an argument that all examples share, or a tuple of them, one for each
    argument, whose items may be trees. `out_axes` says where the new axis goes in the results.  `axis_size` is needed where no argument is mapped.
    Keyword arguments are mapped over axis 0.
    A random generator that `f` closes over gives every example numbers of its own: see `tracejit.random.Generator`.
    Raises `ValueError` when the mapped axes differ in size.

    >>> import numpy as np, tracejit as tj
    >>> tj.vmap(np.dot, in_axes=(0, None))(np.ones((2, 3)), np.arange(3.0))
    array([3., 3.])
    """
    require_callable(f, "vmap")
    what = f"vmap of {name_of(f)}"

    @functools.wraps(f)
    def mapped(*args, **kwargs):
        if isinstance(in_axes, (tuple, list)) and len(in_axes) != len(args):
            raise ValueError(
                at_user_line(f"{what}: in_axes has {len(in_axes)} entries, but {defined_at(f)} was called with {len(args)} positional arguments")
            )
        flat, structure = tree.flatten((args, kwargs))
        check_leaves(flat, lambda: argument_paths(args, kwargs), f, what)
        axes = [*_prefix(what, "in_axes", tuple(in_axes) if isinstance(in_axes, list) else in_axes, args), *[0] * len(tree.leaves(kwargs))]
        values, size = [], axis_size
        for i, (x, axis) in enumerate(zip(flat, axes)):
            type_ = type_of(x)
            if axis is None:
                values.append(as_value(x))
                continue
            if not -type_.ndim <= axis < type_.ndim:
                raise ValueError(
                    at_user_line(f"{what}: axis {axis} of argument {argument_paths(args, kwargs)[i]} does not exist: its shape is {type_.shape}")
                )
            n = type_.shape[axis]
            if size is not None and n != size:
                raise ValueError(
                    at_user_line(
                        f"{what}: mapped axes differ in size: argument {argument_paths(args, kwargs)[i]} has {n} along axis {axis}, "
                        f"others have {size}"
                    )
                )
            size = n
            values.append(move_axis(as_value(x), axis, 0))
        if size is None:
            raise ValueError(at_user_line(f"{what}: no argument is mapped: give in_axes an axis, or pass axis_size"))
        types = [type_of(v) if a is None else type_of(v)._replace(shape=type_of(v).shape[1:]) for v, a in zip(values, axes)]
        types = [t._replace(weak=type_of(x).weak) for t, x in zip(types, flat)]
        made = record(with_keywords(f), what, types, structure, concrete=False, keep_cells=True)
        require_together(flat, made.outside, f, what, lambda: argument_paths(args, kwargs))
        outside, spread = spread_states(made.cells, made.outside, size, what)
        marks = [a is not None for a in axes] + spread
        results, marked = batch(made.graph, [*values, *outside], marks)
        results = results[: made.structure.num_leaves]
        out = made.structure.unflatten(results)
        places = _prefix(what, "out_axes", out_axes, out)
        return made.structure.unflatten(
            own([_place(what, r, m, place, size) for r, m, place in zip(results, marked, places)], [*flat, *made.outside])
        )

    return mapped


def _prefix(what: str, name: str, axes: Any, full: Any) -> list:
    """One axis (or None) for each leaf of `full`. Raises where `axes` is no prefix of its structure or holds something else."""
    if axes is None or isinstance(axes, int):
        return [axes] * len(tree.leaves(full))
    for axis in tree.leaves(axes):
        if not isinstance(axis, (int, np.integer)):
            raise TypeError(at_user_line(f"{what}: {name} consists of integers and None, got {axis!r}"))
    try:
        # None is an axis here, not an empty container: it is stood for by a leaf while the prefix is spread.
        marked = optree.tree_map(lambda a: _NONE if a is None else a, axes, none_is_leaf=True, namespace=tree.NAMESPACE)
        spread = optree.broadcast_prefix(marked, full, namespace=tree.NAMESPACE)
    except ValueError as error:
        raise ValueError(
            at_user_line(f"{what}: {name}={axes} does not fit the structure of the {'arguments' if name == 'in_axes' else 'results'}: {error}")
        ) from None
    return [None if a is _NONE else a for a in spread]


_NONE = object()


def _place(what: str, x: Any, marked: bool, axis: int | None, size: int):
    if axis is None:
        if marked:
            raise ValueError(at_user_line(f"{what}: out_axes is None for a result that differs between examples"))
        return x
    if not marked:
        x = broadcast_to(x, shape=(size, *type_of(x).shape))
    ndim = type_of(x).ndim
    if not -ndim <= axis < ndim:
        raise ValueError(
            at_user_line(f"{what}: out_axes has {axis}, which does not exist in a result of shape {type_of(x).shape} (the mapped axis included)")
        )
    return move_axis(x, 0, axis)
