"""Differential equations and integrals: values against SciPy's, derivatives against differences and each other, compiled, batched, and failures."""

import warnings

import numpy as np
import pytest
import scipy.integrate

import tracejit as tj
from tracejit.scipy.integrate import (
    IntegrationWarning,
    cumulative_trapezoid,
    fixed_quad,
    odeint,
    quad,
    rk4,
    simpson,
    solve_ivp,
    trapezoid,
)

wraps = pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])
adjoints = pytest.mark.parametrize("adjoint", ["discrete", "continuous"])
both_in_slow_runs = pytest.mark.parametrize("adjoint", ["discrete", pytest.param("continuous", marks=pytest.mark.slow)])
TIMES, START, RATES = np.linspace(0.0, 3.0, 7), np.array([1.0, 1.2]), np.array([1.5, 1.0, 1.0, 3.0])


def predation(t, y, a, b, c, d):
    return np.stack([a * y[0] - b * y[0] * y[1], c * y[0] * y[1] - d * y[1]])


def differences(f, *args, step=1e-6):
    """Gradients of f in all its arguments, by central differences."""
    result = []
    for k, x in enumerate(args):
        units = np.eye(x.size).reshape(x.size, *x.shape) * step
        moved = [[f(*args[:k], x + s * u, *args[k + 1 :]) for u in units] for s in (1, -1)]
        result.append((np.subtract(*moved) / (2 * step)).reshape(x.shape))
    return result


