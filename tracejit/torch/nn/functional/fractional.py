"""Maximum pooling by windows at pseudo-random distances, which divides extents by any ratio."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...dispatch import FUNCTIONS, Primitive
from ...tensor import Tensor
from .images import _sizes


def _starts(sample: Any, extent: int, count: int, window: int) -> Any:
    """Where the windows along an axis begin (Graham 2014, pseudo-random): (N, C, count) for samples (N, C). The last ends where the axis does."""
    last = np.zeros_like(sample, np.int64)[..., None] + (extent - window)
    if count < 2:
        return last[..., :count]
    alpha = sample.dtype.type((extent - window) / (count - 1))
    sample = sample[..., None]
    steps = np.arange(count - 1, dtype=sample.dtype)
    inner = np.floor((steps + sample) * alpha) - np.floor(sample * alpha)
    return np.concatenate([inner.astype(np.int64), last], -1)


def _impl(x: Any, samples: Any, window: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[Any, Any]:
    n = len(window)
    extents, lead = x.shape[-n:], x.shape[:-n]
    places: Any = 0
    for d in range(n):
        sample = samples[..., d if n == 3 else n - 1 - d]  # torch draws for columns first in images, for depths first in volumes
        along = _starts(sample, extents[d], sizes[d], window[d])[..., None] + np.arange(window[d])
        shape = [1] * (2 * n)
        shape[d], shape[n + d] = sizes[d], window[d]
        places = places * extents[d] + np.reshape(along, (*lead, *shape))
    places = np.reshape(places, (*lead, -1, int(np.prod(window))))
    taps = np.take_along_axis(np.reshape(x, (*lead, 1, -1)), places, -1)
    best = np.argmax(taps, -1)[..., None]
    shape = (*lead, *sizes)
    return np.reshape(np.take_along_axis(taps, best, -1), shape), np.reshape(np.take_along_axis(places, best, -1), shape)


_pools = {n: Primitive(f"FractionalMaxPool{n}D", _impl) for n in (2, 3)}


def _pool(n: int) -> Any:
    name = f"fractional_max_pool{n}d"

    def pool(
        input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:  # fmt: skip
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
        if input._data.ndim not in (n + 1, n + 2):
            raise RuntimeError(f"{name}: Expected {n + 1}D or {n + 2}D input tensor, but got input of shape {list(input._data.shape)}")
        x = input if input._data.ndim == n + 2 else input.unsqueeze(0)
        extents, window = x._data.shape[2:], _sizes(kernel_size, n)
        if output_size is None:
            ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * n
            sizes = tuple([int(extent * ratio) for extent, ratio in zip(extents, ratios)])
        else:
            sizes = _sizes(output_size, n)
        if any(size + k - 1 > extent for size, k, extent in zip(sizes, window, extents)):
            raise RuntimeError(f"{name}: windows {list(window)} and an output {list(sizes)} are too large relative to the input, {list(extents)}")
        if _random_samples is None:
            _random_samples = FUNCTIONS["rand"](*x._data.shape[:2], n, dtype=x.dtype)
        elif tuple(_random_samples._data.shape) != (*x._data.shape[:2], n):
            raise RuntimeError(f"{name}: expected _random_samples of {[*x._data.shape[:2], n]}, but got {list(_random_samples.shape)}")
        made, at = _pools[n](x, _random_samples, window=window, sizes=sizes)
        if x is not input:
            made, at = made.squeeze(0), at.squeeze(0)
        return (made, at) if return_indices else made

    pool.__name__ = pool.__qualname__ = name
    pool.__doc__ = f"""Maximum pooling by windows whose distances are drawn, in {n} dimensions: to `output_size`, or to `output_ratio` of the extents.

    Raises `ValueError` where neither is given, `RuntimeError` for windows that do not fit.
    """
    return pool


fractional_max_pool2d, fractional_max_pool3d = map(_pool, (2, 3))

__all__ = ["fractional_max_pool2d", "fractional_max_pool3d"]
