"""Minima, roots and fits: values and counts against SciPy's, derivatives against differences, compiled, batched, in loops, and where they fail."""

import pickle

import numpy as np
import pytest
import scipy.optimize

import tracejit as tj
from tracejit.scipy.optimize import curve_fit, least_squares, minimize, root, root_scalar, rosen

wraps = pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])
METHODS = ["BFGS", "L-BFGS-B", "Newton-CG"]
EXACT = {"BFGS": {"gtol": 1e-10}, "L-BFGS-B": {"gtol": 1e-10, "ftol": 0.0}, "Newton-CG": {"xtol": 1e-12}}
methods = pytest.mark.parametrize("method", METHODS)
P = np.array([1.0, 2.0, 0.5])


def valley(x, p):
    return np.sum((x - p) ** 4) + np.sum(x**2 * p) + x[0] * x[1]


def lowest(p, method="BFGS"):
    return minimize(valley, np.zeros(3), args=(p,), method=method, options=EXACT[method]).x


class TestMinimize:
    @methods
    @wraps
    def test_as_scipy(self, method, wrap):
        start = np.array([-1.2, 1.0, 1.5, 0.3, 2.0])
        got = wrap(lambda x: minimize(rosen, x, method=method))(start)
        want = scipy.optimize.minimize(scipy.optimize.rosen, start, jac=scipy.optimize.rosen_der, method=method)
        np.testing.assert_allclose(got.x, want.x, atol=1e-5)
        np.testing.assert_allclose(got.fun, want.fun, rtol=1e-7)
        assert got.success and got.status == 0 and got.message == "Optimization terminated successfully."
        assert got.nfev <= 2 * want.nfev and got.jac.shape == (5,)

    @pytest.mark.parametrize("method", [None, "L-BFGS-B"])
    def test_bounds(self, method):
        bounds = [(None, 0.5), (0.3, None), (0.1, 0.9), (-1, 1), (0, 0.7)]
        want = scipy.optimize.minimize(scipy.optimize.rosen, np.zeros(5), jac=scipy.optimize.rosen_der, bounds=bounds)
        low, high = ([np.inf * s if x is None else x for x in side] for s, side in zip((-1, 1), zip(*bounds)))
        for given in (bounds, scipy.optimize.Bounds(np.array(low), np.array(high))):
            got = minimize(rosen, np.zeros(5), bounds=given, method=method)
            np.testing.assert_allclose(got.x, want.x, atol=1e-5)
            assert got.success

    @methods
    def test_derivatives(self, method):
        f = lambda p: lowest(p, method)
        tj.check_grads(tj.jit(f), (P,), order=1)
        np.testing.assert_allclose(tj.jacrev(f)(P), tj.jit(tj.jacfwd(f))(P), rtol=1e-7)

    def test_second_derivatives_batches_and_loops(self):
        tj.check_grads(tj.jit(lowest), (P,), order=2)
        got = tj.jit(tj.vmap(tj.jacrev(lowest)))(np.stack([P, 2 * P]))
        np.testing.assert_allclose(got, [tj.jacrev(lowest)(P), tj.jacrev(lowest)(2 * P)], rtol=1e-7)
        f = lambda p: tj.scan(lambda s, _: (lowest(s + P), None), p, None, 2)[0]
        np.testing.assert_allclose(tj.jit(tj.jacrev(f))(P), tj.jacrev(lowest)(f1 := lowest(2 * P) + P) @ tj.jacrev(lowest)(2 * P), rtol=1e-6)
        assert f1.shape == (3,)

    def test_value_at_the_minimum(self):
        """The value moves as if the minimum stayed where it is."""
        f = lambda p: minimize(valley, np.zeros(3), (p,), options={"gtol": 1e-10}).fun
        at = lowest(P)
        np.testing.assert_allclose(tj.grad(f)(P), tj.grad(lambda p: valley(at, p))(P), rtol=1e-7)

    def test_derivatives_with_bounds(self):
        f = lambda p, high: minimize(valley, np.zeros(3), (p,), bounds=[(0.0, high)] * 3, options=EXACT["L-BFGS-B"]).x
        by_p, by_bound = tj.jit(tj.jacrev(f, argnums=(0, 1)))(P, 0.8)
        at = f(P, 0.8)
        np.testing.assert_array_equal(at == 0.8, [False, True, False])
        np.testing.assert_array_equal(by_p[1], 0.0)
        assert by_bound[1] == 1.0
        tj.check_grads(f, (P, 0.8), order=1)

    def test_trees_and_user_gradients(self):
        distance = lambda x, a: (x["u"] - a) ** 2 + np.sum((x["v"] - 2 * a) ** 2)
        found = tj.jit(lambda a: minimize(distance, {"u": 0.0, "v": np.zeros((2, 1))}, a))(1.5)
        np.testing.assert_allclose([found.x["u"], *found.x["v"][:, 0]], [1.5, 3.0, 3.0], rtol=1e-5)
        assert set(found.jac) == {"u", "v"}
        for jac in (True, lambda x: 2 * (x - 3)):
            f = (lambda x: (np.sum((x - 3) ** 2), 2 * (x - 3))) if jac is True else lambda x: np.sum((x - 3) ** 2)
            np.testing.assert_allclose(minimize(f, [0, 1], jac=jac).x, 3.0, rtol=1e-6)

    def test_where_it_ends_elsewhere(self):
        f = lambda a: minimize(lambda x: np.sum((x - a) ** 4), np.zeros(2), options={"maxiter": 2})
        found = f(3.0)
        assert not found.success and found.status == 1 and "iterations" in found.message and np.all(np.isfinite(found.x))
        assert np.all(np.isnan(tj.jacfwd(lambda a: f(a).x)(3.0))) and np.isnan(tj.jit(tj.grad(lambda a: f(a).x.sum()))(3.0))
        found = minimize(lambda x: np.sum(np.log(x)), -np.ones(2))
        assert not found.success and found.status == 3 and "NaN" in found.message
        found = minimize(lambda x: -np.sum(x), np.ones(2), options={"maxiter": 5})  # no minimum at all
        assert not found.success

    def test_results_pass_through_transforms(self):
        found = tj.jit(tj.vmap(lambda a: minimize(lambda x: np.sum((x - a) ** 2), np.zeros(2))))(np.array([1.0, 2.0]))
        assert found.message == ["Optimization terminated successfully."] * 2 and list(found.success) == [True, True]
        again = pickle.loads(pickle.dumps(found))
        np.testing.assert_array_equal(again.x, found.x)
        assert again.message == found.message and "success" in dir(found) and "nfev" in repr(found)
        with pytest.raises(AttributeError, match="no field 'y'; it has x, fun"):
            found.y


