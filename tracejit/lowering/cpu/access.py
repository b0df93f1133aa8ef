"""Elements of arrays between memory and registers, for each dtype.

A bool is a byte in memory and an i1 in registers; a complex number is two adjacent floats and a pair of vectors.  `access(e, dtype)` gives an object
with the reads and writes of `e.lanes` elements, and `Cell` is a variable of a loop.
"""

from __future__ import annotations

import numpy as np

from ...ir.types import BOOL
from . import scalar
from .complex import ComplexValue, part_dtype
from .emit import Emitter, Function, Value


def memory_kind(dtype: np.dtype) -> str:
    """The LLVM type of an element in memory."""
    if dtype.kind == "c":
        part = memory_kind(part_dtype(dtype))
        return f"{{{part}, {part}}}"
    return "i8" if dtype == BOOL else scalar.kind_of(dtype)


class _Access:
    """Of numbers that are one value in registers. Without a mask all lanes are read or written; lanes outside of the mask touch no memory."""

    def __init__(self, e: Emitter, dtype: np.dtype):
        self.e, self.kind, self.align = e, memory_kind(dtype), dtype.itemsize
        self.zero = Value("0" if self.kind.startswith("i") else "0.0", self.kind)

    def address(self, pointer: Value, index: Value) -> Value:
        return self.e.gep(pointer, self.kind, index)

    def load(self, at: Value, mask: Value | None = None):
        """Adjacent elements."""
        return self.e.load(at, self.kind, self.align) if mask is None else self.e.masked_load(at, self.kind, self.align, mask, self.zero)

    def gather(self, at: Value, mask: Value | None = None):
        """An element from each of a vector of addresses."""
        return self.e.gather(at, self.kind, self.align, self.e.const("i1", 1) if mask is None else mask, self.zero)

    def store(self, value, at: Value, mask: Value | None = None) -> None:
        if mask is None:
            self.e.store(value, at, self.align)
        else:
            self.e.masked_store(value, at, self.align, mask)

    def scatter(self, value, at: Value, mask: Value | None = None) -> None:
        self.e.scatter(value, at, self.align, self.e.const("i1", 1) if mask is None else mask)


class _BoolAccess(_Access):
    def load(self, at, mask=None):
        return self.e.icmp("ne", super().load(at, mask), self.zero)

    def gather(self, at, mask=None):
        return self.e.icmp("ne", super().gather(at, mask), self.zero)

    def store(self, value, at, mask=None):
        super().store(self.e.zext(value, "i8"), at, mask)

    def scatter(self, value, at, mask=None):
        super().scatter(self.e.zext(value, "i8"), at, mask)


class _ComplexAccess:
    """Adjacent elements are read as one vector of twice the lanes, of which the even ones are real parts; scattered ones part by part."""

    def __init__(self, e: Emitter, dtype: np.dtype):
        self.e, self.kind = e, memory_kind(dtype)
        self.part = _Access(e, part_dtype(dtype))
        self.both = _Access(Emitter(e.function, 2 * e.lanes), part_dtype(dtype))

    def address(self, pointer, index):
        return self.e.gep(pointer, self.kind, index)

    def _imaginary(self, at: Value) -> Value:
        return self.e.gep(at, self.part.kind, Value("1", "i64"))

    def _twice(self, mask: Value) -> Value:
        return self.e.shuffle(self.e.splat(mask), [lane // 2 for lane in range(2 * self.e.lanes)])

    def load(self, at, mask=None):
        n = self.e.lanes
        if n == 1:
            return ComplexValue(self.part.load(at, mask), self.part.load(self._imaginary(at), mask))
        pairs = self.both.load(at, None if mask is None else self._twice(mask))
        return ComplexValue(self.e.shuffle(pairs, range(0, 2 * n, 2)), self.e.shuffle(pairs, range(1, 2 * n, 2)))

    def gather(self, at, mask=None):
        return ComplexValue(self.part.gather(at, mask), self.part.gather(self._imaginary(at), mask))

    def store(self, value, at, mask=None):
        if self.e.lanes == 1:
            self.part.store(value.re, at, mask)
            self.part.store(value.im, self._imaginary(at), mask)
        else:
            self.both.store(self.e.interleave(value.re, value.im), at, None if mask is None else self._twice(mask))

    def scatter(self, value, at, mask=None):
        self.part.scatter(value.re, at, mask)
        self.part.scatter(value.im, self._imaginary(at), mask)


def access(e: Emitter, dtype: np.dtype) -> _Access | _ComplexAccess:
    """The reads and writes of elements of a dtype, `e.lanes` at a time."""
    return (_ComplexAccess if dtype.kind == "c" else _BoolAccess if dtype == BOOL else _Access)(e, dtype)


class Cell:
    """A variable on the stack with a value for each lane, which LLVM keeps in registers."""

    def __init__(self, e: Emitter, dtype: np.dtype, value):
        self.kind = scalar.kind_of(part_dtype(dtype))
        self.places = [_place(e.function, self.kind, e.lanes) for _ in range(2 if dtype.kind == "c" else 1)]
        self.set(e, value)

    def get(self, e: Emitter):
        parts = [e.load(place, self.kind, 64) for place in self.places]
        return ComplexValue(*parts) if len(parts) == 2 else parts[0]

    def set(self, e: Emitter, value) -> None:
        for part, place in zip(value if isinstance(value, ComplexValue) else (value,), self.places):
            e.store(part, place, 64)


def _place(f: Function, kind: str, lanes: int) -> Value:
    return f.alloca(f"<{lanes} x {kind}>" if lanes > 1 else kind, 1)
