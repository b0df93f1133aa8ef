"""`x[index]` and `x.at[index]`: NumPy's basic and advanced indexing, with integers, slices and arrays that are known or traced."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..ops import elementwise as ops
from ..ops import movement
from ..ops.blocks import dynamic_slice, dynamic_slice_add, dynamic_update_slice, slice_update
from ..ops.core import zeros
from ..ops.indexing import gather, scatter_add, scatter_max, scatter_min, scatter_set
from ..trace import Tracer
from ..trace.constants import CONSTANTS, as_proxy, constant, known, plain, writable_value
from ..trace.tracer import as_new
from ..trace.views import assign
from .index_plan import Plan, plan
from .masks import choose, is_known, is_traced_mask, mask_in, split, spread, used_where
from .promotion import cast, common_dtype, operand
from .register import operator
from .selection import Selection, write_selected

_ZERO = np.int64(0)


@operator("getitem")
def getitem(x, index):
    """`x[index]`. Raises `IndexError` as NumPy does, and `TypeError` for a traced boolean mask, whose result would have no known size."""
    if type(index) is int and x.shape:
        return _row(x, index)
    if x.owner is CONSTANTS and known(index) and not _is_basic(index):
        return constant(x.atom.value[plain(index)])
    at = mask_in(index)
    if at is not None and not _is_known_at(index, at):
        mask, whole, front = split(x, index, at)
        return Selection(whole, mask, front)
    if at == 0 and type(x) is Tracer and is_traced_mask(index):
        x = used_where(index, x)
    p = plan(index, x.shape)
    part = _place(p, _take(p, p.slice(x)))
    return part if part.shape or _has_ellipsis(index) else _number(part)


def _number(part):
    """An element: a number, which does not change when the array does."""
    if type(part) is not Tracer:  # in a thread that has nothing to do with the trace
        return part[()]
    part.part_of = None
    return part.atom.value[()] if part.owner is CONSTANTS else part


def _has_ellipsis(index: Any) -> bool:
    return index is Ellipsis or type(index) is tuple and any([item is Ellipsis for item in index])


def _is_known_at(index: Any, at: int) -> bool:
    return is_known(index[at] if type(index) is tuple else index)


def _is_basic(index: Any) -> bool:
    """Whether the index reads a part that shares the memory of the array."""
    items = index if type(index) is tuple else (index,)
    return all([item is None or item is Ellipsis or isinstance(item, (int, np.integer, slice)) for item in items])


def _same_atom(element: Any, value: Tracer) -> bool:
    return type(element) is Tracer and element.atom is value.atom  # an element of an array of known numbers is a number


@operator("setitem")
def setitem(x, index, value) -> None:
    """`x[index] = value`. The value is cast to x's dtype, as in an assignment of NumPy."""
    if x.owner is CONSTANTS and known((index, value)):
        array = writable_value(x)
        array[plain(index)] = plain(value)
        assign(x, as_proxy(array))
        return
    at = mask_in(index)
    if at is not None and (type(value) is Selection or np.ndim(value) == 0 or not _is_known_at(index, at)):
        mask, whole, front = split(x, index, at)
        new = write_selected(whole, mask, value, front) if type(value) is Selection else choose(whole, mask, cast(operand(value), x.dtype), front)
        assign(whole, as_proxy(new))
        return
    value = cast(operand(value), x.dtype)
    if type(value) is Tracer and value.part_of is not None and _same_atom(getitem(x, index), value):
        return  # the end of `x[index] += v`, which has written into this very view
    if at == 0 and is_traced_mask(index):
        new = Place(as_proxy(zeros(x.type.strong)), index).set(value)
        assign(x, as_proxy(ops.select(spread(index, x), new, x)))
        return
    assign(x, as_proxy(Place(x, index).set(value)))


