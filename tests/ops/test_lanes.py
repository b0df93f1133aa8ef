"""Batched branches and loops do for an example only what is meant for it."""

import numpy as np
import pytest

import tracejit as tj

wraps = pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])


def close(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


@wraps
class TestBranches:
    def test_index_of_an_example_that_goes_another_way(self, wrap):
        table = np.array([1.0, 2.0, 3.0])

        def lookup(table, i):
            return tj.cond((i >= 0) & (i < 3), lambda i: table[i] ** 2, lambda i: 0.0, i)

        where = np.array([0, 2, 5, -7])
        close(wrap(tj.vmap(lookup, in_axes=(None, 0)))(table, where), [1.0, 9.0, 0.0, 0.0])
        close(wrap(tj.grad(lambda t, i: np.sum(tj.vmap(lookup, in_axes=(None, 0))(t, i))))(table, where), [2.0, 0.0, 6.0])

    def test_loop_that_would_not_end(self, wrap):
        def climb(x):
            return tj.cond(x > 0, lambda x: tj.while_loop(lambda s: s < 10.0, lambda s: s + x, 2 * x), lambda x: x, x)

        xs = np.array([1.5, 2.0, -1.0, 0.0])
        close(wrap(tj.vmap(climb))(xs), [climb(x) for x in xs])
        close(wrap(tj.vmap(tj.grad(climb)))(xs), [7.0, 5.0, 1.0, 1.0])
        close(wrap(tj.vmap(tj.grad(lambda x: climb(x) ** 2)))(xs), [2 * climb(x) * g for x, g in zip(xs, (7.0, 5.0, 1.0, 1.0))])

    def test_singular_matrices(self, wrap):
        def inverse(a):
            return tj.cond(np.abs(np.linalg.det(a)) > 1e-9, np.linalg.inv, np.zeros_like, a)

        stack = np.stack([np.eye(2) * 2, np.ones((2, 2))])
        close(wrap(tj.vmap(inverse))(stack), [np.eye(2) / 2, np.zeros((2, 2))])
        close(wrap(tj.grad(lambda s: np.sum(tj.vmap(inverse)(s))))(stack), [-np.ones((2, 2)) / 4, np.zeros((2, 2))])

    def test_effects(self, wrap):
        seen = []

        def f(x):
            return tj.cond(x > 1, lambda x: (tj.debug.callback(lambda v: seen.append(float(v)), x), x * 2.0)[1], lambda x: x, x)

        close(wrap(tj.vmap(f))(np.arange(4.0)), [0.0, 1.0, 4.0, 6.0])
        assert seen == [2.0, 3.0]


@wraps
class TestLoops:
    def test_index_after_the_last_turn(self, wrap):
        def tail(k, x):
            return tj.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] + x[s[0]] ** 2), (k, 0.0))[1]

        x, starts = np.array([1.0, 2.0, 3.0]), np.array([0, 1, 3])
        both = tj.vmap(tail, in_axes=(0, None))
        close(wrap(both)(starts, x), [14.0, 13.0, 0.0])
        close(wrap(tj.grad(lambda x: np.sum(both(starts, x))))(x), [2.0, 8.0, 12.0])
        close(wrap(tj.vmap(tj.grad(tail, argnums=1), in_axes=(0, None)))(starts, x), [[2.0, 4.0, 6.0], [0.0, 4.0, 6.0], [0.0, 0.0, 0.0]])

    def test_inner_loop_that_would_not_end(self, wrap):
        def f(x):
            def turn(s):
                return s[0] + 1, s[1] + tj.while_loop(lambda t: t != 3, lambda t: t + 1, s[0])

            return tj.while_loop(lambda s: s[0] < 3, turn, (x, 0))[1]

        close(wrap(tj.vmap(f))(np.array([0, 1, 2, 4])), [9, 6, 3, 0])

    def test_turns_that_cannot_fail_are_done_together(self, wrap):
        graph = tj.trace(tj.vmap(lambda x: tj.while_loop(lambda s: s < 9.0, lambda s: 2 * s, x)))(np.ones(3))
        assert [node.op.name for node in graph.nodes] == ["while_loop"]
        close(wrap(tj.vmap(lambda x: tj.while_loop(lambda s: s < 9.0, lambda s: 2 * s, x)))(np.array([1.0, 3.0, 9.0])), [16.0, 12.0, 9.0])
