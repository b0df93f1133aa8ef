"""`scipy.special` on traced values: SciPy's values, dtypes and shapes, interpreted and compiled, and derivatives, at hard points too."""


import numpy as np
import pytest
import scipy.optimize
import scipy.special as sp
from scipy.special import logsumexp

import tracejit as tj
import tracejit.scipy.special as tsp

original_logsumexp = logsumexp
X = np.array([0.3, 1.7, 2.5, 4.2])
P = np.array([0.1, 0.3, 0.55, 0.93])
Y = np.array([[1.1], [0.4]])

# name: the arguments
PLAIN = {
    **dict.fromkeys(("gammaln", "gamma", "loggamma", "digamma", "psi", "rgamma", "erf", "erfc", "erfcx", "ndtr", "log_ndtr"), (X,)),
    **dict.fromkeys(("i0", "i1", "i0e", "i1e", "j0", "j1", "y0", "y1", "k0", "k1", "k0e", "k1e", "erfi", "dawsn", "expi", "exp1"), (X,)),
    **dict.fromkeys(("expit", "log_expit", "entr", "exprel", "expm1", "log1p", "exp2", "exp10", "cbrt", "softplus", "sinc"), (X,)),
    **dict.fromkeys(("erfinv", "erfcinv", "ndtri", "logit"), (P,)),
    **dict.fromkeys(("xlogy", "xlog1py", "rel_entr", "kl_div", "beta", "betaln", "poch", "pseudo_huber", "boxcox", "boxcox1p"), (X, Y)),
    "binom": (X + 5, Y),
}  # fmt: skip
# name: parameters, and the argument
PARAMETERS = {
    **dict.fromkeys(("gammainc", "gammaincc", "jv", "iv", "ive", "yv", "kv", "kve", "stdtr", "zeta", "huber"), ((1.5,), X)),
    **dict.fromkeys(("gammaincinv", "gammainccinv", "stdtrit"), ((1.5,), P)),
    **dict.fromkeys(("betainc", "betaincc", "betaincinv", "betainccinv"), ((1.5, 2.5), P)),
}  # fmt: skip


def same(got, want, rtol=1e-13):
    assert np.asarray(got).dtype == np.asarray(want).dtype and np.shape(got) == np.shape(want)
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-15)


@pytest.mark.parametrize("name", PLAIN)
def test_values_and_derivatives(name):
    f, args = getattr(sp, name), PLAIN[name]
    same(tj.jit(f)(*args), f(*args))
    tj.check_grads(f, args, order=2)
    narrow = [a.astype("f4") for a in args]
    same(tj.jit(f)(*narrow), f(*narrow), rtol=2e-6)


@pytest.mark.parametrize("name", PARAMETERS)
def test_functions_with_parameters(name):
    parameters, x = PARAMETERS[name]

    def f(x):
        return getattr(sp, name)(*parameters, x)

    same(tj.jit(f)(x), f(x))
    tj.check_grads(f, (x,), order=2)
    if name in ("jv", "iv", "ive", "yv", "kv", "kve", "zeta"):
        with pytest.raises(NotImplementedError, match=f"{name} with respect to"):
            tj.grad(lambda a: np.sum(getattr(sp, name)(a, *parameters[1:], x)))(1.5)
    elif name != "huber":
        tj.check_grads(lambda *parameters: getattr(sp, name)(*parameters, x), parameters, order=1)


def test_second_derivative_in_a_parameter_is_refused():
    with pytest.raises(NotImplementedError, match="the second derivative of scipy.special.gammainc"):
        tj.grad(tj.grad(lambda a: sp.gammainc(a, 1.5)))(2.0)
    mixed = tj.grad(lambda x: tj.grad(lambda a: sp.gammainc(a, x))(2.5))(1.5)
    assert mixed == pytest.approx(tj.grad(lambda a: tj.grad(lambda x: sp.gammainc(a, x))(1.5))(2.5), rel=1e-12)


