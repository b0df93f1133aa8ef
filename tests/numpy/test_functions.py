"""Choosing, comparing, and the mathematical functions that are not ufuncs."""

import numpy as np
import pytest

import tracejit as tj
import tracejit.numpy

X = np.random.default_rng(0).standard_normal((3, 4)) * 2
SPECIAL = np.array([0.0, -0.0, 1.0, np.nan, np.inf, -np.inf])


def test_where_and_select(agrees):
    for x in (X, X.astype(np.float32), (X * 3).astype(np.int8), X * 1j):
        agrees(lambda v: np.where(v != 0, v, 2.5), x)
        agrees(lambda v: np.where(v, 1, v), x)
        agrees(lambda v: np.where([True, False, True, False], v, v[0]), x)
        agrees(lambda v: np.select([abs(v) > 2, abs(v) > 1], [v, v * 2], default=1.5), x)
        agrees(lambda v: np.select([abs(v) > 2], [7]), x)
    agrees(lambda v: np.where(v > 0, v, 300), X.astype(np.int8))
    agrees(lambda v: np.where(v > 0, v), X)
    agrees(lambda v: np.select([v], [v]), X)
    agrees(lambda v: np.select([v > 0], [v, v]), X)
    agrees(lambda v: np.piecewise(v, [v > 1, v < -1], [np.sin, lambda u: -u, 0.5]), X)
    agrees(lambda v: np.piecewise(v, [v > 1], [2, 3]), X)
    agrees(lambda v: np.piecewise(v, v > 1, [2, 3]), X)
    agrees(lambda v: np.piecewise(v, [v > 1], [2, 3, 4]), X)
    agrees(lambda v: np.piecewise(v[0], v[0] > 1, [2, 3]), X)
    agrees(lambda v: np.piecewise(v[0, 0], [v[0, 0] > 1, v[0, 0] < 1], [2, 3]), X)


@pytest.mark.parametrize("bounds", [(0, 1), (None, 1), (-1, None), (None, None), (-300, 300), (0.5, 1.5), (np.float64(-1), 1), ([0, 0, 1, 1], 2)])
@pytest.mark.parametrize("dtype", ["i1", "i8", "f4", "f8"])
def test_clip(agrees, bounds, dtype):
    x = (X * 3).astype(dtype)
    agrees(lambda v: np.clip(v, *bounds), x)
    agrees(lambda v: v.clip(*bounds), x)
    agrees(lambda v: np.clip(v, min=bounds[0], max=bounds[1]), x)


def test_clip_arguments(agrees):
    agrees(lambda v: np.clip(v, 0), X)
    agrees(lambda v: np.clip(v, 0, 1, min=0), X)
    agrees(lambda v: v.clip(0), X)
    agrees(lambda v: v.clip(max=0), X)


def test_closeness(agrees):
    y = X + np.random.default_rng(1).choice([0, 1e-9, 1e-3], X.shape)
    for x in (X, X.astype(np.float32), (X * 3).astype(int)):
        agrees(np.isclose, x, y)
        agrees(lambda v, x=x: np.isclose(v, 1), x)
        agrees(np.array_equal, x, y)
        agrees(np.allclose, x, x)
    agrees(lambda v: np.isclose(v, SPECIAL, equal_nan=True), SPECIAL)
    agrees(lambda v: np.isclose(v, SPECIAL, rtol=0.1, atol=1), SPECIAL[::-1].copy())
    agrees(lambda v: np.array_equal(v, v, equal_nan=True), SPECIAL)
    agrees(lambda v: np.array_equal(v, v[:2]), SPECIAL)
    agrees(lambda v: np.array_equiv(v, v[:1]), np.ones(3))


def test_not_a_number(agrees):
    with np.errstate(invalid="ignore"):
        complex_values = SPECIAL + 1j * SPECIAL[::-1]
    for x in (SPECIAL, SPECIAL.astype(np.float32), complex_values, np.arange(3)):
        agrees(np.nan_to_num, x)
        agrees(lambda v: np.nan_to_num(v, nan=1, posinf=2, neginf=3), x)
    agrees(np.isposinf, SPECIAL)
    agrees(np.isneginf, SPECIAL)


