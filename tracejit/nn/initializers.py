"""Initial values of weights: functions of a `numpy.random.Generator`, a shape and a dtype.

A weight maps the second axis from the end to the last one (`x @ weight`). Axes before them are a receptive field, whose size multiplies
both counts, as in a convolution with weights of shape (height, width, inputs, outputs). The variance of an element is 1 / inputs for LeCun,
which keeps the variance through a linear layer; 2 / inputs for He, which does so through relu; and 2 / (inputs + outputs) for Glorot, which
balances the forward and the backward pass.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Initializer = Callable[[np.random.Generator, Sequence[int], Any], np.ndarray]


def zeros(rng: np.random.Generator, shape: Sequence[int], dtype: Any = np.float64) -> np.ndarray:
    """Zeros; `rng` is not used.

    >>> zeros(np.random.default_rng(0), (2,))
    array([0., 0.])
    """
    return np.zeros(shape, _float(dtype))


def lecun_uniform(rng: np.random.Generator, shape: Sequence[int], dtype: Any = np.float64) -> np.ndarray:
    """Uniform with variance 1 / inputs. Raises ValueError for a shape of fewer than two axes.

    >>> bool(np.abs(lecun_uniform(np.random.default_rng(0), (3, 4))).max() <= 1)
    True
    """
    return _uniform(rng, shape, dtype, 1 / _fans(shape)[0])


def lecun_normal(rng: np.random.Generator, shape: Sequence[int], dtype: Any = np.float64) -> np.ndarray:
    """Normal with variance 1 / inputs. Raises ValueError for a shape of fewer than two axes.

    >>> round(float(lecun_normal(np.random.default_rng(0), (400, 100)).std()), 2)
    0.05
    """
    return _normal(rng, shape, dtype, 1 / _fans(shape)[0])


def he_uniform(rng: np.random.Generator, shape: Sequence[int], dtype: Any = np.float64) -> np.ndarray:
    """Uniform with variance 2 / inputs (He et al., 2015). Raises ValueError for a shape of fewer than two axes.

    >>> bool(np.abs(he_uniform(np.random.default_rng(0), (6, 4))).max() <= 1)
    True
    """
    return _uniform(rng, shape, dtype, 2 / _fans(shape)[0])


def he_normal(rng: np.random.Generator, shape: Sequence[int], dtype: Any = np.float64) -> np.ndarray:
    """Normal with variance 2 / inputs (He et al., 2015). Raises ValueError for a shape of fewer than two axes.

    >>> round(float(he_normal(np.random.default_rng(0), (200, 200)).std()), 2)
    0.1
    """
    return _normal(rng, shape, dtype, 2 / _fans(shape)[0])


def glorot_uniform(rng: np.random.Generator, shape: Sequence[int], dtype: Any = np.float64) -> np.ndarray:
    """Uniform with variance 2 / (inputs + outputs) (Glorot and Bengio, 2010). Raises ValueError for a shape of fewer than two axes.

    >>> bool(np.abs(glorot_uniform(np.random.default_rng(0), (2, 4))).max() <= 1)
    True
    """
    return _uniform(rng, shape, dtype, 2 / sum(_fans(shape)))


def glorot_normal(rng: np.random.Generator, shape: Sequence[int], dtype: Any = np.float64) -> np.ndarray:
    """Normal with variance 2 / (inputs + outputs) (Glorot and Bengio, 2010). Raises ValueError for a shape of fewer than two axes.

    >>> round(float(glorot_normal(np.random.default_rng(0), (100, 700)).std()), 2)
    0.05
    """
    return _normal(rng, shape, dtype, 2 / sum(_fans(shape)))


def orthogonal(rng: np.random.Generator, shape: Sequence[int], dtype: Any = np.float64, gain: float = 1.0) -> np.ndarray:
    """`gain` times a random matrix with orthonormal rows or columns, whichever are fewer; axes but the last count as rows (Saxe et al., 2014).

    Raises ValueError for a shape of fewer than two axes.

    >>> w = orthogonal(np.random.default_rng(0), (5, 3))
    >>> np.allclose(w.T @ w, np.eye(3))
    True
    """
    _fans(shape)
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # makes the factorisation unique, and so q uniform over orthogonal matrices
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(_float(dtype))


def _uniform(rng: np.random.Generator, shape: Sequence[int], dtype: Any, variance: float) -> np.ndarray:
    limit = math.sqrt(3 * variance)
    return rng.uniform(-limit, limit, shape).astype(_float(dtype))


def _normal(rng: np.random.Generator, shape: Sequence[int], dtype: Any, variance: float) -> np.ndarray:
    return (math.sqrt(variance) * rng.standard_normal(shape)).astype(_float(dtype))


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    """How many inputs reach an output and how many outputs an input reaches; at least 1, so that empty weights need no rule of their own."""
    if len(shape) < 2:
        raise ValueError(f"a weight has at least two axes, inputs and outputs; got shape {tuple(shape)}")
    field = math.prod(shape[:-2])
    return max(1, field * shape[-2]), max(1, field * shape[-1])


def _float(dtype: Any) -> np.dtype:
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(f"weights are floating-point, got dtype {dtype}")
    return dtype
