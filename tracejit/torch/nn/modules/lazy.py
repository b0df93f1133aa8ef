"""Modules that learn the number of their inputs from the first input that they see: then they become the ordinary modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import random
from ...tensor import Tensor
from ..parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .module import Module
from .normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d


class LazyModuleMixin:
    """What lazy modules share. A subclass names the module that it becomes, `cls_to_become`, and the argument that is not known yet, `unknown`."""

    cls_to_become: type[Module]
    unknown: str
    usual: dict[str, Any] = {}  # arguments that the lazy one has other defaults for
    smallest: Callable[[dict[str, Any]], int]  # a size that the module can be made with, to have its attributes
    size_of_input: Callable[[Tensor], int]
    size_of_weight: Callable[[Module, Tensor], int]

    def __init__(self, *args: Any, **kwargs: Any):
        Module.__init__(self)
        kwargs = {**self.usual, **kwargs}
        self._arguments = args, kwargs
        draws = random.default_generator.state()
        model = self.cls_to_become(type(self).smallest(kwargs), *args, **kwargs)
        random.default_generator.set(draws)
        self._take_attributes(model)
        setattr(self, self.unknown, 0)
        for name, p in model._parameters.items():
            self._parameters[name] = None if p is None else UninitializedParameter(dtype=p.dtype)
        for name, b in model._buffers.items():
            self._buffers[name] = UninitializedBuffer(dtype=b.dtype) if b is not None and b.dim() else b
        self.register_forward_pre_hook(_at_first_call)
        self.register_load_state_dict_pre_hook(_at_load)

    def _take_attributes(self, model: Module) -> None:
        for name, value in model.__dict__.items():
            if not name.startswith("_") and name != "training":
                self.__dict__[name] = value

    def has_uninitialized_params(self) -> bool:
        """Whether sizes are still unknown."""
        return any(is_lazy(t) for t in (*self._parameters.values(), *self._buffers.values()))

    def _initialize(self, size: int) -> None:
        """Become the ordinary module with so many inputs. Parameters stay the objects that they are."""
        args, kwargs = self._arguments
        model = self.cls_to_become(size, *args, **kwargs)
        self._take_attributes(model)
        for own, made in ((self._parameters, model._parameters), (self._buffers, model._buffers)):
            for name, t in made.items():
                if is_lazy(own[name]):
                    own[name].materialize(t.shape, dtype=t.dtype)
                    own[name].data = t.detach()
        for table in (self._forward_pre_hooks, self._load_state_dict_pre_hooks):
            for number in [n for n, hook in table.items() if hook in (_at_first_call, _at_load)]:
                del table[number]
        del self._arguments
        self.__class__ = self.cls_to_become

    def reset_parameters(self) -> None:
        """Nothing, as long as there are no sizes."""


def _at_first_call(module: Any, given: tuple) -> None:
    module._initialize(type(module).size_of_input(given[0]))


def _at_load(module: Any, state: dict[str, Any], prefix: str, *_: Any) -> None:
    weight = state.get(f"{prefix}weight", state.get(f"{prefix}running_mean"))
    if isinstance(weight, Tensor) and not is_lazy(weight):
        module._initialize(type(module).size_of_weight(module, weight))


def _lazy(base: type[Module], unknown: str, smallest: Callable, of_input: Callable, of_weight: Callable) -> type[Module]:
    name = f"Lazy{base.__name__}"
    return type(
        name,
        (LazyModuleMixin, base),
        {
            "__doc__": f"`{base.__name__}`, whose `{unknown}` is taken from the first input.",
            "__module__": __name__,
            "cls_to_become": base,
            "unknown": unknown,
            "smallest": staticmethod(smallest),
            "size_of_input": staticmethod(of_input),
            "size_of_weight": staticmethod(of_weight),
        },
    )


def _conv(base: type[Module]) -> type[Module]:
    n = base.axes
    return _lazy(
        base,
        "in_channels",
        lambda kwargs: kwargs.get("groups", 1),
        lambda x: x.shape[-n - 1],
        lambda module, w: w.shape[0] if module.transposed else w.shape[1] * module.groups,
    )


def _norm(base: type[Module], least: int) -> type[Module]:
    """`least` is the number of dimensions of an input without a batch, or 0 where there is always one."""
    return _lazy(base, "num_features", lambda kwargs: 1, lambda x: x.shape[0] if x.dim() == least else x.shape[1], lambda module, w: w.shape[0])


LazyLinear = _lazy(Linear, "in_features", lambda kwargs: 1, lambda x: x.shape[-1], lambda module, w: w.shape[1])
LazyConv1d, LazyConv2d, LazyConv3d = map(_conv, (Conv1d, Conv2d, Conv3d))
LazyConvTranspose1d, LazyConvTranspose2d, LazyConvTranspose3d = map(_conv, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d))
LazyBatchNorm1d, LazyBatchNorm2d, LazyBatchNorm3d = (_norm(base, 0) for base in (BatchNorm1d, BatchNorm2d, BatchNorm3d))
LazyInstanceNorm1d, LazyInstanceNorm2d, LazyInstanceNorm3d = (
    _norm(base, n) for base, n in ((InstanceNorm1d, 2), (InstanceNorm2d, 3), (InstanceNorm3d, 4))
)
for _base in (LazyInstanceNorm1d, LazyInstanceNorm2d, LazyInstanceNorm3d):
    _base.usual = {"affine": True, "track_running_stats": True}
