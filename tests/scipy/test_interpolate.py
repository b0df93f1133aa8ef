"""Interpolation: values against SciPy's for all kinds and conditions, derivatives in data, knots and points, compiled and batched."""

import numpy as np
import pytest
import scipy.interpolate

import tracejit as tj
from tracejit.scipy.interpolate import CubicSpline, PchipInterpolator, PPoly, interp1d

wraps = pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])
rng = np.random.default_rng(0)
X = np.cumsum(rng.uniform(0.3, 1.0, 8))
Y = rng.standard_normal((2, 8, 3))
POINTS = np.concatenate([rng.uniform(X[0], X[-1], 9), X]).reshape(17, 1)
OUTSIDE = np.linspace(X[0] - 2.0, X[-1] + 2.0, 23)
ENDS = ["not-a-knot", "natural", "clamped", ((1, 0.5), (2, -1.0)), ((2, 0.3), "not-a-knot"), ("clamped", (1, 2.0)), "periodic"]


def values(bc_type, n=8):
    y = np.array(Y[:, :n])
    if bc_type == "periodic":
        y[:, -1] = y[:, 0]
    return y


class TestCubicSpline:
    @pytest.mark.parametrize("bc_type", ENDS, ids=str)
    @pytest.mark.parametrize("n", [2, 3, 4, 8])
    def test_as_scipy(self, bc_type, n):
        y = values(bc_type, n)
        if isinstance(bc_type, tuple):
            wide = tuple((k[0], np.full((2, 3), k[1])) if isinstance(k, tuple) else k for k in bc_type)
        else:
            wide = bc_type
        want = scipy.interpolate.CubicSpline(X[:n], y, axis=1, bc_type=wide)
        got = CubicSpline(X[:n], y, axis=1, bc_type=bc_type)
        np.testing.assert_allclose(got.c, want.c, rtol=1e-9, atol=1e-9)
        for nu in range(4):
            np.testing.assert_allclose(got(OUTSIDE, nu), want(OUTSIDE, nu), rtol=1e-8, atol=1e-8)
            assert got(POINTS, nu).shape == want(POINTS, nu).shape == (2, 17, 1, 3)

    @pytest.mark.parametrize("bc_type", ENDS, ids=str)
    def test_derivatives(self, bc_type):
        y = values(bc_type)[0, :, 0]

        def f(x, y, t):
            y = np.concatenate([y, y[:1]]) if bc_type == "periodic" else y
            spline = CubicSpline(x, y, bc_type=bc_type)
            return spline(t), spline(t, 1), spline.integrate(x[0] + 0.1, t[0])

        given = (X, y[:-1] if bc_type == "periodic" else y, POINTS[:4, 0])
        tj.check_grads(f, given, order=1)
        for g, w in zip(tj.jit(f)(*given), f(*given)):
            np.testing.assert_allclose(g, w, rtol=1e-9, atol=1e-12)

    def test_second_derivatives_and_batches(self):
        f = lambda y: CubicSpline(X, y)(2.0) ** 2
        tj.check_grads(tj.jit(f), (Y[0, :, 0],), order=2)
        np.testing.assert_allclose(tj.jit(tj.vmap(f, in_axes=1))(Y[0]), [f(Y[0, :, k]) for k in range(3)], rtol=1e-12)
        slope = tj.vmap(tj.grad(lambda t: CubicSpline(X, Y[0, :, 0])(t)))(POINTS[:, 0])
        np.testing.assert_allclose(slope, CubicSpline(X, Y[0, :, 0])(POINTS[:, 0], 1), rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("bc_type", ["not-a-knot", "periodic"])
    def test_calculus(self, bc_type):
        y = values(bc_type)
        want, got = (c(X, y, axis=1, bc_type=bc_type) for c in (scipy.interpolate.CubicSpline, CubicSpline))
        np.testing.assert_allclose(got.derivative(2)(POINTS), want.derivative(2)(POINTS), rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(got.antiderivative()(X), want.antiderivative()(X), rtol=1e-8, atol=1e-9)
        for a, b in ((X[0], X[-1]), (X[1] + 0.1, X[5]), (X[4], X[1]), (X[0] - 0.5, X[-1] + 0.7)):
            np.testing.assert_allclose(got.integrate(a, b), want.integrate(a, b), rtol=1e-8, atol=1e-9)

    def test_outside(self):
        got = CubicSpline(X, Y[0], extrapolate=False)
        np.testing.assert_allclose(got(OUTSIDE), scipy.interpolate.CubicSpline(X, Y[0], extrapolate=False)(OUTSIDE), rtol=1e-8)

    def test_is_a_tree(self):
        spline = tj.jit(lambda y: CubicSpline(X, y))(Y[0])
        assert type(spline) is CubicSpline
        np.testing.assert_allclose(spline(POINTS), CubicSpline(X, Y[0])(POINTS), rtol=1e-12)


@wraps
def test_pchip(wrap):
    for y in (np.cumsum(np.abs(Y[0]), axis=0), Y[0], np.round(Y[0]), Y[0][:2]):
        x = X[: len(y)]
        got = wrap(lambda x, y, t: PchipInterpolator(x, y)(t))(x, y, OUTSIDE)
        np.testing.assert_allclose(got, scipy.interpolate.PchipInterpolator(x, y)(OUTSIDE), rtol=1e-9, atol=1e-9)
    tj.check_grads(lambda x, y, t: PchipInterpolator(x, y)(t), (X, Y[0, :, 0], POINTS[:4, 0]), order=1)


KINDS = ["linear", "nearest", "nearest-up", "previous", "next", "cubic", "zero", "slinear", 3]


class TestInterp1d:
    @pytest.mark.parametrize("kind", KINDS)
    @wraps
    def test_as_scipy(self, kind, wrap):
        shuffled = rng.permutation(8)
        for points in (POINTS, 0.5 * (X[1:] + X[:-1]), X[3]):
            got = wrap(lambda x, y, t: interp1d(x, y, kind, axis=1)(t))(X[shuffled], Y[:, shuffled], points)
            want = scipy.interpolate.interp1d(X[shuffled], Y[:, shuffled], kind, axis=1)(points)
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("fill", ["extrapolate", 3.0, (1.0, 2.0)])
    @pytest.mark.parametrize("kind", ["linear", "nearest", "previous", "next", "cubic"])
    def test_outside(self, kind, fill):
        got = interp1d(X, Y, kind, axis=1, fill_value=fill)(OUTSIDE)
        want = scipy.interpolate.interp1d(X, Y, kind, axis=1, fill_value=fill, bounds_error=False)(OUTSIDE)
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-8)

    def test_outside_without_a_value(self):
        with pytest.raises(ValueError, match=r"test_interpolate.py:\d+.*outside of the interpolation range"):
            interp1d(X, Y[0, :, 0])(OUTSIDE)
        got = tj.jit(lambda t: interp1d(X, Y[0, :, 0])(t))(OUTSIDE)
        want = scipy.interpolate.interp1d(X, Y[0, :, 0], bounds_error=False)(OUTSIDE)
        np.testing.assert_allclose(got, want)

    @pytest.mark.parametrize("kind", ["linear", "nearest", "previous", "cubic"])
    def test_derivatives(self, kind):
        f = lambda x, y, t: interp1d(x, y, kind, assume_sorted=True)(t)
        tj.check_grads(tj.jit(f), (X, Y[0, :, 0], POINTS[:4, 0]), order=1)
        batch = tj.jit(tj.vmap(f, in_axes=(None, 1, None)))(X, Y[0], POINTS[:, 0])
        np.testing.assert_allclose(batch, interp1d(X, Y[0], kind, axis=0)(POINTS[:, 0]).T, rtol=1e-12)


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: interp1d(X, Y[0], axis=0, kind="quadratic"), "'quadratic'"),
        (lambda: interp1d(X, Y[0]), "8 elements"),
        (lambda: CubicSpline(X[::-1], Y[0]), "strictly increasing"),
        (lambda: CubicSpline(X, Y[0], bc_type="free"), "'free' is none of"),
        (lambda: CubicSpline(X, Y[0], bc_type=("periodic", "natural")), "periodic at both ends or none"),
        (lambda: CubicSpline(X, Y[0], bc_type="periodic"), "equal values"),
        (lambda: CubicSpline(X[:1], Y[0, :1]), "at least two"),
        (lambda: PPoly(np.ones((2, 3)), np.ones(3)), "does not fit"),
    ],
)
def test_messages(call, match):
    with pytest.raises(ValueError, match=match) as caught:
        call()
    assert "test_interpolate.py" in str(caught.value)


def test_scipys_own_classes_in_traced_functions():
    for name in ("CubicSpline", "PchipInterpolator", "interp1d"):
        with pytest.raises(TypeError, match=f"call `tracejit.scipy.interpolate.{name}`"):
            tj.grad(lambda y, name=name: getattr(scipy.interpolate, name)(X, y)(2.0))(Y[0, :, 0])
