"""Scalar expressions: what one element of an array is, as a function of where it is.

Expressions are interned: equal expressions are one object, so sharing needs no search, and the printer computes each once.  `Expressions` is the `k`
that an op's `lower` rule gets; `Reader` is what it gets for each input.  Fusing is composing: a reader of a value that is not stored gives that
value's own expression.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..ir import ArrayType
from ..ir.types import BOOL, INT
from . import index as ix
from .index import Computed, Counter, Index


class Buffer:
    """Memory for one array, C-ordered. `role`: input, output, temporary or constant."""

    __slots__ = ("type", "role", "label")

    def __init__(self, type_: ArrayType, role: str, label: str = ""):
        self.type, self.role, self.label = type_, role, label

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    def __repr__(self) -> str:
        return f"<{self.role} {self.label}{self.type}>"


class Expression:
    """One scalar value. `op` is one of

    const     data: a NumPy scalar's bytes, with its dtype
    load      data: (buffer, index)
    index     data: an `Index`, as an integer or float
    apply     data: the name of an elementwise function of `args`
    convert   `args[0]` in another dtype
    guard     data: tests on indices; `args[0]` where all hold (it is not read elsewhere), `args[1]` where not
    checked   data: the extent; `args[0]` as a position: negative ones count from the end, and what is still outside is reported
    """

    __slots__ = ("op", "dtype", "args", "data", "counters", "serial", "__weakref__")

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(str, (self.data, *self.args)))})"


Test = tuple[str, Index, int]  # ("ge", i, n): i >= n; ("lt", i, n): i < n; ("divisible", i, n): i % n == 0

_interned: weakref.WeakValueDictionary[tuple, Expression] = weakref.WeakValueDictionary()
_count = iter(range(1 << 62))
_COMPARISONS = {
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "logical_not",
    "isnan",
    "isinf",
    "isfinite",
    "signbit",
}


_PARTS = {"absolute", "real", "imag"}


def _result_dtype(name: str, args: tuple[Expression, ...]) -> np.dtype:
    """The dtype of an elementwise function's result."""
    dtype = args[1].dtype if name == "select" else args[0].dtype
    if name in _COMPARISONS:
        return BOOL
    if name in _PARTS and dtype.kind == "c":
        return np.dtype(f"f{dtype.itemsize // 2}")
    return np.dtype(f"c{2 * dtype.itemsize}") if name == "make_complex" else dtype


def make(op: str, dtype: np.dtype, args: tuple[Expression, ...] = (), data: Any = None) -> Expression:
    key = (op, dtype, data, *map(id, args))
    found = _interned.get(key)
    if found is None:
        found = Expression()
        found.op, found.dtype, found.args, found.data = op, dtype, args, data
        found.counters = frozenset().union(*[a.counters for a in args], _own_counters(op, data))
        found.serial = next(_count)
        _interned[key] = found
    return found


def _own_counters(op: str, data: Any) -> set[Counter]:
    if op == "index":
        return data.counters()
    if op == "load":
        return set().union(*[i.counters() for i in data[1]])
    if op == "guard":
        return set().union(*[i.counters() for _, i, _ in data])
    return set()


def load(buffer: Buffer, index: tuple[Index, ...]) -> Expression:
    return make("load", buffer.type.dtype, (), (buffer, index))


def constant(value: Any, dtype: np.dtype) -> Expression:
    return make("const", dtype, (), np.asarray(value, dtype).tobytes())


class Reader:
    """An input of a `lower` rule: `x[index]` is its element there."""

    __slots__ = ("shape", "dtype", "_at")

    def __init__(self, type_: ArrayType, at: Callable[[tuple[Index, ...]], Expression]):
        self.shape, self.dtype, self._at = type_.shape, type_.dtype, at

    def __getitem__(self, index: tuple[Index, ...]) -> Expression:
        return self._at(tuple(Index(constant=i) if isinstance(i, int) else i for i in index))

    def broadcast(self, index: tuple[Index, ...]) -> Expression:
        """The element that stands at `index` of an array that this one is broadcast to."""
        own = index[len(index) - len(self.shape) :]
        return self[tuple(Index() if n == 1 else i for n, i in zip(self.shape, own))]

    def gather(self, positions: tuple[Index | int | Expression, ...]) -> Expression:
        """The element at positions some of which the program computes: those are checked as NumPy checks an index."""
        return self[settled(positions, self.shape)]


