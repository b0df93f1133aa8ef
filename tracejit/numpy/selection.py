"""`x[mask]` where the mask's values are not known while tracing: the elements that it holds, however many these are.

    z[m] = z[m] ** 2 + c[m]
    total = x[x > 0].sum()

A `Selection` keeps the whole array and the mask.  Elementwise functions work on the whole, sums and extrema leave out what the mask does not hold,
and an assignment through the same mask takes each element to its place.  What needs the number of elements is refused: see `np.where`.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..errors import at_user_line
from ..trace import Tracer
from .masks import choose, places_of


class Selection(NDArrayOperatorsMixin):
    """The elements of `whole` where `mask`, which lies over its axes from `front` on, holds."""

    __slots__ = ("whole", "mask", "front")
    __array_priority__ = 2000.0
    __hash__ = None

    def __init__(self, whole: Any, mask: Any, front: int):
        self.whole, self.mask, self.front = whole, mask, front

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
        if method != "__call__":
            return self._refuse(f"np.{ufunc.__name__}.{method}")
        out = kwargs.pop("out", (None,))[0]
        whole = ufunc(*map(self._whole_of, inputs), **kwargs)
        if out is None:
            return Selection(whole, self.mask, self.front)
        if type(out) is not Selection or not np.can_cast(whole.dtype, out.dtype, "same_kind"):
            said = f"Cannot cast ufunc {ufunc.__name__!r} output from {whole.dtype!r} to {out.dtype!r} with casting rule 'same_kind'"
            raise TypeError(at_user_line(said))
        out.whole = whole.astype(out.dtype)
        return out

    def _whole_of(self, operand: Any):
        if type(operand) is Selection:
            if not self.same_places(operand.mask) or operand.front != self.front or operand.whole.ndim != self.whole.ndim:
                self._refuse("an operation on the elements of two masks")
            return operand.whole
        if np.ndim(operand) > self.whole.ndim - self.front - self.mask.ndim:
            self._refuse("an operation with an array that has as many rows as the mask has elements")
        return operand

    def astype(self, dtype, *args, **kwargs):
        """As `numpy.ndarray.astype`."""
        return Selection(self.whole.astype(dtype, *args, **kwargs), self.mask, self.front)

    def copy(self, order="C"):
        """As `numpy.ndarray.copy`."""
        return Selection(self.whole.copy(), self.mask, self.front)

    # -- over all elements
    def __array_function__(self, func, types, args, kwargs):
        method = _METHODS.get(func)
        extra = {name: value for name, value in kwargs.items() if value is not None and value is not np._NoValue}
        return self._refuse(f"np.{func.__name__}") if method is None else method(*args, **extra)

    def _over(self, axis) -> tuple[int, ...]:
        """The axes of the whole array to go over: all, or those that the mask lies over."""
        if axis is None:
            return tuple(range(self.whole.ndim))
        if axis != self.front and axis != self.front - self.ndim:
            self._refuse("a reduction over axes other than that of the elements")
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

    # -- what needs their number
    @property
    def shape(self):
        return self._refuse("the shape of x[mask]")

    def __len__(self) -> int:
        return self._refuse("len(x[mask])")

    def __getitem__(self, index):
        return self._refuse("an index of x[mask]")

    def __setitem__(self, index, value):
        self._refuse("an assignment into x[mask]")

    def __iter__(self):
        return self._refuse("iteration over x[mask]")

    def __array__(self, dtype=None, copy=None):
        return self._refuse("an array of x[mask]")

    def _refuse(self, what: str):
        raise TypeError(
            at_user_line(
                f"{what} depends on how many elements a traced mask holds, which is not known while it is traced: "
                f"use np.where(mask, x, other) on whole arrays"
            )
        )

    def rows(self):
        """The elements in order, then those that the mask does not hold: as many as there are places."""
        if self.front:
            self._refuse("a move from one mask to another")
        count = self.mask.size
        lines = np.reshape(self.whole, (count, *self.whole.shape[self.mask.ndim :]))
        held = np.reshape(self.mask, (count,))
        places = np.where(held, places_of(self.mask), np.sum(held) + places_of(~self.mask))
        return lines[np.argsort(places)]


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
    if selection.same_places(mask) and selection.front == front and selection.whole.shape == whole.shape:
        return np.where(selection.spread(), selection.whole.astype(whole.dtype), whole)
    return choose(whole, mask, selection.rows(), front)
