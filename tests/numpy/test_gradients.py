"""Derivatives of the functions that are made of several ops: against finite differences, and at the points where that says nothing."""
import numpy as np
import pytest

import tracejit as tj

nan = np.nan
X = np.array([-0.5, 0.0, 0.5, 1.0, 1.5])

HARD_POINTS = {
    "clip at its bounds": (lambda v: np.clip(v, 0, 1), X, [0, 1, 1, 1, 0]),
    "clip, one bound": (lambda v: np.clip(v, 0, None), X, [0, 1, 1, 1, 1]),
    "maximum with a constant": (lambda v: np.maximum(v, 0.0), X, [0, 0, 1, 1, 1]),
    "a constant's maximum": (lambda v: np.maximum(0.0, v), X, [0, 0, 1, 1, 1]),
    "minimum with a constant": (lambda v: np.minimum(v, np.float64(0)), X, [1, 0, 0, 0, 0]),
    "maximum with an array": (lambda v: np.maximum(v, np.zeros(5)), X, [0, 0.5, 1, 1, 1]),
    "norm at 0": (np.linalg.norm, np.zeros(3), [0, 0, 0]),
    "norm 3 at 0": (lambda v: np.linalg.norm(v, 3), np.zeros(3), [0, 0, 0]),
    "norm 1 at 0": (lambda v: np.linalg.norm(v, 1), np.array([0.0, 2.0]), [0, 1]),
    "largest norm, tie": (lambda v: np.linalg.norm(v, np.inf), np.array([1.0, -1.0]), [0.5, -0.5]),
    "std of equal elements": (np.std, np.ones(3), [0, 0, 0]),
    "std of one element": (lambda v: np.std(v, ddof=1), np.ones(1), [nan]),
    "sinc": (np.sinc, np.zeros(1), [0]),
    "power 0": (lambda v: v**0.0 + v**0, np.zeros(1), [0]),
    "power 1": (lambda v: v**1.0 + v**1, np.zeros(1), [2]),
    "heaviside": (lambda v: np.heaviside(v, 0.5), X, [0, 0, 0, 0, 0]),
    "round": (lambda v: np.round(v, 1), X, [0, 0, 0, 0, 0]),
    "angle": (np.angle, X, [0, 0, 0, 0, 0]),
    "nansum": (np.nansum, np.array([1.0, nan]), [1, 0]),
    "nanmean": (np.nanmean, np.array([1.0, nan]), [1, 0]),
    "nanmax, tie": (np.nanmax, np.array([1.0, nan, 1.0]), [0.5, 0, 0.5]),
    "nan_to_num": (np.nan_to_num, np.array([1.0, nan, np.inf]), [1, 0, 0]),
    "interp at a knot": (lambda v: np.interp(v, [0.0, 1, 2], [0.0, 1, 3]), np.array([1.0, 3.0]), [2, 0]),
    "logaddexp2 of equals": (lambda v: np.logaddexp2(v, 1.0), np.array([1.0]), [0.5]),
    "median, even": (np.median, np.array([1.0, 2, 3, 4]), [0, 0.5, 0.5, 0]),
    "median, odd": (np.median, np.array([2.0, 2, 3]), [0, 1, 0]),
    "where, the other branch": (lambda v: np.where(v > 0, np.sqrt(v), 0), np.array([0.0, 4.0]), [0, 0.25]),
    "select, the other branch": (lambda v: np.select([v > 0], [np.log(v)], 0.0), np.array([0.0, 4.0]), [0, 0.25]),
}


@pytest.mark.parametrize("name", HARD_POINTS)
def test_hard_point(name):
    f, x, expected = HARD_POINTS[name]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(tj.grad(lambda v: np.sum(f(v)))(x), expected, rtol=1e-12)
        np.testing.assert_allclose([tj.jvp(lambda v: np.sum(f(v)), (x,), (e,))[1] for e in np.eye(x.size)], expected, rtol=1e-12)


def test_known_mask():
    """Under a bare `grad` the values are known, so a mask may pick elements."""
    np.testing.assert_array_equal(tj.grad(lambda v: np.sum(v[v > 0] ** 2))(X), np.where(X > 0, 2 * X, 0))
    np.testing.assert_array_equal(tj.grad(lambda v: np.sum(v[np.where(v > 0)] ** 2))(X), np.where(X > 0, 2 * X, 0))