def settled(positions: tuple[Index | int | Expression, ...], shape: tuple[int, ...]) -> tuple[Index, ...]:
    """Positions in an array of `shape` as indices; a computed one becomes a checked atom."""
    result = []
    for p, n in zip(positions, shape):
        if isinstance(p, Expression):
            p = Index(((Computed(make("checked", INT, (p,), n), max(n - 1, 0)), 1),))
        result.append(Index(constant=p) if isinstance(p, int) else p)
    return tuple(result)


class Expressions:
    """The vocabulary of `lower` rules."""

    load = staticmethod(load)
    constant = staticmethod(constant)
    reindex = staticmethod(ix.reindex)

    @staticmethod
    def apply(name: str, *args: Expression) -> Expression:
        """An elementwise function by its op's name."""
        return make("apply", _result_dtype(name, args), args, name)

    @staticmethod
    def convert(x: Expression, dtype: np.dtype) -> Expression:
        return x if x.dtype == dtype else make("convert", dtype, (x,))

    @staticmethod
    def index_value(index: Index, dtype: np.dtype) -> Expression:
        """The index itself as a number."""
        value = make("index", INT, (), index if isinstance(index, Index) else Index(constant=index))
        return value if dtype == INT else make("convert", dtype, (value,))

    @staticmethod
    def checked(position: Expression, n: int, dtype: np.dtype) -> Expression:
        """A computed position among n as a number, checked as NumPy checks an index."""
        return Expressions.index_value(settled((position,), (n,))[0], dtype)

    @staticmethod
    def index_at_least(index: Index, bound: int) -> Test:
        return "ge", index, bound

    @staticmethod
    def index_less(index: Index, bound: int) -> Test:
        return "lt", index, bound

    @staticmethod
    def index_divisible(index: Index, divisor: int) -> Test:
        return "divisible", index, divisor

    @staticmethod
    def guard(tests: list[Test], inside: Callable[[], Expression], outside: Expression) -> Expression:
        """`inside()` where all tests hold, else `outside`. Tests that the ranges of the counters decide vanish."""
        open_ = []
        for test in tests:
            holds = decided(test)
            if holds is False:
                return outside
            if holds is None:
                open_.append(test)
        return make("guard", outside.dtype, (inside(), outside), tuple(open_)) if open_ else inside()


def decided(test: Test) -> bool | None:
    """The outcome of a test where the ranges of the counters settle it."""
    kind, index, n = test
    if kind == "divisible":
        rest = index % n
        return None if rest.terms else rest.constant == 0
    always, never = (index.low >= n, index.high < n) if kind == "ge" else (index.high < n, index.low >= n)
    return True if always else False if never else None


def substitute(expression: Expression, counters: dict[Counter, Counter], memo: dict[Expression, Expression] | None = None) -> Expression:
    """The expression in other loop counters."""
    memo = {} if memo is None else memo

    def walk(e: Expression) -> Expression:
        if not any(c in counters for c in e.counters):
            return e
        found = memo.get(e)
        if found is None:
            data = e.data
            if e.op == "index":
                data = data.substitute(counters, walk)
            elif e.op == "load":
                data = (data[0], tuple(i.substitute(counters, walk) for i in data[1]))
            elif e.op == "guard":
                data = tuple((kind, i.substitute(counters, walk), n) for kind, i, n in data)
            found = memo[e] = make(e.op, e.dtype, tuple(map(walk, e.args)), data)
        return found

    return walk(expression)


def children(e: Expression) -> Iterator[Expression]:
    """Everything that an expression is computed from: its arguments, and the expressions inside its indices."""
    yield from e.args
    indices = e.data[1] if e.op == "load" else (e.data,) if e.op == "index" else [i for _, i, _ in e.data] if e.op == "guard" else ()
    for i in indices:
        for atom in i.computed():
            yield atom.expression


def operations(expression: Expression) -> Iterator[Expression]:
    """The distinct expressions in one, itself among them, in a fixed order."""
    seen: set[Expression] = set()
    stack = [expression]
    while stack:
        e = stack.pop()
        if e not in seen:
            seen.add(e)
            yield e
            stack.extend(children(e))


def loads(expression: Expression) -> list[Expression]:
    """The distinct loads in an expression, in a fixed order."""
    return [e for e in operations(expression) if e.op == "load"]


def tests(expression: Expression) -> set[Test]:
    """The tests of all guards in an expression."""
    return {test for e in operations(expression) if e.op == "guard" for test in e.data}


def size(expression: Expression) -> int:
    """How many distinct operations it takes."""
    return sum(1 for _ in operations(expression))
