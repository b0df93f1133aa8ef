"""The arena: values that are alive at once never overlap, and the plan is close to the least that could do."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tracejit.lowering.memory import ALIGNMENT, Interval, plan

sizes = st.one_of(st.integers(0, 200), st.integers(1000, 100_000))
lives = st.builds(lambda first, steps, size: Interval(first, first + steps, size), st.integers(0, 20), st.integers(0, 8), sizes)
intervals = st.lists(lives, max_size=40)


def rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


@settings(max_examples=300, deadline=None, derandomize=True)
@given(intervals)
def test_nothing_alive_overlaps(values):
    offsets, total = plan(values)
    assert len(offsets) == len(values)
    for offset, v in zip(offsets, values):
        assert offset % ALIGNMENT == 0 and 0 <= offset and offset + v.size <= total
    for i, a in enumerate(values):
        for j, b in enumerate(values[:i]):
            if a.first <= b.last and b.first <= a.last and a.size and b.size:
                assert offsets[i] + a.size <= offsets[j] or offsets[j] + b.size <= offsets[i]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(intervals)
def test_the_arena_is_not_wasteful(values):
    """At least what is alive at the busiest moment is needed; the greedy plan stays within twice that."""
    _, total = plan(values)
    needed = max((sum(rounded(v.size) for v in values if v.first <= t <= v.last) for t in range(30)), default=0)
    assert needed <= total <= 2 * needed


def test_a_chain_needs_two_places():
    chain = [Interval(k, k + 1, 1000) for k in range(50)]
    assert plan(chain)[1] == 2 * rounded(1000)


def test_nothing():
    assert plan([]) == ([], 0)
    assert plan([Interval(0, 5, 0)]) == ([0], 0)
