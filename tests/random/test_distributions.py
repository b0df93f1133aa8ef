"""Distributions against SciPy's: Kolmogorov-Smirnov and chi-square tests with fixed keys, edge values, dtypes, shapes, tiers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as st

import tracejit as tj
from tracejit import random as r

KEY = r.key(3)
N = 4000  # interpreted; `test_large_draws` compiles
LEAST = 1e-3  # p-value; the keys are fixed, so a test that passes does so for ever

CONTINUOUS = {
    "uniform": (r.uniform, (), st.uniform()),
    "normal": (r.normal, (), st.norm()),
    "exponential": (r.exponential, (), st.expon()),
    "laplace": (r.laplace, (), st.laplace()),
    "logistic": (r.logistic, (), st.logistic()),
    "gumbel": (r.gumbel, (), st.gumbel_r()),
    "cauchy": (r.cauchy, (), st.cauchy()),
    "maxwell": (r.maxwell, (), st.maxwell()),
    "weibull_min": (r.weibull_min, (2.0, 1.5), st.weibull_min(1.5, scale=2)),
    "pareto": (r.pareto, (2.5,), st.pareto(2.5)),
    "rayleigh": (r.rayleigh, (2.0,), st.rayleigh(scale=2)),
    "power_function": (r.power_function, (3.0,), st.powerlaw(3)),
    "triangular": (r.triangular, (1.0, 2.0, 5.0), st.triang(0.25, 1, 4)),
    "truncated_normal": (r.truncated_normal, (-1.0, 2.0), st.truncnorm(-1, 2)),
    "truncated_normal far": (r.truncated_normal, (5.0, 6.0), st.truncnorm(5, 6)),
    "lognormal": (r.lognormal, (0.5,), st.lognorm(0.5)),
    "wald": (r.wald, (2.0,), st.invgauss(2.0)),
    "gamma 0.05": (r.gamma, (0.05,), st.gamma(0.05)),
    "gamma 0.5": (r.gamma, (0.5,), st.gamma(0.5)),
    "gamma 1": (r.gamma, (1.0,), st.gamma(1)),
    "gamma 50": (r.gamma, (50.0,), st.gamma(50)),
    "chisquare": (r.chisquare, (5.0,), st.chi2(5)),
    "beta": (r.beta, (0.5, 2.0), st.beta(0.5, 2)),
    "t": (r.t, (3.0,), st.t(3)),
    "f": (r.f, (3.0, 7.0), st.f(3, 7)),
    "generalized_normal": (r.generalized_normal, (1.5,), st.gennorm(1.5)),
}
COUNTS = {
    "randint": (r.randint, None, st.randint(-3, 8)),
    "poisson 0.3": (r.poisson, (0.3,), st.poisson(0.3)),
    "poisson 5": (r.poisson, (5.0,), st.poisson(5)),
    "poisson 10": (r.poisson, (10.0,), st.poisson(10)),
    "poisson 100": (r.poisson, (100.0,), st.poisson(100)),
    "binomial 10": (r.binomial, (10, 0.3), st.binom(10, 0.3)),
    "binomial 50": (r.binomial, (50, 0.9), st.binom(50, 0.9)),
    "binomial 100": (r.binomial, (100, 0.5), st.binom(100, 0.5)),
    "binomial 1000": (r.binomial, (1000, 0.02), st.binom(1000, 0.02)),
    "geometric": (r.geometric, (0.3,), st.geom(0.3)),
    "logseries": (r.logseries, (0.6,), st.logser(0.6)),
    "negative_binomial": (r.negative_binomial, (3.0, 0.4), st.nbinom(3, 0.4)),
}


def drawn(case, size: int, key=KEY, **options):
    function, parameters, distribution = case
    if parameters is None:
        return np.asarray(function(key, (size,), -3, 8, **options)), distribution
    return np.asarray(function(key, *parameters, shape=(size,), **options)), distribution


def chi_square(counts: np.ndarray, distribution) -> float:
    """The p-value of counts against a discrete distribution, in classes of at least ten expected counts."""
    low, high = counts.min(), counts.max()
    values = np.arange(low, high + 1)
    found = np.bincount(counts - low).astype(float)
    expected = distribution.pmf(values) * counts.size
    expected[0] += distribution.cdf(low - 1) * counts.size
    expected[-1] += distribution.sf(high) * counts.size
    merged, pair = [], np.zeros(2)
    for item in zip(found, expected):
        pair = pair + item
        if pair[1] >= 10:
            merged.append(pair)
            pair = np.zeros(2)
    merged[-1] = merged[-1] + pair
    f, e = np.array(merged).T
    return st.chi2.sf(((f - e) ** 2 / e).sum(), len(f) - 1)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_kolmogorov_smirnov(name):
    x, distribution = drawn(CONTINUOUS[name], N)
    assert x.dtype == np.float64 and x.shape == (N,)
    assert st.kstest(x, distribution.cdf).pvalue > LEAST
    mean, variance = distribution.stats("mv")
    if name not in ("t", "f") and np.isfinite(variance):  # cauchy has none, and those of the others are of heavy tails
        assert abs(x.mean() - mean) < 5 * np.sqrt(variance / N)


@pytest.mark.parametrize("name", COUNTS)
def test_chi_square(name):
    x, distribution = drawn(COUNTS[name], N)
    assert x.dtype == np.int64 and x.shape == (N,)
    assert chi_square(x, distribution) > LEAST


def test_double_sided_maxwell():
    x = r.double_sided_maxwell(KEY, 1.0, 2.0, (N,)) - 1
    assert st.kstest(np.abs(x) / 2, "maxwell").pvalue > LEAST and abs(np.mean(x < 0) - 0.5) < 0.03


def test_zipf():
    x = r.zipf(KEY, 2.5, (N,))
    top = st.zipf(2.5).pmf(np.arange(1, 6)) * N
    found = np.bincount(np.minimum(x, 6))[1:6]
    assert ((found - top) ** 2 / top).sum() < 20


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CONTINUOUS, *COUNTS])
def test_large_draws(name):
    """Compiled, and long enough to see a small bias."""
    case = CONTINUOUS.get(name) or COUNTS[name]
    for seed in (1, 2):
        x, distribution = drawn(case, 200_000, r.key(seed))
        assert (st.kstest(x, distribution.cdf).pvalue if name in CONTINUOUS else chi_square(x, distribution)) > LEAST


# -- the same numbers everywhere
@pytest.mark.parametrize("name", ["uniform", "normal", "laplace", "gamma 0.5", "beta", "truncated_normal", "poisson 5", "binomial 100", "randint"])
def test_compiled_mapped_and_plain_draws_agree(name):
    case = CONTINUOUS.get(name) or COUNTS[name]
    draw = lambda k: drawn_traced(case, k)
    keys = r.split(KEY, 2)
    plain = np.stack([draw(k) for k in keys])
    for found in (np.stack([tj.jit(draw)(k) for k in keys]), tj.vmap(draw)(keys), tj.jit(tj.vmap(draw))(keys)):
        assert found.dtype == plain.dtype
        np.testing.assert_allclose(found, plain, rtol=1e-11)


def drawn_traced(case, key):
    function, parameters, _ = case
    return function(key, (6,), -3, 8) if parameters is None else function(key, *parameters, shape=(6,))


def test_a_large_draw_is_the_small_one_continued():
    # Elements of one stream are functions of their position, as far as whole blocks go.
    for f in (r.uniform, r.normal, r.exponential):
        np.testing.assert_allclose(f(KEY, (10_000,))[:50], f(KEY, (50,)), rtol=1e-14)
    assert r.uniform(KEY, (100, 100)).reshape(-1).tolist() == r.uniform(KEY, (10_000,)).tolist()


@pytest.mark.parametrize("name", ["gamma 0.5", "poisson 5", "poisson 100"])
def test_blocks_of_rejection_are_the_same_in_every_tier(name):
    function, parameters, _ = {**CONTINUOUS, **COUNTS}[name]
    given = np.full((7, 43), parameters[0])
    plain = function(KEY, given)
    np.testing.assert_allclose(tj.jit(function)(KEY, given), plain, rtol=1e-11)
    np.testing.assert_allclose(function(KEY, parameters[0], (7, 43)), plain, rtol=1e-11)
    np.testing.assert_allclose(tj.vmap(function, in_axes=(0, None))(np.full(2, KEY), given), [plain, plain], rtol=1e-11)


def test_uniform_and_normal_numbers_are_those_of_jax():
    jax = pytest.importorskip("jax")
    if not jax.config.jax_threefry_partitionable:
        pytest.skip("an older stream of jax.random")
    with jax.enable_x64(True):
        for dtype in ("float16", "float32", "float64"):
            theirs = jax.random.key(11)
            np.testing.assert_array_equal(r.uniform(r.key(11), (50,), dtype), np.asarray(jax.random.uniform(theirs, (50,), dtype)))
            close = {"rtol": 20 * float(np.finfo(dtype).eps)}
            np.testing.assert_allclose(r.normal(r.key(11), (50,), dtype), np.asarray(jax.random.normal(theirs, (50,), dtype)), **close)
        np.testing.assert_allclose(r.uniform(r.key(1), (9,), minval=-2.0, maxval=5.0), jax.random.uniform(jax.random.key(1), (9,), "float64", -2, 5))


# -- types and shapes
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("name", ["uniform", "normal", "exponential", "gumbel", "cauchy", "laplace", "logistic", "gamma 0.5", "beta", "t"])
def test_narrow_floats(name, dtype):
    function, parameters, distribution = CONTINUOUS[name]
    x = function(KEY, *parameters, shape=(500,), dtype=dtype)
    assert x.dtype == dtype and np.isfinite(x).all()
    # Spacing near the ends is coarse: compare in the middle.
    assert abs(np.mean(x < dtype(distribution.median())) - 0.5) < 0.08
    assert function(KEY, *parameters, shape=(), dtype=dtype).dtype == dtype


def test_parameters_broadcast_and_give_the_shape():
    assert r.gamma(KEY, np.ones((3, 1)), dtype=np.float32).shape == (3, 1)
    assert r.beta(KEY, np.ones((3, 1)), np.ones(4)).shape == (3, 4)
    assert r.poisson(KEY, np.array([0.1, 1000.0]), (5, 2)).shape == (5, 2)
    assert r.uniform(KEY, (2, 0)).shape == (2, 0) and r.gamma(KEY, 1.0, (0,)).shape == (0,)
    assert np.ndim(r.normal(KEY)) == 0 and isinstance(r.normal(KEY), np.floating)
    many = r.poisson(KEY, np.array([0.5, 50.0]), (2000, 2))
    np.testing.assert_allclose(many.mean(0), [0.5, 50.0], rtol=0.05)


def test_whole_numbers():
    for dtype in (np.int8, np.uint8, np.int32, np.uint64):
        x = r.randint(KEY, (500,), 0, 5, dtype)
        assert x.dtype == dtype and set(x.tolist()) == {0, 1, 2, 3, 4}
    assert r.randint(KEY, (300,), -128, 128, np.int8).min() < -100
    assert r.randint(KEY, (3,), 0, 1 << 64, np.uint64).max() > 1 << 60
    assert len(set(r.randint(KEY, (50,), -(1 << 63), 1 << 63).tolist())) == 50
    assert r.randint(KEY, (4,), 3, 3).tolist() == [3] * 4 == r.randint(KEY, (4,), 3, -7).tolist()
    bounds = np.array([1, 10, 100])
    x = tj.jit(lambda k, high: r.randint(k, (200, 3), 0, high))(KEY, bounds)
    assert (x < bounds).all() and (x.max(0) >= [0, 9, 95]).all()
    assert r.poisson(KEY, 2.0, dtype=np.int32).dtype == np.int32
    assert r.bernoulli(KEY, 0.5, (3,)).dtype == bool
    assert set(r.rademacher(KEY, (50,)).tolist()) == {-1, 1} and r.rademacher(KEY, (2,), np.float32).dtype == np.float32


def test_high_products():
    from tracejit.random.flat import high_product

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 1 << 64, (2, 200), np.uint64)
    expected = [int(x) * int(y) >> 64 for x, y in zip(a, b)]
    assert [int(x) for x in high_product(a, b)] == expected


def test_probabilities():
    x = r.bernoulli(KEY, np.array([0.0, 0.25, 1.0]), (N, 3)).mean(0)
    assert x[0] == 0 and x[2] == 1 and abs(x[1] - 0.25) < 0.03


# -- the edges of parameters
def test_counts_where_there_is_no_distribution():
    assert r.poisson(KEY, np.array([0.0, -1.0, np.nan, np.inf])).tolist() == [0, -1, -1, -1]
    assert r.binomial(KEY, np.array([5, 5, 5, -1, 0, 5]), np.array([0.0, 1.0, 1.5, 0.5, 0.5, np.nan])).tolist() == [0, 5, -1, -1, 0, -1]
    assert r.geometric(KEY, np.array([1.0, 0.0, -1.0])).tolist() == [1, -1, -1]
    assert tj.jit(lambda lam: r.poisson(KEY, lam))(np.array([np.nan, 0.0])).tolist() == [-1, 0]
    assert r.zipf(KEY, np.array([1.0, np.nan])).tolist() == [-1, -1]


def test_gamma_at_the_edges():
    x = r.gamma(KEY, np.array([0.0, -1.0, np.nan, np.inf, 1e-4, 1e300]))
    assert x[0] == 0 and np.isnan(x[1:3]).all() and x[3] == np.inf and x[4] >= 0 and abs(x[5] / 1e300 - 1) < 1e-6
    y = r.loggamma(KEY, 1e-4, (200,))
    assert np.isfinite(y).all() and y.min() < -5000


def test_multivariate_normal():
    mean, cov = np.array([1.0, -2.0, 0.5]), np.array([[2.0, 0.6, 0.1], [0.6, 1.0, -0.3], [0.1, -0.3, 0.5]])
    for method in ("cholesky", "eigh", "svd"):
        x = r.multivariate_normal(KEY, mean, cov, (6000,), method=method)
        np.testing.assert_allclose(x.mean(0), mean, atol=0.08)
        np.testing.assert_allclose(np.cov(x.T), cov, atol=0.12)
    assert r.multivariate_normal(KEY, np.zeros((4, 3)), cov).shape == (4, 3)
    flat = r.multivariate_normal(KEY, np.zeros(2), np.ones((2, 2)), (5,), method="svd")
    np.testing.assert_allclose(flat[:, 0], flat[:, 1], atol=1e-7)


def test_vectors_on_simplex_ball_and_rotations():
    x = r.dirichlet(KEY, np.array([0.1, 1.0, 3.0]), (N,))
    np.testing.assert_allclose(x.sum(-1), 1)
    np.testing.assert_allclose(x.mean(0), np.array([0.1, 1.0, 3.0]) / 4.1, atol=0.02)
    tiny = r.dirichlet(KEY, np.full(3, 1e-4), (20,))
    assert np.isfinite(tiny).all() and (tiny.max(-1) > 0.99).all()
    points = r.ball(KEY, 3, shape=(N,))
    radius = np.linalg.norm(points, axis=-1)
    assert st.kstest(radius**3, "uniform").pvalue > LEAST
    q = r.orthogonal(KEY, 3, (200,))
    np.testing.assert_allclose(np.swapaxes(q, -1, -2) @ q, np.broadcast_to(np.eye(3), (200, 3, 3)), atol=1e-12)
    assert abs(q[:, 0, 0].mean()) < 0.15 and {round(d) for d in np.linalg.det(q)} == {-1, 1}


def test_multinomial():
    p = np.array([0.1, 0.2, 0.7])
    x = r.multinomial(KEY, 50, p, (400,))
    assert (x.sum(-1) == 50).all() and (x >= 0).all() and x.dtype == np.int64
    np.testing.assert_allclose(x.mean(0), 50 * p, rtol=0.05)
    assert r.multinomial(KEY, np.array([1, 1000]), p).sum(-1).tolist() == [1, 1000]
    assert tj.jit(lambda p: r.multinomial(KEY, 7, p))(p).sum() == 7


@pytest.mark.parametrize(
    "call, error, said",
    [
        (lambda: r.normal(KEY, (2,), np.int64), TypeError, "float"),
        (lambda: r.poisson(KEY, 1.0, dtype=np.float64), TypeError, "integer"),
        (lambda: r.gamma(KEY, np.ones(3), (2,)), ValueError, "broadcast"),
        (lambda: r.beta(KEY, np.ones(3), np.ones(2)), ValueError, "broadcast"),
        (lambda: r.gamma(KEY, 1j), TypeError, "real"),
        (lambda: r.randint(KEY, (2,), 0, 300, np.uint8), ValueError, "300"),
        (lambda: r.randint(KEY, (2,), 0.5, 3), TypeError, "integers"),
        (lambda: r.dirichlet(KEY, 1.0), ValueError, "axis"),
        (lambda: r.multivariate_normal(KEY, np.zeros(2), np.eye(3)), ValueError, "cov"),
        (lambda: r.multivariate_normal(KEY, np.zeros(2), np.eye(2), method="qr"), ValueError, "method"),
    ],
)  # fmt: skip
def test_errors(call, error, said):
    with pytest.raises(error, match=said) as raised:
        call()
    assert "test_distributions.py" in str(raised.value)