class TestRoot:
    @pytest.mark.parametrize("method", ["hybr", "lm"])
    @wraps
    def test_as_scipy(self, method, wrap):
        f = lambda x: [x[0] + 0.5 * (x[0] - x[1]) ** 3 - 1.0, 0.5 * (x[1] - x[0]) ** 3 + x[1]]
        found = wrap(lambda x: root(f, x, method=method))(np.zeros(2))
        np.testing.assert_allclose(found.x, scipy.optimize.root(f, [0, 0]).x, rtol=1e-10)
        assert found.success and found.message == "The solution converged." and np.max(np.abs(found.fun)) < 1e-12

    @wraps
    def test_derivatives(self, wrap):
        f = lambda p: root(lambda x, p: x + 0.5 * (x - x[::-1]) ** 3 - p, np.zeros(2), p, tol=1e-12).x
        p = np.array([1.0, 0.3])
        tj.check_grads(wrap(f), (p,), order=2 if wrap is tj.jit else 1)
        np.testing.assert_allclose(wrap(tj.vmap(f))(np.stack([p, 2 * p])), [f(p), f(2 * p)], rtol=1e-9)
        g = lambda a: root(lambda x: {"u": x["u"] ** 2 - a, "v": x["v"] * x["u"] - 1.0}, {"u": 1.0, "v": 1.0}).x
        slopes = wrap(tj.jacrev(g))(4.0)
        np.testing.assert_allclose([slopes["u"], slopes["v"]], [0.25, -0.0625], rtol=1e-9)

    def test_far_from_the_root_and_given_jacobians(self):
        f = lambda x: np.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])
        jac = lambda x: [[-20 * x[0], 10.0], [-1.0, 0.0]]
        for given in ({}, {"jac": jac}):
            np.testing.assert_allclose(root(f, [-1.2, 1.0], **given).x, 1.0, rtol=1e-9)
        assert root(lambda x: (f(x), np.stack([np.stack(r) for r in jac(x)])), [-1.2, 1.0], jac=True).success

    def test_where_there_is_none(self):
        f = lambda a: root(lambda x: x**2 + a, [1.0])
        found = f(1.0)
        assert not found.success and found.status == 4 and "not making good progress" in found.message
        assert np.isnan(tj.jit(tj.grad(lambda a: f(a).x[0]))(1.0))
        found = root(lambda x: np.exp(x), [1.0], options={"maxfev": 5})
        assert not found.success and found.status == 2


