"""`x[mask]` where the mask's values are not known while tracing: the elements that it holds, however many these are.

    z[m] = z[m] ** 2 + c[m]
    total = x[x > 0].sum()

A `Selection` keeps the whole array and the mask.  Elementwise functions work on the whole, sums and extrema leave out what the mask does not hold,
and an assignment through the same mask takes each element to its place: however many elements there are, one compiled program does it.  What needs
their number (`len`, an index, a function that is not elementwise) asks for it, a guard under `jit`; from then on the selection is an array of
that many elements.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from .. import tree
from ..errors import at_user_line
from ..trace import Tracer
from .masks import choose, held, places_of
from .register import operator


class Selection(NDArrayOperatorsMixin):
    """The elements of `whole` where `mask`, which lies over its axes from `front` on, holds."""

    __slots__ = ("whole", "mask", "front", "_array")
    __array_priority__ = 2000.0
    __hash__ = None

    def __init__(self, whole: Any, mask: Any, front: int):
        self.whole, self.mask, self.front = whole, mask, front
        self._array = None

    def array(self, what: str = "the shape of x[mask]"):
        """The elements as an array of their number. Raises `TypeError` where that is not known."""
        if self._array is None:
            whole, mask = self.whole, self.mask
            behind = whole.shape[self.front + mask.ndim :]
            lines = np.reshape(whole, (*whole.shape[: self.front], mask.size, *behind))
            self._array = np.take(lines, held(mask, what), axis=self.front)
        return self._array

    @property
    def dtype(self) -> np.dtype:
        return self.whole.dtype

    @property
    def ndim(self) -> int:
        return self.whole.ndim - self.mask.ndim + 1

    @property
    def size(self):
        """The number of elements: a traced integer."""
        behind = self.whole.size // self.mask.size if self.mask.size else 0
        return np.sum(self.mask) * behind

    def __repr__(self) -> str:
        return f"<elements of {self.whole!r} where {self.mask!r}>"

    def spread(self):
        """The mask in the shape of the whole array."""
        back = self.whole.ndim - self.front - self.mask.ndim
        return np.broadcast_to(np.reshape(self.mask, (*self.mask.shape, *(1,) * back)), self.whole.shape)

    def same_places(self, mask: Any) -> bool:
        """Whether another mask is known to hold the same elements."""
        return type(mask) is Tracer and type(self.mask) is Tracer and mask.atom is self.mask.atom

    # -- elementwise
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        out = kwargs.pop("out", (None,))[0]
        if method != "__call__" or not all(map(self._fits, inputs)):
            result = getattr(ufunc, method)(*map(_array_of, inputs), **kwargs)
        else:
            result = Selection(ufunc(*[x.whole if type(x) is Selection else x for x in inputs], **kwargs), self.mask, self.front)
        if out is None:
            return result
        if type(out) is not Selection or not np.can_cast(result.dtype, out.dtype, "same_kind"):
            said = f"Cannot cast ufunc {ufunc.__name__!r} output from {result.dtype!r} to {out.dtype!r} with casting rule 'same_kind'"
            raise TypeError(at_user_line(said))
        result = result.astype(out.dtype)
        if type(result) is Selection:
            out.whole, out._array = result.whole, None
        else:
            out[...] = result
        return out

    def _fits(self, operand: Any) -> bool:
        """Whether an operation with the operand can be done on the whole array."""
        if type(operand) is Selection:
            same = self.same_places(operand.mask) and operand.front == self.front and operand.whole.ndim == self.whole.ndim
            return same and operand._array is None
        return np.ndim(operand) <= self.whole.ndim - self.front - self.mask.ndim

    def astype(self, dtype, *args, **kwargs):
        """As `numpy.ndarray.astype`."""
        if self._array is not None:
            return self._array.astype(dtype, *args, **kwargs)
        return Selection(self.whole.astype(dtype, *args, **kwargs), self.mask, self.front)

    def copy(self, order="C"):
        """As `numpy.ndarray.copy`."""
        return Selection(self.whole.copy(), self.mask, self.front) if self._array is None else self._array.copy()

    # -- over all elements
    def __array_function__(self, func, types, args, kwargs):
        method = _METHODS.get(func)
        extra = {name: value for name, value in kwargs.items() if value is not None and value is not np._NoValue}
        whole = self._array is None and args[0] is self and self._over(extra.get("axis")) is not None and not extra.keys() - {"axis"}
        if method is not None and whole:
            return method(*args, **extra)
        return func(*tree.map(_array_of, args, is_leaf=_is_selection), **tree.map(_array_of, kwargs, is_leaf=_is_selection))

    def _over(self, axis) -> tuple[int, ...] | None:
        """The axes of the whole array to go over: all, or those that the mask lies over; None where it is others."""
        if axis is None:
            return tuple(range(self.whole.ndim))
        if axis != self.front and axis != self.front - self.ndim:
            return None
        return tuple(range(self.front, self.front + self.mask.ndim))

    def _kept(self, otherwise):
        return np.where(self.spread(), self.whole, otherwise)

    def _count(self, axis):
        return self.size if axis is None else np.sum(self.mask)

    def sum(self, axis=None):
        """The sum; 0 of no elements."""
        return np.sum(self._kept(0), axis=self._over(axis))

    def prod(self, axis=None):
        """The product; 1 of no elements."""
        return np.prod(self._kept(1), axis=self._over(axis))

    def mean(self, axis=None):
        """The mean; NaN of no elements."""
        return self.sum(axis) / self._count(axis)

    def var(self, axis=None):
        """The variance; NaN of no elements."""
        mean = np.expand_dims(self.mean(axis), self._over(axis))
        squares = np.square(np.abs(self.whole - mean))
        return np.sum(np.where(self.spread(), squares, 0), axis=self._over(axis)) / self._count(axis)

    def std(self, axis=None):
        """The standard deviation; NaN of no elements."""
        return np.sqrt(self.var(axis))

    def any(self, axis=None):
        """Whether any is true."""
        return np.any(self._kept(0), axis=self._over(axis))

    def all(self, axis=None):
        """Whether all are true."""
        return np.all(self._kept(1), axis=self._over(axis))

    def max(self, axis=None):
        """The largest; the dtype's smallest of no elements, where NumPy would raise."""
        return np.max(self._kept(_end(self.dtype, -1)), axis=self._over(axis))

    def min(self, axis=None):
        """The smallest; the dtype's largest of no elements, where NumPy would raise."""
        return np.min(self._kept(_end(self.dtype, 1)), axis=self._over(axis))

    def rows(self):
        """The elements in order, then those that the mask does not hold: as many as there are places."""
        count = self.mask.size
        lines = np.reshape(self.whole, (count, *self.whole.shape[self.mask.ndim :]))
        taken = np.reshape(self.mask, (count,))
        places = np.where(taken, places_of(self.mask), np.sum(taken) + places_of(~self.mask))
        return lines[np.argsort(places)]

    # -- what needs their number
    @property
    def shape(self) -> tuple[int, ...]:
        return self.array().shape

    def __len__(self) -> int:
        return len(self.array("len(x[mask])"))

    def __getitem__(self, index):
        return self.array("an index of x[mask]")[index]

    def __setitem__(self, index, value):
        self.array("an assignment into x[mask]")[index] = _array_of(value)

    def __iter__(self):
        return iter(self.array("iteration over x[mask]"))

    def __array__(self, dtype=None, copy=None):
        return self.array("an array of x[mask]").__array__(dtype, copy)

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(f"elements of a traced array have no attribute {name!r}")
        return getattr(self.array(f"x[mask].{name}"), name)


