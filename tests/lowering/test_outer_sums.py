"""Sums of products leave loops, and are what they were."""

import numpy as np
import pytest

import tracejit as tj
from tracejit.lowering.prepare import prepare
from tracejit.ops.scan import scan


def scans(graph):
    """How many carries and results the loops of a graph have."""
    return [(n.params["carry"], len(n.outputs)) for n in prepare(graph).nodes if n.op is scan]


def recurrent(w, xs):
    def turn(h, x):
        h = np.tanh(x + h @ w)
        return h, h

    return np.sum(tj.scan(turn, np.zeros((4, w.shape[0])), xs)[1] ** 2)


@pytest.mark.parametrize("length", [1, 3, 4, 9])
def test_the_gradient_of_a_weight_is_one_product(length):
    rng = np.random.default_rng(0)
    w, xs = 0.2 * rng.normal(size=(32, 32)), rng.normal(size=(length, 4, 32))
    gradient = tj.jit(tj.grad(recurrent))
    np.testing.assert_allclose(gradient(w, xs), tj.grad(recurrent)(w, xs), rtol=1e-9, atol=1e-12)
    backwards = scans(gradient.graph(w, xs))[-1]
    assert backwards == ((1, 2) if length >= 4 else (2, 2))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_sums_of_users(reverse, turned):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(6, 8, 40) if turned else (6, 40, 8)), rng.normal(size=(6, 8, 16))

    def total(a, b, start):
        def turn(state, rows):
            s, n = state
            return (s + (rows[0].T if turned else rows[0]) @ rows[1], n + 1), n

        return tj.scan(turn, (start, 0), (a, b), reverse=reverse)

    start = rng.normal(size=(40, 16))
    (s, n), counts = tj.jit(total)(a, b, start)
    expected = start + sum((x.T if turned else x) @ y for x, y in zip(a, b))
    np.testing.assert_allclose(s, expected, rtol=1e-12)
    assert n == 6 and sorted(counts) == [*range(6)]
    assert scans(tj.jit(total).graph(a, b, start))[0][0] == 1


def test_what_is_read_inside_stays_inside():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(6, 2, 50))

    def f(a):
        def turn(s, x):
            s = s + x.T @ x
            return s, np.sum(s)

        return tj.scan(turn, np.zeros((50, 50)), a)

    s, sums = tj.jit(f)(a)
    np.testing.assert_allclose(sums, [np.sum(np.einsum("tki,tkj->ij", a[: i + 1], a[: i + 1])) for i in range(6)])
    assert scans(tj.jit(f).graph(a)) == [(1, 2)]


def test_sums_of_large_products_stay():
    a = np.random.default_rng(3).normal(size=(5, 200, 8))
    f = tj.jit(lambda a: tj.scan(lambda s, x: (s + x.T @ x, None), np.zeros((8, 8)), a)[0])
    np.testing.assert_allclose(f(a), np.einsum("tki,tkj->ij", a, a))
    assert scans(f.graph(a)) == [(1, 1)]
