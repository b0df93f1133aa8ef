"""What an index means: `plan(index, shape)` turns `x[index]` into three steps that the ops can do, by NumPy's rules.

    slice     a part of every axis with a positive step, some axes then reversed
    take      at most one of: traced 0-d integers on some axes (a block of size one), or index arrays on some axes (advanced indexing)
    place     the remaining axes in NumPy's order, with the new axes

Reading does them in this order; writing undoes `place`, and writes through `take` into the slice.  Integers that are known are slices of size one.
"""
from __future__ import annotations

import operator as python_operator
from typing import Any, NamedTuple

import numpy as np

from .. import residence
from ..errors import at_user_line
from ..ir.types import BOOL, INT
from ..ops.movement import reverse, slice_
from ..trace import Tracer
from ..trace.constants import CONSTANTS, plain
from .promotion import cast, holds_tracer

_VALID = "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays are valid indices"


class Plan(NamedTuple):
    """See the module. `sliced` is the shape after the first step, `taken` after the second; `order` puts the axes of that, without those of size one
    that an integer made, into the order of the result."""

    start: tuple[int, ...]
    stop: tuple[int, ...]
    step: tuple[int, ...]
    reversed: tuple[int, ...]
    sliced: tuple[int, ...]
    blocks: dict[int, Any]              # axis -> traced 0-d integer
    arrays: tuple[Any, ...]             # integer arrays, known or traced
    array_axes: tuple[int, ...]
    taken: tuple[int, ...]
    squeezed: tuple[int, ...]           # the shape without the axes that integers address
    order: tuple[int, ...]
    shape: tuple[int, ...]              # of the result

    @property
    def in_order(self) -> bool:
        """Whether the axes of the result are in the order of those that were taken."""
        return self.order == tuple(range(len(self.order)))

    def slice(self, x):
        """The first step."""
        part = slice_(x, start=self.start, stop=self.stop, step=self.step)
        return reverse(part, axes=self.reversed) if self.reversed else part


def plan(index: Any, shape: tuple[int, ...]) -> Plan:
    """The steps of `x[index]` for an x of this shape. Raises NumPy's `IndexError` for what can be known to be wrong."""
    items = _expanded(index, shape)
    axes = _Axes(shape)
    advanced = any(_is_array(item) for item in items)
    for item in items:
        axes.add(item, advanced)
    return axes.plan()


def _expanded(index: Any, shape: tuple[int, ...]) -> list:
    """The index as a list of items that name every axis, ellipsis replaced and boolean arrays turned into integer arrays."""
    items = []
    for item in index if type(index) is tuple else (index,):
        items.extend(_normal(item))
    used = sum(item is not None and item is not Ellipsis for item in items)
    if used > len(shape):
        raise IndexError(at_user_line(f"too many indices for array: array is {len(shape)}-dimensional, but {used} were indexed"))
    dots = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise IndexError(at_user_line("an index can only have a single ellipsis ('...')"))
    rest = [slice(None)] * (len(shape) - used)
    if not dots:
        return items + rest
    if not rest and _separates(items, dots[0]):
        rest = [_SEPARATOR]
    return items[:dots[0]] + rest + items[dots[0] + 1:]


_SEPARATOR = object()   # an ellipsis that stands for no axis still parts two advanced indices


def _separates(items, at: int) -> bool:
    return any(map(_is_array, items[:at])) and any(map(_is_array, items[at + 1:]))


