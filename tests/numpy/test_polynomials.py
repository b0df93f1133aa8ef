"""Coefficient arrays, fits, and powers in columns."""

import numpy as np
import pytest

import tracejit as tj

RNG = np.random.default_rng(0)
P, Q = RNG.standard_normal(4), RNG.standard_normal(3)
X, Y, W = np.arange(8.0), RNG.standard_normal(8), RNG.random(8)


def test_arithmetic(agrees):
    for f in (np.polyadd, np.polysub, np.polymul, np.polydiv):
        agrees(f, P, Q)
        agrees(f, Q, P)
    agrees(np.polydiv, np.array([1.0, 5, 2, 3]), np.array([2.0]))
    agrees(np.polydiv, np.array([1, 5, 2, 3]), np.array([2, 1]))


def test_calculus(agrees):
    for m in (0, 1, 2, 5, -1):
        for p in (P, np.arange(4)):
            agrees(lambda v, m=m: np.polyder(v, m), p)
            agrees(lambda v, m=m: np.polyint(v, m), p)
    agrees(lambda v: np.polyint(v, 2, [1, 2]), P)
    agrees(lambda v: np.polyint(v, 2, 3), P)


def test_roots(agrees):
    for zeros in (P, P + 1j, np.zeros(0), np.arange(3), RNG.standard_normal((3, 3))):
        agrees(np.poly, zeros)
    agrees(np.roots, P)
    tj.jvp(lambda v: [np.testing.assert_allclose(r, s) for r, s in zip(np.roots(v).tolist(), [1, -0.5, 0], strict=True)] and v,
           (np.array([0, 2.0, -1, -1, 0]),), (np.zeros(5),))
    tj.check_grads(lambda v: np.abs(np.roots(v)), (np.array([1.0, 3, -4, 2]),), rtol=1e-5)


def test_fits(agrees):
    agrees(lambda a, b: np.polyfit(a, b, 2), X, Y)
    agrees(lambda a, b, w: np.polyfit(a, b, 2, w=w), X, Y, W)
    agrees(lambda a, b: np.polyfit(a, b, 2, cov=True), X, Y)
    agrees(lambda a, b: np.polyfit(a, b, 1, full=True)[:2], X, Y)
    agrees(lambda a, b: np.polyfit(a, np.stack([b, b * b], 1), 2), X, Y)
    agrees(lambda a, b: np.polyfit(a, b, 2), X, Y[1:])
    tj.check_grads(lambda a, b: np.polyfit(a, b, 2), (X, Y))


@pytest.mark.parametrize("x", [P, np.arange(4), np.arange(4, dtype="i1"), P + 1j, P.astype("f4"), np.array([True, False])], ids=str)
def test_vander(agrees, x):
    agrees(np.vander, x)
    agrees(lambda v: np.vander(v, 3, increasing=True), x)
    agrees(lambda v: np.vander(v, 0), x)
