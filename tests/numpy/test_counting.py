"""Sets, histograms, and integers as bits."""

import numpy as np
import pytest

import tracejit as tj
import tracejit.numpy

RNG = np.random.default_rng(0)
ROUND = np.round(RNG.standard_normal((4, 6)) * 2)
HOLES = ROUND.copy()
HOLES[0, 0] = HOLES[1, 1] = np.nan
DATA = RNG.standard_normal(200)
OTHER = RNG.standard_normal(200)


def known(f, *args):
    """f agrees where values are known while tracing."""
    expected = f(*args)
    got = []
    tj.jvp(lambda *xs: got.append(f(*xs)) or xs[0], args, args)
    for x, y in zip(*[r if isinstance(r, tuple) else (r,) for r in (got[0], expected)], strict=True):
        x = x.owner.ambient(x.atom) if hasattr(x, "owner") else x
        np.testing.assert_array_equal(x, y)
        assert np.asarray(x).dtype == np.asarray(y).dtype


@pytest.mark.parametrize("x", [HOLES, ROUND], ids=["with NaN", "whole"])
def test_distinct_values(x):
    known(np.unique, x)
    known(lambda v: np.unique(v, return_counts=True, return_inverse=True, return_index=True), x)
    known(lambda v: np.unique(v, equal_nan=False), x)
    known(lambda v: np.unique(v, axis=0), x)
    for function in (np.unique_all, np.unique_counts, np.unique_inverse):
        known(lambda v, function=function: tuple(function(v)), x)
    known(lambda v: np.sort(np.unique_values(v)), x)
    for function in (np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d):
        known(function, x[0], x[1:3])
    known(lambda u, v: np.intersect1d(u, v, return_indices=True), x[0], x[1:3])


def test_distinct_values_need_their_number():
    with pytest.raises(TypeError, match="not known"):
        tj.vmap(np.unique)(ROUND)
    np.testing.assert_array_equal(tj.jit(np.unique)(ROUND), np.unique(ROUND))
    tj.check_grads(np.unique, (DATA[:10],))


def test_membership(agrees):
    agrees(lambda u, v: np.isin(u, v), ROUND, ROUND[1])
    agrees(lambda u, v: np.isin(u, v, invert=True), ROUND, np.arange(100.0))
    agrees(lambda u: np.isin(u, []), ROUND)
    agrees(lambda u: np.isin(u, [np.nan, 1]), HOLES)


def test_trim_zeros():
    for x in (np.array([0, 0, 1, 0, 2, 0.0]), np.zeros(2), np.pad(np.ones((1, 2)), 2)):
        for trim in ("fb", "f", "b"):
            known(lambda v, trim=trim: np.trim_zeros(v, trim), x)


def test_bincount(agrees):
    i, w = RNG.integers(0, 7, 20), RNG.random(20)
    agrees(lambda v: np.bincount(v, minlength=8), i)
    agrees(lambda v, w: np.bincount(v, w, minlength=8), i, w)
    assert tj.grad(lambda w: np.bincount([0, 2, 2], w)[2])(np.ones(3)).tolist() == [0, 1, 1]
    for wrong in (i, -i - 1):
        with pytest.raises(IndexError):
            tj.jit(lambda v: np.bincount(v, minlength=3))(wrong)
    with pytest.raises(TypeError, match="minlength"):
        tj.jit(np.bincount)(i)


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8"])
def test_histogram(agrees, dtype):
    x, w = (DATA * 4).astype(dtype), RNG.random(200)
    agrees(np.histogram, x)
    agrees(lambda v: np.histogram(v, 7, (-1, 1)), x)
    agrees(lambda v: np.histogram(v, 9, density=True), x)
    agrees(lambda v: np.histogram(v, [-2, -1, 0, 0.5, 1]), x)
    agrees(lambda v: np.histogram(v, [-2, -1, 0, 0.5, 1], density=True), x)
    agrees(lambda v, w: np.histogram(v, 9, weights=w), x, w)
    agrees(lambda v: np.histogram_bin_edges(v, 5), x)
    known(lambda v: np.histogram(v, "fd"), DATA)


