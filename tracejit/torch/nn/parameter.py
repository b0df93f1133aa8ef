"""Tensors that modules own."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
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


class UninitializedTensorMixin:
    """A tensor of a lazy module before it knows its shape."""

    __slots__ = ()  # and it comes after the ordinary class, so that an object can become one of that
    _become: type

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Let it have this shape: it becomes an ordinary parameter or buffer of zeros."""
        d = self._data.dtype if dtype is None else dtype.numpy
        self.__class__ = self._become
        self.data = wrap(np.zeros(tuple(shape), d))

    @property
    def shape(self) -> Any:
        """Raises `RuntimeError`: the shape is not known yet."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` when trying to load an "
            "uninitialized parameter into an initialized one. Call `forward` to initialize the parameters before accessing their attributes."
        )

    def detach(self) -> Any:
        """Itself."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made = type(self)()
        memo[id(self)] = made
        return made

    def __repr__(self, **options: Any) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(Parameter, UninitializedTensorMixin):
    """A parameter of a lazy module before it knows its shape."""

    _become = Parameter
    shape, detach = UninitializedTensorMixin.shape, UninitializedTensorMixin.detach
    __deepcopy__, __repr__ = UninitializedTensorMixin.__deepcopy__, UninitializedTensorMixin.__repr__

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> UninitializedParameter:
        data = wrap(np.zeros(0, (dtypes.get_default_dtype() if dtype is None else dtype).numpy))
        return Tensor._make_subclass(cls, data, requires_grad)

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None):
        """All is done by `__new__`."""


class UninitializedBuffer(Tensor, UninitializedTensorMixin):
    """A buffer of a lazy module before it knows its shape."""

    _become = Tensor
    shape, detach = UninitializedTensorMixin.shape, UninitializedTensorMixin.detach
    __deepcopy__, __repr__ = UninitializedTensorMixin.__deepcopy__, UninitializedTensorMixin.__repr__

    def __new__(cls, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> UninitializedBuffer:
        data = wrap(np.zeros(0, (dtypes.get_default_dtype() if dtype is None else dtype).numpy))
        return Tensor._make_subclass(cls, data, requires_grad)

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None):
        """All is done by `__new__`."""


def is_lazy(x: Any) -> bool:
    """Whether a value is a parameter or buffer without a shape yet."""
    return isinstance(x, UninitializedTensorMixin)


def is_parameter(x: Any) -> bool:
    """Whether a value is a `Parameter`."""
    return isinstance(x, Parameter)
