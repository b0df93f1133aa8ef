"""Index algebra against brute force: an index means the same integer however it was simplified, and never leaves its range."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracejit.lowering import index as ix
from tracejit.lowering.index import Computed, Counter, Index, Quotient, Remainder

COUNTERS = [Counter(n) for n in (1, 2, 3, 5, 4)]


def value(index: Index, at: dict[Counter, int]) -> int:
    """What the index is when the counters have these values."""

    def of(atom) -> int:
        if isinstance(atom, Counter):
            return at[atom]
        inner = value(atom.index, at)
        return inner // atom.divisor if isinstance(atom, Quotient) else inner % atom.divisor

    return index.constant + sum(c * of(a) for a, c in index.terms)


def places(counters):
    for numbers in itertools.product(*[range(c.extent) for c in counters]):
        yield dict(zip(counters, numbers))


@st.composite
def expressions(draw, depth: int = 3):
    """An index, and a function that computes it with plain integers."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        counter = draw(st.sampled_from(COUNTERS))
        return ix.of(counter), lambda at: at[counter]
    kind = draw(st.sampled_from(["add", "constant", "scale", "subtract", "from", "divide", "rest"]))
    a, f = draw(expressions(depth - 1))
    n = draw(st.integers(1, 12))
    if kind == "add":
        b, g = draw(expressions(depth - 1))
        return a + b, lambda at: f(at) + g(at)
    if kind == "subtract":
        b, g = draw(expressions(depth - 1))
        return a - b, lambda at: f(at) - g(at)
    k = draw(st.integers(-6, 6))
    return {
        "constant": lambda: (a + k, lambda at: f(at) + k),
        "scale": lambda: (a * k, lambda at: f(at) * k),
        "from": lambda: (k - a, lambda at: k - f(at)),
        "divide": lambda: (a // n, lambda at: f(at) // n),
        "rest": lambda: (a % n, lambda at: f(at) % n),
    }[kind]()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(expressions(4))
def test_arithmetic(pair):
    index, f = pair
    for at in places(COUNTERS):
        got = value(index, at)
        assert got == f(at)
        assert index.low <= got <= index.high


@settings(max_examples=200, deadline=None, derandomize=True)
@given(expressions(), expressions())
def test_equal_sums_are_equal_objects(a, b):
    (x, _), (y, _) = a, b
    assert x + y == y + x and hash(x + y) == hash(y + x)
    assert x - x == Index() and x * 0 == Index() and (x + 3) - 3 == x and x * 2 == x + x
    assert all(c for _, c in (x + y).terms)  # no zero coefficients


@settings(max_examples=200, deadline=None, derandomize=True)
@given(expressions())
def test_other_counters(pair):
    index, f = pair
    other = {c: Counter(c.extent) for c in COUNTERS}
    renamed = index.substitute(other)
    assert renamed.counters() == {other[c] for c in index.counters()}
    for at in itertools.islice(places(COUNTERS), 40):
        assert value(renamed, {other[c]: n for c, n in at.items()}) == f(at)


def test_simplifications():
    i, j = Counter(4), Counter(3)
    a, b = ix.of(i), ix.of(j)
    flat = a * 3 + b
    assert flat // 3 == a and flat % 3 == b
    assert (flat * 4) // 12 == a and (a * 6) % 2 == Index()
    assert (b + 3) // 3 == Index(constant=1) and (b + 3) % 3 == b
    assert a // 4 == Index() and a % 4 == a
    assert (a - 4) // 4 == Index(constant=-1) and (a - 4) % 4 == a
    assert ix.of(Counter(1)) == Index()
    assert (a // 2).terms == ((Quotient(a, 2), 1),) and (a % 2).terms == ((Remainder(a, 2), 1),)


def shapes_of(size: int, most: int = 4):
    """All shapes with so many elements, with and without axes of size one."""
    found = {(size,)}
    for rank in range(2, most + 1):
        for shape in itertools.product([d for d in range(1, size + 1) if size % d == 0], repeat=rank):
            if math.prod(shape) == size:
                found.add(shape)
    return sorted(found)


@pytest.mark.parametrize("size", [1, 6, 12, 8])
def test_reshape_between_all_shapes(size):
    for shape, source in itertools.product(shapes_of(size), repeat=2):
        counters = [Counter(n) for n in shape]
        where = ix.reindex(tuple(map(ix.of, counters)), shape, source)
        table = np.arange(size).reshape(source)
        for at in places(counters):
            position = tuple(value(i, at) for i in where)
            assert table[position] == np.ravel_multi_index([at[c] for c in counters], shape)
        for i, n in zip(where, source):
            assert 0 <= i.low and i.high < max(n, 1)


def test_reshapes_that_split_or_join_stay_affine():
    for shape, source in [((12,), (3, 4)), ((3, 4), (12,)), ((2, 6), (2, 2, 3)), ((2, 2, 3), (4, 3)), ((4, 1, 3), (12,)), ((12, 1), (1, 12))]:
        counters = [Counter(n) for n in shape]
        where = ix.reindex(tuple(map(ix.of, counters)), shape, source)
        back = ix.flatten(where, source)
        assert all(isinstance(a, Counter) for a, _ in back.terms)


def test_a_reshape_and_back_is_nothing():
    for shape, middle in itertools.product(shapes_of(12, 3), repeat=2):
        counters = [Counter(n) for n in shape]
        index = tuple(map(ix.of, counters))
        assert ix.flatten(ix.reindex(index, shape, middle), middle) == ix.flatten(index, shape)


def test_strides_and_positions():
    assert ix.strides((2, 3, 4)) == (12, 4, 1) and ix.strides(()) == ()
    for shape in [(2, 3, 4), (5,), (1, 3), (3, 1, 2), ()]:
        counters = [Counter(n) for n in shape]
        flat = ix.flatten(tuple(map(ix.of, counters)), shape)
        for at in places(counters):
            assert value(flat, at) == (np.ravel_multi_index([at[c] for c in counters], shape) if shape else 0)


def test_computed_atoms_are_found():
    class Expression:
        counters, serial = frozenset([COUNTERS[1]]), 0

    computed = Computed(Expression, 9)
    index = Index(((computed, 2),), 1) // 3
    assert index.computed() == [computed] and index.counters() == {COUNTERS[1]}
    assert (computed.low, computed.high) == (0, 9)
