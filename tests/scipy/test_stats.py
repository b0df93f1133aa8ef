"""`scipy.stats` on traced values: SciPy's values on and off the support and for parameters that are not valid, and derivatives."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import scipy.special as sp
import scipy.stats as st

import tracejit as tj
import tracejit.scipy.stats as ts
from tracejit.errors import TracerConversionError

CONTINUOUS = {
    "norm": (), "uniform": (), "expon": (), "gamma": (2.5,), "beta": (2.0, 3.5), "t": (4.5,), "cauchy": (), "laplace": (), "logistic": (),
}  # fmt: skip
DISCRETE = {"poisson": (3.5,), "binom": (7, 0.3)}
INVALID = {"gamma": (-1.0,), "beta": (2.0, 0.0), "t": (-2.0,), "poisson": (-1.0,), "binom": (2.5, 0.3)}
X = np.array([-np.inf, -40.0, -3.0, -1.0, -0.2, 0.0, 0.1, 0.3, 0.5, 0.75, 1.0, 1.2, 3.0, 40.0, np.inf, np.nan])
K = np.array([-np.inf, -2.0, 0.0, 0.5, 1.0, 3.0, 6.5, 7.0, 9.0, np.inf, np.nan])
Q = np.array([-0.1, 0.0, 1e-12, 0.1, 0.3, 0.5, 0.7, 0.95, 1.0, 1.2, np.nan])
INSIDE = np.array([0.15, 0.4, 0.8])
CASES = [(name, method) for name in CONTINUOUS for method in ("pdf", "logpdf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf")]
COUNTS = [(name, method) for name in DISCRETE for method in ("pmf", "logpmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf")]


def same(got, want, rtol=3e-12):
    want = np.asarray(want)
    assert got.dtype == want.dtype and got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-15)   # of logarithms of probabilities near 1, too


@pytest.mark.parametrize("name, method", CASES)
def test_values(name, method):
    ours, theirs, shapes = getattr(getattr(ts, name), method), getattr(getattr(st, name), method), CONTINUOUS[name]
    points = Q if method in ("ppf", "isf") else X
    with np.errstate(all="ignore"):
        same(tj.jit(lambda x: ours(x, *shapes))(points), theirs(points, *shapes))
        scales = np.array([[1.5], [0.0], [-1.0]])
        same(tj.jit(lambda x, m, s: ours(x, *shapes, loc=m, scale=s))(points, 0.2, scales), theirs(points, *shapes, 0.2, scales))
        same(ours(points, *shapes), theirs(points, *shapes))
        if name in INVALID:
            same(tj.jit(ours)(points, *INVALID[name]), theirs(points, *INVALID[name]))


@pytest.mark.parametrize("name, method", COUNTS)
def test_values_of_counts(name, method):
    ours, theirs, shapes = getattr(getattr(ts, name), method), getattr(getattr(st, name), method), DISCRETE[name]
    points = Q if method in ("ppf", "isf") else K
    with np.errstate(all="ignore"):
        same(tj.jit(lambda k: ours(k, *shapes))(points), theirs(points, *shapes))
        same(tj.jit(lambda k, m: ours(k, *shapes, loc=m))(points, 2), theirs(points, *shapes, 2))
        wanted = np.full(len(points), np.nan) if method == "logcdf" else theirs(points, *INVALID[name])   # SciPy's logcdf is 0 beyond the support
        same(tj.jit(ours)(points, *INVALID[name]), wanted)
        if method not in ("ppf", "isf"):
            same(tj.jit(lambda k: ours(k, *shapes))(np.arange(9)), theirs(np.arange(9), *shapes))


@pytest.mark.parametrize("name, method", CASES)
def test_derivatives(name, method):
    """In the point, the shape parameters, loc and scale."""
    f = getattr(getattr(ts, name), method)
    points = INSIDE if method in ("ppf", "isf") else INSIDE * 1.3 + 0.1
    parameters = (*CONTINUOUS[name], 0.05, 1.4)
    tj.check_grads(lambda x, *p: f(x, *p), (points, *parameters), order=1)
    if method in ("logpdf", "cdf", "ppf"):
        tj.check_grads(lambda x, *p: f(x, *CONTINUOUS[name], *p), (points, *parameters[len(CONTINUOUS[name]) :]), order=2, rtol=1e-5)


@pytest.mark.parametrize("method", ["pmf", "logpmf", "cdf", "logcdf", "sf", "logsf"])
def test_derivatives_in_the_parameters_of_counts(method):
    k = np.array([0.0, 2.0, 5.0])
    tj.check_grads(lambda mu: getattr(ts.poisson, method)(k, mu), (3.5,), order=2)
    tj.check_grads(lambda p: getattr(ts.binom, method)(k, 7, p), (0.3,), order=2)
    assert tj.grad(lambda n: getattr(ts.binom, method)(2.0, n, 0.3))(7.0) == 0


def test_derivatives_of_quantiles_of_counts_are_zero():
    assert tj.grad(lambda mu: ts.poisson.ppf(0.4, mu))(3.5) == 0
    assert tj.grad(lambda q: ts.binom.isf(q, 7, 0.3))(0.4) == 0


@pytest.mark.parametrize("name", ["uniform", "expon", "gamma", "beta"])
def test_derivatives_off_the_support_are_zero(name):
    for method in ("pdf", "logpdf", "cdf", "sf"):
        f = getattr(getattr(ts, name), method)
        gradient = tj.grad(lambda x, f=f: np.sum(f(x, *CONTINUOUS[name])))
        np.testing.assert_array_equal(gradient(np.array([-1.0])), 0)
        np.testing.assert_array_equal(tj.jit(gradient)(np.array([-1.0])), 0)


def test_compiled_without_host_calls():
    from tracejit.lowering.program import Program

    for name, method in [*CASES[::3], *COUNTS]:
        f, shapes = getattr(getattr(ts, name), method), {**CONTINUOUS, **DISCRETE}[name]
        program = Program(tj.trace(lambda x, *p, f=f: f(x, *p))(INSIDE, *map(float, shapes)))
        quantile_of_counts = name in DISCRETE and method in ("ppf", "isf")
        assert bool(program.host_ops) == quantile_of_counts, (name, method)


def test_student_with_infinite_degrees_of_freedom():
    df = np.array([np.inf, 3.0])
    for method in ("pdf", "logpdf", "cdf", "sf"):
        same(tj.jit(getattr(ts.t, method))(0.7, df), getattr(st.t, method)(0.7, df))
    assert tj.grad(lambda df: ts.t.logpdf(0.7, df))(np.inf) == 0


def test_narrow_and_integer_arguments_become_doubles():
    for x in (np.float32(0.3), np.int64(1), np.array([0, 1], "i4"), True):
        same(tj.jit(lambda x: ts.norm.cdf(x, np.float32(0.5)))(x), st.norm.cdf(x, np.float32(0.5)), 1e-7)
    with pytest.raises(TypeError, match="real numbers"):
        tj.jit(ts.norm.cdf)(1j)


def test_parameters_by_name_and_their_errors():
    assert tj.jit(lambda x: ts.gamma.pdf(x, a=2.0, scale=2.0))(1.5) == pytest.approx(st.gamma.pdf(1.5, 2.0, scale=2.0), rel=1e-13)
    for call, said in (
        (lambda x: ts.gamma.pdf(x), "missing the shape parameter 'a'"),
        (lambda x: ts.gamma.pdf(x, 1.0, a=2.0), "multiple values"),
        (lambda x: ts.norm.pdf(x, mean=2.0), "unexpected argument 'mean'"),
        (lambda x: ts.norm.pdf(x, 1, 2, 3), "loc, scale"),
    ):
        with pytest.raises(TypeError, match=said):
            tj.jit(call)(1.0)


# -- multivariate normal
POINTS, MEAN = np.array([[0.3, -1.0, 0.5], [1.0, 0.2, 0.1]]), np.array([0.1, 0.2, -0.3])
ROOT = np.array([[1.0, 0.2, 0.0], [0.3, 0.8, 0.1], [-0.2, 0.4, 1.1]])
COV = ROOT @ ROOT.T


@pytest.mark.parametrize("method", ["pdf", "logpdf"])
@pytest.mark.parametrize("points", [POINTS, POINTS[0], POINTS[None, :, None]], ids=str)
def test_multivariate_normal(method, points):
    ours, theirs = getattr(ts.multivariate_normal, method), getattr(st.multivariate_normal, method)
    for options in ({}, {"allow_singular": True}):
        same(tj.jit(lambda x, m, c: ours(x, m, c, **options))(points, MEAN, COV), theirs(points, MEAN, COV))
    tj.check_grads(lambda x, m, r: ours(x, m, r @ r.T), (points, MEAN, ROOT), order=2)
    tj.check_grads(lambda x, m, r: ours(x, m, r @ r.T, allow_singular=True), (points, MEAN, ROOT), order=1)
    same(ours(points, MEAN, COV), theirs(points, MEAN, COV))


@pytest.mark.parametrize("mean, cov", [(None, 1), (0.5, 2.0), (None, np.eye(3)), (MEAN, 2.0), (MEAN, np.array([1.0, 2.0, 0.5])), ([0.5], [[2.0]])])
def test_multivariate_normal_of_short_parameters(mean, cov):
    x = POINTS[0]
    same(tj.jit(lambda x: ts.multivariate_normal.logpdf(x, mean, cov))(x), st.multivariate_normal.logpdf(x, mean, cov))


def test_multivariate_normal_of_a_singular_covariance():
    cov = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    x = np.array([[0.3, 0.3, 0.5], [1.0, 0.2, 0.1]])   # on and off the plane
    ours = tj.jit(lambda x, c: ts.multivariate_normal.logpdf(x, cov=c, allow_singular=True))(x, cov)
    same(ours, st.multivariate_normal.logpdf(x, cov=cov, allow_singular=True))
    equal = tj.grad(lambda c: ts.multivariate_normal.logpdf(x[0], cov=c @ c.T, allow_singular=True))(np.eye(3))
    np.testing.assert_allclose(equal, tj.grad(lambda c: ts.multivariate_normal.logpdf(x[0], cov=c @ c.T))(np.eye(3)), rtol=1e-12, atol=1e-14)


def test_multivariate_normal_errors():
    for call, said in (
        (lambda x: ts.multivariate_normal.logpdf(x, MEAN, np.eye(2)), "3 by 3"),
        (lambda x: ts.multivariate_normal.logpdf(x, np.eye(2), np.eye(2)), "vector of length"),
    ):
        with pytest.raises(ValueError, match=said):
            tj.jit(call)(POINTS)
    with pytest.raises(TypeError, match=r"cdf .*no traced form"):
        tj.jit(lambda x: ts.multivariate_normal.cdf(x, MEAN, COV))(POINTS)
    same(tj.jit(lambda x: ts.multivariate_normal.cdf(x, 0.5, 2.0))(POINTS[0]), st.multivariate_normal.cdf(POINTS[0], 0.5, 2.0), 1e-5)


# -- plain calls of SciPy
frozen_before = st.gamma(2.0, scale=3.0)
PLAIN_CALLS = {
    "method": lambda x: st.norm.cdf(x, 0.3),
    "frozen here": lambda x: st.norm(x, 2.0).logpdf(1.0),
    "frozen before": lambda x: frozen_before.cdf(x),
    "discrete": lambda x: st.poisson.pmf(3, x),
    "in a sum": lambda x: np.sum(st.t.logpdf(np.array([0.1, 0.7]), 3.0, loc=x)),
    "multivariate": lambda x: st.multivariate_normal.logpdf(x * np.ones(2), np.zeros(2), np.eye(2)),
    "multivariate, frozen": lambda x: st.multivariate_normal(x * np.ones(2), np.eye(2)).pdf(np.ones(2)),
    "of known numbers": lambda x: x * st.norm.cdf(np.ones(2)).sum(),
}


@pytest.mark.parametrize("f", PLAIN_CALLS.values(), ids=PLAIN_CALLS)
def test_plain_calls(f):
    same(np.asarray(tj.jit(f)(0.8)), f(0.8))
    tj.check_grads(f, (0.8,), order=2)
    np.testing.assert_allclose(tj.vmap(f)(np.array([0.8, 1.2])), [f(0.8), f(1.2)], rtol=1e-12)


def test_scipy_is_as_it_was_after_a_trace():
    before = dict(vars(st.rv_continuous)), dict(vars(type(st.multivariate_normal)))
    tj.jit(lambda x: st.norm.cdf(x))(0.3)
    with pytest.raises(ZeroDivisionError):
        tj.grad(lambda x: st.norm.cdf(x) * (1 // 0))(1.0)
    assert before == (dict(vars(st.rv_continuous)), dict(vars(type(st.multivariate_normal))))


class _Shifted(st.rv_continuous):
    def _pdf(self, x):
        return np.exp(-x)


def test_what_has_no_traced_form_says_so():
    cut = type(st.norm)(a=-1.0, b=1.0, name="cut")
    for call, said in (
        (lambda x: st.weibull_min.pdf(x, 2.0), r"weibull_min\.pdf of traced values has no traced form: those of norm"),
        (lambda x: _Shifted(a=0.0, name="shifted").pdf(x), r"shifted\.pdf of traced values"),
        (lambda x: cut.pdf(x), r"cut\.pdf of traced values"),
    ):
        with pytest.raises(TypeError, match=said):
            tj.jit(call)(0.5)
    for call, said in ((lambda x: st.norm.fit(x), "fit"), (lambda x: st.zscore(x), "zscore"), (lambda x: st.gaussian_kde(x), "gaussian_kde")):
        with pytest.raises(TracerConversionError, match=rf"`scipy\.stats\.\S*{said}` converts its arguments"):
            tj.jit(call)(np.ones(3))


def test_methods_that_are_traced_themselves():
    x = np.array([0.3, 1.2])
    same(tj.jit(st.norm.cdf)(x), st.norm.cdf(x))
    same(tj.vmap(partial(st.norm.cdf, scale=2.0))(x), st.norm.cdf(x, scale=2.0))
    assert tj.grad(st.norm.logpdf)(1.5) == -1.5
    same(tj.jit(sp.softmax)(x), sp.softmax(x))
    same(tj.grad(partial(sp.logsumexp, axis=0))(x), sp.softmax(x))


def test_functions_that_the_function_outside_holds():
    from numpy import zeros
    from scipy.special import logsumexp

    cdf = st.norm.cdf

    def f(x):
        out = zeros(2)
        out[0], out[1] = logsumexp(x), cdf(x[0])
        return out

    x = np.array([0.3, 1.2])
    same(tj.jit(f)(x), f(x))
    tj.check_grads(f, (x,), order=1)
    assert zeros is np.zeros and logsumexp is sp.logsumexp and cdf == st.norm.cdf


def test_methods_that_were_put_aside_name_their_twins():
    aside = [st.norm.cdf, st.multivariate_normal.logpdf]
    for i, twin in enumerate(("norm.cdf", "multivariate_normal.logpdf")):
        with pytest.raises(TracerConversionError, match=rf"call `tracejit\.scipy\.stats\.{twin}`"):
            tj.jit(lambda x, i=i: aside[i](x))(np.ones(2))


def test_tracing_does_not_import_scipy_stats():
    program = "import sys, numpy as np, tracejit as tj\ntj.jit(lambda x: np.sin(x))(1.0)\nassert 'scipy.stats' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