def test_second_derivatives():
    third = tj.grad(tj.grad(tj.grad(lambda v: v**2.0)))
    assert third(0.0) == 0.0
    np.testing.assert_allclose(tj.hessian(np.sinc)(0.0), -(np.pi**2) / 3)
    np.testing.assert_allclose(tj.hessian(np.sinc)(0.1), (np.sinc(0.1 + 1e-4) - 2 * np.sinc(0.1) + np.sinc(0.1 - 1e-4)) / 1e-8, rtol=1e-6)
    assert np.isnan(tj.hessian(np.linalg.norm)(np.zeros(2))).all()   # there is none


A = np.random.default_rng(5).standard_normal((3, 4))
SMOOTH = {
    "mean and var": lambda v: np.mean(v, 0) * np.var(v) + np.std(v, 1, ddof=1).sum(),
    "average": lambda v: np.average(v, axis=1, weights=np.exp(v)),
    "cov": np.cov,
    "corrcoef": np.corrcoef,
    "norms": lambda v: np.linalg.norm(v, axis=0) * np.linalg.norm(v.ravel(), 3) + np.linalg.norm(v, 1) + np.linalg.norm(v, np.inf, axis=(0, 1)),
    "running": lambda v: np.cumsum(v, 0) * np.cumprod(v, 1),
    "differences": lambda v: np.diff(v, 2) * np.gradient(v)[0][:, :2] + np.trapezoid(v, np.cumsum(v**2, 1))[:, None],
    "products": lambda v: np.kron(v, v.T) + np.einsum("ij,kj,ij->", v, v, v) + np.outer(v, v) @ v.ravel(),
    "cross": lambda v: np.cross(v.T, v.T[::-1]),
    "power of a matrix": lambda v: np.linalg.matrix_power(v[:, :3], 3),
    "padding": lambda v: np.pad(v, 2, mode="reflect") * np.pad(v, 2, mode="edge") + np.pad(v, 2, mode="wrap") ** 2,
    "rolling": lambda v: np.roll(v, 2) * np.flip(v) + np.rot90(v).reshape(3, 4),
    "repeating": lambda v: np.tile(v, (2, 2)) * np.repeat(np.repeat(v, 2, 0), 2, 1),
    "filters": lambda v: np.convolve(v.ravel(), v[0]) + np.correlate(v.ravel(), v[1], "full"),
    "diagonals": lambda v: np.diag(v.ravel()) @ np.diag(v.ravel(), 1)[:12, :5] + np.trace(v, 1) + np.tril(v).sum() * np.triu(v, 1)[0, 1],
    "rows": lambda v: v[[0, 2, 0], 1:] * v[None, :, ::-1][0, :, 1:],
    "updates": lambda v: v.at[0].set(v[1] ** 2).at[:, 1].add(v[:, 0]).at[[1, 2], [0, 3]].multiply(3.0).at[2, ::-2].max(0.1),
    "order": lambda v: np.sort(v, 1) * np.quantile(v, 0.3, axis=1, keepdims=True),
    "take": lambda v: np.take(v, [[0, 5], [7, 7]]) * np.take_along_axis(v, np.array([[1, 0], [2, 2], [0, 3]]), 1)[:2],
    "ufuncs": lambda v: np.logaddexp2(v, v[0]) * np.hypot(v, 1) + np.modf(v)[0] + np.radians(v) * np.reciprocal(v) + np.ldexp(v, 3),
    "reduce": lambda v: np.logaddexp.reduce(v, axis=1) * np.multiply.reduce(v, axis=1) + np.hypot.reduce(v, axis=None),
    "interpolation": lambda v: np.interp(v, np.cumsum(np.exp(v[0])) - 3, v[1]),
    "spacing": lambda v: np.linspace(v[0], v[1], 5) + np.unwrap(4 * v[2])[None],
}


@pytest.mark.parametrize("name", SMOOTH)
def test_against_finite_differences(name):
    f, h = SMOOTH[name], 1e-6
    t = np.random.default_rng(6).standard_normal(A.shape)
    value, tangent = tj.jvp(f, (A,), (t,))
    plus, minus = (tj.jvp(f, (A + s * t,), (t,))[0] for s in (h, -h))
    np.testing.assert_allclose(tangent, (plus - minus) / (2 * h), rtol=1e-6, atol=1e-6)
    ct = np.random.default_rng(7).standard_normal(np.shape(value))
    (pulled,) = tj.vjp(f, A)[1](ct)
    np.testing.assert_allclose(np.vdot(pulled, t), np.vdot(ct, tangent), rtol=1e-9, atol=1e-9)   # forward and reverse are one linear map
    batched = tj.vmap(f)(np.stack([A, A + t]))
    np.testing.assert_allclose(batched[1], tj.jvp(f, (A + t,), (t,))[0], rtol=1e-9, atol=1e-9)
