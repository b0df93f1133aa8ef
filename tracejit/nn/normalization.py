"""Normalisation: subtract a mean, divide by a deviation, then scale and shift."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import at_user_line


class BatchStatistics(NamedTuple):
    """Running mean and variance of each channel, as `batch_norm` keeps them."""

    mean: Any
    variance: Any


def batch_norm(x: Any, weight: Any, bias: Any, statistics: BatchStatistics | None = None, *, training: bool = True, momentum: float = 0.1,
               epsilon: float = 1e-5) -> tuple[Any, BatchStatistics | None]:
    """Normalise the channels of `x`, of shape (examples, channels, *positions); `weight` and `bias`, of shape (channels,), may be None.

    In training by the mean and variance of the batch, and the second result is `statistics` moved towards them by `momentum` (with the unbiased
    variance); else by `statistics`, which come back as they were (Ioffe and Szegedy, 2015). Raises ValueError without statistics where not training.

    >>> y, _ = batch_norm(np.array([[1.0], [3.0]]), None, None, epsilon=0.0)
    >>> y
    array([[-1.],
           [ 1.]])
    """
    axes = (0, *range(2, np.ndim(x)))
    column = lambda v: np.reshape(v, (-1, *(1,) * (np.ndim(x) - 2)))
    if training:
        mean = np.mean(x, axis=axes)
        centred = x - column(mean)
        variance = np.mean(centred * centred, axis=axes)
        if statistics is not None:
            n = np.size(x) // max(1, np.shape(x)[1])
            old_mean, old_variance = statistics
            unbiased = variance * (n / max(1, n - 1))
            statistics = BatchStatistics((1 - momentum) * old_mean + momentum * mean, (1 - momentum) * old_variance + momentum * unbiased)
    elif statistics is None:
        raise ValueError(at_user_line("batch_norm: training=False needs the running statistics"))
    else:
        centred, variance = x - column(statistics.mean), statistics.variance
    scale = 1 / np.sqrt(variance + epsilon)
    y = centred * column(scale if weight is None else scale * weight)
    return (y if bias is None else y + column(bias)), statistics


def layer_norm(x: Any, weight: Any = None, bias: Any = None, *, axes: int = 1, epsilon: float = 1e-5) -> Any:
    """Normalise over the last `axes` axes of `x`; `weight` and `bias` have their shape, or are None (Ba et al., 2016).

    >>> layer_norm(np.array([1.0, 3.0]), epsilon=0.0)
    array([-1.,  1.])
    """
    last = tuple(range(-axes, 0))
    centred = x - np.mean(x, axis=last, keepdims=True)
    y = centred / np.sqrt(np.mean(centred * centred, axis=last, keepdims=True) + epsilon)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, *, epsilon: float = 1e-5) -> Any:
    """Normalise `groups` groups of channels of `x`, of shape (examples, channels, *positions), each by itself (Wu and He, 2018).

    Raises ValueError where the channels are no multiple of the groups.

    >>> group_norm(np.array([[1.0, 3.0, 5.0, 9.0]]), 2, epsilon=0.0)
    array([[-1.,  1., -1.,  1.]])
    """
    examples, channels, *positions = np.shape(x)
    if channels % groups:
        raise ValueError(at_user_line(f"group_norm: {channels} channels are no multiple of {groups} groups"))
    split = np.reshape(x, (examples, groups, channels // groups, *positions))
    y = np.reshape(layer_norm(split, axes=1 + len(positions), epsilon=epsilon), np.shape(x))
    column = lambda v: np.reshape(v, (-1, *(1,) * len(positions)))
    y = y if weight is None else y * column(weight)
    return y if bias is None else y + column(bias)


def rms_norm(x: Any, weight: Any = None, *, axes: int = 1, epsilon: float = 1e-6) -> Any:
    """`x` over the root of its mean square along the last `axes` axes (Zhang and Sennrich, 2019).

    >>> rms_norm(np.array([3.0, 3.0]), epsilon=0.0)
    array([1., 1.])
    """
    y = x / np.sqrt(np.mean(x * x, axis=tuple(range(-axes, 0)), keepdims=True) + epsilon)
    return y if weight is None else y * weight
