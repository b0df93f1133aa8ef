"""Tensors that modules own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor, wrap


class Parameter(Tensor):
    """A tensor that a module registers when it becomes its attribute, and that requires a gradient.

    >>> import tracejit.torch as torch
    >>> torch.nn.Parameter(torch.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = wrap(np.zeros(0, np.float32))
        if not isinstance(data, Tensor):
            raise TypeError(f"cannot make a Parameter of a {type(data).__name__}: give it a tensor, torch.tensor(...)")
        if isinstance(data, Parameter):
            data = data.detach()
        return Tensor._make_subclass(cls, data.detach(), requires_grad)

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True):
        """All is done by `__new__`."""

    def __repr__(self, **options: Any) -> str:
        return "Parameter containing:\n" + super().__repr__(**options)


class Buffer(Tensor):
    """A tensor that a module registers as a buffer when it becomes its attribute: part of its state, but nothing to train."""

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        data = wrap(np.zeros(0, np.float32)) if data is None else data
        made = Tensor._make_subclass(cls, data.detach(), data.requires_grad)
        made.persistent = persistent
        return made

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True):
        """All is done by `__new__`."""


def is_parameter(x: Any) -> bool:
    """Whether a value is a `Parameter`."""
    return isinstance(x, Parameter)
