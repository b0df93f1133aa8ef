"""Boolean masks whose values are not known while tracing: `x[mask] = v`.

How many elements a mask holds decides no shape here: every element of x is looked at, and takes its new value where the mask holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import at_user_line
from ..ir.types import BOOL, INT
from ..ops import cumulative, movement
from ..ops import elementwise as ops
from ..trace import Tracer
from .promotion import cast


def mask_in(index: Any) -> int | None:
    """The position of the one mask in an index, where the others are integers, slices, None and an ellipsis; None for other indices."""
    items = index if type(index) is tuple else (index,)
    masks = [i for i, item in enumerate(items) if _is_mask(item)]
    plain = all(item is None or item is Ellipsis or isinstance(item, (slice, int, np.integer)) or _is_mask(item) for item in items)
    return masks[0] if len(masks) == 1 and plain else None


def _is_mask(item: Any) -> bool:
    return isinstance(item, (Tracer, np.ndarray)) and item.dtype == BOOL and item.ndim > 0


def split(index: Any, at: int) -> tuple[Any, tuple, int, int]:
    """The mask, the index that takes all elements in its place, and how many axes of what that reads lie in front of the mask and behind it.

    One of the two numbers is -1 where an ellipsis makes it whatever remains.
    """
    items = index if type(index) is tuple else (index,)
    mask = items[at]
    before, behind = items[:at], items[at + 1 :]
    whole = (*before, *(slice(None),) * mask.ndim, *behind)
    front = -1 if Ellipsis in _ellipses(before) else _axes(before)
    back = _axes(behind) if front == -1 else -1
    return mask, whole, front, back


def _ellipses(items: tuple) -> list:
    return [item for item in items if item is Ellipsis]


def _axes(items: tuple) -> int:
    return sum(item is None or isinstance(item, slice) for item in items)


def choose(whole, mask, value, front: int, back: int):
    """`whole` with `value` where the mask holds. Raises `IndexError` where the mask does not fit, and `TypeError` where the value's rows cannot be
    matched with the elements that the mask holds."""
    front = whole.ndim - mask.ndim - back if front == -1 else front
    back = whole.ndim - mask.ndim - front
    for d, n in enumerate(mask.shape):
        if n != whole.shape[front + d]:
            raise IndexError(
                at_user_line(
                    f"boolean index did not match indexed array along axis {front + d}; size of axis is {whole.shape[front + d]} "
                    f"but size of corresponding boolean axis is {n}"
                )
            )
    if value.ndim > back and value.shape[-back - 1] != 1:
        value = _in_order(value, mask, front, back)
    elif value.ndim > back + 1:
        value = movement.reshape(value, shape=value.shape[: -back - 1] + (1,) * mask.ndim + value.shape[value.ndim - back :])
    elif value.ndim == back + 1:
        value = movement.reshape(value, shape=value.shape[1:])
    spread = movement.reshape(mask, shape=(*mask.shape, *(1,) * back))
    return ops.select(*(movement.broadcast_to(v, shape=whole.shape) for v in (spread, cast(value, whole.dtype), whole)))


def _in_order(value, mask, front: int, back: int):
    """The rows of `value`, one for each element that the mask holds, each at the place of its element."""
    if front or value.ndim != back + 1:
        raise TypeError(at_user_line("x[..., mask] = rows has no traced form where the mask is not in front and its values are not known: use np.where"))
    from .indexing import getitem

    rows = getitem(value, (places_of(mask),))
    return movement.reshape(rows, shape=(*mask.shape, *rows.shape[1:]))


def places_of(mask):
    """In one line, for each element of a mask how many hold before it; where it holds, that is its place among those that do."""
    flat = cast(movement.reshape(mask, shape=(mask.size,)), INT)
    if not mask.size:
        return flat
    return ops.subtract(cumulative.cumsum(flat, axis=0, reverse=False), flat)
