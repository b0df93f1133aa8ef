"""A choice that is already decided is as strict about its branches as one that is not."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj

X = np.arange(3.0)


def both(pred, f, g, *operands):
    """`cond` with a predicate that is known, and one that is not."""
    return tj.cond(pred, f, g, *operands), tj.jit(lambda p, *xs: tj.cond(p, f, g, *xs))(pred, *operands)


@pytest.mark.parametrize("pred", [True, False, np.True_, 0])
def test_dtypes_are_those_of_an_undecided_choice(pred):
    for f, g in [
        (lambda x: x, lambda x: x.astype(np.float32)), (lambda x: x.sum(), lambda x: 1), (lambda x: 1, lambda x: True),
        (lambda x: np.float32(1.0), lambda x: 1j), (lambda x: {"a": x, "b": 1}, lambda x: {"a": x * 1j, "b": 2.0}),
    ]:  # fmt: skip
        known, traced = both(bool(pred), f, g, X)
        for a, b in zip(tj.tree.leaves(known), tj.tree.leaves(traced), strict=True):
            np.testing.assert_array_equal(a, b)
            assert np.asarray(a).dtype == np.asarray(b).dtype


def test_what_is_right_stays_as_it_is():
    result = [X, 1.0, "text", None]
    assert tj.cond(True, lambda: result, lambda: [2.0]) is result  # decided outside of traces, about anything
    assert type(tj.cond(True, lambda x: 2 * x, lambda x: x, 1.5)) is float
    assert tj.cond(True, lambda x: x, lambda x: 2 * x, X) is X


@pytest.mark.parametrize("pred", [True, False])
@pytest.mark.parametrize("wrap", [lambda f: f, tj.jit, lambda f: tj.grad(lambda x: tj.tree.leaves(f(x))[0].sum())], ids=["plain", "jit", "grad"])
def test_branches_that_differ(pred, wrap):
    with pytest.raises(TypeError, match=r"test_branch_types.py:\d+.*different shapes"):
        wrap(lambda x: tj.cond(pred, lambda x: x, lambda x: x[:2], x))(X)
    with pytest.raises(TypeError, match="different structure"):
        wrap(lambda x: tj.cond(pred, lambda x: (x, x), lambda x: x, x))(X)
    with pytest.raises(TypeError, match=r"""different shapes at \["w"\]"""):
        wrap(lambda x: tj.switch(int(pred), [lambda x: {"w": x}, lambda x: {"w": x.sum()}, lambda x: {"w": x}], x))(X)


def test_branches_that_are_not_meant_for_these_operands():
    def factorial(n):
        return tj.cond(n == 0, lambda n: 1, lambda n: n * factorial(n - 1), n)

    assert factorial(5) == 120
    empty = []
    assert tj.cond(len(empty) > 0, lambda: empty[0], lambda: 2.0) == 2.0


def test_the_others_are_traced_once():
    traced = []

    def other(x):
        traced.append(1)
        return x

    for _ in range(3):
        tj.cond(True, lambda x: 2 * x, other, X)
    assert len(traced) == 1


def test_squares_of_booleans():
    for x in (np.True_, np.array([True, False]), X):
        for f in (lambda x: x**2, lambda x: (x > 0).any() ** 2, lambda x: (x > 0) ** 2, lambda x: x**3):
            assert np.asarray(tj.jit(f)(x)).dtype == np.asarray(f(x)).dtype
