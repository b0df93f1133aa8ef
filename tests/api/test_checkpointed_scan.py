"""scan and fori_loop with checkpoints: equal gradients, in the memory that is promised."""

from functools import cache

import numpy as np
import pytest

import tracejit as tj
from tracejit.lowering.program import Program
from tracejit.ops.binomial_scan import repetitions, schedule

rng = np.random.default_rng(0)
W, XS, H = rng.standard_normal((3, 3)), rng.standard_normal((23, 3)), np.full(3, 0.3)
WAYS = [
    {"checkpoint_every": 5},
    {"checkpoint_every": 1},
    {"checkpoint_every": 100},
    {"checkpoint_every": 6, "unroll": 2},
    {"checkpoint_every": "binomial"},
    {"checkpoint_every": "binomial", "checkpoints": 3},
    {"checkpoints": 1},
    {"checkpoints": 40},
    {"checkpoints": 3, "unroll": 4},
]


def recurrence(**options):
    def loss(w, xs, h):
        def turn(h, x):
            h = np.tanh(w @ h + x)
            return h, np.sum(h) * x

        h, ys = tj.scan(turn, h, xs, **options)
        return np.sum(h * h) + np.sum(ys**2)

    return loss


def close(got, want):
    for g, w in zip(tj.tree.leaves(got), tj.tree.leaves(want), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-10, atol=1e-12)


class TestGradients:
    @pytest.mark.parametrize("reverse", [False, True])
    @pytest.mark.parametrize("options", WAYS, ids=str)
    def test_are_equal(self, options, reverse):
        f = recurrence(reverse=reverse, **options)
        close(tj.jit(f)(W, XS, H), recurrence(reverse=reverse)(W, XS, H))
        want = tj.grad(recurrence(reverse=reverse), argnums=(0, 1, 2))(W, XS, H)
        close(tj.jit(tj.grad(f, argnums=(0, 1, 2)))(W, XS, H), want)
        close(tj.grad(f, argnums=(0, 1, 2))(W, XS, H), want)

    @pytest.mark.parametrize("options", [{"checkpoint_every": 3}, {"checkpoints": 2}], ids=str)
    def test_to_second_order_and_in_batches(self, options):
        f, plain = recurrence(**options), recurrence()
        xs = XS[:6]
        want = tj.hessian(plain)(W, xs, H)
        close(tj.jit(tj.jacrev(tj.grad(f)))(W, xs, H), want)
        stack = np.stack([W, 0.5 * W])
        close(tj.jit(tj.vmap(tj.grad(f), in_axes=(0, None, None)))(stack, xs, H), np.stack([tj.grad(plain)(w, xs, H) for w in stack]))


def test_state_of_several_parts_with_integers():
    def f(x, **options):
        def turn(state, k):
            a, n, b = state
            return (a * np.cos(b) + k, n + 1, b + n * a * 1e-2), n * a

        (a, _, b), ys = tj.scan(turn, (x, 0, 2.0 * x), np.arange(9.0), **options)
        return np.sum(a * b) + np.sum(ys)

    want = tj.grad(f)(0.3)
    for options in ({"checkpoint_every": 4}, {"checkpoints": 2}):
        close(tj.jit(tj.grad(lambda x, o=options: f(x, **o)))(0.3), want)


class TestSchedule:
    def test_runs_as_few_turns_as_can_be(self):
        @cache
        def least(length, slots):
            if slots == 1 or length == 1:
                return length * (length - 1) // 2
            return min(m + least(length - m, slots - 1) + least(m, slots) for m in range(1, length))

        for length in range(1, 40):
            for slots in range(1, 7):
                starts, _ = schedule(length, slots)
                assert sum(turn - position for turn, (_, position) in enumerate(starts.tolist())) == least(length, slots)

    @pytest.mark.parametrize(("length", "slots"), [(1, 1), (10, 1), (100, 3), (1000, 10), (1820, 12)])
    def test_keeps_its_promises(self, length, slots):
        starts, kept = schedule(length, slots)
        again, memory, row = np.zeros(length, int), {0: 0}, 0
        for turn in reversed(range(length)):
            slot, position = starts[turn]
            assert memory[slot] == position <= turn
            again[position:turn] += 1
            while kept[row][0] == turn:
                memory[kept[row][2]] = kept[row][1]
                assert position < kept[row][1] <= turn
                row += 1
        assert max(memory) < slots
        assert again.max() <= repetitions(length, slots)


class TestMemory:
    turns, x = 400, np.ones(500)

    def gradient(self, **options):
        def f(x):
            return np.sum(tj.fori_loop(0, self.turns, lambda i, s: np.sin(s) + 1e-3 * s * s, x, **options))

        return f

    def arena(self, **options):
        program = Program(tj.trace(tj.grad(self.gradient(**options)))(self.x))
        assert not program.host_ops
        return program.plan.arena_bytes

    def test_is_bounded(self):
        state = self.x.nbytes
        assert self.arena() >= self.turns * state
        # The states that are kept, and the rows of one block; a row is at most three states here.
        assert self.arena(checkpoint_every=20) <= (self.turns // 20 + 3 * 20 + 12) * state
        tables = 8 * (2 * self.turns + 3 * self.turns + 64)
        assert self.arena(checkpoints=6) <= (6 + 14) * state + tables
        assert self.arena(checkpoints=3) < self.arena(checkpoints=6)

    def test_of_residuals(self):
        def kept(**options):
            return sum(r.nbytes for r in tj.saved_residuals(self.gradient(**options), self.x))

        state = self.x.nbytes
        assert kept() >= self.turns * state
        assert kept(checkpoint_every=20) <= (self.turns // 20) * state + 8 * self.turns
        assert kept(checkpoints=6) == kept(checkpoint_every="binomial") <= state + 8 * self.turns


def test_bad_input():
    def run(**options):
        return tj.scan(lambda s, x: (s + x, s), 0.0, np.arange(4.0), **options)

    for options in ({"checkpoint_every": 0}, {"checkpoint_every": "sometimes"}, {"checkpoints": 0}, {"checkpoint_every": 2, "checkpoints": 2}):
        with pytest.raises(TypeError, match="checkpoint"):
            run(**options)
    with pytest.raises(TypeError, match="bounds that are known"):
        tj.jit(lambda n: tj.fori_loop(0, n, lambda i, s: s, 0.0, checkpoints=2))(3)