class Flat:
    """`x.flat`: the elements in C order, to be read and written."""

    __slots__ = ("array",)

    def __init__(self, array):
        self.array = array

    def _line(self):
        return movement.reshape(self.array, shape=(self.array.size,))

    def __getitem__(self, index):
        return as_new(self._line()[index])

    def __setitem__(self, index, value):
        line = as_new(self._line(), self.array)
        size = line[index].size
        value = operand(value)
        if type(value) in (int, float, complex, bool) or value.ndim == 0:
            line[index] = value
        elif size:
            line[index] = cycled(value, size)
        assign(self.array, as_proxy(movement.reshape(line, shape=self.array.shape)))

    def __iter__(self):
        return iter(as_new(self._line(), self.array))

    def __len__(self) -> int:
        return self.array.size

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self._line(), dtype)

    def copy(self):
        """The elements as a new array."""
        return as_new(self._line(), self.array)


operator("flat")(Flat)


def cycled(values, count: int):
    """`values` in one line, repeated or cut to `count` elements."""
    flat = movement.reshape(values, shape=(values.size,))
    if flat.size == count:
        return flat
    return flat[:count] if flat.size > count else flat[np.arange(count) % flat.size]


def _row(x, i: int):
    """The commonest index of all, made short: rows read in a Python loop."""
    n, *rest = x.shape
    if not -n <= i < n:
        raise IndexError(at_user_line(f"index {i} is out of bounds for axis 0 with size {n}"))
    i %= n
    ndim = len(rest)
    row = movement.slice_(x, start=(i, *(0,) * ndim), stop=(i + 1, *rest), step=(1,) * (ndim + 1))
    row = movement.reshape(row, shape=tuple(rest))
    return row if rest else _number(row)


def _starts(p: Plan) -> list:
    return [p.blocks.get(d, _ZERO) for d in range(len(p.sliced))]


def _take(p: Plan, part):
    if p.arrays:
        return gather(part, *p.arrays, axes=p.array_axes, mode="raise")
    if p.blocks:
        return dynamic_slice(part, *_starts(p), sizes=p.taken)
    return part


# Most indices leave the axes in order: asking for nothing costs nothing, where an operation that turns out to be an identity costs 5 us.
def _place(p: Plan, taken):
    if p.in_order:
        return taken if p.taken == p.shape else movement.reshape(taken, shape=p.shape)
    squeezed = movement.reshape(taken, shape=p.squeezed)
    return movement.reshape(movement.transpose(squeezed, permutation=p.order), shape=p.shape)


def _unplace(p: Plan, value):
    """The inverse of `_place`, for a value of the result's shape."""
    if p.in_order:
        return value if p.taken == p.shape else movement.reshape(value, shape=p.taken)
    ordered = movement.reshape(value, shape=tuple(p.squeezed[d] for d in p.order))
    back = tuple(sorted(range(len(p.order)), key=p.order.__getitem__))
    return movement.reshape(movement.transpose(ordered, permutation=back), shape=p.taken)


class _At:
    """`x.at`, to be indexed."""

    __slots__ = ("array",)

    def __init__(self, array):
        self.array = array

    def __getitem__(self, index):
        return Place(self.array, index)


operator("at")(_At)