class TestRootScalar:
    @pytest.mark.parametrize(
        "method, options", [("brentq", {"bracket": (0, 3)}), ("bisect", {"bracket": (0, 3)}), ("newton", {"x0": 1.0}), ("secant", {"x0": 1.0})]
    )
    @wraps
    def test_as_scipy(self, method, options, wrap):
        f = lambda x, a: np.exp(x) - a * x - 3
        fprime = {"fprime": lambda x, a: np.exp(x) - a} if method == "newton" else {}
        want = scipy.optimize.root_scalar(f, (0.5,), method, **options, **fprime)
        for given in ({}, fprime):
            got = wrap(lambda a, given=given: root_scalar(f, (a,), method, **options, **given))(0.5)
            np.testing.assert_allclose(got.root, want.root, rtol=1e-11)
            assert got.converged and got.flag == want.flag and got.iterations == want.iterations
        slope = want.root / (np.exp(want.root) - 0.5)
        np.testing.assert_allclose(wrap(tj.grad(lambda a: root_scalar(f, (a,), method, **options).root))(0.5), slope, rtol=1e-9)

    def test_brentq_on_difficult_functions(self):
        cases = [(lambda x: x**9, -1.0, 2.0), (lambda x: np.arctan(x - 0.3) * 1e6, -50.0, 3.0), (lambda x: np.sign(x - 0.1) + 0.5, 0.0, 1.0)]
        cases += [(lambda x: x - 1.0, 1.0, 4.0), (lambda x: x - 4.0, 1.0, 4.0), (lambda x: np.expm1(x) - 1e-8, -1.0, 60.0)]
        for f, a, b in cases:
            got, want = root_scalar(f, bracket=(a, b)), scipy.optimize.root_scalar(f, bracket=(a, b))
            np.testing.assert_allclose(got.root, want.root, rtol=1e-9, atol=1e-11)
            assert got.converged == want.converged and abs(got.iterations - want.iterations) <= 1

    def test_batches_and_second_derivatives(self):
        f = lambda a: root_scalar(lambda x: x**3 - a, bracket=(0.0, 10.0)).root
        a = np.array([1.0, 8.0, 27.0])
        np.testing.assert_allclose(tj.jit(tj.vmap(f))(a), [1.0, 2.0, 3.0], rtol=1e-11)
        np.testing.assert_allclose(tj.jit(tj.vmap(tj.grad(tj.grad(f))))(a), -2 / 9 * a ** (-5 / 3), rtol=1e-9)

    def test_failures(self):
        f = lambda a: root_scalar(lambda x: x**2 + a, bracket=(0.0, 1.0))
        with pytest.raises(ValueError, match=r"test_optimize.py:\d+.*different signs"):
            f(1.0)
        found = tj.jit(f)(1.0)
        assert np.isnan(found.root) and not found.converged and "different signs" in found.flag
        found = root_scalar(lambda x: x**2 + 1.0, x0=1.0)
        assert not found.converged and found.flag == "convergence error"


