"""`np.r_[x, 0, y]` and `np.c_[x, y]`: arrays put together by indexing, where some of them are traced."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import at_user_line
from ..ops import movement
from .joining import concatenate
from .promotion import as_array
from .register import operator


class _Concatenator:
    """As NumPy's: along `axis`; what has fewer than `ndmin` axes gets more of length one, its own from position `trans1d` on (-1: at the end)."""

    def __init__(self, axis: int, ndmin: int = 1, trans1d: int = -1):
        self.axis, self.ndmin, self.trans1d = axis, ndmin, trans1d

    def __getitem__(self, key: Any):
        items = list(key) if type(key) is tuple else [key]
        axis, ndmin, trans1d = self.axis, self.ndmin, self.trans1d
        if isinstance(items[0], str):
            axis, ndmin, trans1d = _directive(items.pop(0), axis, ndmin, trans1d)
        return concatenate([_lifted(x, ndmin, trans1d) for x in items], axis=axis)


def _directive(text: str, axis: int, ndmin: int, trans1d: int) -> tuple[int, int, int]:
    """The numbers in `np.r_["1,2,0", ...]`. Raises `ValueError` for "r" and "c", which make objects of `np.matrix`, and anything else."""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(at_user_line(f"np.r_ of traced values does not understand the directive {text!r}")) from None
    return (*numbers, *(axis, ndmin, trans1d)[len(numbers) :])


def _lifted(x: Any, ndmin: int, trans1d: int):
    if isinstance(x, slice):
        x = np.r_[x]
    x = as_array(x)
    if x.ndim == 0:
        return movement.reshape(x, shape=(1,) * ndmin)
    missing = ndmin - x.ndim
    if missing <= 0:
        return x
    before = trans1d + missing + 1 if trans1d < 0 else trans1d
    return movement.reshape(x, shape=(1,) * min(before, missing) + x.shape + (1,) * (missing - min(before, missing)))


r_ = _Concatenator(0)
c_ = _Concatenator(-1, ndmin=2, trans1d=0)
operator("r_")(r_)
operator("c_")(c_)
