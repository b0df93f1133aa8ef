"""`reduce`, `accumulate`, `reduceat` and `outer` of any ufunc of two numbers."""

import numpy as np
import pytest

import tracejit as tj

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4)) + 2
I = RNG.integers(1, 9, (3, 4))
MASK = RNG.random((3, 4)) < 0.5
# NumPy's own results for power and arctan2 along contiguous axes are wrong on processors with AVX-512.
ANY_ORDER = (np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.hypot, np.logaddexp, np.logaddexp2)
IN_ORDER = (np.subtract, np.divide, np.remainder, np.fmod, np.floor_divide, np.copysign)


@pytest.mark.parametrize("ufunc", ANY_ORDER + IN_ORDER, ids=lambda u: u.__name__)
def test_numbers(agrees, ufunc):
    for x in (X, I, X.astype("f4")):
        for axis in (0, -1, None):
            agrees(lambda v, axis=axis: ufunc.reduce(v, axis=axis), x, rtol=1e-5)
        agrees(lambda v: ufunc.reduce(v, initial=2), x, rtol=1e-5)
        agrees(lambda v: ufunc.reduce(v, keepdims=True), x, rtol=1e-5)
        agrees(lambda v: ufunc.accumulate(v, axis=1), x, rtol=1e-5)
        agrees(lambda v: ufunc.reduceat(v, [0, 2, 1]), x, rtol=1e-5)
        agrees(lambda v: ufunc.reduceat(v, [1, 2], axis=1), x, rtol=1e-5)
        agrees(lambda v: ufunc.reduceat(v, [0, 7]), x)
        agrees(lambda v: ufunc.outer(v, v[0]), x)
        if ufunc in ANY_ORDER:
            agrees(lambda v: ufunc.reduce(v, where=MASK), x, rtol=1e-5)
            agrees(lambda v: ufunc.reduce(v, axis=1, where=MASK, initial=3), x, rtol=1e-5)


@pytest.mark.parametrize("ufunc", [np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.gcd, np.lcm], ids=lambda u: u.__name__)
def test_integers(agrees, ufunc):
    for x in (I, I.astype("u1")):
        agrees(ufunc.reduce, x)
        agrees(ufunc.accumulate, x)
        agrees(lambda v: ufunc.reduce(v, where=MASK), x)
        agrees(lambda v: ufunc.reduce(v[:0]), x)
        agrees(lambda v: ufunc.reduceat(v, [0, 2]), x)


@pytest.mark.parametrize("ufunc", [np.logical_and, np.logical_or, np.logical_xor], ids=lambda u: u.__name__)
def test_logic(agrees, ufunc):
    for x in (I, MASK, X):
        agrees(ufunc.reduce, x)
        agrees(lambda v: ufunc.reduce(v, initial=True, axis=1), x)
        agrees(lambda v: ufunc.reduce(v, where=MASK), x)


def test_dtypes_and_derivatives(agrees):
    agrees(lambda v: np.add.reduce(v, dtype="f4"), I)
    agrees(lambda v: np.hypot.reduce(v, dtype="f4"), X)
    tj.check_grads(lambda v: np.add.reduceat(v, [0, 2], axis=1), (X,))
    tj.check_grads(lambda v: np.divide.accumulate(v, axis=1), (X,))
    tj.check_grads(lambda v: np.logaddexp.reduce(v, where=MASK, initial=0.5), (X,))
