"""Boolean masks whose values are not known while tracing: `x[mask] = v`.

How many elements a mask holds decides no shape in a write: every element of x is looked at, and takes its new value where the mask holds.  What needs
the number (`np.nonzero`, the length of `x[mask]`) asks for it, as Python's `int` does: under `jit` a guard remembers the answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import TracerBoolError, TracerConversionError, at_user_line
from ..ir import is_inexact
from ..ir.types import BOOL, INT
from ..ops import cumulative, movement
from ..ops import elementwise as ops
from ..ops.core import zeros
from ..ops.indexing import positions_along, scatter_add
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


def is_known(mask: Any) -> bool:
    """Whether a mask has values while it is traced."""
    while type(mask) is Tracer and mask.owner.knows(mask.atom):
        mask = mask.owner.ambient(mask.atom)
    return type(mask) is not Tracer


def is_traced_mask(index: Any) -> bool:
    """Whether an index is a mask that was computed from traced values."""
    return type(index) is Tracer and index.dtype == BOOL and index.ndim > 0 and index.owner.depth > 0


def used_where(mask, x):
    """x, for a reader of nothing but the elements that the mask holds. That is said by a select, for derivatives: where x is not used, that
    of `sqrt(x)` at zero must not become NaN (see transforms.guard_select)."""
    if not is_inexact(x.dtype) or mask.shape != x.shape[: mask.ndim]:
        return x
    return ops.select(spread(mask, x), x, zeros(x.type.strong))


def spread(mask, x):
    """A mask of the first axes of x in the shape of x."""
    return movement.broadcast_to(movement.reshape(mask, shape=(*mask.shape, *(1,) * (x.ndim - mask.ndim))), shape=x.shape)


def split(x: Any, index: Any, at: int) -> tuple[Any, Any, int]:
    """The mask at position `at` of an index, the part of x that the index reads with all elements in the mask's place, and how many axes of that part
    lie in front of the mask. Raises `IndexError` where the mask does not fit."""
    items = index if type(index) is tuple else (index,)
    mask, before, behind = items[at], items[:at], items[at + 1 :]
    whole = x[(*before, *(slice(None),) * mask.ndim, *behind)] if len(items) > 1 else x
    ellipsis = any([item is Ellipsis for item in before])
    front = whole.ndim - mask.ndim - _axes(behind) if ellipsis else _axes(before)
    for d, n in enumerate(mask.shape):
        if front + d >= whole.ndim or n != whole.shape[front + d]:
            size = whole.shape[front + d] if front + d < whole.ndim else 0
            raise IndexError(
                at_user_line(
                    f"boolean index did not match indexed array along axis {front + d}; size of axis is {size} "
                    f"but size of corresponding boolean axis is {n}"
                )
            )
    return mask, whole, front


def _axes(items: tuple) -> int:
    return sum(item is None or isinstance(item, slice) for item in items)


def choose(whole, mask, value, front: int, first: bool = False):
    """`whole` with `value` where the mask holds; of the rows of the value all must be used, or only the `first` ones. Raises `TypeError` where the
    rows of the value cannot be matched with the elements of the mask."""
    back = whole.ndim - mask.ndim - front
    if value.ndim > back and value.shape[value.ndim - back - 1] != 1:
        value = _in_order(value, mask, front, back, first)
    elif value.ndim > back:
        value = movement.reshape(value, shape=value.shape[: value.ndim - back - 1] + (1,) * mask.ndim + value.shape[value.ndim - back :])
    column = movement.reshape(mask, shape=(*mask.shape, *(1,) * back))
    return ops.select(*(movement.broadcast_to(v, shape=whole.shape) for v in (column, cast(value, whole.dtype), whole)))


def _in_order(value, mask, front: int, back: int, first: bool):
    """The rows of `value`, one for each element that the mask holds, each at the place of its element."""
    if front or value.ndim != back + 1:
        raise TypeError(at_user_line("x[..., mask] = rows has no traced form for a traced mask that is not in front: use np.where on whole arrays"))
    from .indexing import getitem

    n = value.shape[0]
    if not first:
        count = _count(mask)
        if count is not None and count != n:
            said = f"NumPy boolean array indexing assignment cannot assign {n} input values to the {count} output values where the mask is true"
            raise ValueError(at_user_line(said))
    if not n:
        return movement.broadcast_to(value.dtype.type(0), shape=(*mask.shape, *value.shape[1:]))
    places = places_of(mask)
    taken = movement.reshape(mask, shape=(mask.size,))
    rows = getitem(value, (ops.select(taken, places, movement.broadcast_to(np.int64(0), shape=places.shape)),))
    return movement.reshape(rows, shape=(*mask.shape, *rows.shape[1:]))


def _count(mask) -> int | None:
    """How many elements a mask holds; None where that has no answer while it is traced."""
    try:
        return int(np.sum(mask))
    except (TracerBoolError, TracerConversionError):
        return None


def places_of(mask):
    """In one line, for each element of a mask how many hold before it; where it holds, that is its place among those that do."""
    flat = cast(movement.reshape(mask, shape=(mask.size,)), INT)
    if not mask.size:
        return flat
    return ops.subtract(cumulative.cumsum(flat, axis=0, reverse=False), flat)


def held(mask, what: str):
    """The positions in C order of the elements that a traced mask holds: int64[n], where n is asked of the mask. Raises `TypeError` where it has no
    answer; `what` names the result there."""
    flat = movement.reshape(mask, shape=(mask.size,))
    n = _count(flat)
    if n is None:
        raise TypeError(
            at_user_line(
                f"{what} depends on how many elements a traced mask holds, which is not known while it is traced: "
                f"use np.where(mask, x, other) on whole arrays, or `size=` of the functions in `tracejit.numpy`"
            )
        )
    if not n:
        return np.zeros(0, INT)
    return listed(flat)[:n]


def listed(flat):
    """The positions of the elements that a mask of one axis holds, then zeros: as many as there are places, and one more that means nothing."""
    # Each held element writes its position into its place; the others write behind the end.
    places = ops.select(flat, places_of(flat), movement.broadcast_to(np.int64(flat.size), shape=(flat.size,)))
    line = movement.broadcast_to(np.int64(0), shape=(flat.size + 1,))
    return scatter_add(line, positions_along(flat, (flat.size,), 0), places, axes=(0,), mode="raise")
