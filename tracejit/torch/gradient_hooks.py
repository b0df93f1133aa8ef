"""What hooks make of gradients on the way back, and anomaly detection."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..trace import Tracer
from .modes import state
from .nodes import Node
from .storage import here, source_of
from .tensor import Tensor, wrap


def _tensor(g: Any) -> Tensor:
    return g if isinstance(g, Tensor) else wrap(g)


def _untensor(g: Any, create_graph: bool) -> Any:
    return g if create_graph else g._array


def before(node: Node, gradients: dict[int, Any], create_graph: bool, taken: set[int]) -> dict[int, Any]:
    """What hooks make of the gradients that arrived at a node; results that retain theirs get it."""
    from .traversal import accumulate

    extras = node.extras
    for number, hooks in extras.on_gradient.items():
        if number in gradients:
            for hook in list(hooks.values()):
                g = _tensor(gradients[number])
                replaced = hook(g)
                if replaced is not None:
                    _check_replaced(hook, g, replaced)
                    g = replaced
                gradients[number] = _untensor(g, create_graph)
                taken.add(id(gradients[number]))
    if extras.before:
        n = max(gradients) + 1
        for hook in list(extras.before.values()):
            replaced = hook(tuple([_tensor(gradients[i]) if i in gradients else None for i in range(n)]))
            if replaced is not None:
                gradients = {i: _untensor(g, create_graph) for i, g in enumerate(replaced) if g is not None}
        taken.update(map(id, gradients.values()))
    for number, tensor in extras.retains.items():
        t = tensor()
        if t is not None and number in gradients:
            taken.add(id(gradients[number]))
            accumulate(t, gradients[number], create_graph, taken)
    return gradients


def _check_replaced(hook: Callable, g: Tensor, replaced: Any) -> None:
    name = getattr(hook, "__name__", repr(hook))
    if not isinstance(replaced, Tensor):
        raise TypeError(f"hook '{name}' has returned a {type(replaced).__name__}: it returns None or a tensor")
    if replaced._data.shape != g._data.shape:
        raise RuntimeError(f"hook '{name}' has changed the size of value: expected {list(g._data.shape)}, got {list(replaced._data.shape)}")
    if replaced._data.dtype != g._data.dtype:
        raise RuntimeError(f"hook '{name}' has changed the type of value (was {g.dtype}, got {replaced.dtype})")


def after(extras: Any, results: Sequence[Any], gradients: dict[int, Any], create_graph: bool) -> Sequence[Any]:
    """What hooks make of the gradients of a node's operands."""
    given = tuple([_tensor(gradients[i]) if i in gradients else None for i in range(max(gradients) + 1)])
    tensors = tuple([None if g is None else _tensor(g) for g in results])
    for hook in list(extras.after.values()):
        replaced = hook(tensors, given)
        if replaced is not None:
            if not isinstance(replaced, Sequence) or isinstance(replaced, Tensor):
                replaced = (replaced,)
            if len(replaced) != len(tensors):
                raise RuntimeError(f"a hook of a node returned {len(replaced)} gradients, expected {len(tensors)}")
            tensors = tuple(replaced)
    return [None if g is None else _untensor(g, create_graph) for g in tensors]


def watched(node: Node, gradients: dict[int, Any], create_graph: bool) -> Sequence[Any]:
    """Run a node under anomaly detection: an error, or a NaN, is told with the stack at which the node was recorded."""
    stack = node.extras.stack if node.extras is not None else None
    try:
        results = node.apply(gradients, create_graph)
    except Exception:
        if stack:
            print(f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{stack}", file=sys.stderr)
        raise
    if state.check_nan:
        for i, g in enumerate(results):
            array = None if g is None else g._array if isinstance(g, Tensor) else g
            if array is not None and type(array) is not Tracer and np.isnan(array).any():
                where = f" It was recorded at {source_of(node.place)}." if node.place is not None else ""
                back = here()
                where += f" The way back was called at {source_of(back)}." if back is not None else ""
                if stack:
                    print(f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{stack}", file=sys.stderr)
                raise RuntimeError(f"Function '{node.name()}' returned nan values in its {i}th output.{where}")
    return results