def test_complex_parts(agrees):
    for x in (X, X + 1j * X[::-1], (X + 1j).astype(np.complex64), (X * 2).astype(int)):
        for f in (
            np.real,
            np.imag,
            np.conj,
            np.angle,
            lambda v: np.angle(v, deg=True),
            lambda v: v.real,
            lambda v: v.imag,
            lambda v: v.conj(),
            np.abs,
            np.isreal,
            np.iscomplex,
        ):
            agrees(f, x)


@pytest.mark.parametrize("decimals", [0, 1, 3, -1])
def test_round(agrees, decimals):
    for x in (X * 100, (X * 100).astype(np.float32), (X * 10).astype(int), (X > 0)):
        agrees(lambda v: np.round(v, decimals), x)
    agrees(np.fix, X)


def test_sinc(agrees):
    for x in (X, np.linspace(-0.1, 0.1, 101), X.astype(np.float32), np.arange(3)):
        agrees(np.sinc, x, rtol=1e-13 if x.dtype == float else 1e-6, atol=1e-15)


def test_running(agrees):
    for x in (X, (X * 3).astype(np.int8), X > 0, np.float64(2), X + 1j):
        for f in (np.cumsum, np.cumprod):
            agrees(f, x)
            for axis in (0, -1, 3):
                agrees(lambda v, f=f, a=axis: f(v, axis=a), x)
    agrees(lambda v: np.cumulative_sum(v, axis=1, include_initial=True), X)
    agrees(lambda v: np.cumulative_prod(v[0], include_initial=True), X)
    agrees(np.cumulative_sum, X)


def test_differences(agrees):
    for x in (X, (X * 3).astype(int), X > 0):
        for call in (
            np.diff,
            lambda v: np.diff(v, 2, 0),
            lambda v: np.diff(v, prepend=0),
            lambda v: np.diff(v, append=v[:, :1]),
            lambda v: np.diff(v, 9),
            lambda v: np.diff(v, -1),
            lambda v: np.diff(v[0, 0]),
        ):
            agrees(call, x)
    for call in (
        np.ediff1d,
        lambda v: np.ediff1d(v, to_begin=0, to_end=[1, 2]),
        np.gradient,
        lambda v: np.gradient(v, 0.5, axis=1),
        lambda v: np.gradient(v, 2, 3),
        lambda v: np.gradient(v[0]),
        lambda v: np.gradient(v[:, :1]),
        np.trapezoid,
        lambda v: np.trapezoid(v, dx=0.5, axis=0),
        lambda v: np.trapezoid(v, [0, 1, 3, 4]),
        lambda v: np.trapezoid(v, np.cumsum(abs(v), 0), axis=0),
        lambda v: np.unwrap(v * 4),
        lambda v: np.unwrap(v * 4, axis=0, period=3.0),
    ):
        agrees(call, X)
    agrees(lambda v: np.unwrap(v, period=4), (X * 10).astype(int))


def test_interpolation(agrees):
    xp, fp = np.array([-2.0, -0.5, 1.0, 3.0]), np.array([1.0, -1.0, 2.0, 0.5])
    agrees(np.interp, X, xp, fp)
    agrees(lambda v: np.interp(v, xp, fp, left=-9, right=9), X)
    agrees(lambda v: np.interp(v, xp, fp), xp)
    agrees(lambda v: np.interp(0.3, xp, v), fp)
    agrees(lambda v: np.interp(v, xp[:1], fp[:1]), X)
    agrees(lambda v: np.interp(v, xp, fp * 1j), X)
    agrees(lambda v: np.interp(v, xp, fp[:3]), X)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_filters(agrees, mode):
    a, b = X.ravel(), np.array([1.0, -2.0, 0.5])
    for f in (np.convolve, np.correlate):
        agrees(lambda x, y, f=f: f(x, y, mode), a, b)
        agrees(lambda x, y, f=f: f(x, y, mode), b, a)
        agrees(lambda x, y, f=f: f(x, y[:2], mode), a, b)
        agrees(lambda x, y, f=f: f(x, y * 1j, mode), a, b)
        agrees(lambda x, y, f=f: f(x[:0], y, mode), a, b)