def exact_slope(f, a):
    """The derivative in `a` of a function of mpmath's numbers."""
    mp = pytest.importorskip("mpmath")
    with mp.workdps(50):
        return float(mp.diff(f, mp.mpf(a), h=mp.mpf(a) * mp.mpf(10) ** -18))


@pytest.mark.parametrize("a", [1e-3, 0.5, 2.5, 100.0, 1e4])
def test_slope_of_gammainc_in_its_parameter(a):
    mp = pytest.importorskip("mpmath")
    x = np.array([0.5, 0.9, 1.0, 1.1, 2.0]) * max(a, 1.0)
    want = [exact_slope(lambda s, v=v: mp.gammainc(s, 0, mp.mpf(v), regularized=True), a) for v in x]
    for gradient in (tj.grad(sp.gammainc), tj.jit(tj.grad(sp.gammainc))):
        np.testing.assert_allclose([gradient(a, v) for v in x], want, rtol=1e-10 if a > 1e3 else 2e-12)


@pytest.mark.parametrize("a, b", [(0.1, 0.1), (2.0, 3.0), (0.01, 5.0), (1e3, 10.0)])
def test_slopes_of_betainc_in_its_parameters(a, b):
    mp = pytest.importorskip("mpmath")
    x = np.array([0.01, 0.5, 0.99]) if a < 100 else np.array([0.98, 0.99, 0.995])
    wanted = [
        [exact_slope(lambda s, v=v: mp.betainc(s, b, 0, mp.mpf(v), regularized=True), a) for v in x],
        [exact_slope(lambda s, v=v: mp.betainc(a, s, 0, mp.mpf(v), regularized=True), b) for v in x],
    ]
    for gradient in (tj.grad(sp.betainc, argnums=(0, 1)), tj.jit(tj.grad(sp.betainc, argnums=(0, 1)))):
        np.testing.assert_allclose(np.transpose([gradient(a, b, v) for v in x]), wanted, rtol=1e-10)


def test_slopes_in_parameters_at_the_ends():
    gradient = tj.jit(tj.grad(sp.gammainc))
    np.testing.assert_array_equal([gradient(2.0, 0.0), gradient(2.0, np.inf)], [0.0, 0.0])
    np.testing.assert_array_equal([gradient(-1.0, 2.0), gradient(1e9, 1e9), gradient(2.0, np.nan)], np.nan)
    gradient = tj.jit(tj.grad(sp.betainc))
    np.testing.assert_array_equal([gradient(2.0, 3.0, 0.0), gradient(2.0, 3.0, 1.0)], [0.0, 0.0])


def test_compiled_without_host_calls():
    """Of all of the above, none leaves native code."""
    from tracejit.lowering.program import Program

    calls = {name: (getattr(sp, name), args) for name, args in PLAIN.items()}
    calls |= {name: (lambda x, name=name, p=p: getattr(sp, name)(*p, x), (x,)) for name, (p, x) in PARAMETERS.items()}
    for name, (f, args) in calls.items():
        assert not Program(tj.trace(f)(*args)).host_ops, name


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_polygamma(n):
    same(tj.jit(lambda x: tsp.polygamma(n, x))(X), sp.polygamma(n, X))
    tj.check_grads(lambda x: tsp.polygamma(n, x), (X,), order=2)
    negative = np.array([-0.5, -2.3, -7.9])
    same(tj.jit(lambda x: tsp.polygamma(n, x))(negative), sp.polygamma(n, negative), rtol=1e-11)


def test_polygamma_of_several_orders():
    orders = np.arange(4)[:, None]
    same(tj.jit(lambda x: tsp.polygamma(orders, x))(X), sp.polygamma(orders, X))


def test_gammaln_to_third_order():
    third = tj.grad(tj.grad(tj.grad(sp.gammaln)))
    np.testing.assert_allclose([third(x) for x in X], sp.polygamma(2, X), rtol=1e-13)


