"""Losses: a scalar by default, the mean over all examples; `reduction="sum"` adds them, `reduction="none"` returns one value an example.

An example is an element, but for `softmax_cross_entropy`, where it is a row of logits. Shapes must agree: a column of predictions against
a flat array of targets would broadcast to a square and train on nonsense, so it is a ValueError.
"""
from __future__ import annotations

from typing import Any, Literal

import numpy as np

from .activations import log_softmax, shift_to_zero, softplus

Reduction = Literal["mean", "sum", "none"]


def mse(predictions: Any, targets: Any, reduction: Reduction = "mean") -> Any:
    """Squared error. `predictions` and `targets` have one shape, or `targets` is a scalar; ValueError otherwise.

    >>> float(mse(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    """
    error = _residual("mse", predictions, targets)
    return _reduce(error * error, reduction)


def mae(predictions: Any, targets: Any, reduction: Reduction = "mean") -> Any:
    """Absolute error; the derivative where it is zero is 0. Shapes as in `mse`.

    >>> float(mae(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    1.0
    """
    return _reduce(np.abs(_residual("mae", predictions, targets)), reduction)


def huber(predictions: Any, targets: Any, delta: float = 1.0, reduction: Reduction = "mean") -> Any:
    """Half the squared error up to `delta`, linear with the same slope beyond. Shapes as in `mse`. Raises ValueError unless `delta` is above 0.

    >>> huber(np.array([0.5, 3.0]), 0.0, reduction="none")
    array([0.125, 2.5  ])
    """
    if not delta > 0:
        raise ValueError(f"huber: delta must be above 0, got {delta}")
    error = _residual("huber", predictions, targets)
    # One expression for all three pieces, without the absolute value, whose derivative at 0 would spoil the second derivative.
    clipped = np.clip(error, -delta, delta)
    return _reduce(clipped * (error - 0.5 * clipped), reduction)


def binary_cross_entropy_with_logits(logits: Any, targets: Any, reduction: Reduction = "mean") -> Any:
    """`-(targets log(p) + (1 - targets) log(1 - p))` with `p = sigmoid(logits)`, for targets in [0, 1]. Shapes as in `mse`.

    >>> binary_cross_entropy_with_logits(np.array([0.0, 1000.0]), np.array([1.0, 0.0]), reduction="none").round(4)
    array([6.931e-01, 1.000e+03])
    """
    _check_shapes("binary_cross_entropy_with_logits", logits, targets)
    return _reduce(softplus(logits) - logits * targets, reduction)


def softmax_cross_entropy(logits: Any, labels: Any, reduction: Reduction = "mean") -> Any:
    """`-log(softmax(logits))` of the right class, classes along the last axis.

    `labels` are integers of shape `logits.shape[:-1]`, or probabilities (one-hot rows, for instance) of the shape of `logits`, which weigh
    the classes. Raises ValueError for other shapes, TypeError for class labels that are not integers, IndexError for a label out of range.

    >>> logits = np.array([[0.0, 0.0], [0.0, -1000.0]])
    >>> softmax_cross_entropy(logits, np.array([0, 1]), reduction="none").round(4)
    array([6.931e-01, 1.000e+03])
    """
    shape = np.shape(logits)
    if np.shape(labels) == shape:
        return _reduce(-np.sum(labels * log_softmax(logits), axis=-1), reduction)
    if np.shape(labels) != shape[:-1]:
        raise ValueError(f"softmax_cross_entropy: logits of shape {shape} go with integer labels of shape {shape[:-1]} "
                         f"or probabilities of shape {shape}, got labels of shape {np.shape(labels)}")
    labels = labels if hasattr(labels, "dtype") else np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"softmax_cross_entropy: class labels must be integers, got dtype {labels.dtype}")
    # log(sum(exp)) less one entry: the array of all log-probabilities is never needed.
    shifted = shift_to_zero(logits, -1)
    right = np.take_along_axis(shifted, labels[..., np.newaxis], axis=-1)[..., 0]
    return _reduce(np.log(np.sum(np.exp(shifted), axis=-1)) - right, reduction)


def _residual(name: str, predictions: Any, targets: Any) -> Any:
    _check_shapes(name, predictions, targets)
    return predictions - targets


def _check_shapes(name: str, predictions: Any, targets: Any) -> None:
    if np.shape(targets) not in (np.shape(predictions), ()):
        raise ValueError(f"{name}: predictions and targets must have one shape, got {np.shape(predictions)} and {np.shape(targets)}")


def _reduce(values: Any, reduction: Reduction) -> Any:
    match reduction:
        case "mean":
            return np.mean(values)
        case "sum":
            return np.sum(values)
        case "none":
            return values
    raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
