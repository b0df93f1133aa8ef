"""`np.pad`."""
from __future__ import annotations

import numpy as np

from ..errors import at_user_line
from ..ops import movement
from ..ops.indexing import gather
from ..trace import Tracer
from . import reductions
from .creation import linspace
from .joining import concatenate
from .promotion import as_array, astype, cast
from .quantiles import median
from .register import implements
from .shaping import broadcast_to, part, squeeze
from .statistics import mean
from .ufuncs import rint

# For each mode its option, and that option's default.
_OPTIONS = {"constant": ("constant_values", 0), "empty": (None, None), "edge": (None, None), "wrap": (None, None), "linear_ramp": ("end_values", 0),
            "reflect": ("reflect_type", "even"), "symmetric": ("reflect_type", "even"),
            **dict.fromkeys(("maximum", "minimum", "mean", "median"), ("stat_length", None))}
_STATISTICS = {"maximum": reductions.max, "minimum": reductions.min, "mean": mean, "median": median}
_MAX_RUNS = 32   # more pieces than this are gathered instead


@implements(np.pad)
def pad(array, pad_width, mode="constant", **kwargs):
    """As `numpy.pad`, but for functions as modes."""
    x = as_array(array)
    widths = _widths(pad_width, x.ndim)
    if callable(mode):
        raise TypeError(at_user_line("np.pad(..., mode=function) has no traced form: the modes by name have"))
    if mode not in _OPTIONS:
        raise ValueError(at_user_line(f"mode '{mode}' is not supported"))
    option, default = _OPTIONS[mode]
    value = kwargs.pop(option, default) if option else None
    if kwargs:
        raise ValueError(at_user_line(f"unsupported keyword arguments for mode '{mode}': {set(kwargs)}"))
    if mode in ("constant", "empty"):
        return _constant(x, widths, value if option else 0)
    if mode == "linear_ramp":
        return _ramps(x, widths, value)
    if mode in _STATISTICS:
        return _statistics(x, widths, _STATISTICS[mode], value)
    if value == "odd":
        return _odd(x, widths, mode)
    for axis, (low, high) in enumerate(widths):
        if low or high:
            if x.shape[axis] == 0:
                raise ValueError(at_user_line(f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'"))
            # NumPy itself says which element comes to each place.
            x = _by_runs(x, np.pad(np.arange(x.shape[axis]), (low, high), mode=mode), axis)
    return x


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


# -- computed from the array, one axis after the other
def _pairs(value, ndim: int, dtype) -> list[tuple]:
    """An option for the two ends of each axis, in the forms that `pad_width` has."""
    return [tuple(pair) for pair in np.broadcast_to(np.asarray(value, dtype), (ndim, 2)).tolist()]


def _statistics(x, widths, statistic, lengths):
    lengths = [(None, None)] * x.ndim if lengths is None else _pairs(lengths, x.ndim, int)
    for axis, (pair, kept) in enumerate(zip(widths, lengths)):
        n = x.shape[axis]
        ends = []
        for at_end, width, length in zip((False, True), pair, kept):
            length = n if length is None else min(length, n)
            if length == 0 and statistic in (reductions.max, reductions.min):
                raise ValueError(at_user_line("stat_length of 0 yields no value for padding"))
            chunk = part(x, n - length, n, axis) if at_end else part(x, 0, length, axis)
            value = statistic(chunk, axis, keepdims=True)
            value = cast(rint(value) if x.dtype.kind in "iu" and value.dtype.kind == "f" else value, x.dtype)
            ends.append(broadcast_to(value, tuple(width if d == axis else m for d, m in enumerate(x.shape))))
        x = concatenate([ends[0], x, ends[1]], axis)
    return x


def _ramps(x, widths, end_values):
    ends = _pairs(end_values, x.ndim, None)
    for axis, ((low, high), (first, last)) in enumerate(zip(widths, ends)):
        n = x.shape[axis]
        below, above = (squeeze(part(x, i, i + 1, axis), axis) for i in (0, n - 1))
        rise = linspace(first, below, low, endpoint=False, dtype=x.dtype, axis=axis)
        fall = linspace(last, above, high, endpoint=False, dtype=x.dtype, axis=axis)
        x = concatenate([rise, x, movement.reverse(fall, axes=(axis,))], axis)
    return x


def _odd(x, widths, mode: str):
    """Reflected through the end element: twice that, less the element on the other side."""
    skipped = 1 if mode == "reflect" else 0
    for axis, (low, high) in enumerate(widths):
        n = x.shape[axis]
        if max(low, high) > n - skipped:
            raise TypeError(at_user_line(f"np.pad(..., mode={mode!r}, reflect_type='odd') by more than the array has no traced form"))
        below = 2 * part(x, 0, 1, axis) - movement.reverse(part(x, skipped, skipped + low, axis), axes=(axis,))
        above = 2 * part(x, n - 1, n, axis) - movement.reverse(part(x, n - skipped - high, n - skipped, axis), axes=(axis,))
        x = concatenate([below, x, above], axis)
    return x


# -- copied from the array
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
