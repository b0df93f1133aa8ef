"""Outputs in the memory of inputs: where that is right, and where it would not be."""

import numpy as np
import pytest

import tracejit as tj
from tests.cuda.host_target import TARGET
from tracejit.lowering.cuda.program import Program


def made(f, into, *args):
    """The results of a function whose outputs may be made in place, compared with its own; which of them were."""
    graph = tj.trace(f)(*args)
    program, home = Program(graph, range(len(graph.outputs)), target=TARGET, into=into), TARGET.backend
    given = [home.from_host(a) for a in args]
    results = program.run(given)
    for got, want in zip(results, tj.tree.leaves(f(*args)), strict=True):
        np.testing.assert_allclose(home.to_host(got), want, rtol=1e-5, atol=1e-4)
    for i, (x, a) in enumerate(zip(given, args)):
        if not any(r is x for r in results):
            np.testing.assert_array_equal(home.to_host(x), a, err_msg=f"argument {i}")
    return {k for k, i in into.items() if results[k] is given[i]}


def normal(*shapes):
    return [np.random.default_rng(i).normal(size=shape).astype(np.float32) for i, shape in enumerate(shapes)]


def test_steps_of_an_optimizer():
    def adam(p, m, v, g):
        m = 0.9 * m + 0.1 * g
        v = 0.99 * v + 0.01 * g * g
        return p - 0.1 * m / (np.sqrt(v) + 1e-3), m, v

    for n in (50, 5000, 300_000):  # one block, many threads, vectors
        p, m, v, g = normal(n, n, n, n)
        assert made(adam, {0: 0, 1: 1, 2: 2}, p, m, np.abs(v), g) == {0, 1, 2} or n == 50


def test_several_parameters_side_by_side():
    def step(p, q, g, h):
        return p - 0.1 * g, q - 0.1 * h

    assert made(step, {0: 0, 1: 1}, *normal(4000, (60, 70), 4000, (60, 70))) == {0, 1}
    assert made(lambda p, q: (p + q, q + p), {0: 0, 1: 1}, *normal(4000, 4000)) != {0, 1}  # the second still reads the first


def test_after_a_gradient():
    def step(w, b, x):
        dw, db = tj.grad(lambda w, b: np.sum(np.maximum(x @ w + b, 0) ** 2), argnums=(0, 1))(w, b)
        return w - 1e-3 * dw, b - 1e-3 * db

    assert 0 in made(step, {0: 0, 1: 1}, *normal((64, 96), 96, (128, 64)))  # the bias is small, and part of what sums its gradient up


@pytest.mark.parametrize(
    "f",
    [
        lambda p: p + p.T,
        lambda p: p / p.sum(axis=0),
        lambda p: p[::-1] * 2,
        lambda p: np.cumsum(p, axis=0),
        lambda p: (p * 2, p),
        lambda p: (p * 2, np.sum(np.sin(p))),
        lambda p: (p * 2, p * 3),
        lambda p: np.roll(p, 1, axis=1),
        lambda p: p @ p,
        lambda p: np.sort(p, axis=0),
    ],
)
def test_what_still_reads_the_input(f):
    for n in (20, 96):
        made(f, {0: 0}, *normal((n, n)))


def test_another_type_is_no_place():
    assert not made(lambda p: p.astype(np.float64), {0: 0}, *normal(4000))
    assert not made(lambda p: p[1:] * 2, {0: 0}, *normal(4000))


def test_arguments_that_are_written_on_a_device():
    """Replayed or not, results of their own are held apart from arguments."""
    program = Program(
        tj.trace(lambda p, g, w: (p - g, np.tanh(g @ w) @ w))(*normal((64, 64), (64, 64), (64, 64))), range(2), target=TARGET, into={0: 0}
    )
    home = TARGET.backend
    p, g, w = [home.from_host(a) for a in normal((64, 64), (64, 64), (64, 64))]
    kept = [program.run([p, g, w]) for _ in range(8)]
    want = np.tanh(home.to_host(g) @ home.to_host(w)) @ home.to_host(w)
    for first, second in kept:
        assert first is p
        np.testing.assert_allclose(home.to_host(second), want, rtol=1e-4, atol=1e-4)
    assert len({home.address(second) for _, second in kept}) == len(kept)
    np.testing.assert_allclose(home.to_host(p), normal((64, 64))[0] - 8 * home.to_host(g), rtol=1e-4, atol=1e-4)
