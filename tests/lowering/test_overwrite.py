"""Arrays that loops change in place: random bodies that read before, between and after their writes give what the interpreter gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracejit as tj
from tracejit.lowering.overwrite import origins, readers_first
from tracejit.lowering.partition import partition
from tracejit.lowering.prepare import prepare
from tracejit.lowering.program import TARGET, Program, native

# Statements on the state (u, v, a, k, s): two vectors, a matrix, a whole number and a number; `i` is the turn and `keep` what was kept aside.
STATEMENTS = {
    "set": lambda s, i: s | {"u": s["u"].at[i].set(s["s"] + s["u"][i - 1])},
    "set other": lambda s, i: s | {"u": s["u"].at[s["k"]].set(0.5 * s["v"][i])},
    "add": lambda s, i: s | {"v": s["v"].at[i].add(s["u"][s["k"]] * 0.25)},
    "keep": lambda s, i: s | {"keep": s["u"] * 0.5 + 1.0},
    "keep element": lambda s, i: s | {"s": s["u"][i] * 0.5},
    "keep array": lambda s, i: s | {"keep": s["u"]},
    "use": lambda s, i: s | {"v": s["v"] * 0.5 + s["keep"][::-1]},
    "use element": lambda s, i: s | {"s": s["s"] * 0.5 + s["keep"][s["k"]]},
    "slice": lambda s, i: s | {"u": s["u"].at[1:-1].set(0.25 * (s["u"][2:] + s["u"][:-2]) - s["v"][1:-1])},
    "slice of itself": lambda s, i: s | {"u": s["u"].at[2:].set(s["u"][:-2])},
    "small slice": lambda s, i: s | {"u": s["u"].at[1:3].set(s["u"][0:2] * 0.5)},
    "scale": lambda s, i: s | {"u": s["u"].at[1:].set(s["u"][1:] * 0.5)},
    "strided": lambda s, i: s | {"v": s["v"].at[::2].set(s["u"][::2] - s["v"][::2])},
    "gathered": lambda s, i: s | {"u": s["u"].at[np.array([0, 2, 0])].set(s["u"][np.array([1, 0, 2])] + s["s"])},
    "added up": lambda s, i: s | {"u": s["u"].at[np.array([1, 1, 0])].add(s["u"][np.array([0, 1, 2])] * 0.25)},
    "swap": lambda s, i: s | {"u": s["v"], "v": s["u"]},
    "reverse": lambda s, i: s | {"u": s["u"][::-1]},
    "elementwise": lambda s, i: s | {"u": np.sin(s["u"]) + s["v"]},
    "same": lambda s, i: s | {"v": s["u"]},
    "row": lambda s, i: s | {"a": s["a"].at[i % 3].set(s["a"][s["k"] % 3] * 0.5 + s["s"])},
    "element": lambda s, i: s | {"a": s["a"].at[i % 3, s["k"]].set(s["u"][i])},
    "column": lambda s, i: s | {"a": s["a"].at[:, i].add(s["a"][:, s["k"]])},
    "from matrix": lambda s, i: s | {"u": s["u"] * 0.5 + s["a"][1]},
    "product": lambda s, i: s | {"v": (s["a"] @ s["u"])[0] * 0.01 + s["v"] * 0.5},
    "step": lambda s, i: s | {"k": (s["k"] + 2) % 4},
    "branch": lambda s, i: s | {"u": tj.cond(s["s"] > 0.3, lambda u: u.at[i].set(0.1), lambda u: u, s["u"])},
    "branches": lambda s, i: s | {"u": tj.cond(s["u"][i] > 0.3, lambda u: u.at[0].add(0.2), lambda u: u.at[s["k"]].set(u[i]), s["u"])},
    "loop": lambda s, i: s | {"u": tj.fori_loop(0, 3, lambda j, u: u.at[j + 1].set(u[j] + s["v"][j] * 0.5), s["u"])},
    "loop of two": lambda s, i: s | dict(zip("uv", tj.fori_loop(0, 3, lambda j, t: (t[1].at[j].set(t[0][i]), t[0]), (s["u"], s["v"])))),
    "while": lambda s, i: s | {"u": tj.while_loop(lambda t: t[0] < i, lambda t: (t[0] + 1, t[1].at[t[0]].add(0.5)), (0, s["u"]))[1]},
}
NAMES = st.lists(st.sampled_from(sorted(STATEMENTS)), min_size=1, max_size=7)


def run(names, size, length, reverse, used, u, v, a):
    """A scan whose body is the statements; `used`: what it gives as rows."""

    def turn(state, x):
        s = dict(zip("uvaks", state))
        s["keep"] = s["u"] + 1.0
        for name in names:
            s = STATEMENTS[name](s, x)
        rows = {"nothing": None, "u": s["u"], "element": s["u"][x], "before": state[0], "kept": s["keep"]}[used]
        return tuple(s[n] for n in "uvaks"), rows

    return tj.scan(turn, (u, v, a, 1, 0.25), np.arange(1, 1 + length), reverse=reverse)


def values(size):
    r = np.random.default_rng(size)
    return r.normal(size=size), r.normal(size=size), r.normal(size=(3, size))


def same(got, want):
    for x, y in zip(tj.tree.leaves(got), tj.tree.leaves(want), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(NAMES, st.sampled_from([5, 48]), st.integers(1, 4), st.booleans(), st.sampled_from(["nothing", "u", "element", "before", "kept"]))
def test_random_bodies(names, size, length, reverse, used):
    args = values(size)
    copies = [x.copy() for x in args]
    f = lambda *a: run(names, size, length, reverse, used, *a)
    same(tj.jit(f)(*args), f(*args))
    for x, y in zip(args, copies):
        np.testing.assert_array_equal(x, y)  # a caller's array is never changed


@settings(max_examples=15, deadline=None)
@given(NAMES, st.sampled_from([5, 48]), st.integers(1, 3), st.booleans())
def test_gradients_of_random_bodies(names, size, length, reverse):
    names = [n for n in names if n not in ("while",)]

    def loss(*args):
        (u, v, a, _, s), rows = run(names, size, length, reverse, "u", *args)
        return np.sum(np.sin(u)) + np.sum(v * v) + np.sum(a) + s + np.sum(rows)

    args = values(size)
    gradient = tj.grad(loss, argnums=(0, 1, 2))
    same(tj.jit(gradient)(*args), gradient(*args))


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(NAMES, st.sampled_from([5, 48]), st.integers(1, 4), st.booleans(), st.sampled_from(["nothing", "u", "element", "before", "kept"]))
def test_many_random_bodies(names, size, length, reverse, used):
    f = lambda *a: run(names, size, length, reverse, used, *a)
    same(tj.jit(f)(*values(size)), f(*values(size)))


# -- what is changed in place
def body_steps(f, *args, donated):
    return partition(prepare(tj.trace(f)(*args)), native, range(9), True, donated, TARGET.overwrites).steps


big = np.arange(100.0)


def test_an_element_is_written_where_it_is():
    steps = body_steps(lambda u, i: u.at[i].set(u[i - 1] + u[i + 1]), big, 3, donated={0: 0})
    assert [(s.into, len(s.counters)) for s in steps] == [(True, 0)]


def test_readers_of_the_old_array_come_first():
    def f(u, i):
        new = u.at[i].set(1.0)
        return new, u[i] * 2.0

    steps = body_steps(f, big, 3, donated={0: 0})
    assert [(s.into, bool(s.counters)) for s in steps] == [(False, False), (True, False), (False, False)]  # the element is kept aside


def test_an_old_array_that_is_wanted_whole_is_kept():
    steps = body_steps(lambda u, i: (u.at[i].set(1.0), u), big, 3, donated={0: 0})
    assert any(not s.into and len(s.counters) == 1 for s in steps)


def test_a_slice_that_reads_its_neighbours_is_computed_first():
    few = body_steps(lambda u: u.at[1:4].set(u[:3] + u[2:5]), big, donated={0: 0})
    assert [(s.into, s.counters and s.counters[0].extent) for s in few if s.counters] == []  # three elements are written out
    whole = body_steps(lambda u: u.at[1:-1].set(u[:-2] + u[2:]), big, donated={0: 0})
    assert [[c.extent for c in s.counters] for s in whole] == [[], [], [98]]  # the ends are copied, the rest is computed


def test_writing_nothing_copies_everything():
    f = lambda x: tj.fori_loop(0, 2, lambda i, x: x.at[2:2].set(np.zeros(0)) + 1.0, x).at[60:60].set(np.zeros(0)) * 2.0
    for size in (5, 100):
        np.testing.assert_array_equal(tj.jit(f)(np.arange(float(size))), 2.0 * np.arange(2.0, size + 2.0))


def test_origins_follow_updates():
    graph = prepare(tj.trace(lambda u, v, i: (v.at[i].set(1.0).at[0].add(2.0), u, u + v))(big, big, 1))
    assert origins(graph, TARGET.overwrites) == {0: 1, 1: 0}


def test_updates_that_their_readers_need_stay():
    graph = prepare(tj.trace(lambda u, i: u + u.at[i].set(1.0))(big, 1))
    assert readers_first(graph, TARGET.overwrites) is graph


def test_a_loop_over_a_large_array_has_one_copy_of_it():
    def f(u):
        def row(i, u):
            return tj.fori_loop(1, 49, lambda j, u: u.at[i, j].set(0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])), u)

        return tj.fori_loop(1, 49, row, u)

    u = np.random.default_rng(0).random((50, 50))
    same(tj.jit(f)(u), f(u))
    assert Program(tj.jit(f).graph(u)).plan.arena_bytes < 1000


def test_double_buffering_copies_nothing():
    def f(u, v):
        return tj.fori_loop(0, 7, lambda i, s: (s[1].at[1:-1].set(s[0][:-2] + s[0][2:]), s[0]), (u, v))

    u, v = np.random.default_rng(0).random((2, 100))
    same(tj.jit(f)(u, v), f(u, v))
    assert Program(tj.jit(f).graph(u, v)).plan.arena_bytes < 1000


@pytest.mark.parametrize("length", range(1, 8))
def test_state_that_changes_roles(length):
    def f(a, b, c, d):
        def turn(s, i):
            return (s[1], s[2].at[i].set(s[0][i]), np.sin(s[0]), s[3].at[i].add(s[1][0])), s[2][0]

        return tj.scan(turn, (a, b, c, d), np.arange(length))

    args = np.random.default_rng(0).random((4, 50))
    same(tj.jit(f)(*args), f(*args))


def test_the_state_as_rows_and_as_a_constant():
    def f(u):
        return tj.scan(lambda s, x: (s.at[0].set(x[1] + u[2, 0]), s[0] * x), u[0], u)

    u = np.random.default_rng(0).random((60, 60))
    same(tj.jit(f)(u), f(u))
    g = lambda u: tj.fori_loop(0, 60, lambda i, s: s.at[i].set(s[i] + u[59 - i]), u)
    np.testing.assert_array_equal(tj.jit(g)(u[0]), u[0] + u[0][::-1])


def test_products_in_loops_are_cut_into_blocks_of_rows():
    def f(h, w):
        return tj.fori_loop(0, 3, lambda i, h: np.tanh(h @ w + (w.T @ h.T).T), h)

    h, w = np.random.default_rng(0).normal(size=(70, 80)), np.random.default_rng(1).normal(size=(80, 80)) * 0.05
    same(tj.jit(f)(h, w), f(h, w))


def test_an_index_out_of_range_in_a_loop_raises():
    def f(u, n):
        return tj.fori_loop(0, 3, lambda i, u: u.at[i + n].set(1.0), u)

    for size in (5, 100):
        g = tj.jit(f)
        same(g(np.zeros(size), 1), f(np.zeros(size), 1))
        with pytest.raises(IndexError):
            g(np.zeros(size), size - 1)
