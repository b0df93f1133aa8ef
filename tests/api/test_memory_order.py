"""What is written where NumPy's sharing of memory depends on the order of arguments: as NumPy does, or an error, never into the wrong array."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj


def matrix():
    return np.arange(12.0).reshape(3, 4)


def into(view):
    def f(x):
        y = view(x)
        y[0] = 99.0
        return y + 0, x.sum()

    return f


VIEWS = {
    "reshape": lambda x: x.reshape(-1), "ravel": lambda x: x.ravel(), "ravel of the transpose": lambda x: x.T.ravel(),
    "reshape of the transpose": lambda x: x.T.reshape(-1), "ravel of a block": lambda x: x[1:].ravel(),
    "ravel of columns": lambda x: x[:, 1:].ravel(),
    "contiguous": lambda x: np.ascontiguousarray(x), "contiguous transpose": lambda x: np.ascontiguousarray(x.T),
    "contiguous columns": lambda x: np.ascontiguousarray(x[:, ::2]),
    "another axis": lambda x: x[None].reshape(3, 1, 4), "asarray": lambda x: np.asarray(x), "same dtype": lambda x: x.astype(float, copy=False),
    "another dtype": lambda x: x.astype(np.float32, copy=False), "conj": lambda x: x.conj(), "conjugate": lambda x: np.conjugate(x),
}  # fmt: skip
ORDERS = {"C": lambda a: a, "F": np.asfortranarray, "reversed": lambda a: a[::-1], "strided": lambda a: np.repeat(a, 2, axis=1)[:, ::2]}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("view", VIEWS)
def test_writes(view, order):
    f = into(VIEWS[view])
    compiled = tj.jit(f)
    for first in (matrix, lambda: ORDERS[order](matrix())):
        for _ in range(3):
            x, expected = first(), first()
            wanted = f(expected)
            before = x.copy()
            try:
                result = compiled(x)
            except ValueError as error:
                assert order != "C" and first is not matrix
                assert "test_memory_order.py" in str(error) and "ascontiguousarray" in str(error)
                np.testing.assert_array_equal(x, before)
                continue
            np.testing.assert_array_equal(x, expected)
            for a, b in zip(result, wanted):
                np.testing.assert_array_equal(a, b)


def test_fortran_order():
    f = into(np.asfortranarray)
    x, expected = matrix(), matrix()
    tj.jit(f)(x), f(expected)
    np.testing.assert_array_equal(x, expected)
    for convert in (np.asfortranarray, np.ascontiguousarray):
        for given in (np.array(2.0), 2.0):
            assert tj.jit(lambda x: convert(x))(given).shape == convert(given).shape


def test_what_is_only_read_takes_any_order():
    f = tj.jit(lambda x: (x.reshape(-1) * 2, np.ascontiguousarray(x.T), x.ravel()[1:]))
    for make in ORDERS.values():
        x = make(matrix())
        for _ in range(3):
            a, b, c = f(x)
            np.testing.assert_array_equal(a, x.reshape(-1) * 2)
            np.testing.assert_array_equal(b, x.T)
            np.testing.assert_array_equal(c, x.ravel()[1:])


def test_conj_of_real_numbers():
    for dtype in (bool, np.int8, np.float32):
        assert tj.jit(lambda x: x.conj())(np.ones(3, dtype)).dtype == dtype
