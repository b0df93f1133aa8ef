"""Functions along axes, windows, index arrays, spaced numbers, and functions that leave the real line."""

import numpy as np
import pytest
from numpy.lib import scimath
from numpy.lib.stride_tricks import sliding_window_view

import tracejit as tj

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 5))
I, J = RNG.integers(0, 3, 4), RNG.integers(0, 5, 4)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_apply_along_axis(agrees, axis):
    for f in (np.sum, np.sort, lambda row: np.outer(row, row), lambda row: row[:2] * 3):
        agrees(lambda v, f=f: np.apply_along_axis(f, axis, v), X)
    tj.check_grads(lambda v: np.apply_along_axis(lambda row: row * row.sum(), axis, v), (X,))


def test_apply_may_look_at_values_that_are_known():
    def halved(v):
        return np.apply_along_axis(lambda row: row / 2 if row[0] > 0 else row, 0, v)
    np.testing.assert_array_equal(tj.jvp(halved, (X,), (X,))[0], halved(X))


def test_apply_over_axes(agrees):
    agrees(lambda v: np.apply_over_axes(np.sum, v, [0, 2]), X)
    agrees(lambda v: np.apply_over_axes(np.cumsum, v, (0, 1)), X)


def test_windows(agrees):
    for shape, axis in ((3, 1), ((2, 2, 3), None), ((2, 3), (1, 2)), ((2, 2), (1, 1)), (9, 1), ((2, 2), None)):
        agrees(lambda v, shape=shape, axis=axis: sliding_window_view(v, shape, axis), X)
    tj.check_grads(lambda v: sliding_window_view(v, (2, 2), (0, 2)), (X,))
    for shape in ((3, 50), 7, (0, 2), (-1, 2)):
        agrees(lambda v, shape=shape: np.resize(v, shape), X)


def test_index_arrays(agrees):
    for shape in ((3, 3), (3, 4), (3,)):
        agrees(np.diag_indices_from, np.ones(shape))
        agrees(lambda v: np.tril_indices_from(v, 1), np.ones(shape))
        agrees(np.triu_indices_from, np.ones(shape))
    agrees(np.ix_, I, J)
    agrees(lambda u, v: np.ravel_multi_index((u, v), (3, 5)), I, J)
    agrees(lambda u, v: np.ravel_multi_index((u, v), (3, 5), order="F"), I, J)
    agrees(lambda u, v: np.ravel_multi_index((u, v), (2, 3), mode=("wrap", "clip")), I, J)
    agrees(lambda u: np.unravel_index(u, (3, 5)), I * J)
    agrees(lambda u: np.unravel_index(u, (3, 5), order="F"), I * J)


def test_spaced_numbers(agrees):
    ends = np.array([1.0, 2]), np.array([10.0, 3])
    for dtype in ("f4", "f8"):
        for f in (np.linspace, np.logspace, np.geomspace):
            agrees(lambda a, b, f=f: f(a, b, 5), np.dtype(dtype).type(1), np.dtype(dtype).type(3))
    agrees(lambda a, b: np.logspace(a, b, 5, base=np.array([2.0, 3])), *ends)
    agrees(lambda a, b: np.logspace(a, b, 5, endpoint=False, base=2, dtype=int), 1.0, 2.0)
    for a, b in ((1.0, 256.0), (-1.0, -256.0), (1, 256), (1j, 1000j), ends):
        agrees(lambda a, b: np.geomspace(a, b, 4), a, b)
        agrees(lambda a, b: np.geomspace(a, b, 5, endpoint=False, axis=-1), a, b)
    tj.check_grads(lambda a, b: np.geomspace(a, b, 5), (1.0, 3.0))


LEAVING = (scimath.sqrt, scimath.log, scimath.log2, scimath.log10, scimath.arccos, scimath.arcsin, scimath.arctanh)


@pytest.mark.parametrize("f", LEAVING, ids=lambda f: f.__name__)
def test_leaving_the_real_line(f):
    for x in (np.array([0.3, 0.5]), np.array([-0.3, 2]), np.array([-0.3, 2], "f4"), np.array([1j])):
        want, got = f(x), tj.jvp(f, (x,), (x,))[0]
        np.testing.assert_allclose(got, want, rtol=1e-6)
        assert got.dtype == want.dtype
    with pytest.raises(TypeError, match="real or complex depending on their values"):
        tj.jit(f)(np.ones(2))


def test_what_is_asked_about_arrays(agrees):
    def asked(v):
        assert np.common_type(v, np.ones(2, "f2")) is np.float64
        assert np.min_scalar_type(v) == np.float64
        assert np.array_repr(v) == "array([1., 1.])" and np.array_str(v) == np.array2string(v) == "[1. 1.]"
        return v
    tj.jvp(asked, (np.ones(2),), (np.ones(2),))
