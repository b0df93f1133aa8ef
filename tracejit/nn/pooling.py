"""Pooling: the largest element or the mean of windows that slide over the last axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..numpy.promotion import as_array
from ..ops.indexing import gather
from ..ops.movement import pad, reshape, transpose
from ..ops.windows import window_argmax, window_max, window_sum
from .convolution import Sizes, per_axis


def max_pool(x: Any, window: Sizes, *, strides: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1, ceil_mode: bool = False,
             return_indices: bool = False) -> Any:
    """The largest element of each window over the last axes of `x`, as many as `window` has numbers (one number: the last axis).

    `strides` are those of the windows, their own sizes by default; `padding`, at most half of them, adds places on both sides that never win; with
    `ceil_mode` a last window may reach over the end. The derivative goes to the first of equal elements. With `return_indices` also their positions
    in the flattened last axes.

    >>> max_pool(np.array([[1.0, 5.0, 2.0, 3.0, 9.0]]), 2)
    array([[5., 3.]])
    """
    x, sizes = as_array(x), _Windows("max_pool", x, window, strides, padding, dilation, ceil_mode)
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    padded = sizes.padded(x, lowest)
    largest = window_max(padded, **sizes.params)
    if not return_indices:
        return largest
    return largest, sizes.flat_positions(window_argmax(padded, **sizes.params))


def avg_pool(x: Any, window: Sizes, *, strides: Sizes | None = None, padding: Sizes = 0, ceil_mode: bool = False, count_include_pad: bool = True,
             divisor: int | None = None) -> Any:
    """The mean of each window over the last axes of `x`; `window`, `strides`, `padding` and `ceil_mode` as in `max_pool`.

    Padding counts as zeros, unless `count_include_pad` is false; what a last window has beyond the padding never counts. `divisor` is used instead
    of the number of elements.

    >>> avg_pool(np.array([[1.0, 5.0, 2.0, 4.0]]), 2)
    array([[3., 3.]])
    """
    x, sizes = as_array(x), _Windows("avg_pool", x, window, strides, padding, 1, ceil_mode)
    total = window_sum(sizes.padded(x, 0), **sizes.params)
    if divisor is not None:
        return total / x.dtype.type(divisor)
    counts = sizes.counts(count_include_pad)
    return total / (x.dtype.type(counts.flat[0]) if counts.min() == counts.max() else counts.astype(x.dtype))


class _Windows:
    """The windows of a pooling, checked."""

    def __init__(self, name: str, x: Any, window: Sizes, strides: Sizes | None, padding: Sizes, dilation: Sizes, ceil_mode: bool):
        n = len(window) if np.iterable(window) else 1
        self.window, self.padding, self.dilation = (per_axis(v, n, f"{name}: {what}") for v, what in (
            (window, "window"), (padding, "padding"), (dilation, "dilation")))
        self.strides = self.window if strides is None else per_axis(strides, n, f"{name}: strides")
        if min((*self.window, *self.strides, *self.dilation)) < 1 or any(2 * p > k or p < 0 for p, k in zip(self.padding, self.window)):
            raise ValueError(at_user_line(f"{name}: windows, strides and dilations are positive, and padding is at most half of the window; got "
                                          f"window {self.window}, strides {self.strides}, padding {self.padding}, dilation {self.dilation}"))
        if np.ndim(x) < n:
            raise ValueError(at_user_line(f"{name}: {n} axes are pooled, got an array of shape {np.shape(x)}"))
        self.sizes = np.shape(x)[-n:]
        spans = [(k - 1) * d + 1 for k, d in zip(self.window, self.dilation)]
        self.lengths = []
        for size, span, s, p in zip(self.sizes, spans, self.strides, self.padding):
            room = size + 2 * p - span
            length = (-(-room // s) if ceil_mode else room // s) + 1
            if ceil_mode and (length - 1) * s >= size + p:
                length -= 1  # the last window would begin in the padding
            self.lengths.append(length)
        if min(self.lengths) < 1:
            raise ValueError(at_user_line(f"{name}: no window {self.window} fits into an array of shape {np.shape(x)}"))
        self.behind = [(q - 1) * s + span - size - p for q, s, span, size, p in zip(self.lengths, self.strides, spans, self.sizes, self.padding)]
        self.params = dict(window=self.window, strides=self.strides, dilation=self.dilation)

    def padded(self, x: Any, value: float) -> Any:
        zeros = (0,) * (x.ndim - len(self.window))
        behind = tuple(max(0, b) for b in self.behind)
        if not any((*self.padding, *behind)):
            return x
        return pad(x, low=(*zeros, *self.padding), high=(*zeros, *behind), interior=(0,) * x.ndim, value=value)

    def counts(self, with_padding: bool) -> np.ndarray:
        """How many elements each window has, over the pooled axes."""
        counts = np.ones((), np.int64)
        for n, k, s, p, q in zip(self.sizes, self.window, self.strides, self.padding, self.lengths):
            first = np.arange(q) * s - p
            last = np.minimum(first + k, n + p if with_padding else n)
            counts = counts[..., None] * (last - (first if with_padding else np.maximum(first, 0)))
        return counts

    def flat_positions(self, at: Any) -> Any:
        """Where the numbered taps are in the flattened axes, without padding."""
        flat = 0
        for d, (k, s, p, r, n) in enumerate(zip(self.window, self.strides, self.padding, self.dilation, self.sizes)):
            inner = math.prod(self.window[d + 1 :])
            behind = (1,) * (len(self.window) - d - 1)
            first = (np.arange(self.lengths[d]) * s - p).reshape(-1, *behind)
            flat = flat * n + first + at // inner % k * r
        return flat


def adaptive_avg_pool(x: Any, sizes: int | Sequence[int | None]) -> Any:
    """Means over the last axes of `x`, cut into `sizes` parts of nearly equal length, as many axes as `sizes` has (None leaves one as it is).

    Part i of q of an axis of n elements goes from floor(i n / q) to ceil((i + 1) n / q).

    >>> adaptive_avg_pool(np.array([1.0, 2.0, 3.0, 4.0, 8.0]), 2)
    array([2., 5.])
    """
    x = as_array(x)
    for axis, parts in _adaptive_axes("adaptive_avg_pool", x, sizes):
        n = x.shape[axis]
        if n % parts == 0:
            split = reshape(x, shape=(*x.shape[:axis], parts, n // parts, *x.shape[axis + 1 :]))
            x = np.mean(split, axis=axis + 1)
            continue
        weights = np.zeros((n, parts), x.dtype)
        for part, (start, stop) in enumerate(_parts(n, parts)):
            weights[start:stop, part] = 1 / (stop - start)
        x = np.moveaxis(np.matmul(np.moveaxis(x, axis, -1), weights), -1, axis)
    return x


def adaptive_max_pool(x: Any, sizes: int | Sequence[int | None], *, return_indices: bool = False) -> Any:
    """The largest elements over the last axes of `x`, cut into parts as by `adaptive_avg_pool`; `return_indices` as in `max_pool`.

    >>> adaptive_max_pool(np.array([1.0, 2.0, 3.0, 4.0, 8.0]), 2)
    array([3., 8.])
    """
    x = as_array(x)
    axes = _adaptive_axes("adaptive_max_pool", x, sizes)
    n = len(axes)
    # Each part is read into a window of its own, as long as the longest; a shorter one has its last element again, which never comes first.
    numbers, window = [], []
    for axis, parts in axes:
        ranges = _parts(x.shape[axis], parts)
        longest = max(stop - start for start, stop in ranges)
        numbers.append(np.array([min(start + i, stop - 1) for start, stop in ranges for i in range(longest)]))
        window.append(longest)
    read = x
    for (axis, _), places in zip(axes, numbers):
        if len(places) != x.shape[axis] or (places != np.arange(len(places))).any():
            found = gather(read, places, axes=(axis,), mode="clip")
            read = transpose(found, permutation=(*range(1, axis + 1), 0, *range(axis + 1, x.ndim)))
    params = dict(window=tuple(window), strides=tuple(window), dilation=(1,) * n)
    largest = window_max(read, **params)
    if not return_indices:
        return largest
    at, flat = window_argmax(read, **params), 0
    for d, (axis, parts) in enumerate(axes):
        behind = (1,) * (n - d - 1)
        first = np.array([start for start, _ in _parts(x.shape[axis], parts)]).reshape(-1, *behind)
        flat = flat * x.shape[axis] + first + at // math.prod(window[d + 1 :]) % window[d]
    return largest, flat


def _adaptive_axes(name: str, x: Any, sizes: int | Sequence[int | None]) -> list[tuple[int, int]]:
    wanted = tuple(sizes) if np.iterable(sizes) else (sizes,)
    if x.ndim < len(wanted) or 0 in x.shape[x.ndim - len(wanted) :]:
        raise ValueError(at_user_line(f"{name}: {len(wanted)} axes with elements are pooled, got an array of shape {x.shape}"))
    axes = range(x.ndim - len(wanted), x.ndim)
    return [(axis, x.shape[axis] if q is None else int(q)) for axis, q in zip(axes, wanted)]


def _parts(n: int, parts: int) -> list[tuple[int, int]]:
    return [(i * n // parts, -(-(i + 1) * n // parts)) for i in range(parts)]


__all__ = ["adaptive_avg_pool", "adaptive_max_pool", "avg_pool", "max_pool"]
