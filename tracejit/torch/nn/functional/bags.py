"""Sums, means and maxima of rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...dispatch import FUNCTIONS
from ...tensor import Tensor, wrap
from .layers import embedding


def embedding_bag(
    input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool =
    False, mode: str = "mean", sparse: bool = False, per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """The sum, mean or maximum of the rows of `weight` that each bag lists.

    Bags are the rows of a matrix `input`, or parts of a vector that begin at `offsets`. `per_sample_weights`, of the shape of input, multiply the
    rows of a sum; the index `padding_idx` does not count.
    """
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum or mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            f"embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got mode='{mode}')."
        )
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({list(per_sample_weights.shape)}) is not None, then it must have the same shape as the input "
            f"({list(input.shape)})"
        )
    flat, count = input.reshape(-1), int(input._data.size)
    if input._data.ndim == 2:
        if offsets is not None:
            raise ValueError(f"if input is 2D, then offsets has to be None, as input is treated as a mini-batch of fixed length sequences: {offsets}")
        bags, width = input._data.shape
        of = np.repeat(np.arange(bags), width)
    elif input._data.ndim == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        starts = np.asarray(offsets.detach()._array)
        if starts.ndim != 1:
            raise ValueError("offsets has to be a 1D Tensor")
        if starts.size and starts[0] != 0:
            raise ValueError(f"offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. Got {starts[0]}")
        if starts.size and starts[-1] > count:
            raise ValueError(f"offsets[-1] can not be greater than input's length {count}, got {starts[-1]}")
        starts = starts[:-1] if include_last_offset else starts
        bags, of = len(starts), np.searchsorted(starts, np.arange(count), "right") - 1
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input._data.ndim}")
    kept = np.ones(count, bool)
    if padding_idx is not None:
        kept = np.asarray(flat.detach()._array) != padding_idx % weight._data.shape[0]
    chosen = np.flatnonzero(kept)
    of = of[chosen]
    rows = embedding(flat[wrap(chosen)], weight, None, max_norm, norm_type, scale_grad_by_freq, sparse)
    made = FUNCTIONS["zeros"](bags, weight._data.shape[1], dtype=weight.dtype)
    if mode == "max":
        index = wrap(np.broadcast_to(of[:, None], rows._data.shape).copy())
        return made.scatter_reduce(0, index, rows, "amax", include_self=False) if count else made
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1)[wrap(chosen)].unsqueeze(1)
    made = made.index_add(0, wrap(of), rows)
    if mode == "sum":
        return made
    sizes: Any = np.maximum(np.bincount(of, minlength=bags), 1)[:, None].astype(weight._data.dtype)
    return made / wrap(sizes)


__all__ = ["embedding_bag"]
