"""Clipping gradients by their global norm."""
from __future__ import annotations

from typing import Any

import numpy as np

from .. import tree
from .optimizer import GradientTransform, cast


def global_norm(grads: Any) -> Any:
    """The Euclidean norm of all the leaves taken as one vector: a scalar, 0 for a tree without leaves.

    >>> float(global_norm({"a": np.array([3.0]), "b": np.array([[4.0]])}))
    5.0
    """
    return np.sqrt(sum((np.sum(g * g) for g in tree.leaves(grads)), start=0.0))


def clip_by_global_norm(max_norm: float) -> GradientTransform:
    """Scales all gradients by one factor so that their global norm is at most `max_norm`; shorter gradients pass unchanged. Use it through `chain`.

    Raises ValueError unless `max_norm` is above 0.

    >>> transform = clip_by_global_norm(1.0)
    >>> transform.update(np.array([3.0, 4.0]), transform.init(None), None)[0]
    array([0.6, 0.8])
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be above 0, got {max_norm}")

    def update(grads: Any, state: tuple, params: Any) -> tuple[Any, tuple]:
        scale = max_norm / np.maximum(global_norm(grads), max_norm)
        return tree.map(lambda g: g * cast(scale, g), grads), state

    return GradientTransform(lambda params: (), update)
