"""`np.pad` by every mode, and filters."""

import numpy as np
import pytest

import tracejit as tj

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4))
I = RNG.integers(-9, 9, (3, 4))
WIDTHS = (2, ((1, 2), (0, 3)), ((0, 0), (1, 0)))


@pytest.mark.parametrize("x", [X, I, X.astype("f4"), I.astype("u1")], ids=lambda x: x.dtype.name)
def test_modes(agrees, x):
    for widths in WIDTHS:
        for mode in ("constant", "edge", "wrap", "reflect", "symmetric", "linear_ramp", "maximum", "minimum", "mean", "median"):
            agrees(lambda v, w=widths, m=mode: np.pad(v, w, m), x, rtol=1e-5)
        for length in (2, ((1, 2), (2, 9))):
            for mode in ("maximum", "minimum", "mean", "median"):
                agrees(lambda v, w=widths, m=mode, n=length: np.pad(v, w, m, stat_length=n), x, rtol=1e-5)
        agrees(lambda v, w=widths: np.pad(v, w, "linear_ramp", end_values=((1, 2), (3, 4))), x, rtol=1e-5)
        small = np.clip(widths, 0, 2).tolist()
        for mode in ("reflect", "symmetric"):
            agrees(lambda v, w=small, m=mode: np.pad(v, w, m, reflect_type="odd"), x)


def test_errors(agrees):
    agrees(lambda v: np.pad(v, 1, "nonsense"), X)
    agrees(lambda v: np.pad(v, 1, "edge", foo=1), X)
    agrees(lambda v: np.pad(v, 1, "maximum", stat_length=0), X)
    agrees(lambda v: np.pad(v, 1, "edge"), np.zeros((0, 2)))
    with pytest.raises(TypeError, match="mode=function"):
        tj.jit(lambda v: np.pad(v, 1, lambda *_: None))(X)
    with pytest.raises(TypeError, match="by more than the array"):
        tj.jit(lambda v: np.pad(v, 5, "reflect", reflect_type="odd"))(X)


def test_derivatives():
    for mode in ("linear_ramp", "median", "mean", "reflect", "wrap"):
        tj.check_grads(lambda v, mode=mode: np.pad(v, 2, mode), (X,))
    tj.check_grads(np.convolve, (X[0], X[1, :2]))
    tj.check_grads(np.correlate, (X[0], X[1, :2]))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_filters(agrees, mode):
    long, short = RNG.standard_normal(60), RNG.standard_normal(40)
    for a, b in ((X[0], X[1, :2]), (X[1, :2], X[0]), (I[0], I[1]), (X[0] + 1j, X[1, :3] * 1j), (X[0] > 0, X[1] > 0), (long, short),
                 (X[0].astype("f4"), I[0]), (I[0].astype("u1"), I[1].astype("i1"))):
        agrees(lambda u, v: np.convolve(u, v, mode), a, b, atol=1e-6)
        agrees(lambda u, v: np.correlate(u, v, mode), a, b, atol=1e-6)
