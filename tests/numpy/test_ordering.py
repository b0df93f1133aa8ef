"""Sorting, searching and quantiles by every method, with and without NaN and weights."""

import numpy as np
import pytest

import tracejit as tj
import tracejit.numpy
from tracejit.numpy.quantiles import _METHODS

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 5))
HOLES = np.where(RNG.random(X.shape) < 0.3, np.nan, X)
HOLES[0, 0] = np.nan
WEIGHTS = RNG.random(X.shape)


@pytest.mark.parametrize("method", _METHODS)
def test_quantile_methods(agrees, method):
    for x in (X, X.astype("f4"), (X * 5).astype(int), HOLES):
        agrees(lambda v: np.quantile(v, 0.3, method=method), x)
        agrees(lambda v: np.quantile(v, [0.0, 0.25, 0.5, 1], axis=1, method=method), x)
        agrees(lambda v: np.quantile(v, [0.1, 0.2], axis=(0, 2), method=method, keepdims=True), x)
        agrees(lambda v: np.nanquantile(v, [0.1, 0.5], axis=1, method=method, keepdims=True), x)
        agrees(lambda v: np.nanquantile(v, 0.1, method=method), x)
    agrees(lambda v, q: np.quantile(v, q, method=method), X, np.float64(0.3))
    agrees(lambda v, q: np.quantile(v, q, axis=1, method=method), X, np.array([0.3, 0.6]))


def test_percentiles_and_weights(agrees):
    agrees(lambda v: np.percentile(v, 30, axis=1), X)
    agrees(lambda v: np.percentile(v, [30, 50], axis=1), X)
    agrees(lambda v: np.percentile(v, 130), X)
    agrees(lambda v: np.nanpercentile(v, [30, 50], axis=1), HOLES)
    agrees(lambda v: np.quantile(v, 0.3, method="sometimes"), X)
    for w in (WEIGHTS, WEIGHTS[0, :, 0].copy()):
        agrees(lambda v, w: np.quantile(v, [0.3, 0.5], axis=1, weights=w, method="inverted_cdf"), X, w)
    agrees(lambda v, w: np.nanquantile(v, 0.3, axis=1, weights=w, method="inverted_cdf"), HOLES, WEIGHTS)
    agrees(lambda v, w: np.quantile(v, 0.3, weights=w), X, WEIGHTS)


def test_medians(agrees):
    for x in (X, HOLES, (X * 3).astype(int), X.astype("f4"), X > 0):
        agrees(np.median, x)
        agrees(np.nanmedian, x)
        agrees(lambda v: np.median(v, axis=0, keepdims=True), x)
        agrees(lambda v: np.nanmedian(v, axis=1), x)


def test_quantile_derivatives():
    tj.check_grads(lambda v: np.nanquantile(v, [0.3, 0.7], axis=1), (X,))
    tj.check_grads(lambda v: np.quantile(v, 0.3, method="hazen"), (X,))
    tj.check_grads(lambda v, q: np.quantile(v, q, axis=0), (X, 0.3))


def test_digitize(agrees):
    x = np.array([3.0, 1.0, 2.0, 5.0])
    for right in (False, True):
        for bins in ([1, 2.5, 3], [3, 2.5, 1], [2], []):
            agrees(lambda v, bins=bins, right=right: np.digitize(v, bins, right=right), x)
            agrees(lambda v, b, right=right: np.digitize(v, b, right=right), x, np.array(bins, float))
    agrees(lambda v: np.digitize(v, [1, 3, 2]), x)


def test_partial_and_several_orders(agrees):
    keys = RNG.integers(0, 3, (2, 6))
    agrees(np.lexsort, keys)
    agrees(lambda a, b: np.lexsort((a, b)), *keys)
    agrees(lambda a, b: np.lexsort((a, b), axis=0), keys, keys[::-1].copy())
    agrees(lambda v: np.partition(v, 2, axis=1)[:, 2], X)
    agrees(lambda v: np.partition(v, [1, 2], axis=None)[2], X)
    agrees(lambda v: np.partition(v, 77), X)
    agrees(lambda v: np.take_along_axis(v, np.argpartition(v, 2, axis=1), 1)[:, 2], X)
    for x in (keys[0].astype("i1"), X[0], X[0] + 1j):
        agrees(np.sort_complex, x)


def test_top_k():
    values, places = tj.jit(lambda v: tracejit.numpy.top_k(v, 2, axis=1))(X)
    np.testing.assert_array_equal(values, np.flip(np.sort(X, 1), 1)[:, :2])
    np.testing.assert_array_equal(np.take_along_axis(X, places, 1), values)
    tj.check_grads(lambda v: tracejit.numpy.top_k(v, 2, axis=0)[0], (X,))
    with pytest.raises(ValueError, match="top_k"):
        tracejit.numpy.top_k(X, 9)
