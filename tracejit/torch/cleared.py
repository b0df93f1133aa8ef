"""Gradients that `zero_grad` has zeroed in their own memory.

They can be printed and read as zeros, and programs that were compiled for them stay valid, but to an optimizer they are none until something is
written into them: a parameter that a loss does not depend on is not moved by its momentum, nor decayed.
"""

from __future__ import annotations

from .. import residence
from .modes import state
from .storage import Storage
from .tensor import Tensor


def mark(gradient: Tensor) -> None:
    """Note that a gradient has been zeroed just now."""
    storage = gradient._storage
    storage.cleared = storage.version


def is_zeroed(storage: Storage) -> bool:
    """Whether a gradient has been zeroed and not written since, be it through an array that shares its memory."""
    return storage.cleared == storage.version and (type(storage._array) in residence.classes or not storage._array.any())


def arrived(p: Tensor) -> Tensor | None:
    """The gradient of a parameter; None where there is none, or nothing has been written into it since it was zeroed."""
    gradient = p._grad
    if gradient is None:
        return None
    storage = gradient._storage
    if state.asked is None:
        return None if is_zeroed(storage) else gradient
    zeros = storage.cleared == storage.version  # what is in the memory while a function is compiled tells nothing about what is there when it runs
    state.asked.setdefault(storage, (storage.version, zeros))
    return None if zeros else gradient
