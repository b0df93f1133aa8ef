"""Gradients cut to size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...cleared import arrived
from ...inplace import overwrite
from ...modes import no_grad
from ...tensor import Tensor, wrap


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [g for g in map(arrived, given) if g is not None]


def _norm(gradients: list[Tensor], norm_type: float) -> Any:
    if not gradients:
        return np.zeros((), np.float32)
    arrays = [g._array for g in gradients]
    if norm_type == math.inf:
        return np.max(np.stack([np.max(np.abs(a)) for a in arrays]))
    each = np.stack([np.sum(np.abs(a) ** norm_type) ** (1 / norm_type) if norm_type != 2 else np.sqrt(np.sum(a * a)) for a in arrays])
    return np.sqrt(np.sum(each * each)) if norm_type == 2 else np.sum(each**norm_type) ** (1 / norm_type)


def get_total_norm(tensors: Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: Any = None) -> Tensor:
    """The norm of all tensors as if they were one vector."""
    with no_grad():
        return _checked(wrap(_norm(list(tensors), float(norm_type))), norm_type, error_if_nonfinite)


def _checked(total: Tensor, norm_type: float, error_if_nonfinite: bool) -> Tensor:
    if error_if_nonfinite and not math.isfinite(float(total)):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be clipped. To disable this error and "
            "scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: Any = None
) -> Tensor:
    """Scale all gradients in place so that their common norm is `max_norm` at most; the norm that they had is returned.

    >>> import tracejit.torch as torch
    >>> p = torch.nn.Parameter(torch.zeros(2))
    >>> p.grad = torch.tensor([3.0, 4.0])
    >>> torch.nn.utils.clip_grad_norm_([p], 1.0), p.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    gradients = _gradients(parameters)
    with no_grad():
        total = _norm(gradients, float(norm_type))
        _checked(wrap(total), norm_type, error_if_nonfinite)
        factor = np.minimum(float(max_norm) / (total + 1e-6), 1.0)
        for g in gradients:
            overwrite(g, (g._array * factor).astype(g._data.dtype))
        return wrap(total)


def clip_grads_with_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: Any = None) -> None:
    """Scale all gradients in place by what makes their common norm, which is `total_norm`, `max_norm` at most."""
    with no_grad():
        factor = np.minimum(float(max_norm) / (total_norm.detach()._array + 1e-6), 1.0)
        for g in _gradients(parameters):
            overwrite(g, (g._array * factor).astype(g._data.dtype))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: Any = None) -> None:
    """Cut all gradients in place to [-clip_value, clip_value]."""
    with no_grad():
        for g in _gradients(parameters):
            overwrite(g, np.clip(g._array, -float(clip_value), float(clip_value)).astype(g._data.dtype))
