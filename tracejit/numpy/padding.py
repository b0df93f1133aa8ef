"""`np.pad`."""
from __future__ import annotations

import numpy as np

from ..errors import at_user_line
from ..ops import movement
from ..ops.indexing import gather
from ..trace import Tracer
from .joining import concatenate
from .promotion import as_array, astype
from .register import implements
from .shaping import broadcast_to, part

_BY_POSITION = ("edge", "reflect", "symmetric", "wrap")
_MAX_RUNS = 32   # more pieces than this are gathered instead


@implements(np.pad)
def pad(array, pad_width, mode="constant", **kwargs):
    """As `numpy.pad` with the modes constant, edge, reflect, symmetric and wrap."""
    x = as_array(array)
    widths = _widths(pad_width, x.ndim)
    if mode == "constant":
        values = kwargs.pop("constant_values", 0)
        _no_more(kwargs, mode)
        return _constant(x, widths, values)
    if mode not in _BY_POSITION:
        raise TypeError(at_user_line(f"np.pad(..., mode={mode!r}) has no traced form: constant, edge, reflect, symmetric and wrap have"))
    if kwargs.pop("reflect_type", "even") != "even":
        raise TypeError(at_user_line("np.pad(..., reflect_type='odd') has no traced form"))
    _no_more(kwargs, mode)
    for axis, (low, high) in enumerate(widths):
        if low or high:
            # NumPy itself says which element comes to each place.
            x = _by_runs(x, np.pad(np.arange(x.shape[axis]), (low, high), mode=mode), axis)
    return x


def _no_more(kwargs: dict, mode: str) -> None:
    if kwargs:
        raise ValueError(at_user_line(f"unsupported keyword arguments for mode '{mode}': {set(kwargs)}"))


def _widths(pad_width, ndim: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        every = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            every[axis] = tuple(width) if np.iterable(width) else (width, width)
        pad_width = every
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu":
        raise TypeError(at_user_line("`pad_width` must be of integral type."))
    if (widths < 0).any():
        raise ValueError(at_user_line("index can't contain negative values"))
    return [tuple(pair) for pair in np.broadcast_to(widths, (ndim, 2)).tolist()]


def _constant(x, widths, values):
    if type(values) is not Tracer and np.ndim(values) == 0:
        value = np.asarray(values).astype(x.dtype)[()].item()
        low, high = zip(*widths) if widths else ((), ())
        return movement.pad(x, low=low, high=high, interior=(0,) * x.ndim, value=value)
    values = broadcast_to(astype(as_array(values), x.dtype), (x.ndim, 2))
    for axis, (low, high) in enumerate(widths):
        below, above = (_filling(values, axis, side, width, x.shape) for side, width in ((0, low), (1, high)))
        x = concatenate([below, x, above], axis)
    return x


def _filling(values, axis: int, side: int, width: int, shape: tuple[int, ...]):
    value = movement.reshape(movement.slice_(values, start=(axis, side), stop=(axis + 1, side + 1), step=(1, 1)), shape=())
    return movement.broadcast_to(value, shape=tuple(width if d == axis else n for d, n in enumerate(shape)))


def _runs(source: np.ndarray) -> list[tuple[int, int, int]]:
    """Index arrays as (first, step, length) with steps of -1, 0 and 1."""
    runs: list[tuple[int, int, int]] = []
    i, n = 0, len(source)
    while i < n:
        step = int(source[i + 1] - source[i]) if i + 1 < n else 0
        j = i + 1
        if step in (-1, 0, 1):
            while j < n and source[j] - source[j - 1] == step:
                j += 1
        runs.append((int(source[i]), step if j > i + 1 else 1, j - i))
        i = j
    return runs


def _by_runs(x, source: np.ndarray, axis: int):
    """The elements at `source` along an axis, as slices that compiled code reads where they are."""
    runs = _runs(source)
    if len(runs) > _MAX_RUNS:
        rows = gather(x, source, axes=(axis,), mode="raise")
        return movement.transpose(rows, permutation=tuple(0 if d == axis else d + 1 if d < axis else d for d in range(x.ndim)))
    return concatenate([_run(x, first, step, length, axis) for first, step, length in runs], axis)


def _run(x, first: int, step: int, length: int, axis: int):
    if step > 0:
        return part(x, first, first + length, axis)
    if step < 0:
        return movement.reverse(part(x, first - length + 1, first + 1, axis), axes=(axis,))
    one = part(x, first, first + 1, axis)
    return movement.broadcast_to(one, shape=tuple(length if d == axis else n for d, n in enumerate(x.shape)))
