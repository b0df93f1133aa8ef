"""Sums of products become one product, and stay what they were; results of products stand in memory as they are wanted."""

import numpy as np
import pytest

import tracejit as tj
from tracejit.lowering.prepare import prepare

rng = np.random.default_rng(0)


def names(f, *args):
    return [n.op.name for n in prepare(tj.jit(f).graph(*args)).nodes]


def unrolled(w, u, xs):
    h = np.zeros((xs.shape[1], w.shape[0]))
    for x in xs:
        h = np.tanh(h @ w.T + x @ u)
    return np.sum(h**2)


@pytest.mark.parametrize("turns, joined", [(3, False), (6, True)])
def test_the_gradient_of_a_weight_that_turns_share(turns, joined):
    args = 0.3 * rng.normal(size=(24, 24)), 0.3 * rng.normal(size=(10, 24)), rng.normal(size=(turns, 5, 10))
    gradient = tj.grad(unrolled, argnums=(0, 1, 2))
    assert names(gradient, *args).count("concatenate") == (4 if joined else 0)  # two factors of each weight
    for made, expected in zip(tj.jit(gradient)(*args), gradient(*args)):
        np.testing.assert_allclose(made, expected, rtol=1e-10, atol=1e-12)


def test_terms_of_other_kinds_stay():
    def f(a, xs, ys):
        total = a
        for x, y in zip(xs, ys):
            total = total + x.T @ y
        return total + np.exp(a) + 2.0

    a, xs, ys = rng.normal(size=(30, 20)), rng.normal(size=(5, 3, 30)), rng.normal(size=(5, 3, 20))
    assert names(f, a, xs, ys).count("dot_general") == 1
    np.testing.assert_allclose(tj.jit(f)(a, xs, ys), f(a, xs, ys), rtol=1e-12)

    def plain(xs, ys):
        return sum((x.T @ y for x, y in zip(ys, xs)), np.zeros((20, 30))) - (xs[0].T @ ys[0]).T

    assert names(plain, xs, ys).count("dot_general") == 2
    np.testing.assert_allclose(tj.jit(plain)(xs, ys), plain(xs, ys), rtol=1e-12)


def test_factors_that_are_not_turned():
    def f(xs, ys):
        total = np.zeros((30, 20))
        for x, y in zip(xs, ys):
            total = total + x @ y
        return total

    xs, ys = rng.normal(size=(5, 30, 3)), rng.normal(size=(5, 3, 20))
    assert names(f, xs, ys).count("dot_general") == 1
    np.testing.assert_allclose(tj.jit(f)(xs, ys), f(xs, ys), rtol=1e-12)


def test_products_that_are_read_elsewhere_stay():
    def f(xs, ys):
        products = [x @ y for x, y in zip(xs, ys)]
        return sum(products), products[2]

    xs, ys = rng.normal(size=(5, 30, 3)), rng.normal(size=(5, 3, 20))
    assert names(f, xs, ys).count("dot_general") == 2
    for made, expected in zip(tj.jit(f)(xs, ys), f(xs, ys)):
        np.testing.assert_allclose(made, expected, rtol=1e-12)


def test_long_sums_are_left_alone():
    def f(xs, ys):
        return sum(x @ y for x, y in zip(xs, ys))

    xs, ys = rng.normal(size=(5, 6, 40)), rng.normal(size=(5, 40, 7))
    assert names(f, xs, ys).count("dot_general") == 5
    np.testing.assert_allclose(tj.jit(f)(xs, ys), f(xs, ys), rtol=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: (x @ y.T).T,
        lambda x, y: (x.T.T @ y.T).T + 1,
        lambda x, y: (x[:, :6].T @ y[:6, :7]).T,
        lambda x, y: np.stack([(x @ y.T).T, (x @ y.T).T]),
    ],
)
def test_transposed_products(f):
    x, y = rng.normal(size=(6, 9)), rng.normal(size=(7, 9))
    np.testing.assert_allclose(tj.jit(f)(x, y), f(x, y), rtol=1e-12)


def test_the_gradient_of_a_transposed_weight_stands_as_the_weight_does():
    def loss(w, x):
        return np.sum((x @ w.T) ** 2)

    w, x = rng.normal(size=(8, 5)), rng.normal(size=(3, 5))
    graph = prepare(tj.jit(tj.grad(loss)).graph(w, x))
    assert graph.nodes[-1].op.name == "dot_general" and graph.nodes[-1].outputs == graph.outputs
    np.testing.assert_allclose(tj.jit(tj.grad(loss))(w, x), tj.grad(loss)(w, x), rtol=1e-12)
