"""Constant arrays inside a trace. Compiled code computes them from the index; an array made with NumPy would have to be read."""
from __future__ import annotations

import numpy as np

from ..ops.indexing import positions_along as positions
from ..ops.movement import broadcast_to
from ..trace import Tracer

__all__ = ["filled", "positions"]


def filled(like, shape: tuple[int, ...], value, dtype: np.dtype):
    """One value everywhere, in the trace that `like` belongs to."""
    value = np.asarray(value).astype(dtype)[()]
    return like.owner.emit(broadcast_to, (value,), {"shape": shape}) if type(like) is Tracer else np.full(shape, value)
