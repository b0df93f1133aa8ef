"""What stands for `np.ndenumerate` and `np.nditer`, classes that convert what they are given, while functions are traced (see creation.py)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import at_user_line
from .tracer import Tracer


def elements(original: Callable) -> Callable:
    """In place of `np.ndenumerate`."""

    @functools.wraps(original, updated=())
    def ndenumerate(arr):
        return ((index, arr[index]) for index in np.ndindex(arr.shape)) if type(arr) is Tracer else original(arr)

    return ndenumerate


def each(original: Callable) -> Callable:
    """In place of `np.nditer`, for one traced operand: its elements, views that can be written with `op_flags=["readwrite"]`."""

    @functools.wraps(original, updated=())
    def nditer(op, *args, **kwargs):
        return _views(op, *args, **kwargs) if type(op) is Tracer else original(op, *args, **kwargs)

    return nditer


def _views(x: Tracer, flags: Any = (), op_flags: Any = None, **options: Any) -> Iterator[Tracer]:
    if options or not {*flags} <= {"refs_ok", "zerosize_ok"}:
        raise TypeError(at_user_line("np.nditer of a traced value takes no options but op_flags: loop over `np.ndindex(x.shape)`"))
    return (x[(*index, ...)] for index in np.ndindex(x.shape))


__all__ = ["each", "elements"]
