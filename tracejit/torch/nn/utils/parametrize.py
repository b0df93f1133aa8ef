"""Parametrizations: a parameter or buffer of a module is computed from other tensors, by modules, whenever it is read.

`register_parametrization(layer, "weight", Symmetric())` lets `layer.weight` be `Symmetric()(original)`, where the original is the new parameter
`layer.parametrizations.weight.original`.  A parametrization may have `right_inverse`, through which assignments go.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...modes import no_grad
from ...tensor import Tensor
from ..modules.container import ModuleDict, ModuleList
from ..modules.module import Module
from ..parameter import Parameter

_cache: dict[tuple[int, str], Any] = {}
_caching = 0


@contextmanager
def cached() -> Iterator[None]:
    """Inside, each parametrized tensor is computed once, and kept."""
    global _caching
    _caching += 1
    try:
        yield
    finally:
        _caching -= 1
        if not _caching:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, first to last, with the original tensor, or several: `original0`, `original1`, ..."""

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False):
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        new: Any = original
        with no_grad():
            for module in reversed(self):
                if hasattr(module, "right_inverse"):
                    new = module.right_inverse(new)
        if not isinstance(new, (Tensor, Sequence)):
            raise ValueError(f"'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got {type(new).__name__}")
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            if original.dtype != new.dtype:
                raise ValueError(
                    f"When `right_inverse` outputs one tensor, it may not change the dtype: original.dtype: {original.dtype}, got {new.dtype}"
                )
            # The original stays the object that it is, so that an optimiser that has it goes on.
            if new is not original:
                with no_grad():
                    original.data = new.detach()
            self._register("original", original, original)
        else:
            for i, t in enumerate(new):
                self._register(
                    f"original{i}", Parameter(t.detach(), original.requires_grad) if isinstance(original, Parameter) else t.detach(), original
                )
        if not unsafe:
            made = self()
            if not isinstance(made, Tensor):
                raise ValueError(f"A parametrization must return a tensor. Got {type(made).__name__}.")
            if made.dtype != original.dtype or made.shape != original.shape and self.is_tensor and new is original:
                raise ValueError(
                    "Registering a parametrization may not change the shape or dtype of the tensor, unless unsafe=True: it was "
                    f"{list(original.shape)}, {original.dtype}, and would be {list(made.shape)}, {made.dtype}"
                )

    def _register(self, name: str, t: Tensor, like: Tensor) -> None:
        if isinstance(like, Parameter):
            self.register_parameter(name, t)
        else:
            self.register_buffer(name, t)

    def originals(self) -> list[Tensor]:
        """The tensors that the parametrized one is computed from."""
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Let the originals be those that give `value`. Raises `RuntimeError` where a parametrization has no `right_inverse`."""
        with no_grad():
            made: Any = value
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse, so that its tensor cannot be assigned to"
                    )
                made = module.right_inverse(made)
            for own, t in zip(self.originals(), [made] if self.is_tensor else made):
                own.data = t.detach().to(own.dtype)

    def forward(self) -> Tensor:
        made = self[0](*self.originals())
        for module in list(self)[1:]:
            made = module(made)
        return made


def _property(name: str) -> property:
    def read(module: Module) -> Tensor:
        if not _caching:
            return module.parametrizations[name]()
        key = id(module), name
        if key not in _cache:
            _cache[key] = module.parametrizations[name]()
        return _cache[key]

    def write(module: Module, value: Tensor) -> None:
        module.parametrizations[name].right_inverse(value)

    return property(read, write)


class _Assigned:
    """Assignments to parametrized tensors go to their properties, before `Module.__setattr__` sees them."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(getattr(type(self), name, None), property) and name in self.__dict__.get("_modules", {}).get("parametrizations", ()):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made = object.__new__(type(self))
        memo[id(self)] = made
        made.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return made


def register_parametrization(module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> Module:
    """Let the parameter or buffer `tensor_name` be computed by `parametrization` from what it was; several are applied one after another.

    Raises `ValueError` for a name that the module does not have, and where shape or dtype would change, unless `unsafe`.

    >>> import tracejit.torch as torch
    >>> class Symmetric(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> layer = torch.nn.utils.parametrize.register_parametrization(torch.nn.Linear(2, 2), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all())
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        found = module.parametrizations[tensor_name]
        if not unsafe:
            now = getattr(module, tensor_name)
            made = parametrization(now)
            if not isinstance(made, Tensor) or made.shape != now.shape or made.dtype != now.dtype:
                raise ValueError("Registering a parametrization may not change the shape or dtype of the tensor, unless unsafe=True")
        if hasattr(parametrization, "right_inverse"):
            with no_grad():
                value = parametrization.right_inverse(getattr(module, tensor_name))
            found.right_inverse(value)
        found.append(parametrization)
        found.unsafe |= unsafe
        return module
    table = next((t for t in (module._parameters, module._buffers) if tensor_name in t), None)
    if table is None:
        raise ValueError(f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'")
    made = ParametrizationList([parametrization], table[tensor_name], unsafe)
    del table[tensor_name]
    if not is_parametrized(module):
        base = type(module)
        module.__class__ = type(f"Parametrized{base.__name__}", (_Assigned, base), {"_unparametrized": base})
        module.parametrizations = ModuleDict()
    setattr(type(module), tensor_name, _property(tensor_name))
    module.parametrizations[tensor_name] = made
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the module has parametrizations, or one of this tensor."""
    found = module.__dict__.get("_modules", {}).get("parametrizations")
    if found is None or not isinstance(module, _Assigned):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make the tensor an ordinary one again: with the value that it has, or that of the original if `leave_parametrized` is off."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    found = module.parametrizations[tensor_name]
    original = found.originals()[0]
    if not found.is_tensor and not leave_parametrized:
        raise ValueError("Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence of tensors.")
    is_parameter = isinstance(original, Parameter)
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name).detach().clone()
        if found.is_tensor:
            original.data = value
        else:
            original = Parameter(value, original.requires_grad) if is_parameter else value
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        del module._modules["parametrizations"]
        module.__class__ = type(module)._unparametrized
    if is_parameter:
        module.register_parameter(tensor_name, original)
    else:
        module.register_buffer(tensor_name, original)
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class of the module without its parametrizations."""
    return type(module)._unparametrized if is_parametrized(module) else type(module)