class Place:
    """`x.at[index]`: updated copies of a traced array.

    >>> import numpy as np, tracejit as tj
    >>> tj.jvp(lambda x: x.at[1:].add(x[:-1]), (np.array([1.0, 2.0, 3.0]),), (np.ones(3),))[0]
    array([1., 3., 5.])
    """

    __slots__ = ("array", "plan")

    def __init__(self, array, index: Any):
        self.array = array
        self.plan = plan(index, array.shape)

    def get(self):
        """`x[index]`."""
        return _place(self.plan, _take(self.plan, self.plan.slice(self.array)))

    def set(self, value):
        """A copy of x with `value` at the index; where positions meet, the last one stands. The value is cast to x's dtype, as in an assignment."""
        return self._written(cast(operand(value), self.array.dtype), scatter_set, dynamic_update_slice)

    def add(self, value):
        """A copy of x with `value` added at the index, also where positions meet (as `np.add.at`)."""
        return self._written(self._same_kind(value), scatter_add, dynamic_slice_add)

    def subtract(self, value):
        """A copy of x with `value` subtracted at the index, also where positions meet."""
        return self.add(ops.negative(self._same_kind(value)))

    def multiply(self, value):
        """A copy of x with the elements at the index multiplied by `value`. Index arrays must be known and address no element twice."""
        return self._computed(ops.multiply, value)

    def divide(self, value):
        """A copy of x with the elements at the index divided by `value`. Index arrays must be known and address no element twice."""
        return self._computed(ops.divide, value)

    def min(self, value):
        """A copy of x with the smaller of x and `value` at the index, also where positions meet."""
        return self._extremum(scatter_min, ops.minimum, value)

    def max(self, value):
        """A copy of x with the larger of x and `value` at the index, also where positions meet."""
        return self._extremum(scatter_max, ops.maximum, value)

    # -- shared parts
    def _same_kind(self, value):
        """The value in x's dtype. Raises `TypeError` where that would lose its kind: floats into integers."""
        value = operand(value)
        dtype = self.array.dtype
        together = common_dtype(self.array, value)
        if not np.can_cast(together, dtype, "same_kind"):
            raise TypeError(at_user_line(f"Cannot cast the result of an update from {together!r} to {dtype!r} with casting rule 'same_kind'"))
        return cast(value, dtype)

    def _spread(self, value):
        """The value in the shape of the result, by the rule of an assignment: leading axes of size one may be left over."""
        shape = self.plan.shape
        have = value.shape
        extra = len(have) - len(shape)
        if extra > 0 and have[:extra] == (1,) * extra:
            value = movement.reshape(value, shape=have[extra:])
        try:
            return value if value.shape == shape else movement.broadcast_to(value, shape=shape)
        except ValueError:
            raise ValueError(at_user_line(f"could not broadcast input array from shape {have} into shape {shape}")) from None

    def _written(self, value, scatter: Callable, write_block: Callable):
        """x after writing: into the slice through index arrays or traced starts, then the slice into x."""
        p = self.plan
        update = _unplace(p, self._spread(value))
        if p.arrays:
            update = scatter(p.slice(self.array), update, *p.arrays, axes=p.array_axes, mode="raise")
        elif p.blocks:
            update = write_block(p.slice(self.array), update, *_starts(p))
        elif write_block is dynamic_slice_add:
            return movement.slice_add(self.array, self._unreversed(update), start=p.start, step=p.step)
        return slice_update(self.array, self._unreversed(update), start=p.start, step=p.step)

    def _unreversed(self, part):
        return movement.reverse(part, axes=self.plan.reversed) if self.plan.reversed else part

    def _computed(self, op: Callable, value):
        if self.plan.arrays and not self.addresses_once():
            raise TypeError(at_user_line(f"x.at[index].{op.name} with index arrays needs known indices that address no element twice"))
        result = op(self.get(), self._same_kind(value))
        return self._written(result, scatter_set, dynamic_update_slice)

    def _extremum(self, scatter: Callable, op: Callable, value):
        value = self._same_kind(value)
        if self.plan.arrays:
            return self._written(value, scatter, dynamic_update_slice)
        return self._written(op(self.get(), value, tie=0.5), scatter_set, dynamic_update_slice)

    def addresses_once(self) -> bool:
        """Whether the index arrays are known and no two of their positions are equal."""
        arrays = self.plan.arrays
        if any(type(a) is Tracer for a in arrays):
            return False
        head = tuple(self.array.shape[d] for d in self.plan.array_axes)
        flat = np.ravel_multi_index(tuple(a % n for a, n in zip(np.broadcast_arrays(*arrays), head)), head).ravel()
        return np.unique(flat).size == flat.size