A = np.array([[0.3, -1.2, 4.0], [2.0, 2.0, -3.0]])
B = np.array([[1.0, -0.3, 2.0], [0.0, 1.5, 0.5]])
SUMS = {
    "all": {}, "axis": {"axis": 1}, "axes": {"axis": (0, 1)}, "keepdims": {"axis": 0, "keepdims": True},
    "weights": {"b": B, "axis": 1}, "sign": {"b": B - 1, "axis": 0, "return_sign": True}, "negative": {"b": -B, "axis": 1},
}  # fmt: skip


@pytest.mark.parametrize("options", SUMS.values(), ids=SUMS)
def test_logsumexp(options):
    want = sp.logsumexp(A, **options)
    for got in (tj.jit(lambda a: tsp.logsumexp(a, **options))(A), tsp.logsumexp(A, **options)):
        for g, w in zip(got, want) if isinstance(want, tuple) else [(got, want)]:
            same(g, w)
    if not options.get("return_sign") and np.isfinite(want).all():
        tj.check_grads(lambda a: tsp.logsumexp(a, **options), (A,), order=2)


def test_logsumexp_of_integers_and_complex_numbers():
    same(tj.jit(tsp.logsumexp)(np.arange(4)), sp.logsumexp(np.arange(4)))
    z = A + 0.3j
    same(tj.jit(tsp.logsumexp)(z), sp.logsumexp(z))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
def test_softmax(name, axis):
    f = getattr(tsp, name)
    same(tj.jit(lambda x: f(x, axis=axis))(A), getattr(sp, name)(A, axis=axis))
    tj.check_grads(lambda x: f(x, axis=axis), (A,), order=2)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_log_sum_exp_at_infinities(dtype):
    inf = np.inf
    for point, slopes in {(-inf, 0.0): (0, 1), (-inf, -inf): (0.5, 0.5), (inf, 0.0): (1, 0), (inf, inf): (0.5, 0.5)}.items():
        x = np.array(point, dtype)
        for gradient in (tj.grad(tsp.logsumexp), tj.jit(tj.grad(tsp.logsumexp)), tj.jacfwd(tsp.logsumexp)):
            np.testing.assert_array_equal(gradient(x), np.array(slopes, dtype), str(point))
        for gradient in (tj.grad(np.logaddexp, argnums=(0, 1)), tj.jit(tj.grad(np.logaddexp, argnums=(0, 1)))):
            np.testing.assert_array_equal(gradient(*x), np.array(slopes, dtype), str(point))
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(tj.jit(tsp.logsumexp)(x), sp.logsumexp(x))
    np.testing.assert_array_equal(tj.jit(tsp.log_softmax)(np.array([-inf, 0.0], dtype)), [-inf, 0])
    assert np.isnan(tj.jit(tsp.softmax)(np.array([-inf, -inf], dtype))).all()


def test_slopes_at_edges():
    for compile_ in (lambda f: f, tj.jit):
        both = compile_(tj.grad(sp.xlogy, argnums=(0, 1)))
        np.testing.assert_array_equal(both(0.0, 0.0), [0, 0])
        np.testing.assert_array_equal(compile_(tj.grad(sp.xlog1py, argnums=(0, 1)))(0.0, -1.0), [0, 0])
        assert compile_(tj.grad(sp.entr))(0.0) == np.inf
        assert compile_(tj.grad(sp.exprel))(0.0) == 0.5 and compile_(tj.grad(tj.grad(sp.exprel)))(0.0) == pytest.approx(1 / 3, rel=1e-15)
        np.testing.assert_allclose([compile_(tj.grad(sp.i1))(0.0), compile_(tj.grad(sp.j1))(0.0)], 0.5, rtol=1e-15)
        np.testing.assert_allclose(compile_(tj.grad(sp.log_ndtr))(-1e5), 1e5, rtol=1e-9)
        np.testing.assert_allclose(compile_(tj.grad(sp.erfcx))(1e9), -1 / np.sqrt(np.pi) * 1e-18, rtol=1e-13)
        np.testing.assert_allclose(compile_(tj.grad(sp.logit))(0.5), 4.0, rtol=1e-15)


