"""Writing through views: an array in which the part that a chain of views shows is replaced.

Most views are NumPy's own on arrays and on proxies, and are written through by assignment.  A view by distances in memory (`as_strided`, `unfold`) is
a selection by indices where the array is traced; the `put` of its primitive says how such a view is undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..trace import Tracer
from .tensor import along


def placed(base: Any, part: Any, chain: Sequence[tuple]) -> Any:
    """A copy of `base` in which `part` is what the chain of views shows."""
    if not (isinstance(base, Tracer) or isinstance(part, Tracer)) or not any(step[0].put is not None for step in chain):
        made = np.copy(base)
        target = along(chain, made)
        if type(target) is np.ndarray and not isinstance(part, Tracer):
            np.copyto(writable(target), part, casting="unsafe")
        else:
            target[...] = part
        return made
    (primitive, static, number), *rest = chain
    view = along(chain[:1], base)
    part = placed(view, part, rest) if rest else np.broadcast_to(part, view.shape)
    if primitive.put is not None:
        return primitive.put(base, part, **dict(static))
    return placed(base, part, chain[:1])


def writable(view: np.ndarray) -> np.ndarray:
    """The same memory, open for writing: NumPy closes views of diagonals and of what is spread.

    Raises `RuntimeError` where two elements lie in one place.
    """
    if view.flags.writeable:
        return view
    if any(n > 1 and not step for n, step in zip(view.shape, view.strides)):
        refuse_overlap()
    root = view
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not root.flags.writeable:
        raise ValueError("the tensor lies in memory that is read-only: clone() it before writing")
    return np.asarray(_Memory(view))


def refuse_overlap() -> None:
    """Raise the `RuntimeError` for a write into a view in which elements share a place."""
    raise RuntimeError(
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
        "Please clone() the tensor before performing the operation."
    )


class _Memory:
    """The memory of an array, which it keeps alive."""

    def __init__(self, view: np.ndarray):
        self.view = view
        interface = dict(view.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        interface["strides"] = view.strides
        self.__array_interface__ = interface
