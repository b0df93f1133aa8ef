"""Loops that go through memory without a gap are one; what counts, tests or broadcasts along an axis keeps that axis."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.lowering.fuse import Loop, Nest
from tracejit.lowering.program import Program

rng = np.random.default_rng(0)
w, m, g = (rng.standard_normal((6, 5, 3, 3)) for _ in range(3))
scale = rng.standard_normal(5)


def loops(body) -> list:
    return [[item.counter.extent, loops(item.body)] for item in body if isinstance(item, Loop)]


def update(w, m, g):
    m = 0.9 * m + g
    return m, w - 0.1 * m


CASES = [
    ("all axes", update, (w, m, g), [[[270, []]]]),
    ("an axis that is broadcast along", lambda x, s: np.maximum(x * s[:, None, None], 0), (w, scale), [[[6, [[5, [[9, []]]]]]]]),
    ("sums over inner axes", lambda x: np.sum(x * x, axis=(2, 3)), (w,), [[[30, [[9, []]]]]]),
    ("sums over outer axes", lambda x: np.sum(x, axis=(0, 1)), (w,), [[[9, []], [30, [[9, []]]]]]),
    ("a part of an axis", lambda x: x[:, 1:3] * 2, (w,), [[[6, [[18, []]]]]]),
    ("positions that are counted", lambda x: x * np.arange(3), (w,), [[[90, [[3, []]]]]]),
    ("an axis in reverse", lambda x: x[..., ::-1] * 2, (w,), [[[90, [[3, []]]]]]),
    ("a transpose", lambda x: np.transpose(x, (1, 0, 2, 3)) * 2, (w,), [[[5, [[6, [[9, []]]]]]]]),
]


@pytest.mark.parametrize("name, f, args, wanted", CASES, ids=[c[0] for c in CASES])
def test_loops(name, f, args, wanted):
    program = Program(tj.trace(f)(*args))
    assert [loops(i.body) for i in program.items if isinstance(i, Nest)] == wanted
    for got, want in zip(tj.tree.leaves(tj.jit(f)(*args)), tj.tree.leaves(f(*args))):
        np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)


def test_padding_keeps_its_tests():
    f = lambda x: np.pad(x, ((0, 0), (1, 0), (0, 0), (0, 0))) + 1.0
    np.testing.assert_array_equal(tj.jit(f)(w), f(w))


def test_values_handed_on_inside_of_merged_loops_need_no_memory():
    program = Program(tj.trace(lambda x: np.sum(np.exp(x) ** 2 + np.exp(x)))(w))
    assert program.plan.arena_bytes == 0


def test_what_is_shown_has_no_quotients():
    text = tj.jit(update).kernels(w, m, g)
    assert "//" not in text and "%" not in text and ".flat[i]" in text