def test_polynomial(agrees):
    agrees(np.polyval, X[0], X)
    agrees(lambda v: np.polyval([1, 2, 3], v), X)


def test_unknown_functions_say_so():
    from tracejit.ir import array_type
    from tracejit.trace import Trace

    x = Trace("test").input(array_type(X))
    with pytest.raises(TypeError, match=r"numpy\.save has no traced form: it reads or writes files"):
        np.save("never written", x)
    with pytest.raises(TypeError, match="cannot be written into a plain array"):
        np.sum(x, out=np.zeros(()))
    with pytest.raises(TypeError, match="known while tracing"):
        np.repeat(x, x[0].astype(int))
    with pytest.raises(TypeError, match=r"np\.where"):
        np.where(x > 0)


# -- weights, coordinates, periods
T = np.array([0, 1, 1.5, 3, 3.2, 5])
ROWS = np.random.default_rng(5).standard_normal((3, 6))


def test_weighted_covariance(agrees):
    frequencies, importances = np.array([1, 2, 1, 3, 1, 2]), np.array([0.3, 0.9, 0.2, 0.5, 0.8, 0.1])
    for options in ({}, {"fweights": frequencies}, {"aweights": importances}, {"fweights": frequencies, "aweights": importances},
                    {"aweights": importances, "bias": True}, {"aweights": -importances}, {"fweights": importances}, {"ddof": 1.5},
                    {"fweights": frequencies[1:]}):
        for x in (ROWS, ROWS + 1j * ROWS[::-1]):
            agrees(lambda v, options=options: np.cov(v, **options), x)
    agrees(lambda v, w: np.cov(v, aweights=w), ROWS, importances)


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient_of_samples(agrees, edge_order):
    for x in (ROWS, ROWS + 1j, (ROWS * 9).astype(int), ROWS.astype("f4")):
        for where, options in (((), {}), ((0.5,), {"axis": 1}), ((0.5, 2.0), {}), ((T,), {"axis": 1}), (([0, 1, 5], T), {}), ((T,), {}),
                               ((T[:3],), {"axis": 1})):
            agrees(lambda v, w=where, o=options: np.gradient(v, *w, edge_order=edge_order, **o), x, rtol=1e-5, atol=1e-5)
    agrees(lambda v: np.gradient(v, edge_order=3), ROWS)
    tj.check_grads(lambda v, t: np.gradient(v, t, axis=1, edge_order=edge_order), (ROWS, T))


def test_periodic_interpolation(agrees):
    x = np.linspace(-7, 7, 31)
    agrees(lambda v: np.interp(v, [190, -190, 350, -350], [5, 10, 3, 4], period=360), x * 50)
    agrees(lambda v, xp, fp: np.interp(v, xp, fp, period=3.3), x, np.array([0.3, 5, 1.7]), np.array([1.0, 2, 3]))
    agrees(lambda v: np.interp(v, [1, 2], [3, 4], period=0), x)
    agrees(lambda v: np.interp(v, [1, 2], [3, 4], period=-5), x)


def test_extrema_without_nan(agrees):
    holes = np.where(ROWS > 1, np.nan, ROWS)
    holes[0] = np.nan
    mask = ROWS > -0.5
    for f in (np.nanmax, np.nanmin):
        for x in (ROWS, holes, (ROWS * 3).astype(int)):
            agrees(f, x)
            agrees(lambda v, f=f: f(v, axis=0, keepdims=True), x)
            agrees(lambda v, f=f: f(v, axis=1, initial=1), x)
            agrees(lambda v, f=f: f(v, axis=1, where=mask, initial=-1), x)
            agrees(lambda v, f=f: f(v, where=mask), x)


def test_answers_that_are_known():
    def asked(v):
        assert np.allclose(v, v) is True and np.array_equal(v, v + 1) is False and np.array_equiv(v, v) is True
        assert np.real_if_close(v + 1e-20j).dtype == float and np.real_if_close(v + 1j).dtype == complex
        return v
    tj.jvp(asked, (ROWS,), (ROWS,))
