"""Which of an environment's watches a native entry can look at, and which are left to Python.

Both tell the same: whether `read(container, key)` still gives the very object, or an array what was in it. What has its own ways of being read (a
subclass of `dict` with another `get`, a deque, a `bytearray`, whose contents count) stays in Python; places with nothing in them that are no names
in a dict or cell, too.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..lowering.cpu.specs import Watch
from .places import ABSENT, in_cell, in_class, in_dict, in_sequence, in_slot, length

_KEYS = (str, int, bytes)  # their comparison runs no Python code


def split(watches: Sequence[tuple]) -> tuple[list[Watch], list[tuple]]:
    """The watches ((read, container, key, value), ...) that native code looks at, and the others."""
    native, others = [], []
    for watch in watches:
        found = _native(*watch)
        if found is None:
            others.append(watch)
        else:
            native.append(found)
    return native, others


def _native(read: Callable, container: Any, key: Any, value: Any) -> Watch | None:
    kind, absent = type(container), value is ABSENT
    if read is in_cell:
        return Watch("cell", container, None, value, absent)
    if read is in_dict and isinstance(container, dict) and kind.get is dict.get and type(key) in _KEYS:
        return Watch("dict", container, key, value, absent)
    if read is in_class:
        found = gc.get_referents(container.__dict__)  # the dict behind the proxy, which is that of the class for good
        return Watch("dict", found[0], key, value, absent) if len(found) == 1 and type(found[0]) is dict else None
    if read is in_slot and not absent:
        return Watch("attribute", container, key, value)
    if read is in_sequence and kind is list and not absent:
        return Watch("item", container, key, value)
    if read is length and kind in (list, dict):
        return Watch(f"{kind.__name__}_length", container, None, value)
    return None


def contents(arrays: Sequence[tuple[np.ndarray, bytes]]) -> list[Watch] | None:
    """The watches of arrays ((array, what must be in it), ...), or None where native code cannot look at one of them."""
    if not all(type(x) is np.ndarray and x.flags.c_contiguous for x, _ in arrays):
        return None
    return [Watch("contents", x, None, np.frombuffer(there, np.uint8)) for x, there in arrays if there]


__all__ = ["contents", "split"]
