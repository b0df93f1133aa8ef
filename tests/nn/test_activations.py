"""Activations: values over the whole range against mpmath, dtypes, and derivatives at kinks and at both ends, compiled and not."""
import mpmath
import numpy as np
import pytest

import tracejit as tj
from tracejit import nn

POINTS = [-1000.0, -88.5, -20.0, -3.0, -0.5, -1e-8, 0.0, 1e-8, 0.5, 3.0, 20.0, 88.5, 1000.0]
EXACT = {
    "relu": (nn.relu, lambda x: max(x, 0)),
    "leaky_relu": (nn.leaky_relu, lambda x: x if x > 0 else mpmath.mpf(0.01) * x),
    "elu": (lambda x: nn.elu(x, alpha=1.5), lambda x: x if x > 0 else 1.5 * mpmath.expm1(x)),
    "sigmoid": (nn.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x))),
    "silu": (nn.silu, lambda x: x / (1 + mpmath.exp(-x))),
    "softplus": (nn.softplus, lambda x: mpmath.log1p(mpmath.exp(x))),
    "gelu": (nn.gelu, lambda x: x * mpmath.ncdf(x)),
    "gelu_tanh": (lambda x: nn.gelu(x, approximate=True),
                  lambda x: x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf(0.044715) * x**3)))),
}
both_tiers = pytest.mark.parametrize("tier", [lambda f: f, tj.jit], ids=["plain", "jit"])


@both_tiers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", EXACT)
def test_values(name, dtype, tier):
    f, exact = EXACT[name]
    x = np.array(POINTS, dtype)
    with mpmath.workdps(500):
        expected = np.array([float(exact(mpmath.mpf(float(v)))) for v in x])
    actual = tier(f)(x)
    assert actual.dtype == dtype and actual.shape == x.shape
    tiny, eps = np.finfo(dtype).tiny, np.finfo(dtype).eps
    # gelu is a difference for negative inputs, so its error is relative to the input there.
    np.testing.assert_allclose(actual, expected, rtol=8 * eps, atol=4 * eps if "gelu" in name else 4 * tiny)


@both_tiers
@pytest.mark.parametrize("name", EXACT)
def test_derivatives_are_right_and_finite_everywhere(name, tier):
    f, exact = EXACT[name]
    x = np.array([v for v in POINTS if v != 0.0])
    with mpmath.workdps(500):
        first, second = ([float(mpmath.diff(exact, mpmath.mpf(v), n, h=mpmath.mpf(10) ** -100)) for v in x] for n in (1, 2))
    slope = lambda x: tj.grad(lambda x: np.sum(f(x)))(x)
    curvature = lambda x: tj.grad(lambda x: np.sum(slope(x)))(x)
    np.testing.assert_allclose(tier(slope)(x), first, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(tier(curvature)(x), second, rtol=1e-11, atol=1e-14)


@both_tiers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("f", "slope"), [
    (nn.relu, 0.0), (nn.leaky_relu, 0.01), (nn.elu, 1.0), (lambda x: nn.elu(x, alpha=0.5), 0.5), (nn.sigmoid, 0.25), (nn.silu, 0.5),
    (nn.softplus, 0.5), (nn.gelu, 0.5), (lambda x: nn.gelu(x, approximate=True), 0.5)])
def test_slope_at_zero(f, slope, dtype, tier):
    x = np.zeros(3, dtype)
    gradient = tier(tj.grad(lambda x: np.sum(f(x))))(x)
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient, np.full(3, slope, dtype), rtol=1e-6)
    np.testing.assert_allclose(tier(lambda x, t: tj.jvp(f, (x,), (t,))[1])(x, np.ones_like(x)), np.full(3, slope, dtype), rtol=1e-6)


@pytest.mark.parametrize("name", EXACT)
def test_not_a_number_stays(name):
    assert np.isnan(EXACT[name][0](np.array([np.nan]))).all()


@both_tiers
@pytest.mark.parametrize("axis", [-1, 0, (0, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_and_its_logarithm(axis, dtype, tier):
    x = (10 * np.random.default_rng(0).normal(size=(4, 5))).astype(dtype)
    wide = x.astype(np.longdouble)
    expected = np.exp(wide) / np.exp(wide).sum(axis, keepdims=True)
    p, log_p = tier(lambda x: nn.softmax(x, axis))(x), tier(lambda x: nn.log_softmax(x, axis))(x)
    assert p.dtype == log_p.dtype == dtype
    rtol = 32 * np.finfo(dtype).eps
    np.testing.assert_allclose(p, expected, rtol=rtol)
    np.testing.assert_allclose(log_p, np.log(expected), rtol=rtol, atol=rtol)


def test_softmax_of_extreme_rows():
    rows = np.array([[1e4, 1e4, -1e4], [-np.inf, 0.0, 0.0], [-np.inf, -np.inf, 7.0]])
    np.testing.assert_array_equal(nn.softmax(rows), [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    assert np.isfinite(nn.log_softmax(rows)[0]).all()
    with np.errstate(invalid="ignore"):
        assert np.isnan(nn.softmax(np.full(2, -np.inf))).all()


@both_tiers
def test_derivatives_of_softmax(tier):
    x = np.random.default_rng(1).normal(size=(2, 4))
    x[0, :2] = x[0].max()  # a tie: the shift by the maximum must leave no trace
    for f in (nn.softmax, nn.log_softmax):
        tj.check_grads(tier(f), (x,), order=2, modes=("fwd", "rev"))
    jacobian = tier(tj.jacrev(nn.softmax))(x[0])
    p = nn.softmax(x[0])
    np.testing.assert_allclose(jacobian, np.diag(p) - np.outer(p, p), rtol=1e-12, atol=1e-15)
