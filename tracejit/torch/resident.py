"""Tensors on a CUDA device.

A primitive is applied to them as the program of its graph, whose kernels are compiled once for the types; so is its way back.  Views are CuPy's, in
the memory of their base.  What is here is reached only when an array on a device has been met: `Primitive` and `Running` look at one table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import residence
from ..trace.trace import type_of
from .devices import CPU, device
from .dispatch import _keep
from .modes import state
from .plan import forward_graph
from .storage import here, storage_of
from .tensor import Tensor, wrap


def apply(primitive: Any, operands: Sequence[Any], arrays: Sequence[Any], static: dict[str, Any]) -> Any:
    """The result of a primitive for tensors of which one lives on a device. Raises `RuntimeError` for others that do not."""
    home = residence.meeting(arrays)
    require_one_device(operands, arrays)
    needs = state.grad and any([isinstance(t, Tensor) and t._requires for t in operands])
    if primitive.view:
        made = primitive.impl(*arrays, **static)
    else:
        made = _program(primitive, arrays, static)(home, arrays)
    multiple = type(made) in (tuple, list)
    results = tuple([_result(primitive, x, operands, static, i if multiple else None, home) for i, x in enumerate(made if multiple else (made,))])
    found = results if multiple else results[0]
    if needs and primitive.part:
        found._node, found._requires = primitive._part((operands[0]._edge,), here(), primitive, static, arrays[0]), True
    elif needs:
        note = primitive._kind(operands, arrays, static, True).note
        if note is not None:
            note(operands, arrays, found)
    elif state.inference:
        for t in results:
            t._inference = True
    return found


def require_one_device(operands: Sequence[Any], arrays: Sequence[Any]) -> None:
    """Raise torch's `RuntimeError` for tensors on several devices; numbers, and tensors of one on the CPU, may stand beside any."""
    places = dict.fromkeys(str(t.device) for t, a in zip(operands, arrays) if isinstance(t, Tensor) and (a.ndim or residence.home(a) is not None))
    if len(places) > 1:
        first, second = list(places)[:2]
        raise RuntimeError(f"Expected all tensors to be on the same device, but found at least two devices, {first} and {second}!")


def _program(primitive: Any, arrays: Sequence[Any], static: dict[str, Any]) -> Callable:
    """The function of (device, arrays) that the primitive is for operands of these types."""
    types = tuple([type_of(a) for a in arrays])
    key = ("device", types, *static.items())
    found = primitive.plans.get(key)
    if found is None:
        with np.errstate(all="ignore"):
            forward = forward_graph(primitive.name, primitive.impl, types, static)

        def found(home: Any, arrays: Sequence[Any]) -> Any:
            made = run(forward.graph, [*arrays, *forward.constants])
            return made if forward.multiple else made[0]

        _keep(primitive.plans, key, found)
    return found


def run(graph: Any, values: Sequence[Any]) -> tuple:
    """The results of a graph for arrays of which one lives on a device; each a new array."""
    from ..cuda.programs import execute_anywhere

    home = residence.meeting(values)
    results = residence.gathered(execute_anywhere(graph, values), values)
    return tuple([home.copy(x) if any([x is v for v in values]) else x for x in results])


def _result(primitive: Any, x: Any, operands: Sequence[Any], static: dict[str, Any], number: int | None, home: Any) -> Tensor:
    if primitive.view and home.shares_memory(x, operands[0]._data):
        return operands[0]._view(x, (primitive, tuple(static.items()), number))
    return Tensor._sharing(x, storage_of(x))


# -- from one device to another
def place_of(array: Any) -> device:
    """The device that an array lives on."""
    home = residence.home(array)
    return CPU if home is None else device("cuda", home.device_of(array))


def move(t: Tensor, to: Any, copy: bool = False) -> Tensor:
    """The tensor on another device, as a recorded operation; itself where it is there, unless `copy`. Raises `AssertionError`, as torch does, where
    CUDA cannot be used."""
    wanted = device(to)
    here = t.device
    if wanted.type == "cuda" and wanted.index is None:
        wanted = here if here.type == "cuda" else device("cuda", _backend().current_device())
    if wanted == here:
        return t.clone() if copy else t
    if not (t._requires and state.grad):
        return wrap(_moved(t._array, wanted))
    from .autograd.function import Function

    class ToCopy(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return wrap(_moved(x._array, wanted))

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:
            return move(g, here)

    return ToCopy.apply(t)


def _moved(array: Any, to: device) -> Any:
    home = residence.home(array)
    if to.type == "cpu":
        return home.to_host(array)
    backend = _backend()
    with backend.on(to.index):
        return backend.from_host(array) if home is None else backend.copy_to(array, to.index)


def _backend() -> Any:
    from ..cuda.backend import backend
    from ..cuda.errors import CudaError

    try:
        return backend()
    except CudaError as error:
        raise AssertionError(f"Torch not compiled with CUDA enabled: {error}") from None


def creation(f: Callable, like: bool = False) -> Callable:
    """A function that makes a tensor, on the device that is asked for; with `like`, on that of its first argument if none is."""

    @functools.wraps(f)
    def made(*args: Any, device: Any = None, **options: Any) -> Tensor:
        if device is None:
            if not residence.classes or not like or not isinstance(args[0], Tensor):
                return f(*args, **options)
            device = args[0].device
        wanted = _device(device)
        if wanted.type == "cpu":
            return f(*args, **options)
        requires = options.pop("requires_grad", False)
        t = move(f(*args, **options).detach(), wanted)
        return t.requires_grad_() if requires else t

    return made


_device = device

__all__ = ["apply", "creation", "move", "place_of", "require_one_device", "run"]
