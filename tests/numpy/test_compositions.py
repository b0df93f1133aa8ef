"""Short programs that put several functions together: compiled, differentiated twice, differentiated and compiled, and mapped."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import tracejit as tj

RNG = np.random.default_rng(0)
X = RNG.standard_normal(50)
M = RNG.standard_normal((6, 7))
T = np.sort(RNG.random(50))

PROGRAMS = {
    "interp of its own values": (lambda v: np.sum(np.interp(v, [-1.0, 0, 1], v[:3]) ** 2), X),
    "interp over its own knots": (lambda v: np.sum(np.interp(np.linspace(0, 1, 9), v, v**2)), T),
    "fit": (lambda v: np.sum(np.polyval(np.polyfit(T, v, 3), T) ** 2), X),
    "slopes": (lambda v: np.sum(np.gradient(v, 0.1, axis=1, edge_order=2) ** 2) + np.sum(np.gradient(v)[0] ** 3), M),
    "quantiles": (lambda v: np.sum(np.quantile(v, [0.1, 0.5, 0.9]) ** 2) + np.median(v * v), X),
    "quantiles with holes": (lambda v: np.sum(np.nanpercentile(np.where(v > 1, np.nan, v), [10, 50], axis=1) ** 2), M),
    "normalised rows": (lambda v: np.sum(np.apply_along_axis(lambda r: r / np.sqrt(np.sum(r * r)), 1, v) ** 3), M),
    "moving mean": (lambda v: np.sum(sliding_window_view(v, 5).mean(-1) ** 2), X),
    "filter": (lambda v: np.sum(np.convolve(v, v[:4], "same") ** 2), X),
    "histogram": (lambda v: np.sum(np.histogram(v, 5, weights=v**2)[0] ** 2), X),
    "weighted covariance": (lambda v: np.linalg.det(np.cov(v[:3], aweights=np.abs(v[0]) + 0.1)), M),
    "running product": (lambda v: np.sum(np.cumprod(v, axis=1)), M),
    "running sum": (lambda v: np.sum(np.cumsum(v) ** 2), X),
    "padding": (lambda v: np.sum(np.pad(v, 2, "mean") ** 2), M),
    "kurtosis": (lambda v: np.mean((v - v.mean()) ** 4) / np.var(v) ** 2, X),
    "order statistics": (lambda v: np.sum(np.sort(v) * np.arange(50)), X),
    "two keys": (lambda v: np.sum(v[np.lexsort((v, np.round(v)))] * np.arange(50)), X),
    "largest": (lambda v: v[np.argmax(v)] ** 2, X),
    "least of rows": (lambda v: np.sum(np.take_along_axis(v, np.argmin(v, 1)[:, None], 1) ** 2), M),
    "powers": (lambda v: np.sum(np.vander(v[:4]) ** 2), X),
    "pieces": (lambda v: np.sum(np.add.reduceat(v, [0, 10, 30]) ** 2), X),
    "integral": (lambda v: np.trapezoid(v**2, T), X),
    "levels": (lambda v: np.sum(v * np.digitize(v, [-1, 0, 1])), X),
    "geometric": (lambda v: np.sum(np.geomspace(abs(v[0]) + 1, abs(v[1]) + 2, 7)), X),
    "phases": (lambda v: np.sum(np.unwrap(v * 5) ** 2), X),
    "roots": (lambda v: np.sum(np.abs(np.roots(np.concatenate([np.ones(1), v[:4]]))) ** 2), X),
    "counts": (lambda v: np.sum(np.bincount((np.abs(v) * 3).astype(int) % 10, v, minlength=10) ** 2), X),
    "cases": (lambda v: np.sum(np.select([v < 0, v < 1], [v**2, np.sin(v)], np.exp(v))), X),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_program(name):
    f, x = PROGRAMS[name]
    np.testing.assert_allclose(tj.jit(f)(x), f(x), rtol=1e-10)
    gradient = tj.grad(f)(x)
    np.testing.assert_allclose(tj.jit(tj.grad(f))(x), gradient, rtol=1e-8, atol=1e-10)
    examples = np.stack([x, x * 0.9])
    np.testing.assert_allclose(tj.vmap(f)(examples), [f(e) for e in examples], rtol=1e-9)
    along, step = np.random.default_rng(1).standard_normal(x.shape), 1e-6
    slope = (f(x + step * along) - f(x - step * along)) / (2 * step)
    np.testing.assert_allclose(np.sum(gradient * along), slope, rtol=1e-5, atol=1e-5)
    curved = (tj.grad(f)(x + step * along) - tj.grad(f)(x - step * along)) / (2 * step)
    np.testing.assert_allclose(tj.jvp(tj.grad(f), (x,), (along,))[1], curved, rtol=1e-4, atol=1e-4 * max(1, np.abs(curved).max()))
