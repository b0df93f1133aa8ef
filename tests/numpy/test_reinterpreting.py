"""`x.view()` and `x.view(dtype)`: the bits of traced arrays, and writes through them."""

import numpy as np
import pytest

import tracejit as tj

X = np.array([1.0, -2.5, 3.25])
Z = np.array([1.0 + 2.0j, 3.0 - 1.0j])


def inverse_square_root(x):
    bits = np.int32(0x5F3759DF) - (x.view(np.int32) >> 1)
    guess = bits.view(np.float32)
    return guess * (np.float32(1.5) - np.float32(0.5) * x * guess * guess)


def writes_bits(x):
    x = x * 1.0
    x.view()[0] = 7.0
    x.view(np.int64)[1] = 0
    return x


def writes_parts(z):
    z = z * 1.0
    z.view(float)[1] = 9.0
    return z


def writes_array_made_here(x):
    made = np.zeros(3)
    made.view(np.int64)[1] = 3
    return made + x


@pytest.mark.parametrize(
    "f, x",
    [
        (lambda x: x.view(), X),
        (lambda x: x.view(np.ndarray), X),
        (lambda x: x.view(np.int64), X),
        (lambda x: x.view("u8").view(float), X),
        (lambda x: (x > 0).view(np.uint8), X),
        (lambda i: i.view(np.uint32), np.array([-1, 2], np.int32)),
        (lambda z: z.view(float), Z),
        (lambda x: x.view(complex), np.arange(12.0).reshape(2, 6)),
        (lambda x: x.view(np.complex64), np.arange(4, dtype=np.float32)),
        (inverse_square_root, np.array([0.5, 4.0], np.float32)),
        (writes_bits, X),
        (writes_parts, Z),
        (writes_array_made_here, X),
    ],
)
def test_as_numpy(f, x):
    for got in (tj.jit(f)(x), tj.vmap(f)(x[None])[0]):
        want = f(x.copy())
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


def test_writes_reach_the_caller():
    def f(z):
        z.view(float)[1] = 9.0

    want, got = Z.copy(), Z.copy()
    f(want)
    tj.jit(f)(got)
    np.testing.assert_array_equal(got, want)


def test_gradients():
    np.testing.assert_allclose(tj.grad(lambda x: np.sum(np.abs(x.view(complex)) ** 2))(np.arange(4.0)), 2 * np.arange(4.0))
    np.testing.assert_array_equal(tj.grad(lambda x: np.sum(x.view() ** 2))(X), 2 * X)
    np.testing.assert_array_equal(tj.grad(lambda x: np.sum(writes_bits(x)))(X), [0.0, 0.0, 1.0])  # where no bits were written it stays
    np.testing.assert_array_equal(tj.grad(lambda x: np.sum(x * (x.view(np.int64) >= 0)))(X), [1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda x: x.view(np.float32), r"test_reinterpreting.py:\d+.*float64\[3\]\) cannot be viewed as float32.*x.astype\(np.float32\)"),
        (lambda x: x.view(complex), "cannot be viewed as complex128"),
        (lambda x: x.view(np.matrix), "cannot be viewed as matrix"),
        (lambda x: x.view(type=np.ma.MaskedArray), "cannot be viewed as MaskedArray"),
    ],
)
def test_refused(f, message):
    with pytest.raises(TypeError, match=message):
        tj.jit(f)(X)
