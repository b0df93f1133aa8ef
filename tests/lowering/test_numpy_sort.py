"""Sorts and running totals in native code: equal to NumPy's for every dtype, along every axis, and no call of Python among them."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.lowering.cpu import numpy_sort
from tracejit.lowering.program import Program
from tracejit.ops.sorting import argsort

pytestmark = pytest.mark.skipif(not numpy_sort.symbols(), reason="this NumPy has other tables of C functions")
SHAPES = [(1,), (40,), (5, 17), (3, 1, 20), (19, 4)]


def numbers(character, shape):
    r = np.random.default_rng(len(shape))
    x = r.integers(-3, 4, shape) if character in "bBhHiIlL?" else r.normal(size=shape).round(1)
    x = np.array(x, character)
    if character in "efdFD":
        x.reshape(-1)[::7] = np.nan
    return x


def compiled(f, x):
    program = Program(tj.jit(f).graph(x))
    assert not program.host_ops
    return program.run([x])


@pytest.mark.parametrize("character", "?bhilBHILefdFD")
def test_sort_and_argsort(character):
    for shape in SHAPES:
        x = numbers(character, shape)
        for axis in range(len(shape)):
            f = lambda x, axis=axis: (np.sort(x, axis=axis), np.argsort(x, axis=axis, kind="stable"))
            for got, want in zip(compiled(f, x), f(x)):
                np.testing.assert_array_equal(got, want)
                assert got.dtype == want.dtype


def test_descending_positions_keep_the_order_of_equals():
    x = np.array([[3.0, 1.0, 3.0, np.nan], [2.0, 2.0, 2.0, 2.0]])
    np.testing.assert_array_equal(compiled(lambda x: argsort(x, axis=1, descending=True), x)[0], [[3, 0, 2, 1], [0, 1, 2, 3]])
    np.testing.assert_array_equal(compiled(lambda x: argsort(x, axis=0, descending=True), x)[0], [[0, 1, 0, 0], [1, 0, 1, 1]])


def test_a_sort_inside_of_a_loop():
    f = lambda x: tj.fori_loop(0, 5, lambda i, x: np.sort(np.sin(x * (i + 1.0)), axis=0), x)
    x = np.random.default_rng(0).normal(size=(9, 5))
    np.testing.assert_allclose(compiled(f, x)[0], f(x), rtol=1e-12)


@pytest.mark.parametrize("character", "bhilBHILefd")
@pytest.mark.parametrize("function", [np.cumsum, np.cumprod, np.maximum.accumulate, np.minimum.accumulate], ids=lambda f: f.__qualname__)
def test_running_totals(character, function):
    for shape in SHAPES:
        x = numbers(character, shape)
        for axis in range(len(shape)):
            f = lambda x, axis=axis: function(x, axis=axis, dtype=x.dtype) if function in (np.cumsum, np.cumprod) else function(x, axis=axis)
            with np.errstate(all="ignore"):
                np.testing.assert_array_equal(compiled(f, x)[0], f(x))


def test_a_running_sum_keeps_the_sign_of_zero():
    x = np.full(40, -0.0)
    assert np.signbit(compiled(np.cumsum, x)[0]).all()
