"""Layers: an affine map, and a chain of them."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .activations import relu
from .initializers import Initializer, he_normal, lecun_normal, zeros


class Dense(NamedTuple):
    """Parameters of an affine map: `weight` of shape (inputs, outputs), and `bias` of shape (outputs,) or None."""
    weight: Any
    bias: Any


def init_dense(rng: np.random.Generator, inputs: int, outputs: int, *, bias: bool = True, initializer: Initializer = lecun_normal,
               dtype: Any = np.float64) -> Dense:
    """Parameters for `dense`: a weight drawn by `initializer`, and a bias of zeros unless `bias` is false.

    >>> init_dense(np.random.default_rng(0), 3, 2, bias=False).weight.shape
    (3, 2)
    """
    return Dense(initializer(rng, (inputs, outputs), dtype), zeros(rng, (outputs,), dtype) if bias else None)


def dense(params: Any, x: Any) -> Any:
    """`x @ weight + bias` along the last axis of `x`, of shape (..., inputs). `params` is a `Dense`, or any pair; a bias of None is left out.

    >>> dense((np.array([[2.0], [3.0]]), np.array([1.0])), np.array([10.0, 100.0]))
    array([321.])
    """
    weight, bias = params
    y = x @ weight
    return y if bias is None else y + bias


def init_mlp(rng: np.random.Generator, sizes: Sequence[int], *, initializer: Initializer = he_normal, dtype: Any = np.float64) -> list[Dense]:
    """Parameters for `mlp`: one `Dense` for each pair of neighbours in `sizes`. Raises ValueError for fewer than two sizes.

    >>> [layer.weight.shape for layer in init_mlp(np.random.default_rng(0), [4, 16, 3])]
    [(4, 16), (16, 3)]
    """
    if len(sizes) < 2:
        raise ValueError(f"a network has at least an input and an output size, got {list(sizes)}")
    return [init_dense(rng, inputs, outputs, initializer=initializer, dtype=dtype) for inputs, outputs in zip(sizes, sizes[1:])]


def mlp(params: Sequence[Any], x: Any, activation: Callable[[Any], Any] = relu) -> Any:
    """Affine maps with `activation` between them and none after the last.

    >>> mlp([(np.array([[-1.0]]), None), (np.array([[1.0]]), np.array([5.0]))], np.array([[7.0]]))
    array([[5.]])
    """
    *hidden, last = params
    for layer in hidden:
        x = activation(dense(layer, x))
    return dense(last, x)
