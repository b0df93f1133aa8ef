"""Forward mode through a `Function`: its `jvp` is called with the tangents of the arguments, at each level of derivatives in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..modes import state
from ..nodes import Saved
from ..tensor import Tensor, wrap


def with_tangent(saved: Saved, t: Tensor) -> Saved:
    """What was saved of a tensor, with its tangent if it has one."""
    from ..duals import SavedDual, dual_of

    dual = dual_of(t)
    return SavedDual(saved, dual) if dual else saved


def push(node: Any, args: Sequence[Any], results: Sequence[Any]) -> None:
    """Give the results of a function their tangents, where arguments have some."""
    from ..duals import SavedDual, dual_of

    duals = [dual_of(a) for a in args]
    if not any(duals):
        return
    _push(node, args, duals, results)
    for i, s in enumerate(node._saved or ()):
        if s is not None and type(s.edge) is int and dual_of(results[s.edge]):
            node._saved[i] = SavedDual(s, dual_of(results[s.edge]))


def _push(node: Any, args: Sequence[Any], duals: Sequence[Any], results: Sequence[Any]) -> None:
    from ..duals import Dual, below_of, dual_of

    level = max((d.level for d in duals if d), key=lambda level: level.number)
    moving = [d is not None and d.level is level for d in duals]
    primals = [d.primal if m else a for a, d, m in zip(args, duals, moving)]
    lower = [dual_of(a) for a in primals]
    below = [below_of(r) if isinstance(r, Tensor) else r for r in results]
    if any(lower):
        _push(node, primals, lower, below)
    tangents = [d.tangent if m else _zeros(node, a, level.batch) for a, d, m in zip(args, duals, moving)]
    levels = state.levels
    state.levels = tuple([one for one in levels if one.number < level.number])
    kept = node._replaced
    node._replaced = getattr(node, "_for_forward", node._to_save or None)
    try:
        moved = _jvp(node, tangents, level.batch)
    finally:
        state.levels, node._replaced = levels, kept
    if len(moved) != len(results):
        raise RuntimeError(f"{node._function.__name__}.jvp returned {len(moved)} tangents, expected one for each of the {len(results)} results")
    for i, (r, b, t) in enumerate(zip(results, below, moved)):
        if not isinstance(r, Tensor):
            continue
        if t is None:
            if b._dual:
                r._dual = b._dual
            continue
        shape = t._data.shape if level.batch is None else t._data.shape[1:]
        if shape != r._data.shape:
            raise RuntimeError(
                f"{node._function.__name__}.jvp returned an invalid tangent at index {i} - got {list(shape)} but expected {list(r._data.shape)}"
            )
        r._dual = Dual(level, b, t)


def _zeros(node: Any, argument: Any, batch: int | None) -> Tensor | None:
    """What `jvp` gets for an argument without a tangent: zeros for a floating tensor, unless the function wants None (`set_materialize_grads`)."""
    if not node._materialize or not isinstance(argument, Tensor) or argument._data.dtype.kind not in "fc":
        return None
    shape = argument._data.shape if batch is None else (batch, *argument._data.shape)
    return wrap(np.zeros(shape, argument._data.dtype))


def _jvp(node: Any, tangents: Sequence[Tensor | None], batch: int | None) -> list[Any]:
    """What `jvp` gives: of one direction, or of each of a batch."""
    if batch is None:
        made = node._function.jvp(node, *tangents)
        return list(made) if isinstance(made, (tuple, list)) else [made]
    from ..functions.joining import stack

    rows = [_jvp(node, [None if t is None else t[k] for t in tangents], None) for k in range(batch)]
    return [None if column[0] is None else stack(column) for column in zip(*rows)]
