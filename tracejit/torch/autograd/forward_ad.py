"""Dual numbers by hand, as `torch.autograd.forward_ad`: a tensor is given a tangent, functions carry it along, and it is taken out of the result."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..duals import Level, dual_of, lifted
from ..modes import Switch, enable_grad, state
from ..tensor import Tensor

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """What `unpack_dual` gives: the value, and its tangent or None."""

    primal: Tensor
    tangent: Tensor | None


class _ByHand(Level):
    """The level of `dual_level`; those of `torch.func` are others."""

    __slots__ = ()


def _current() -> Level | None:
    return next((level for level in reversed(state.levels) if type(level) is _ByHand), None)


def enter_dual_level() -> int:
    """Begin a level, in which tensors may have tangents; gives its number. Raises `RuntimeError` inside of another one."""
    if _current() is not None:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    state.levels = (*state.levels, _ByHand())
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level: tensors have no tangents from here on. Raises `RuntimeError` where it is not the innermost."""
    if level not in (None, 0) or not state.levels or state.levels[-1] is not _current():
        raise RuntimeError("Trying to exit a forward AD level that was not the last one that was created. This is not supported.")
    state.levels = state.levels[:-1]


class dual_level(Switch):
    """A context in which tensors may have tangents: `make_dual` gives them, `unpack_dual` reads them.

    >>> from tracejit import torch
    >>> import tracejit.torch.autograd.forward_ad as fwAD
    >>> with fwAD.dual_level():
    ...     y = torch.sin(fwAD.make_dual(torch.tensor(0.0), torch.tensor(2.0)))
    ...     print(fwAD.unpack_dual(y).tangent)
    tensor(2.)
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exception: Any) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """The tensor with a tangent, of its own shape and dtype.

    Raises `RuntimeError` outside of a level, for integers, for another shape, and for a tensor that has a tangent.
    """
    current = _current()
    if current is None:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first: with forward_ad.dual_level():"
        )
    for name, t in (("primal", tensor), ("tangent", tangent)):
        if t._data.dtype.kind not in "fc":
            raise ValueError(f"Expected {name} to be floating point or complex, but got: {t.dtype}")
    if tensor._data.shape != tangent._data.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not supported. "
            f"Tensor is of size {list(tensor.shape)} while the given forward gradient is of size {list(tangent.shape)}."
        )
    if tensor._data.dtype != tangent._data.dtype:
        raise RuntimeError(f"Expected the tangent to have the dtype of the tensor, {tensor.dtype}, got {tangent.dtype}")
    have = dual_of(tensor)
    while have is not None:
        if have.level is current:
            raise RuntimeError("Making a dual Tensor based on a Tensor that already has a forward gradient at the same level is not supported.")
        have = dual_of(have.primal)
    with enable_grad():
        made = tensor.view_as(tensor) if tensor.requires_grad else tensor.detach()
    return lifted(made, tensor, tangent, current)


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The value of a tensor without its tangent, and the tangent; None where it has none, or outside of a level."""
    current = _current()
    found = dual_of(tensor)
    if current is None or found is None or found.level is not current:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(found.primal, found.tangent)