class TestValues:
    @pytest.mark.parametrize("method", ["RK45", "RK23"])
    @pytest.mark.parametrize("span", [(0.0, 3.0), (3.0, 0.0)])
    def test_steps_are_those_of_scipy(self, method, span):
        times = np.linspace(*span, 7)
        for rtol in (1e-3, 1e-7):
            got = solve_ivp(predation, span, START, method, times, args=tuple(RATES), rtol=rtol, atol=1e-9)
            want = scipy.integrate.solve_ivp(predation, span, START, method, times, args=tuple(RATES), rtol=rtol, atol=1e-9)
            np.testing.assert_allclose(got.y, want.y, rtol=1e-6)
            assert got.nfev == want.nfev and got.success and got.status == want.status and got.message == want.message
            np.testing.assert_array_equal(got.t, want.t)

    @wraps
    def test_odeint_is_within_the_tolerance(self, wrap):
        got = wrap(lambda y, t, p: odeint(lambda y, t, *p: predation(t, y, *p), y, t, *p, rtol=1e-9, atol=1e-9))(START, TIMES, RATES)
        want = scipy.integrate.odeint(predation, START, TIMES, tuple(RATES), rtol=1e-12, atol=1e-12, tfirst=True)
        np.testing.assert_allclose(got, want, rtol=1e-7)
        same = odeint(predation, START, TIMES, args=tuple(RATES), tfirst=True, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(same, want, rtol=1e-7)

    @pytest.mark.parametrize("first, longest", [(0.01, 0.05), (None, 0.1), (0.5, np.inf)])
    def test_lengths_of_steps(self, first, longest):
        options = {"first_step": first, "max_step": longest}
        got = solve_ivp(lambda t, y: np.cos(t) * y, (0.0, 2.0), [1.0], **options)
        want = scipy.integrate.solve_ivp(lambda t, y: np.cos(t) * y, (0.0, 2.0), [1.0], **options)
        assert got.nfev == want.nfev
        np.testing.assert_allclose(got.y[:, -1], want.y[:, -1], rtol=1e-12)
        np.testing.assert_array_equal(got.t, [0.0, 2.0])

    def test_trees_and_complex_numbers(self):
        found = odeint(lambda y, t: {"x": y["v"], "v": -y["x"]}, {"x": np.ones(2), "v": 0.0 * np.ones(2)}, TIMES)
        np.testing.assert_allclose(found["x"], np.cos(TIMES)[:, None] * np.ones(2), atol=1e-6)
        assert found["v"].shape == (7, 2)
        found = solve_ivp(lambda t, y: 1j * y, (0.0, 3.0), np.array([1.0 + 0j]), t_eval=TIMES, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.y[0], np.exp(1j * TIMES), rtol=1e-7)

    def test_rk4_has_order_four(self):
        errors = [abs(rk4(lambda y, t: y * np.cos(t), 1.0, TIMES, steps=n)[-1] - np.exp(np.sin(3.0))) for n in (4, 8)]
        assert 12 < errors[0] / errors[1] < 20

    def test_closed_over_values_and_lists(self):
        f = tj.jit(lambda k: solve_ivp(lambda t, y: [y[1], -k * y[0]], (0, 1), [1.0, 0.0], rtol=1e-9, atol=1e-9).y[0, -1])
        np.testing.assert_allclose(f(4.0), np.cos(2.0), rtol=1e-8)
        np.testing.assert_allclose(tj.grad(f)(4.0), -np.sin(2.0) / 4, rtol=1e-7)


class TestDerivatives:
    @adjoints
    def test_against_differences(self, adjoint):
        def f(y, t, p):
            ys = odeint(lambda y, t, p: predation(t, y, *p) * (1 + 0.1 * np.sin(t)), y, t, p, rtol=1e-10, atol=1e-10, adjoint=adjoint)
            return np.sum(np.sin(ys) * np.array([1.0, 2.0]))

        compiled = tj.jit(f)
        got = tj.jit(tj.grad(f, argnums=(0, 1, 2)))(START, TIMES, RATES)
        for g, w in zip(got, differences(compiled, START, TIMES, RATES)):
            np.testing.assert_allclose(g, w, rtol=2e-6, atol=1e-6)
        moved = [np.ones_like(x) for x in (START, TIMES, RATES)]
        forward = tj.jit(lambda *a: tj.jvp(f, a, tuple(moved))[1])(START, TIMES, RATES)
        np.testing.assert_allclose(forward, sum(np.sum(g) for g in got), rtol=1e-7)

    @adjoints
    def test_outside_of_compiled_functions(self, adjoint):
        def f(k):
            return np.sum(odeint(lambda y, t: -k * y, 1.0, np.array([0.0, 0.5, 1.0]), adjoint=adjoint))

        want = -(0.5 * np.exp(-0.5 * 2) + np.exp(-2.0))
        np.testing.assert_allclose(tj.grad(f)(2.0), want, rtol=1e-6)

    @both_in_slow_runs
    def test_second_derivatives(self, adjoint):
        f = tj.jit(tj.hessian(lambda k: odeint(lambda y, t: -k * y, 1.0, np.array([0.0, 1.0]), rtol=1e-9, atol=1e-9, adjoint=adjoint)[-1]))
        np.testing.assert_allclose(f(0.7), np.exp(-0.7), rtol=1e-6)

    @both_in_slow_runs
    def test_batches_and_scans(self, adjoint):
        def f(k, y):
            return odeint(lambda y, t: -k * y**2, y, np.array([0.0, 1.0]), rtol=1e-9, atol=1e-9, adjoint=adjoint)[-1]

        ks = np.array([0.5, 4.0, 30.0])  # each needs another number of steps
        exact = lambda k, y: y / (1 + k * y)
        got = tj.jit(tj.vmap(tj.grad(f), in_axes=(0, None)))(ks, 1.0)
        np.testing.assert_allclose(got, -1.0 / (1 + ks) ** 2, rtol=1e-6)
        along = lambda k: tj.scan(lambda y, _: (f(k, y), y), 1.0, None, 3)[0]
        np.testing.assert_allclose(tj.jit(along)(2.0), exact(6.0, 1.0), rtol=1e-7)
        np.testing.assert_allclose(tj.jit(tj.grad(along))(2.0), -3.0 / 49, rtol=1e-6)

    def test_times(self):
        end = lambda a, b: solve_ivp(lambda t, y: t * y, (a, b), [1.0], rtol=1e-9, atol=1e-9).y[0, -1]
        value = np.exp((2.0**2 - 1.0) / 2)
        np.testing.assert_allclose(tj.grad(end, argnums=(0, 1))(1.0, 2.0), [-value, 2 * value], rtol=1e-6)

    def test_rk4(self):
        f = lambda p: np.sum(rk4(lambda y, t, p: predation(t, y, *p), START, TIMES, p, steps=3, checkpoint_every=2) ** 2)
        tj.check_grads(f, (RATES,), order=1)
        np.testing.assert_allclose(tj.jit(tj.grad(f))(RATES), tj.grad(f)(RATES), rtol=1e-9)


class TestFailures:
    @wraps
    def test_a_solution_that_ends(self, wrap):
        """y' = y^2 from 1 becomes infinite at t = 1."""
        blow_up = lambda t, y: y**2
        want = scipy.integrate.solve_ivp(blow_up, (0, 2), [1.0], t_eval=[0.5, 1.5])
        got = wrap(lambda: solve_ivp(blow_up, (0, 2), [1.0], t_eval=np.array([0.5, 1.5])))()
        assert not got.success and got.status == want.status == -1 and got.message == want.message
        assert np.isfinite(got.y[0, 0]) and np.isnan(got.y[0, 1])
        with pytest.raises(RuntimeError, match=r"test_integrate.py:\d+.*odeint: Required step size"):
            odeint(lambda y, t: y**2, 1.0, np.array([0.0, 2.0]))
        slope = tj.jit(tj.grad(lambda y: odeint(lambda y, t: y**2, y, np.array([0.0, 0.5, 2.0]))[1:].sum()))(1.0)
        assert np.isnan(slope)

    def test_too_many_steps(self):
        with pytest.raises(RuntimeError, match="mxstep"):
            odeint(lambda y, t: -100 * y, 1.0, np.array([0.0, 10.0]), mxstep=20)
        found = solve_ivp(lambda t, y: -100 * y, (0, 10), [1.0], max_steps=20)
        assert not found.success and "max_steps" in found.message

    def test_times_that_are_not_known_to_be_wrong(self):
        """Outside of the interval, or backwards: never the value of another polynomial, and never a loop without end."""
        f = tj.jit(lambda t: solve_ivp(lambda t, y: -y, (0.0, 1.0), [1.0], t_eval=t, rtol=1e-8, atol=1e-8).y[0])
        got = f(np.array([0.5, 2.0, 0.9, 0.1, -1.0, np.nan]))
        np.testing.assert_allclose(got, [np.exp(-0.5), np.nan, np.exp(-0.9), np.nan, np.nan, np.nan], rtol=1e-6)

    def test_nan(self):
        found = solve_ivp(lambda t, y: np.sqrt(0.5 - y), (0, 10), [0.6])
        assert not found.success and np.isnan(found.y[0, 1])

    @pytest.mark.parametrize(
        "call, error, match",
        [
            (lambda: solve_ivp(predation, (0, 1), START, "Radau"), ValueError, "'RK23', 'RK45', got 'Radau'"),
            (lambda: solve_ivp(predation, (0, 1), START, events=len), TypeError, "events="),
            (lambda: solve_ivp(predation, (0, 1), START, dense_output=True), TypeError, "dense_output="),
            (lambda: solve_ivp(lambda t, y: y[:1], (0, 1), START), ValueError, "expected those of y0"),
            (lambda: solve_ivp(lambda t, y: y, (0, 1), START, t_eval=[0.5, 2.0]), ValueError, "not within"),
            (lambda: solve_ivp(lambda t, y: 1j * y, (0, 1), START), TypeError, "complex"),
            (lambda: odeint(lambda y, t: y, 1.0, np.array([0.0, 2.0, 1.0])), ValueError, "rise or fall"),
            (lambda: odeint(lambda y, t: y, 1.0, TIMES, adjoint="exact"), ValueError, "'exact'"),
            (lambda: odeint(lambda y, t: y, 1j, TIMES, adjoint="continuous"), TypeError, "real states"),
            (lambda: rk4(lambda y, t: y, 1.0, TIMES, steps=0), ValueError, "at least 1"),
            (lambda: quad(np.sin, 0, 1, weight="cos"), TypeError, "weight="),
            (lambda: quad(lambda x: np.ones(2), 0, 1), TypeError, "one real number"),
            (lambda: quad(np.sin, 0, 1, limit=0), ValueError, "limit"),
            (lambda: fixed_quad(np.sin, 0, np.inf), ValueError, "finite limits"),
            (lambda: trapezoid(1.0), ValueError, "array of samples"),
            (lambda: simpson(np.ones(3), np.ones(4)), ValueError, "4 points"),
        ],
    )
    def test_messages(self, call, error, match):
        with pytest.raises(error, match=match) as caught:
            call()
        assert "test_integrate.py" in str(caught.value)


INTEGRANDS = [
    (np.cos, 0.0, 2.0),
    (lambda x: 1 / (1 + x * x), -np.inf, np.inf),
    (lambda x: np.exp(-x), 0.0, np.inf),
    (np.exp, -np.inf, 1.0),
    (lambda x: np.sqrt(np.abs(x - 0.3)), 0.0, 1.0),
    (lambda x: np.sin(50 * x) ** 2, 3.0, 1.0),
    (lambda x: 1 / (1 + x * x), np.inf, 0.0),
    (lambda x: 2.0, 0.0, 1.0),
]


class TestQuad:
    @pytest.mark.parametrize("case", range(len(INTEGRANDS)))
    @wraps
    def test_values(self, case, wrap):
        f, a, b = INTEGRANDS[case]
        value, error = wrap(lambda: quad(f, a, b))()
        want = scipy.integrate.quad(f, a, b, limit=200)[0]
        assert abs(value - want) <= max(error, 1e-13) and error <= 1.49e-8 * max(1, abs(want))

    @wraps
    def test_derivatives(self, wrap):
        def f(a, b, p):
            return quad(lambda x, p: np.exp(-p * x) * np.sin(x * x), a, b, (p,), epsabs=1e-11, epsrel=1e-11)[0]

        if wrap is tj.jit:
            slopes = tj.jit(tj.grad(f, argnums=(0, 1, 2)))(0.3, 4.0, 0.5)
            np.testing.assert_allclose(slopes, differences(lambda *a: f(*a), *map(np.float64, (0.3, 4.0, 0.5))), rtol=1e-7)
        else:
            tj.check_grads(f, (0.3, 4.0, 0.5), order=2)
            got = tj.vmap(tj.grad(f, argnums=1), in_axes=(0, None, None))(np.array([0.3, 1.0]), 4.0, 0.5)
            np.testing.assert_allclose(got, np.exp(-2.0) * np.sin(16.0) * np.ones(2), rtol=1e-9)
        gamma = lambda s: quad(lambda x: x ** (s - 1) * np.exp(-x), 0, np.inf)[0]
        np.testing.assert_allclose(wrap(tj.grad(gamma))(3.0), 2 * (1.5 - np.euler_gamma), rtol=1e-7)

    def test_inside_a_scan(self):
        f = lambda p: tj.scan(lambda s, k: (s + quad(lambda x: np.sin(k * x) * p, 0.0, s)[0], None), 1.0, np.arange(1.0, 4.0))[0]
        np.testing.assert_allclose(tj.jit(tj.grad(f))(0.3), differences(tj.jit(f), np.float64(0.3))[0], rtol=1e-6)

    def test_what_is_too_hard(self):
        hard = lambda x: np.abs(x - 0.3) ** -0.9
        with pytest.warns(IntegrationWarning, match=r"test_integrate.py:\d+.*50 parts"):
            quad(hard, 0.0, 1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value, error = tj.jit(lambda a: quad(hard, a, 1.0))(0.0)
        assert error > 1e-3

    def test_fixed(self):
        np.testing.assert_allclose(fixed_quad(np.cos, 0.0, 1.0, n=4)[0], scipy.integrate.fixed_quad(np.cos, 0.0, 1.0, n=4)[0], rtol=1e-14)
        np.testing.assert_allclose(tj.grad(lambda b: fixed_quad(np.cos, 0.0, b, n=8)[0])(1.0), np.cos(1.0), rtol=1e-10)


class TestSamples:
    @pytest.mark.parametrize("name", ["trapezoid", "cumulative_trapezoid", "simpson"])
    @pytest.mark.parametrize("n", [2, 3, 6, 7])
    def test_values(self, name, n):
        rng = np.random.default_rng(n)
        x, y = np.sort(rng.random(n)), rng.random((3, n))
        ours, scipys = {"trapezoid": trapezoid, "simpson": simpson}.get(name, cumulative_trapezoid), getattr(scipy.integrate, name)
        for options in ({"x": x}, {"dx": 0.3}, {"x": np.broadcast_to(x, y.shape)}):
            np.testing.assert_allclose(ours(y, **options), scipys(y, **options), rtol=1e-12)
        np.testing.assert_allclose(tj.jit(lambda y, x: ours(y.T, x, axis=0))(y, x), scipys(y.T, x, axis=0), rtol=1e-12)
        tj.check_grads(lambda y, x: ours(y, x), (y, x), order=1)

    def test_initial(self):
        y = np.arange(4.0)
        np.testing.assert_allclose(cumulative_trapezoid(y, initial=0), scipy.integrate.cumulative_trapezoid(y, initial=0))


def test_scipys_own_functions_in_traced_functions():
    """Where an argument or what a function closes over is traced they are ours."""
    f = tj.jit(lambda y: scipy.integrate.solve_ivp(lambda t, y: -y, (0.0, 1.0), y, rtol=1e-8, atol=1e-8).y[0, -1])
    np.testing.assert_allclose(f(np.ones(1)), np.exp(-1.0), rtol=1e-6)
    np.testing.assert_allclose(tj.grad(lambda x: scipy.integrate.trapezoid(x))(np.ones(3)), [0.5, 1.0, 0.5])
    f = lambda k: scipy.integrate.solve_ivp(lambda t, y: -k * y, (0.0, 1.0), [1.0], rtol=1e-8, atol=1e-8).y[0, -1]
    np.testing.assert_allclose([f(2.0), tj.grad(f)(2.0), tj.jit(tj.grad(f))(2.0)], np.exp(-2.0) * np.array([1, -1, -1]), rtol=1e-6)
    f = lambda k: scipy.integrate.quad(lambda x: k * x, 0.0, 1.0)[0]
    np.testing.assert_allclose([f(2.0), tj.grad(f)(2.0), tj.jit(tj.grad(f))(2.0)], [1.0, 0.5, 0.5])
    with pytest.raises(ValueError, match="'RK23', 'RK45', got 'LSODA'"):
        tj.grad(lambda k: scipy.integrate.solve_ivp(lambda t, y: -k * y, (0.0, 1.0), [1.0], "LSODA").y[0, -1])(2.0)
