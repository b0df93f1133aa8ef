"""Derivatives of draws in their parameters: against differences where the draw is smooth, and against distribution functions where it is implicit."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special as sp

import tracejit as tj
from tracejit import random as r
from tracejit.ops.gamma_path import gamma_path

KEY = r.key(9)

SMOOTH = {
    "uniform": (lambda low, high: r.uniform(KEY, (5,), minval=low, maxval=high), (-1.0, 2.0)),
    "weibull_min": (lambda s, c: r.weibull_min(KEY, s, c, (5,)), (2.0, 1.5)),
    "pareto": (lambda b: r.pareto(KEY, b, (5,)), (2.5,)),
    "rayleigh": (lambda s: r.rayleigh(KEY, s, (5,)), (2.0,)),
    "power_function": (lambda a: r.power_function(KEY, a, (5,)), (3.0,)),
    "triangular": (lambda a, b, c: r.triangular(KEY, a, b, c, (5,)), (1.0, 2.0, 5.0)),
    "truncated_normal": (lambda a, b: r.truncated_normal(KEY, a, b, (5,)), (-1.0, 2.0)),
    "truncated_normal right": (lambda a, b: r.truncated_normal(KEY, a, b, (5,)), (1.0, 2.0)),
    "lognormal": (lambda s: r.lognormal(KEY, s, (5,)), (0.7,)),
    "wald": (lambda m: r.wald(KEY, m, (5,)), (1.5,)),
    "double_sided_maxwell": (lambda m, s: r.double_sided_maxwell(KEY, m, s, (5,)), (1.0, 2.0)),
    "multivariate_normal": (lambda m, l: r.multivariate_normal(KEY, m, l @ l.T + np.eye(2)), (np.array([1.0, 2.0]), np.array([[1, 0.2], [0.3, 2]]))),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_differences(name):
    f, parameters = SMOOTH[name]
    tj.check_grads(f, parameters, order=1)
    total = lambda *p: np.sum(f(*p))
    numbers = tuple(range(len(parameters)))
    plain, compiled = tj.grad(total, numbers)(*parameters), tj.jit(tj.grad(total, numbers))(*parameters)
    for a, b in zip(plain, compiled):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


# -- gamma: x = P^-1(a, p) for the p that chance gave it
SHAPES = [(0.01, -150.0), (0.3, -2.0), (0.5, 0.1), (1.0, 0.7), (2.5, 0.2), (2.5, 2.0), (30.0, 3.2), (30.0, 3.7), (1e4, 9.2), (1e4, 9.23)]


def inverse(a: float, p: float, upper: bool) -> float:
    return np.log(sp.gammainccinv(a, p) if upper else sp.gammaincinv(a, p))


@pytest.mark.parametrize("a, y", SHAPES)
def test_the_implicit_slope_of_a_gamma_number(a, y):
    slope = tj.grad(gamma_path)
    x = np.exp(y)
    upper = x > a
    p = sp.gammaincc(a, x) if upper else sp.gammainc(a, x)
    h = 1e-4 * a
    moved = [inverse(a + k * h, p, upper) for k in (-2, -1, 1, 2)]
    np.testing.assert_allclose(slope(a, y), (moved[0] - 8 * moved[1] + 8 * moved[2] - moved[3]) / (12 * h), rtol=1e-6)
    np.testing.assert_allclose(tj.jit(slope)(a, y), slope(a, y), rtol=1e-12)
    # Along the path the slope itself has the derivative that `grad` finds.
    second = (slope(a + h, moved[2]) - slope(a - h, moved[1])) / (2 * h)
    np.testing.assert_allclose(tj.grad(slope)(a, y), second, rtol=1e-5, atol=1e-9 / a**2)


def test_the_implicit_slope_where_the_number_itself_underflows():
    """There P(a, x) is x^a / gamma(a + 1)."""
    a, y = 0.01, -2000.0
    np.testing.assert_allclose(tj.grad(gamma_path)(a, y), (sp.digamma(a + 1) - y) / a, rtol=1e-9)


@pytest.mark.parametrize("a", [0.2, 1.0, 7.0])
def test_means_of_implicit_gradients(a):
    """d/da E[log x] is trigamma(a) and d/da E[x] is 1."""
    x, slope = tj.jit(lambda a: tj.jvp(lambda a: r.loggamma(KEY, a, (3000,)), (a,), (1.0,)))(a)
    assert abs(slope.mean() / sp.polygamma(1, a) - 1) < 0.1
    assert abs((slope * np.exp(x)).mean() - 1) < 0.1


def test_beta_and_dirichlet():
    a, b = 1.7, 0.9
    mean = lambda a, b: np.mean(r.beta(KEY, a, b, (4000,)))
    slopes = tj.jit(tj.grad(mean, (0, 1)))(a, b)
    np.testing.assert_allclose(slopes, (b / (a + b) ** 2, -a / (a + b) ** 2), rtol=0.1)
    alpha = np.array([0.5, 1.0, 2.5])
    jacobian = tj.jit(tj.jacrev(lambda alpha: np.mean(r.dirichlet(KEY, alpha, (4000,)), axis=0)))(alpha)
    total = alpha.sum()
    np.testing.assert_allclose(jacobian, np.eye(3) / total - alpha[:, None] / total**2, atol=0.02)
    np.testing.assert_allclose(jacobian.sum(0), 0, atol=1e-12)


@pytest.mark.parametrize("draw", [r.t, r.chisquare, r.generalized_normal, r.gamma, lambda key, v: r.f(key, v, 5.0)])
def test_what_is_made_of_gamma_numbers(draw):
    for x in (0.1, 4.0):
        forward, reverse = tj.jvp(lambda x: draw(KEY, x), (x,), (1.0,))[1], tj.grad(lambda x: draw(KEY, x))(x)
        assert np.isfinite(reverse) and reverse != 0
        np.testing.assert_allclose(forward, reverse, rtol=1e-12)


def test_gradients_through_compiled_and_mapped_draws_agree():
    f = lambda a, k: np.sum(r.gamma(k, a, (3,)) ** 2)
    keys = r.split(KEY, 4)
    shapes = np.array([0.3, 1.0, 2.0, 9.0])
    plain = np.array([tj.grad(f)(a, k) for a, k in zip(shapes, keys)])
    for g in (tj.vmap(tj.grad(f)), tj.jit(tj.vmap(tj.grad(f))), lambda *x: tj.grad(lambda a, k: np.sum(tj.vmap(f)(a, k)))(*x)):
        np.testing.assert_allclose(g(shapes, keys), plain, rtol=1e-9)


def test_counts_have_no_derivatives():
    for draw in (r.poisson, r.geometric):
        assert tj.grad(lambda p, draw=draw: 1.0 * draw(KEY, p))(0.5) == 0.0
    assert tj.jit(tj.grad(lambda p: 1.0 * r.binomial(KEY, 10, p) + p * p))(0.5) == 1.0
    assert tj.grad(lambda p: p * r.bernoulli(KEY, p))(0.999) == 1.0


def test_narrow_gradients():
    a = np.float32(0.7)
    y = r.loggamma(KEY, a, (3,), np.float32)
    g = tj.grad(lambda a: np.sum(r.gamma(KEY, a, (3,), np.float32)))(a)
    assert g.dtype == np.float32
    np.testing.assert_allclose(g, tj.grad(lambda a: np.sum(np.exp(gamma_path(a, y.astype(float)))))(float(a)), rtol=1e-5)
