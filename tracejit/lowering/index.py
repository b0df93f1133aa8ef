"""Positions in an array as expressions of loop counters.

An `Index` is a sum of atoms with whole coefficients and a constant.  An atom is a loop counter, a quotient or remainder of an index that does not
simplify, or an integer that the program computes (`Computed`).  Broadcasting, transposing, slicing and reversing keep indices affine; a reshape that
splits or joins axes does too wherever the sizes divide, because every atom
knows its range.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

_serial = itertools.count()


class Counter:
    """The counter of a loop: 0 .. extent-1. Compared by identity."""

    __slots__ = ("extent", "serial")

    def __init__(self, extent: int):
        self.extent, self.serial = extent, next(_serial)

    @property
    def low(self) -> int:
        return 0

    @property
    def high(self) -> int:
        return max(self.extent - 1, 0)

    def __repr__(self) -> str:
        return f"i{self.serial}<{self.extent}>"


@dataclass(frozen=True, slots=True)
class Quotient:
    """`index // divisor`, rounded down."""

    index: Index
    divisor: int

    @property
    def low(self) -> int:
        return self.index.low // self.divisor

    @property
    def high(self) -> int:
        return self.index.high // self.divisor


@dataclass(frozen=True, slots=True)
class Remainder:
    """`index % divisor`, never negative."""

    index: Index
    divisor: int

    @property
    def low(self) -> int:
        return 0

    @property
    def high(self) -> int:
        return self.divisor - 1


@dataclass(frozen=True, slots=True)
class Computed:
    """An integer element of an array, already checked to lie in 0 .. high."""

    expression: object
    high: int

    @property
    def low(self) -> int:
        return 0


Atom = Counter | Quotient | Remainder | Computed


class Index(NamedTuple):
    """constant + sum of coefficient * atom. Terms are in a fixed order, without zero coefficients, so equal indices are equal tuples."""

    terms: tuple[tuple[Atom, int], ...] = ()
    constant: int = 0

    @property
    def low(self) -> int:
        return self.constant + sum(c * (a.low if c > 0 else a.high) for a, c in self.terms)

    @property
    def high(self) -> int:
        return self.constant + sum(c * (a.high if c > 0 else a.low) for a, c in self.terms)

    def coefficient(self, atom: Atom) -> int:
        return next((c for a, c in self.terms if a is atom or a == atom), 0)

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.terms, self.constant + other)
        if not self.terms:
            return Index(other.terms, other.constant + self.constant)
        if not other.terms:
            return Index(self.terms, self.constant + other.constant)
        total: dict[Atom, int] = dict(self.terms)
        for atom, c in other.terms:
            total[atom] = total.get(atom, 0) + c
        return _sum(total, self.constant + other.constant)

    __radd__ = __add__

    def __mul__(self, factor: int) -> Index:
        return Index(tuple((a, c * factor) for a, c in self.terms) if factor else (), self.constant * factor)

    __rmul__ = __mul__

    def __sub__(self, other: Index | int) -> Index:
        return self + (-other if isinstance(other, int) else other * -1)

    def __rsub__(self, other: int) -> Index:
        return self * -1 + other

    def _split(self, divisor: int) -> tuple[Index, Index]:
        """self = divisor * whole + rest, with every multiple taken out of the rest."""
        whole = Index(tuple((a, c // divisor) for a, c in self.terms if c % divisor == 0), self.constant // divisor)
        rest = Index(tuple((a, c) for a, c in self.terms if c % divisor), self.constant % divisor)
        return whole, rest

    def __floordiv__(self, divisor: int) -> Index:
        if divisor == 1:
            return self
        whole, rest = self._split(divisor)
        if rest.low // divisor == rest.high // divisor:
            return whole + rest.low // divisor
        if len(rest.terms) == 1 and not rest.constant:
            atom, c = rest.terms[0]
            if c == 1 and isinstance(atom, Quotient):  # i // 4 // 3 is i // 12
                return whole + atom.index // (atom.divisor * divisor)
        return whole + Index(((Quotient(rest, divisor), 1),))

    def __mod__(self, divisor: int) -> Index:
        if divisor == 1:
            return Index()
        _, rest = self._split(divisor)
        if rest.low // divisor == rest.high // divisor:
            return rest - rest.low // divisor * divisor
        return Index(((Remainder(rest, divisor), 1),))

    def substitute(self, counters: dict[Counter, Counter], expression=None) -> Index:
        """The index with other loop counters; `expression` maps the expressions inside computed atoms."""
        total: dict[Atom, int] = {}
        for atom, c in self.terms:
            if isinstance(atom, Counter):
                atom = counters.get(atom, atom)
            elif isinstance(atom, Computed):
                atom = Computed(expression(atom.expression), atom.high)
            else:
                atom = type(atom)(atom.index.substitute(counters, expression), atom.divisor)
            total[atom] = total.get(atom, 0) + c
        return _sum(total, self.constant)

    def counters(self) -> set[Counter]:
        """Every loop counter that the index depends on, those inside computed atoms too."""
        found: set[Counter] = set()
        for atom, _ in self.terms:
            if isinstance(atom, Counter):
                found.add(atom)
            elif isinstance(atom, Computed):
                found |= atom.expression.counters
            else:
                found |= atom.index.counters()
        return found

    def computed(self) -> list[Computed]:
        """The computed atoms, those inside quotients too."""
        found = []
        for atom, _ in self.terms:
            if isinstance(atom, Computed):
                found.append(atom)
            elif not isinstance(atom, Counter):
                found += atom.index.computed()
        return found


def _sum(total: dict[Atom, int], constant: int) -> Index:
    """The index with these coefficients, in order."""
    if any(isinstance(a, Remainder) for a in total):
        for (rest, c), (whole, k) in itertools.permutations(total.items(), 2):
            if c and isinstance(rest, Remainder) and isinstance(whole, Quotient) and _completes(whole, k, rest, c):
                return Index(tuple((a, n) for a, n in total.items() if a is not rest and a is not whole), constant) + rest.index * c
    return Index(tuple(sorted(((a, c) for a, c in total.items() if c), key=lambda term: _place(term[0]))), constant)


def _completes(whole: Quotient, k: int, rest: Remainder, c: int) -> bool:
    """Whether k * whole + c * rest is c times the index that `rest` is a remainder of, as 4 (i // 4) + i % 4 is i."""
    n = rest.divisor
    return k == c * n and whole.divisor % n == 0 and whole.index // (whole.divisor // n) == rest.index


def _place(atom: Atom) -> tuple:
    """Where an atom stands among others: by age, so that the order is the same in every run of a program."""
    if isinstance(atom, Counter):
        return 0, atom.serial
    if isinstance(atom, Computed):
        return 1, atom.expression.serial
    return 2, type(atom) is Remainder, atom.divisor, tuple((*_place(a), c) for a, c in atom.index.terms), atom.index.constant


def of(counter: Counter) -> Index:
    """The counter as an index: the constant 0 where the loop turns once."""
    return Index() if counter.extent == 1 else Index(((counter, 1),))


def strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Element strides of a C-ordered array."""
    result, step = [], 1
    for n in reversed(shape):
        result.append(step)
        step *= n
    return tuple(reversed(result))


def flatten(index: tuple[Index, ...], shape: tuple[int, ...]) -> Index:
    """The position in memory of the element at `index` of a C-ordered array."""
    flat = Index()
    for i, n, step in zip(index, shape, strides(shape)):
        if n != 1:
            flat = flat + i * step
    return flat


def reindex(index: tuple[Index, ...], shape: tuple[int, ...], source: tuple[int, ...]) -> tuple[Index, ...]:
    """Where the element at `index` of an array reshaped to `shape` was in the array of shape `source`.

    >>> i = of(Counter(12))
    >>> reindex((i,), (12,), (12, 1)) == (i, Index())
    True
    """
    flat = flatten(index, shape)
    result = []
    for d, (n, step) in enumerate(zip(source, strides(source))):
        if n <= 1 or step == 0:  # one element, or an empty array, of which no element is ever read
            result.append(Index())
        else:
            at = flat // step
            # The leading axis needs no remainder: a flat position never passes the end.
            result.append(at if all(m == 1 for m in source[:d]) else at % n)
    return tuple(result)
