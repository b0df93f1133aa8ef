"""Distances, convolutions, filters: plain SciPy calls in traced functions give SciPy's values, and derivatives."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from scipy.ndimage import gaussian_filter
from scipy.spatial import distance

import tracejit as tj

rng = np.random.default_rng(0)
X, LINE, KERNEL = rng.standard_normal((6, 5)), rng.standard_normal(12), rng.standard_normal((3, 2))
POINTS = rng.standard_normal((4, 3))

CASES = {
    **{f"cdist {m}": lambda x, m=m: distance.cdist(x, POINTS[:, :5] if x.shape[1] == 3 else rng_points(x), m) for m in ("euclidean", "sqeuclidean",
       "cityblock", "chebyshev", "cosine", "correlation", "braycurtis")},
    "minkowski": lambda x: distance.cdist(x, rng_points(x), "minkowski", p=3),
    "pdist": lambda x: distance.squareform(distance.pdist(x)),
    "squareform": lambda x: distance.squareform(x[:5] @ x[:5].T, checks=False),
    **{f"{name} {mode}": lambda x, name=name, mode=mode: getattr(scipy.signal, name)(x, KERNEL, mode)
       for name in ("convolve", "correlate", "fftconvolve") for mode in ("full", "same", "valid")},
    "longer kernel": lambda x: scipy.signal.convolve(x[0], LINE, "same") + scipy.signal.convolve(x[0], LINE, "valid")[0],
    "by transforms": lambda x: scipy.signal.convolve(x, np.cos(np.arange(72.0)).reshape(9, 8), method="fft"),
    "lfilter": lambda x: scipy.signal.lfilter([0.1, 0.2, 0.3], [2.0, -0.5], x),
    "lfilter axis": lambda x: scipy.signal.lfilter([0.1], [1.0, -0.5, 0.2], x, axis=0),
    "lfilter state": lambda x: scipy.signal.lfilter([0.1, 1.0], [1.0, -0.5], x, zi=np.ones((6, 1))),
    **{f"correlate {mode}": lambda x, mode=mode: scipy.ndimage.correlate(x, KERNEL, mode=mode)
       for mode in ("reflect", "constant", "nearest", "mirror", "wrap")},
    "convolve": lambda x: scipy.ndimage.convolve(x, KERNEL, cval=1.0, mode="constant") + scipy.ndimage.convolve(x, KERNEL[:2], origin=-1),
    "one axis": lambda x: scipy.ndimage.convolve1d(x, [1.0, 2.0, 4.0, 8.0], axis=0) + scipy.ndimage.correlate1d(x, [1.0, 3.0], origin=-1),
    "gaussian": lambda x: gaussian_filter(x, 0.8) + scipy.ndimage.gaussian_filter(x, (0.5, 1.0), order=(1, 0), mode="wrap"),
    "gaussian1d": lambda x: scipy.ndimage.gaussian_filter1d(x, 0.7, order=2),
    "uniform": lambda x: scipy.ndimage.uniform_filter(x, 3) + scipy.ndimage.uniform_filter1d(x, 2, axis=0),
    "laplace": lambda x: scipy.ndimage.laplace(x, mode="wrap") + scipy.ndimage.sobel(x) + scipy.ndimage.prewitt(x, axis=0),
}  # fmt: skip


def rng_points(x):
    return np.cos(np.arange(2.0 * x.shape[1])).reshape(2, -1)


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name):
    f = CASES[name]
    expected = f(X)
    found = tj.jit(f)(X)
    for a, b in zip(tj.tree.leaves(found), tj.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)
    tj.check_grads(f, (X,), order=1)


def test_dtypes():
    x = X.astype(np.float32)
    for f in (lambda x: scipy.ndimage.laplace(x), lambda x: gaussian_filter(x, 1.0), lambda x: scipy.signal.fftconvolve(x, x)):
        assert tj.jit(f)(x).dtype == f(x).dtype == np.float32
        np.testing.assert_allclose(tj.jit(f)(x), f(x), rtol=1e-4, atol=1e-5)


def test_derivative_in_the_width_of_a_filter():
    f = lambda s: np.sum(gaussian_filter(X, s) ** 2)
    np.testing.assert_allclose(tj.grad(f)(1.1), (f(1.1 + 1e-6) - f(1.1 - 1e-6)) / 2e-6, rtol=1e-6)


def test_what_has_no_traced_form():
    with pytest.raises(TypeError, match="metric 'jaccard' has no traced form"):
        tj.jit(lambda x: distance.cdist(x, x, "jaccard"))(X)
    with pytest.raises(TypeError, match="output"):
        tj.jit(lambda x: scipy.ndimage.laplace(x, output=np.zeros((6, 5))))(X)