def _is_selection(x: Any) -> bool:
    return type(x) is Selection


@operator("settled")
def _array_of(x: Any) -> Any:
    """Anything as it leaves a trace or goes into a function that needs its shape."""
    return x.array() if type(x) is Selection else x


def _end(dtype: np.dtype, sign: int):
    if dtype.kind == "b":
        return sign > 0
    return sign * np.inf if dtype.kind in "fc" else np.iinfo(dtype).max if sign > 0 else np.iinfo(dtype).min


_METHODS = {
    np.sum: Selection.sum, np.prod: Selection.prod, np.mean: Selection.mean, np.var: Selection.var, np.std: Selection.std, np.any: Selection.any,
    np.all: Selection.all, np.max: Selection.max, np.min: Selection.min, np.amax: Selection.max, np.amin: Selection.min,
    np.copy: Selection.copy, np.size: lambda x: x.size,
}  # fmt: skip


def write_selected(whole, mask, selection: Selection, front: int):
    """`whole` with the selected elements where the mask holds."""
    if selection._array is None and selection.same_places(mask) and selection.front == front and selection.whole.shape == whole.shape:
        return np.where(selection.spread(), selection.whole.astype(whole.dtype), whole)
    if selection._array is not None or selection.front:
        return choose(whole, mask, selection.array(), front)
    return choose(whole, mask, selection.rows(), front, first=True)
