"""Products of matrices by blocks, on one thread and on several."""

import ctypes

import numpy as np
import pytest

import tracejit as tj
from tracejit.lowering.cpu import blas, matrix_products, panels

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True, params=["panels", "blas"])
def sharing(request, monkeypatch):
    """Threads share small products too, with the code for AVX-512 and without."""
    if request.param == "blas":
        monkeypatch.setattr(panels, "suits", lambda kind, m, n: False)
    for name in ("SHARED", "SHARED_VECTOR"):
        monkeypatch.setattr(matrix_products, name, 1)


@pytest.fixture(params=[1, 3])
def threads(request, monkeypatch):
    monkeypatch.setattr(tj.config, "threads", request.param)
    return request.param


SHAPES = [
    ((40, 7), (7, 33)),
    ((33, 70), (70, 100)),
    ((100, 3), (3, 5)),
    ((97, 11), (11,)),
    ((200, 300), (300,)),
    ((300,), (300, 200)),
    ((2, 3), (3, 4)),
    ((2, 70, 9), (2, 9, 40)),
    ((7, 5, 6), (7, 6, 9)),
    ((11, 64, 6), (11, 6, 1)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_products_in_parts(threads, shapes, dtype):
    x, y = ((rng.normal(size=s) + (1j * rng.normal(size=s) if dtype is np.complex128 else 0)).astype(dtype) for s in shapes)
    tolerance = 2e-4 if dtype is np.float32 else 1e-11
    np.testing.assert_allclose(tj.jit(np.matmul)(x, y), x @ y, rtol=tolerance, atol=tolerance)


VIEWS = [
    lambda x, y: x.T @ y.T,
    lambda x, y: x[1:, 2:].T @ y[:60, 1:].T,
    lambda x, y: (x.T @ y.T).T,
    lambda x, y: (y @ x).T @ y,
    lambda x, y: x.T[::2] @ (2 * y.T),
]


@pytest.mark.parametrize("f", VIEWS)
def test_factors_that_are_views(threads, f):
    x, y = rng.normal(size=(49, 70)), rng.normal(size=(90, 49))
    np.testing.assert_allclose(tj.jit(f)(x, y), f(x, y), rtol=1e-11, atol=1e-11)


def test_the_number_of_blas_threads_is_as_before(threads):
    if not blas.find().has_limit:
        pytest.skip("this BLAS cannot be limited")
    count = ctypes.CFUNCTYPE(ctypes.c_int)(blas.find().symbols["blas_get_threads"])
    before = count()
    x = rng.normal(size=(300, 300))
    np.testing.assert_allclose(tj.jit(np.matmul)(x, x), x @ x, rtol=1e-11, atol=1e-11)
    assert count() == before


def test_products_in_a_loop(threads):
    w = 0.05 * rng.normal(size=(90, 90))

    def f(w, h):
        return tj.fori_loop(0, 5, lambda i, h: np.tanh(w @ h), h)

    for h in (rng.normal(size=(90, 80)), rng.normal(size=90)):
        np.testing.assert_allclose(tj.jit(f)(w, h), f(w, h), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m, n, k", [(8, 32, 1), (9, 33, 5), (15, 47, 512), (300, 64, 3), (263, 40, 513), (16, 100, 1100), (40, 512, 600)])
def test_panels(threads, m, n, k, dtype):
    """Rows and columns that are left over, several depths and blocks of rows, lines that crowd the cache; each factor as it is and transposed."""
    tolerance = 1e-3 if dtype is np.float32 else 1e-11
    for turn_x in (False, True):
        for turn_y in (False, True):
            x, y = (rng.normal(size=s[:: -1 if turned else 1]).astype(dtype) for s, turned in (((m, k), turn_x), ((k, n), turn_y)))
            expected = (x.T if turn_x else x).astype(np.float64) @ (y.T if turn_y else y)
            product = tj.jit(lambda x, y, turn_x=turn_x, turn_y=turn_y: (x.T if turn_x else x) @ (y.T if turn_y else y))
            np.testing.assert_allclose(product(x, y), expected, rtol=tolerance, atol=tolerance)


def test_special_values_go_through_panels():
    x, y = np.ones((9, 4)), np.ones((4, 40))
    x[3, 1], y[2, 35], y[0, 1] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(tj.jit(np.matmul)(x, y), x @ y)