class TestFits:
    t = np.linspace(0.0, 3.0, 30)
    y = 2.5 * np.exp(-1.3 * t) + 0.5 + 0.05 * np.random.default_rng(0).standard_normal(30)

    @staticmethod
    def model(t, a, b, c):
        return a * np.exp(-b * t) + c

    def residual(self, p):
        return self.model(self.t, p[0], p[1], p[2]) - self.y

    @pytest.mark.parametrize("bounds", [(-np.inf, np.inf), ([0, 0, 0.55], [3, 3, 3])])
    @wraps
    def test_least_squares(self, bounds, wrap):
        got = wrap(lambda x: least_squares(self.residual, x, bounds=bounds))(np.ones(3))
        want = scipy.optimize.least_squares(self.residual, np.ones(3), bounds=bounds)
        np.testing.assert_allclose(got.x, want.x, rtol=1e-6)
        np.testing.assert_allclose(got.cost, want.cost, rtol=1e-10)
        np.testing.assert_array_equal(got.active_mask, want.active_mask)
        assert got.success and "termination condition" in got.message and got.jac.shape == (30, 3) and got.grad.shape == (3,)

    @wraps
    def test_derivatives(self, wrap):
        def f(y):
            return least_squares(lambda p: self.model(self.t, p[0], p[1], p[2]) - y, np.ones(3), ftol=None, xtol=1e-14, gtol=1e-13).x

        tj.check_grads(wrap(f), (self.y,), order=1)
        normal = lambda a, b: least_squares(lambda x: a @ x - b, np.zeros(2), gtol=1e-14).x
        a, b = np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 1.0]]), np.array([1.0, 2.0, 4.0])
        want = tj.jacrev(lambda a: np.linalg.solve(a.T @ a, a.T @ b))(a)
        np.testing.assert_allclose(wrap(tj.jacrev(normal))(a, b), want, rtol=1e-8, atol=1e-10)

    def test_curve_fit(self):
        for sigma, absolute in ((None, False), (0.1 + self.t, False), (0.1 + self.t, True), (np.diag(0.1 + self.t), True)):
            wrap = tj.jit if sigma is None else lambda f: f
            got = wrap(lambda y, s=sigma, a=absolute: curve_fit(self.model, self.t, y, sigma=s, absolute_sigma=a))(self.y)
            want = scipy.optimize.curve_fit(self.model, self.t, self.y, sigma=sigma, absolute_sigma=absolute)
            np.testing.assert_allclose(got[0], want[0], rtol=1e-5)
            np.testing.assert_allclose(got[1], want[1], rtol=1e-3)

    def test_where_it_ends_elsewhere(self):
        found = least_squares(self.residual, np.ones(3), max_nfev=2)
        assert not found.success and found.status == 0
        assert np.all(np.isnan(curve_fit(self.model, self.t, self.y, max_nfev=2)[0]))


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: minimize(rosen, np.ones(2), method="CG"), ValueError, "'BFGS', 'L-BFGS-B', 'Newton-CG', got 'CG'"),
        (lambda: minimize(rosen, np.ones(2), constraints=({},)), TypeError, "constraints="),
        (lambda: minimize(rosen, np.ones(2), options={"gtoll": 1}), ValueError, "no option 'gtoll'; options are gtol, maxiter"),
        (lambda: minimize(lambda x: x, np.ones(2)), TypeError, "one real number"),
        (lambda: minimize(rosen, np.ones(2) * 1j), TypeError, "real numbers"),
        (lambda: minimize(rosen, []), ValueError, "no elements"),
        (lambda: minimize(rosen, np.ones(2), bounds=[(0, 1)]), ValueError, "1 bounds for 2 unknowns"),
        (lambda: minimize(rosen, np.ones(2), "BFGS", method="BFGS", bounds=[(0, 1)] * 2), ValueError, "L-BFGS-B"),
        (lambda: root(lambda x: x[:1], np.ones(2)), ValueError, "1 numbers for 2 unknowns"),
        (lambda: root(lambda x: x, np.ones(2), method="krylov"), ValueError, "'krylov'"),
        (lambda: root_scalar(lambda x: x), ValueError, "needs x0"),
        (lambda: root_scalar(lambda x: x, x0=1.0, method="halley"), ValueError, "'halley'"),
        (lambda: least_squares(lambda x: x, 1.0, loss="huber"), ValueError, "'huber'"),
        (lambda: curve_fit(lambda t, *p: t, 1.0, 1.0), ValueError, "give p0"),
    ],
)
def test_messages(call, error, match):
    with pytest.raises(error, match=match) as caught:
        call()
    assert "test_optimize.py" in str(caught.value)


@wraps
def test_scipys_own_functions_in_traced_functions(wrap):
    """Where an argument or what the function closes over is traced they are ours."""
    f = lambda a: scipy.optimize.minimize(lambda x: np.sum((x - a) ** 2), np.zeros(2)).x[0]
    np.testing.assert_allclose(wrap(tj.grad(f))(3.0), 1.0, rtol=1e-6)
    f = lambda a: scipy.optimize.minimize(lambda x, a: np.sum((x - a) ** 2), np.zeros(2), args=(a,)).x[0]
    np.testing.assert_allclose(wrap(tj.grad(f))(3.0), 1.0, rtol=1e-6)
    f = lambda a: scipy.optimize.root_scalar(lambda x: x**3 - a, bracket=(0, 10)).root
    np.testing.assert_allclose(wrap(tj.grad(f))(8.0), 1 / 12, rtol=1e-9)
    f = lambda a: scipy.optimize.root(lambda x: x**3 - a, [1.0]).x[0]
    np.testing.assert_allclose(wrap(tj.grad(f))(8.0), 1 / 12, rtol=1e-9)
    f = lambda a: scipy.optimize.least_squares(lambda x: x - a, [1.0]).x[0]
    np.testing.assert_allclose(wrap(tj.grad(f))(8.0), 1.0, rtol=1e-9)
