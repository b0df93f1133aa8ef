"""Losses of classes by margins."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...tensor import Tensor, wrap
from .losses import _reduced, _reduction


def _rows(input: Tensor, target: Tensor, name: str, target_ndim: int) -> tuple[Tensor, Tensor]:
    """Input and target with a batch in front."""
    if not input._data.ndim:
        return input.reshape(1, 1), target.reshape(1) if target_ndim == 1 else target.reshape(1, 1)
    if input._data.ndim == 1:
        return input.unsqueeze(0), target.reshape(1) if target_ndim == 1 else target.unsqueeze(0)
    if input._data.ndim != 2:
        raise RuntimeError(f"{name}: Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}")
    return input, target


def multi_margin_loss(
    input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"
) -> Tensor:  # fmt: skip
    """For each row the mean over classes of `max(0, margin - x[y] + x[i]) ** p`, without the class y itself; `weight` is that of each y.

    Input (N, C) or (C,), target (N,) or ().
    """
    how = _reduction(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight._data.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    x, y = _rows(input, target, "multi_margin_loss", 1)
    n, c = x._data.shape
    if tuple(y.shape) != (n,):
        raise RuntimeError(f"inconsistent target size, expected {n} but got {list(y.shape)}")
    distance = (margin - x.gather(1, y.unsqueeze(1)) + x).relu()
    distance = distance * distance if p == 2 else distance
    if weight is not None:
        distance = distance * weight[y].unsqueeze(1)
    others = wrap(np.arange(c)) != y.unsqueeze(1)
    values = (distance * others.to(distance.dtype)).sum(1) / c
    return _reduced(values.reshape(target._data.shape), how)


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean") -> Tensor:
    """For each row the sum of `max(0, 1 - (x[j] - x[i]))` over its classes j and all others i, divided by the number of classes.

    The classes of a row are those in `target`, of the input's shape (N, C) or (C,), up to the first negative one.
    """
    how = _reduction(size_average, reduce, reduction)
    if (input._data.shape or (1,)) != (target._data.shape or (1,)):
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    x, y = _rows(input, target, "multilabel_margin_loss", 2)
    c = x._data.shape[1]
    listed: Any = np.asarray(y.detach()._array)
    counts = np.cumprod(listed >= 0, 1).astype(bool)
    member = np.zeros(listed.shape, bool)
    rows = np.broadcast_to(np.arange(len(listed))[:, None], listed.shape)
    member[rows[counts], listed[counts]] = True
    listed = np.where(counts, listed, 0)
    mine = x.gather(1, wrap(listed))
    distance = (1 - (mine.unsqueeze(2) - x.unsqueeze(1))).relu()
    pairs = counts[:, :, None] & ~member[:, None, :]
    values = (distance * wrap(pairs.astype(x._data.dtype))).sum((1, 2)) / c
    return _reduced(values if input._data.ndim == 2 else values.squeeze(0), how)


__all__ = ["multi_margin_loss", "multilabel_margin_loss"]