def test_histogram_edges(agrees):
    agrees(lambda v: np.histogram(v, 3), np.ones(4))
    agrees(lambda v: np.histogram(v, 3), np.zeros(0))
    agrees(lambda v: np.histogram(v, 0), np.ones(3))
    agrees(lambda v: np.histogram(v, [3, 2, 1]), np.ones(3))
    agrees(lambda v: np.histogram(v, [1, 2, 3]), np.array([1, 2, 3, 3.0, 4]))
    agrees(lambda v: np.histogram(v, 8, (0, 0.8)), np.arange(0, 0.9, 0.1))
    agrees(np.histogram, np.linspace(0, 1, 11))
    agrees(lambda v: np.histogram(v, 10, (1, 0)), np.linspace(0, 1, 11))
    tj.check_grads(lambda w: np.histogram(DATA, 5, weights=w)[0], (OTHER,))
    tj.check_grads(lambda v: np.histogram_bin_edges(v, 5), (DATA,))


def test_histograms_of_several_dimensions(agrees):
    def flat(sample, *options, **more):
        counts, edges = np.histogramdd(sample, *options, **more)
        return counts, *edges
    agrees(np.histogram2d, DATA, OTHER)
    agrees(lambda u, v: np.histogram2d(u, v, (3, 4), [[-1, 1], [-2, 2]], density=True), DATA, OTHER)
    agrees(lambda u, v: np.histogram2d(u, v, [-1, 0, 1]), DATA, OTHER)
    agrees(lambda u, v, w: np.histogram2d(u, v, 3, weights=w), DATA, OTHER, OTHER**2)
    agrees(lambda u: flat(u, (3, 2, 4)), np.c_[DATA, OTHER, DATA + OTHER])
    agrees(lambda u: flat(u, [[-1, 0, 1], 4], density=True), np.c_[DATA, OTHER])


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_integers(agrees, dtype):
    info = np.iinfo(dtype)
    x = np.append(RNG.integers(info.min, info.max, 40, dtype=dtype, endpoint=True), np.array([0, 1, info.max], dtype))
    agrees(np.bitwise_count, np.append(x, np.array([info.min], dtype)))
    agrees(np.gcd, x, np.append(RNG.integers(info.min // 100, info.max // 100, 42, dtype=dtype), np.array([0], dtype)))
    small = RNG.integers(max(info.min, -11), 11, 43).astype(dtype)
    agrees(np.lcm, small, small[::-1].copy())


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_frexp(agrees, dtype):
    with np.errstate(over="ignore"):
        agrees(np.frexp, np.array([0, -0.0, 1, -3.5, 1e-300, 5e-324, 1e300, np.inf, -np.inf, np.nan, 0.25, 65504, 6e-8, 1e-40]).astype(dtype))
    tj.check_grads(lambda v: np.frexp(v)[0], (np.array([1.3, -5.0]),))


@pytest.mark.parametrize("order", ["big", "little"])
def test_packed_bits(agrees, order):
    x, packed = RNG.integers(0, 2, (3, 11)).astype(bool), RNG.integers(0, 255, (3, 2)).astype("u1")
    agrees(lambda v: np.packbits(v, bitorder=order), x)
    agrees(lambda v: np.packbits(v, axis=1, bitorder=order), x)
    agrees(lambda v: np.packbits(v, axis=0, bitorder=order), x.astype(int))
    for count in (None, 5, -3, 60):
        agrees(lambda v, count=count: np.unpackbits(v, bitorder=order, count=count), packed)
        agrees(lambda v, count=count: np.unpackbits(v, axis=1, bitorder=order, count=count), packed)
    agrees(np.packbits, np.ones(3))
    agrees(np.unpackbits, np.ones(3))


def test_counting_is_native():
    for f, x in ((lambda v: np.histogram(v, 9)[0], DATA), (np.bitwise_count, ROUND.astype(int)), (lambda v: np.packbits(v > 0), DATA)):
        compiled = tj.jit(f)
        np.testing.assert_array_equal(compiled(x), f(x))
        assert "host" not in compiled.kernels(x)