def test_counting():
    n, k = np.array([5.0, 6.0, 2.0]), np.array([2.0, 3.0, 4.0])
    same(tj.jit(tsp.comb)(n, k), sp.comb(n, k))
    same(tj.jit(tsp.perm)(n, k), sp.perm(n, k))
    same(tj.jit(lambda n, k: tsp.comb(n, k, repetition=True))(n, k), sp.comb(n, k, repetition=True))
    same(tj.jit(tsp.factorial)(np.array([0.0, 3.0, -1.0, 2.5])), sp.factorial(np.array([0.0, 3.0, -1.0, 2.5])))
    same(tj.jit(lambda a: tsp.multigammaln(a, 3))(X + 2), np.array([sp.multigammaln(a + 2, 3) for a in X]))
    tj.check_grads(lambda n: tsp.comb(n, 2.0), (n[:2],), order=2)
    with pytest.raises(TypeError, match="exact"):
        tj.jit(lambda n: tsp.comb(n, 2, exact=True))(5.0)


def test_names():
    assert tsp.erf is sp.erf and tsp.zeta is sp.zeta
    with pytest.raises(AttributeError, match="lambertw"):
        tsp.lambertw


CONVERTING = {"logsumexp": (), "softmax": (), "log_softmax": (), "multigammaln": (2,), "comb": (2.0,), "factorial": ()}
held = [sp.logsumexp]  # out of sight of the tracer, which swaps the names of modules


@pytest.mark.parametrize("name", CONVERTING)
def test_plain_functions_of_scipy_are_traced(name):
    x, more, original = X + 2, CONVERTING[name], getattr(sp, name)
    same(tj.jit(lambda x: getattr(sp, name)(x, *more))(x), original(x, *more))
    tj.check_grads(lambda x: getattr(sp, name)(x, *more), (x,))
    same(tj.jit(lambda x: x + logsumexp([1.0, 2.0]))(x), x + original_logsumexp([1.0, 2.0]))
    same(tj.jit(logsumexp_of)(x), original_logsumexp(x))
    assert getattr(sp, name) is original and logsumexp is original_logsumexp


def logsumexp_of(x):
    return logsumexp(x, axis=-1)


def test_rosenbrock():
    x = np.array([[0.5, 1.0], [1.5, 2.0], [2.0, 0.3]])
    same(tj.jit(lambda x: scipy.optimize.rosen(x))(x), scipy.optimize.rosen(x))
    np.testing.assert_allclose(tj.grad(lambda x: scipy.optimize.rosen(x))(x[:, 0]), scipy.optimize.rosen_der(x[:, 0]), rtol=1e-14)


def test_what_is_held_elsewhere_names_the_rewrite():
    with pytest.raises(tj.TracerConversionError, match="tracejit.scipy.special.logsumexp"):
        tj.jit(lambda x: held[0](x))(X)


def test_other_ufuncs_have_values_only():
    same(tj.jit(sp.erfi)(X + 1j), sp.erfi(X + 1j))
    same(tj.jit(lambda x: sp.eval_legendre(3, x))(P), sp.eval_legendre(3, P))
    same(tj.vmap(lambda x: sp.spence(x))(X), sp.spence(X))
    with pytest.raises(NotImplementedError, match="spence"):
        tj.grad(sp.spence)(1.0)
    with pytest.raises(TypeError, match="sici has 2 results"):
        tj.jit(sp.sici)(1.0)


def test_options_of_ufuncs():
    same(tj.jit(lambda x: sp.gammaln(x, dtype="f4"))(X), sp.gammaln(X, dtype="f4"), rtol=1e-6)
    same(tj.jit(sp.gammaln)(np.arange(1, 5)), sp.gammaln(np.arange(1, 5)))
    with pytest.raises(TypeError, match="complex"):
        tj.jit(sp.gamma)(X + 0j)
