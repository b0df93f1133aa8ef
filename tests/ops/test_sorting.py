"""Sorting is stable and puts NaN last; searches are NumPy's."""
from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.ops import sorting
from tracejit.tools import check_grads

RNG = np.random.default_rng(0)


def test_argsort_is_stable_both_ways():
    x = np.array([2.0, 1.0, 2.0, np.nan, 1.0, np.nan])
    assert sorting.argsort(x, axis=0, descending=False).tolist() == [1, 4, 0, 2, 3, 5]
    assert sorting.argsort(x, axis=0, descending=True).tolist() == [3, 5, 0, 2, 1, 4]


def test_sort_of_negative_and_unsigned_integers_descending():
    for dtype in (np.uint8, np.int8):
        x = RNG.integers(0, 256, 50).astype(np.uint8).view(dtype)
        assert x[sorting.argsort(x, axis=0, descending=True)].tolist() == sorted(x.tolist(), reverse=True)


def test_sort_permutes_its_tangent():
    x = RNG.standard_normal((3, 7))
    for axis in (0, 1):
        check_grads(lambda x, axis=axis: sorting.sort(x, axis=axis) ** 2, (x,))


def test_top_k():
    x = np.array([[3.0, 1.0, 3.0, 2.0], [0.0, -1.0, 5.0, 5.0]])
    values, places = sorting.top_k(x, 3)
    assert values.tolist() == [[3, 3, 2], [5, 5, 0]] and places.tolist() == [[0, 2, 3], [2, 3, 0]]
    check_grads(lambda x: sorting.top_k(x, 2)[0] ** 2, (RNG.standard_normal((3, 5)),))
    for k, shape in ((5, (4,)), (-1, (4,)), (0, ())):
        with pytest.raises(ValueError, match="top_k"):
            sorting.top_k(np.zeros(shape), k)


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted(side):
    a, v = np.sort(RNG.integers(0, 9, 20)).astype(float), RNG.integers(-1, 11, (3, 4)).astype(float)
    np.testing.assert_array_equal(sorting.searchsorted(a, v, side=side), np.searchsorted(a, v, side))
    rows = np.sort(RNG.standard_normal((3, 5)))
    want = np.stack([np.searchsorted(r, w, side) for r, w in zip(rows, v)])
    np.testing.assert_array_equal(sorting.searchsorted(rows, v, side=side), want)
    np.testing.assert_array_equal(tj.vmap(lambda a, v: sorting.searchsorted(a, v, side=side))(rows, v), want)


def test_searchsorted_type_rule():
    with pytest.raises(ValueError, match="side must be"):
        tj.trace(lambda a: sorting.searchsorted(a, a, side="middle"))(np.zeros(3))
    with pytest.raises(ValueError, match="cannot search"):
        tj.trace(lambda a: sorting.searchsorted(a, a, side="left"))(0.0)
    with pytest.raises(TypeError, match="equal dtypes"):
        tj.trace(lambda a: sorting.searchsorted(a, np.zeros(2, np.float32), side="left"))(np.zeros(3))
