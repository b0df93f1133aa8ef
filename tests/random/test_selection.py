"""Permutations, choices and categories."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats as st

import tracejit as tj
from tracejit import random as r

KEY = r.key(21)
KEYS = r.split(KEY, 3000)


def fits(codes, probabilities) -> bool:
    found = np.bincount(codes, minlength=len(probabilities))
    expected = np.asarray(probabilities) * len(codes)
    return st.chi2.sf(((found - expected) ** 2 / expected).sum(), len(found) - 1) > 1e-3


def test_all_permutations_are_equally_likely():
    drawn = tj.jit(tj.vmap(lambda k: r.permutation(k, 4)))(KEYS)
    orders = list(itertools.permutations(range(4)))
    assert fits(np.array([orders.index(tuple(row)) for row in drawn.tolist()]), np.full(24, 1 / 24))


def test_permutations_of_arrays():
    x = np.arange(12.0).reshape(4, 3)
    rows, columns, each = r.permutation(KEY, x), r.permutation(KEY, x, 1), r.permutation(KEY, x, 1, independent=True)
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, x.tolist()))
    assert (np.sort(columns, 1) == x).all() and len(set((columns - x[:, :1]).astype(int).reshape(-1)[:3])) == 3
    assert (np.sort(each, 1) == x).all()
    np.testing.assert_array_equal(tj.jit(lambda k, x: r.permutation(k, x))(KEY, x), rows)
    g = tj.grad(lambda x: np.sum(r.permutation(KEY, x) * np.arange(4.0)[:, None]))(x)
    assert sorted(g[:, 0].tolist()) == [0, 1, 2, 3]
    assert r.permutation(KEY, 0).shape == (0,)


def test_choices():
    p = np.array([0.1, 0.0, 0.6, 0.3])
    draw = tj.jit(tj.vmap(lambda k: r.choice(k, 4, (), p=p)))
    codes = draw(KEYS)
    assert not (codes == 1).any() and fits(np.searchsorted([0, 2, 3], codes), p[p > 0])
    assert fits(r.choice(KEY, 5, (3000,)), np.full(5, 0.2))
    values = np.array([10.0, 20.0, 30.0])
    assert set(r.choice(KEY, values, (50,)).tolist()) == {10.0, 20.0, 30.0}
    assert r.choice(KEY, np.ones((4, 3)), (2,), axis=1).shape == (4, 2)
    np.testing.assert_array_equal(tj.jit(lambda k, a: r.choice(k, a, (7,)))(KEY, values), r.choice(KEY, values, (7,)))


def test_choices_without_replacement():
    assert sorted(r.choice(KEY, 6, (2, 3), replace=False).reshape(-1).tolist()) == list(range(6))
    p = np.array([0.5, 0.3, 0.2])
    pairs = tj.jit(tj.vmap(lambda k: r.choice(k, 3, (2,), replace=False, p=p)))(KEYS)
    orders = list(itertools.permutations(range(3), 2))
    expected = [p[i] * p[j] / (1 - p[i]) for i, j in orders]
    assert fits(np.array([orders.index(tuple(row)) for row in pairs.tolist()]), expected)


def test_categories():
    logits = np.log(np.array([0.2, 0.5, 0.3])) + 7
    assert fits(r.categorical(KEY, logits, shape=(3000,)), [0.2, 0.5, 0.3])
    many = r.categorical(KEY, np.stack([logits, -logits]), axis=1)
    assert many.shape == (2,) and many.dtype == np.int64
    assert r.categorical(KEY, np.stack([logits, logits], 1), axis=0, shape=(5, 2), dtype=np.int32).dtype == np.int32
    assert r.categorical(KEY, np.array([[-np.inf, 0.0], [0.0, -np.inf]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    "call, error, said",
    [
        (lambda: r.choice(KEY, 3, (4,), replace=False), ValueError, "4 of 3"),
        (lambda: r.choice(KEY, 0, (1,)), ValueError, "nothing"),
        (lambda: r.choice(KEY, 3, (1,), p=np.ones(2)), ValueError, "p has shape"),
        (lambda: r.permutation(KEY, 2.5), TypeError, "integer"),
        (lambda: r.permutation(KEY, np.ones(3), 1), ValueError, "axis 1"),
        (lambda: r.categorical(KEY, 1.0), ValueError, "axis"),
    ],
)  # fmt: skip
def test_errors(call, error, said):
    with pytest.raises(error, match=said) as raised:
        call()
    assert "test_selection.py" in str(raised.value)
