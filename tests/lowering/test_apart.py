"""Scans over rows that do not look at one another: which they are, and that their strands compute what the whole loop does."""

import numpy as np
import pytest

import tracejit as tj
from tracejit.config import config
from tracejit.lowering import apart as rows_apart
from tracejit.lowering.apart import apart, cut_loops
from tracejit.lowering.prepare import prepare
from tracejit.ops.scan import scan

ROWS, WIDTH, TURNS = 48, 6, 5


@pytest.fixture
def cut(monkeypatch):
    """Every loop that can be cut is cut, however small."""
    monkeypatch.setattr(config, "threads", max(2, config.threads))
    for name in ("WORTH_CUTTING_NS", "STRAND_NS"):
        monkeypatch.setattr(rows_apart, name, 1e-9)


def loops(graph):
    """The number of strands of each scan of a graph, and what of it has rows."""
    found = [n for n in cut_loops(prepare(graph)).nodes if n.op is scan]
    return [(n.params.get("strands", 1), apart(n.params["body"], n.params["consts"], n.params["carry"])) for n in found]


def data(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def recurrent(w, bias, xs):
    def turn(h, x):
        h = np.tanh(x + h @ w + bias)
        return h, h * 2

    return tj.scan(turn, np.zeros((ROWS, WIDTH)), xs)


def lstm(w, xs):
    def turn(state, x):
        h, c = state
        i, f, o = np.split(h @ w + x, 3, axis=1)
        c = c / (1 + np.exp(-f)) + np.tanh(i)
        h = np.concatenate([np.tanh(c)[:, :2], c[:, 2:] / (1 + np.exp(-o[:, 2:]))], axis=1)
        return (h, c), (h, np.max(c, axis=1))

    return tj.scan(turn, (np.ones((ROWS, WIDTH)), np.zeros((ROWS, WIDTH))), xs)


def counted(w, xs):
    def turn(state, x):
        h, n, scale = state
        h = (h * scale[None, :]) @ w + x[::-1][:, None] * n
        return (h, n + 1, np.sin(scale)), (np.flip(h, 1), n, h.reshape(ROWS, 2, WIDTH // 2).sum(axis=2))

    start = (np.ones((ROWS, WIDTH)), 0, np.linspace(0.5, 1, WIDTH))
    return tj.scan(turn, start, xs, reverse=True)


def per_row(factors, xs):
    def turn(state, x):
        u, v = state
        return (v * factors + x, u), np.pad(u, ((0, 0), (1, 2)))

    return tj.scan(turn, (np.ones((ROWS, WIDTH)), np.zeros((ROWS, WIDTH))), xs)


def stacked(ws, xs):
    def turn(h, x):
        h = np.einsum("bij,bj->bi", ws, h) + x
        return h, h

    return tj.scan(turn, np.ones((ROWS, WIDTH)), xs)


def batched(w, xs):
    return tj.vmap(lambda x: tj.scan(lambda h, x: (np.tanh(w @ h + x),) * 2, np.zeros(WIDTH), x), in_axes=1)(xs)


W, XS = 0.3 * data(WIDTH, WIDTH), data(TURNS, ROWS, WIDTH, seed=1)
PROGRAMS = {
    "recurrent": (recurrent, (W, data(WIDTH), XS)),
    "lstm": (lstm, (0.3 * data(WIDTH, 3 * WIDTH), data(TURNS, ROWS, 3 * WIDTH))),
    "per_row": (per_row, (data(ROWS, WIDTH), XS)),
    "per_row_column": (per_row, (data(ROWS, 1), XS)),
    "stacked": (stacked, (0.3 * data(ROWS, WIDTH, WIDTH), XS)),
    "batched": (batched, (W, XS)),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_strands_compute_what_the_loop_does(cut, name, dtype):
    f, args = PROGRAMS[name]
    args = [a.astype(dtype) for a in args]
    ((strands, found),) = loops(tj.jit(f).graph(*args))
    assert strands > 1 and found.rows == ROWS
    tolerance = 1e-12 if dtype is np.float64 else 1e-4
    for made, expected in zip(tj.tree.leaves(tj.jit(f)(*args)), tj.tree.leaves(f(*args))):
        np.testing.assert_allclose(made, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_in_strands(cut, name):
    f, args = PROGRAMS[name]

    def loss(*args):
        return sum(np.sum(np.square(leaf)) for leaf in tj.tree.leaves(f(*args)))

    gradient = tj.grad(loss, argnums=tuple(range(len(args))))
    strands = [n for n, _ in loops(tj.jit(gradient).graph(*args))]
    assert max(strands) > 1, strands
    for made, expected in zip(tj.jit(gradient)(*args), gradient(*args)):
        np.testing.assert_allclose(made, expected, rtol=1e-9, atol=1e-9)


def test_what_is_the_same_for_all_rows(cut):
    """A counter and a vector of scales in the state, rows turned around within a turn: only these mix rows."""
    w, xs = W, data(TURNS, ROWS)
    ((strands, found),) = loops(tj.jit(counted).graph(w, xs))
    assert strands == 1 and found is None

    def straight(w, xs):
        def turn(state, x):
            h, n, scale = state
            h = (h * scale[None, :]) @ w + x[:, None] * n
            return (h, n + 1, np.sin(scale)), (np.flip(h, 1), n, h.reshape(ROWS, 2, WIDTH // 2).sum(axis=2))

        return tj.scan(turn, (np.ones((ROWS, WIDTH)), 0, np.linspace(0.5, 1, WIDTH)), xs, reverse=True)

    ((strands, found),) = loops(tj.jit(straight).graph(w, xs))
    assert strands == 3 and found.outputs == (True, False, False, True, False, True)
    for f in (counted, straight):
        for made, expected in zip(tj.tree.leaves(tj.jit(f)(w, xs)), tj.tree.leaves(f(w, xs))):
            np.testing.assert_allclose(made, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "body",
    [
        lambda h, x: h + np.roll(h, 1, axis=0) + x,
        lambda h, x: h - np.mean(h, axis=0) + x,
        lambda h, x: h @ h.T @ h + x,
        lambda h, x: np.cumsum(h, axis=0) + x,
        lambda h, x: np.sort(h, axis=0) + x,
        lambda h, x: h + x[:1],
        lambda h, x: h[np.arange(ROWS)[::-1]] + x,
        lambda h, x: np.concatenate([h[1:], h[:1]]) + x,
    ],
)
def test_rows_that_look_at_one_another(cut, body):
    f = lambda xs: tj.scan(lambda h, x: ((made := 0.1 * body(h, x)), made), np.ones((ROWS, WIDTH)), xs)
    assert loops(tj.jit(f).graph(XS)) == [(1, None)]
    for made, expected in zip(tj.jit(f)(XS), f(XS)):
        np.testing.assert_allclose(made, expected, rtol=1e-9)


def test_the_state_is_changed_in_place_and_swapped(cut):
    def f(u, v, xs):
        return tj.scan(lambda s, x: ((s[1], s[0] + x), s[0]), (u, v), xs)

    u, v = data(ROWS, 64, seed=3), data(ROWS, 64, seed=4)
    xs = data(7, ROWS, 64)
    ((strands, _),) = loops(tj.jit(f).graph(u, v, xs))
    assert strands > 1
    kept = u.copy(), v.copy()
    for made, expected in zip(tj.tree.leaves(tj.jit(f)(u, v, xs)), tj.tree.leaves(f(u, v, xs))):
        np.testing.assert_array_equal(made, expected)
    np.testing.assert_array_equal(u, kept[0])
    np.testing.assert_array_equal(v, kept[1])


def test_small_loops_and_one_thread_are_left_whole(monkeypatch):
    args = (W, data(WIDTH), XS)
    assert [n for n, _ in loops(tj.jit(recurrent).graph(*args))] == [1]
    monkeypatch.setattr(config, "threads", 1)
    monkeypatch.setattr(rows_apart, "WORTH_CUTTING_NS", 1e-9)
    assert [n for n, _ in loops(tj.jit(recurrent).graph(*args))] == [1]