def _normal(item: Any) -> list:
    """One item of an index as it is used: an int, a slice, None, Ellipsis, a traced integer or an integer array; a boolean array becomes several."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return [item]
    if isinstance(item, (bool, np.bool_)):
        raise TypeError(at_user_line("a boolean scalar among the indices of a traced array has no traced form: use np.where(condition, a, b)"))
    if isinstance(item, (int, np.integer)):
        return [int(item)]
    if type(item) is Tracer and item.owner is CONSTANTS:
        item = plain(item)
    if isinstance(item, (list, tuple, range)):
        if holds_tracer(item):
            from .creation import stack_nested
            item = stack_nested(item)
        else:
            item = np.asarray(item) if len(item) else np.zeros(0, INT)
    if type(item) is Tracer:
        return [_traced(item)] if item.dtype.kind != "b" else _mask(_known_mask(item))
    if isinstance(item, np.ndarray):
        if item.dtype == BOOL:
            return _mask(item)
        if item.dtype.kind not in "iu":
            raise IndexError(at_user_line("arrays used as indices must be of integer (or boolean) type"))
        return [int(item) if item.ndim == 0 else item]
    try:
        return [python_operator.index(item)]
    except TypeError:
        raise IndexError(at_user_line(_VALID)) from None


def _traced(item: Tracer):
    if item.dtype.kind not in "iu":
        raise IndexError(at_user_line("arrays used as indices must be of integer (or boolean) type"))
    return cast(item, INT)


def _known_mask(item: Tracer) -> np.ndarray:
    """The values of a traced mask, where the trace has them. Otherwise the size of the result would not be known: `TypeError`."""
    mask: Any = item
    while type(mask) is Tracer:
        if not mask.owner.knows(mask.atom):
            raise TypeError(at_user_line(
                f"a traced boolean array ({item.type}) cannot be an index while {mask.owner.what} is traced: "
                f"the size of the result would depend on its values. Use `np.where(mask, x, other)` or `np.sum(x, where=mask)`."))
        mask = mask.owner.ambient(mask.atom)
    return np.asarray(residence.on_host(mask))


class _MaskPart(np.ndarray):
    """An index array that came from a boolean one, with the length that its axis must have."""

    size_of_axis: int


def _mask(mask: np.ndarray) -> list:
    if mask.ndim == 0:
        return _normal(bool(mask))
    parts = []
    for positions, n in zip(np.nonzero(mask), mask.shape):
        part = positions.view(_MaskPart)
        part.size_of_axis = n
        parts.append(part)
    return parts


def _is_array(item: Any) -> bool:
    return isinstance(item, np.ndarray) or type(item) is Tracer and item.ndim > 0


class _Axes:
    """Collects the items of an index, axis by axis."""

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape
        self.start: list[int] = []
        self.stop: list[int] = []
        self.step: list[int] = []
        self.reversed: list[int] = []
        self.layout: list[Any] = []          # what follows what in the result: an axis number, "new", "array", "apart"
        self.dropped: set[int] = set()       # axes that a known integer addresses
        self.blocks: dict[int, Any] = {}
        self.arrays: list[Any] = []
        self.array_axes: list[int] = []

    def add(self, item: Any, advanced: bool) -> None:
        if item is None:
            self.layout.append("new")
            return
        if item is _SEPARATOR:
            self.layout.append("apart")
            return
        axis = len(self.start)
        n = self.shape[axis]
        if isinstance(item, slice):
            self._slice(item, n, axis)
            self.layout.append(axis)
        elif type(item) is int:
            self._integer(item, n, axis, advanced)
        else:
            self._whole(n)
            if _is_array(item) or advanced:
                self._array(item, n, axis)
            else:
                self.blocks[axis] = item

    def _whole(self, n: int) -> None:
        self._range(0, n, 1)

    def _range(self, start: int, stop: int, step: int) -> None:
        self.start.append(start)
        self.stop.append(stop)
        self.step.append(step)

    def _slice(self, item: slice, n: int, axis: int) -> None:
        positions = range(*item.indices(n))
        if not positions:
            self._range(0, 0, 1)
        elif positions.step > 0:
            self._range(positions[0], positions[-1] + 1, positions.step if len(positions) > 1 else 1)
        else:
            self._range(positions[-1], positions[0] + 1, -positions.step if len(positions) > 1 else 1)
            if len(positions) > 1:
                self.reversed.append(axis)

    def _integer(self, i: int, n: int, axis: int, advanced: bool) -> None:
        if not -n <= i < n:
            raise IndexError(at_user_line(f"index {i} is out of bounds for axis {axis} with size {n}"))
        i %= n
        self._range(i, i + 1, 1)
        self.dropped.add(axis)
        if advanced:   # next to index arrays an integer counts as one of them when the result axes are placed
            self.layout.append("array")

    def _array(self, item: Any, n: int, axis: int) -> None:
        if isinstance(item, _MaskPart):
            if item.size_of_axis != n:
                raise IndexError(at_user_line(f"boolean index did not match indexed array along axis {axis}; size of axis is {n} "
                                              f"but size of corresponding boolean axis is {item.size_of_axis}"))
            item = item.view(np.ndarray)
        if isinstance(item, np.ndarray):
            wrong = item[(item < -n) | (item >= n)]
            if wrong.size:
                raise IndexError(at_user_line(f"index {wrong[0]} is out of bounds for axis {axis} with size {n}"))
            item = item.astype(INT, copy=False)
        self.arrays.append(item)
        self.array_axes.append(axis)
        self.layout.append("array")

    def plan(self) -> Plan:
        sliced = tuple(max(0, -(-(e - s) // k)) for s, e, k in zip(self.start, self.stop, self.step))
        lead = self._array_shape()
        kept = [d for d in range(len(self.shape)) if d not in self.dropped and d not in self.blocks and d not in self.array_axes]
        taken = (*lead, *(n for d, n in enumerate(sliced) if d not in self.array_axes)) if self.arrays else tuple(
            1 if d in self.blocks else n for d, n in enumerate(sliced))
        squeezed = (*lead, *(sliced[d] for d in kept))
        order, shape = self._placed(lead, kept, sliced)
        return Plan(tuple(self.start), tuple(self.stop), tuple(self.step), tuple(self.reversed), sliced,
                    self.blocks, tuple(self.arrays), tuple(self.array_axes), taken, squeezed, order, shape)

    def _array_shape(self) -> tuple[int, ...]:
        shapes = [a.shape for a in self.arrays]
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            listed = " ".join(str(s).replace(" ", "") for s in shapes)
            raise IndexError(at_user_line(f"shape mismatch: indexing arrays could not be broadcast together with shapes {listed}")) from None

    def _placed(self, lead, kept, sliced):
        """Where each axis of `squeezed` goes. Index arrays that stand side by side leave their axes in place, others move them to the front."""
        layout = self.layout
        at = [i for i, place in enumerate(layout) if place == "array"]
        if at:
            first = at[0] if at[-1] - at[0] + 1 == len(at) else 0
            before, behind = ([place for place in places if place != "array"] for places in (layout[:first], layout[first:]))
            layout = [*before, "arrays", *behind]
        order, shape = [], []
        for place in layout:
            if place == "arrays":
                order.extend(range(len(lead)))
                shape.extend(lead)
            elif place == "new":
                shape.append(1)
            elif place != "apart":
                order.append(len(lead) + kept.index(place))
                shape.append(sliced[place])
        return tuple(order), tuple(shape)
