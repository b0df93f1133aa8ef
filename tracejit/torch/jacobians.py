"""Jacobians: by columns in forward mode, a batch of directions at once; by rows in reverse mode, a batch of gradients at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .batched import gradients
from .duals import Level, below_of, entered, lifted
from .tensor import Tensor, wrap


def lift(t: Any, tangent: Tensor, level: Level) -> Any:
    """The dual of a tensor at a level; anything that is no floating tensor as it is."""
    if not isinstance(t, Tensor) or t._data.dtype.kind not in "fc":
        return t
    return lifted(below_of(t), t, tangent, level)


def unpack(t: Any, level: Level) -> tuple[Any, Tensor | None]:
    """A result below a level, and its tangent there; None where it has none."""
    found = t._dual if isinstance(t, Tensor) else None
    return (found.primal, found.tangent) if found and found.level is level else (t, None)


def _basis(tensors: Sequence[Tensor], chunk: int | None) -> Iterator[tuple[int, list[Tensor]]]:
    """Unit vectors of all tensors together, so many at once: for each tensor an array with an axis of them in front."""
    sizes = [t._data.size for t in tensors]
    total = sum(sizes)
    step = total if chunk is None else chunk
    for first in range(0, total, max(step, 1)):
        n = min(step, total - first)
        made, start = [], 0
        for t, size in zip(tensors, sizes):
            rows = np.zeros((n, size), t._data.dtype)
            low, high = max(first, start), min(first + n, start + size)
            if low < high:
                rows[np.arange(low, high) - first, np.arange(low, high) - start] = 1
            made.append(wrap(rows.reshape(n, *t._data.shape)))
            start += size
        yield n, made


def _joined(parts: Sequence[Tensor], shape: tuple[int, ...], dtype: Any) -> Tensor:
    from .functions.joining import cat

    return cat(list(parts)) if parts else wrap(np.zeros((0, *shape), dtype))


def _split(t: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """Pieces of the first dimension."""
    from .functions.joining import split

    return list(split(t, list(sizes))) if len(sizes) > 1 else [t]


def by_columns(
    f: Callable[..., tuple[Sequence[Tensor], Any]], xs: Sequence[Tensor], chunk: int | None = None
) -> tuple[list, list[list[Tensor]], Any]:
    """The outputs of `f`, for each output and each x the Jacobian, and what else `f` gives. `f(*xs)` gives tensors, and anything."""
    outputs: list[Any] = []
    columns: list[list[Tensor]] = []
    rest: Any = None
    for n, basis in _basis(xs, chunk) if sum(x._data.size for x in xs) else [(0, [wrap(np.zeros((0, *x._data.shape), x._data.dtype)) for x in xs])]:
        with entered(n) as level:
            made, rest = f(*[lift(x, t, level) for x, t in zip(xs, basis)])
            pairs = [unpack(o, level) for o in made]
        if not columns:
            outputs, columns = [o for o, _ in pairs], [[] for _ in pairs]
        for kept, (o, t) in zip(columns, pairs):
            kept.append(wrap(np.zeros((n, *o._data.shape), o._data.dtype)) if t is None else t)
    sizes = [x._data.size for x in xs]
    found = []
    for o, parts in zip(outputs, columns):
        pieces = _split(_joined(parts, o._data.shape, o._data.dtype), sizes)
        found.append([p.movedim(0, -1).reshape((*o._data.shape, *x._data.shape)) for p, x in zip(pieces, xs)])
    return outputs, found, rest


def by_rows(outputs: Sequence[Tensor], xs: Sequence[Tensor], create_graph: bool, chunk: int | None = None) -> list[list[Tensor]]:
    """For each output and each x the Jacobian. The graph of the outputs is kept."""
    moving = [o for o in outputs if o.requires_grad]
    rows: list[list[Tensor]] = [[] for _ in xs]
    for n, basis in _basis(moving, chunk):
        for kept, x, g in zip(rows, xs, gradients(moving, xs, basis, True, create_graph)):
            kept.append(wrap(np.zeros((n, *x._data.shape), x._data.dtype)) if g is None else g)
    pieces = [iter(_split(_joined(parts, x._data.shape, x._data.dtype), [o._data.size for o in moving] or [0])) for x, parts in zip(xs, rows)]
    found = []
    for o in outputs:
        shape = o._data.shape
        if o.requires_grad:
            found.append([next(p).reshape((*shape, *x._data.shape)) for p, x in zip(pieces, xs)])
        else:
            found.append([wrap(np.zeros((*shape, *x._data.shape), x._data.dtype)) for x in xs])
    return found
