"""`Dispatcher`: a callable that asks a native entry first and a Python function where that misses.

Its `__call__` is Python until the first entry is made; `install` then puts a method in machine code in its place (`entry_dispatch.py`), which reads
the slots of the object where CPython has them in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np


class Dispatcher:
    """`_entry(*args, **kwargs)` gives the result, or the object `_miss`; then `_otherwise(self, *args, **kwargs)` does. `_calls`, an array of one
    number, counts what entries have answered.

    >>> f = Dispatcher(lambda x: x + 1 if x else None, None, lambda self, x: "nothing")
    >>> f(1), f(0), f._calls
    (2, 'nothing', array([1]))
    """

    __slots__ = ("_calls", "_entry", "_miss", "_otherwise")  # in the order in which CPython has them in memory

    def __init__(self, entry: Callable, miss: object, otherwise: Callable):
        self._entry, self._miss, self._otherwise = entry, miss, otherwise
        self._calls = np.zeros(1, np.int64)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found = self._entry(*args, **kwargs)
        if found is self._miss:
            return self._otherwise(self, *args, **kwargs)
        self._calls[0] += 1
        return found


class BoundDispatcher:
    """A dispatcher of a method, with the instance that it belongs to, which lives at least as long as this object."""

    __slots__ = ("__func__", "__self__")

    def __init__(self, instance: Any, function: Callable):
        self.__self__, self.__func__ = instance, function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(*args, **kwargs)


@cache
def install() -> None:
    """Make `__call__` of both machine code, where the native entry is supported and their slots are where they should be."""
    from . import abi
    from .entry import method

    entry, miss, otherwise = (lambda: None), object(), (lambda self: None)
    one = Dispatcher(entry, miss, otherwise)
    two = BoundDispatcher(one, entry)
    fields = [(one, "Dispatcher", name, value) for name, value in zip(("calls", "entry", "miss", "otherwise"), (one._calls, entry, miss, otherwise))]
    fields.append((two, "BoundDispatcher", "function", entry))
    if abi.supported() and all([abi.pointer(thing, f"{kind}.{name}") == id(value) for thing, kind, name, value in fields]):
        Dispatcher.__call__ = method(Dispatcher, "dispatch")  # type: ignore[method-assign]
        BoundDispatcher.__call__ = method(BoundDispatcher, "dispatch_bound")  # type: ignore[method-assign]


__all__ = ["BoundDispatcher", "Dispatcher", "install"]
