"""The pieces of a parameter to which an elementwise rule is applied: blocks that stay in the cache, and the parts of complex numbers.

A rule reads and writes its arrays several times.  In blocks they come from memory once, and what is computed on the way stays small: a step of Adam
on the 11.7 million parameters of a ResNet-18 takes 25 ms in place of 34, one of SGD with momentum 9.5 in place of 10.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ... import residence
from ...trace import Tracer
from ..tensor import Tensor, wrap

BLOCK = 1 << 17  # entries: 25 ms; 27.5 with half, 30 with a quarter of it

View = Callable[[Any], Any] | None


def writable(array: Any) -> Any:
    """The array; of a 0-d one, which operators of the kind of += would not write into, the view with one entry."""
    return array if array.ndim else array.reshape(1)


class State:
    """What is remembered of a parameter, as arrays to be written into; of those that have its shape, the piece that a view gives."""

    __slots__ = ("_entries", "_shape", "_view")

    def __init__(self, entries: dict[str, Tensor], shape: tuple[int, ...], view: View = None):
        self._entries, self._shape, self._view = entries, shape, view

    def __getitem__(self, name: str) -> Any:
        array = writable(self._entries[name]._array)
        return array if self._view is None or array.shape != self._shape else self._view(array)

    def __setitem__(self, name: str, tensor: Tensor) -> None:
        self._entries[name] = tensor

    def __contains__(self, name: str) -> bool:
        return name in self._entries


def whole_state(entries: dict[str, Tensor]) -> State:
    """The state without a view."""
    return State(entries, ())


def views(x: Any, gradient: Any, entries: dict[str, Tensor]) -> Iterable[View]:
    """The views that give the pieces of the parameter x, of its gradient and of its state; None is the whole."""
    if x.dtype.kind == "c":
        return (_real, _imag)
    if type(x) is Tracer or x.size <= BLOCK:
        return (None,)
    arrays = [x, gradient, *(t._array for t in entries.values())]
    if not all(type(a) is np.ndarray and a.flags.c_contiguous for a in arrays):
        return (None,)
    return map(_block, range(0, x.size, BLOCK))


def _real(array: Any) -> Any:
    return np.real(array)


def _imag(array: Any) -> Any:
    return np.imag(array) if array.dtype.kind == "c" else array


def _block(start: int) -> Callable[[Any], Any]:
    return lambda array: array.reshape(-1)[start : start + BLOCK]


def zeros(x: Any) -> Tensor:
    """A tensor of zeros of the shape and dtype of an array, where that lives."""
    device = residence.home(x)
    return wrap((np if device is None else device.xp).zeros(x.shape, x.dtype))


def filled(x: Any, value: Any) -> Tensor:
    """A tensor of the shape and dtype of an array, where that lives, full of one number, or proxy of one."""
    made = zeros(x)
    if type(value) is Tracer:
        return wrap(made._array + value.astype(x.dtype))
    made._array[...] = value
    return made
