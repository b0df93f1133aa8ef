"""Loops that are cut where tests on their counter change."""

import itertools

import numpy as np
import pytest

import tracejit as tj
from tracejit import config
from tracejit.lowering.index import Counter, of
from tracejit.lowering.spans import LONG_ENOUGH, MAX_CUTS, Span, outcome, spans


@pytest.mark.parametrize("block", [1, 8, 32])
@pytest.mark.parametrize("cuts", [(1,), (8,), (999,), (1, 999), (31, 32, 33), (500, 501), (64, 96, 128, 500), (100, 990, 995)])
def test_spans_are_whole_blocks_in_order_and_settled_where_they_say(block, cuts):
    counter, stop = Counter(1000), 1000 // block * block
    tests = [(kind, of(counter) + shift, n + shift) for n, kind, shift in zip(cuts, itertools.cycle(("ge", "lt")), (0, -3, 5, 0))]
    found = spans(tests, counter, stop, block)
    assert [found[0].start, *(s.stop for s in found)] == [*(s.start for s in found), stop]
    for span in found:
        assert not span.start % block and not span.stop % block and span.start < span.stop
        for kind, index, n in tests if span.settled else ():
            turns = [(i + index.constant >= n) == (kind == "ge") for i in range(span.start, span.stop)]
            assert {outcome((kind, index, n), counter, span)} == set(turns)
    assert all(s.settled for s in found) or block > 1


def test_what_is_not_cut():
    i, j = Counter(1000), Counter(5)
    whole = lambda n: [Span(0, n, False)]
    assert spans([], i, 1000, 8) == whole(1000) and spans([("ge", of(i), 1)], i, 0, 8) == []
    assert spans([("ge", of(i) + of(j), 7), ("ge", of(i) * 2, 7), ("divisible", of(i), 3), ("lt", of(j), 3)], i, 1000, 8) == whole(1000)
    assert spans([("ge", of(i), 0), ("lt", of(i), 1000)], i, 1000, 8) == whole(1000)  # always so
    assert spans([("ge", of(i), n) for n in range(100, 100 + MAX_CUTS + 1)], i, 1000, 8) == whole(1000)
    assert spans([("ge", of(i), 3)], i, 8 * LONG_ENOUGH, 8) == whole(8 * LONG_ENOUGH)
    assert outcome(("ge", of(j), 1), i, Span(0, 8, True)) is None and outcome(("ge", of(i), 1), i, Span(0, 8, False)) is None


def padded(x):
    inner = np.sin(x[1:]) * x[:-1]
    return np.pad(inner, (0, 1)) + np.pad(inner, (1, 0)) + np.concatenate([x[:5], inner[4:]])


@pytest.mark.parametrize("n", [9, 63, 64, 65, 129, 200, 1000, 1001, 1023])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_padded_and_joined_arrays(n, dtype):
    x = np.linspace(-3, 3, n).astype(dtype)
    tolerance = 1e-13 if dtype is np.float64 else 1e-5
    np.testing.assert_allclose(tj.jit(padded)(x), padded(x), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(tj.jit(lambda x: np.sum(padded(x)))(x), np.sum(padded(x), dtype=float), rtol=tolerance, atol=100 * tolerance)
    rows = np.stack([x, 2 * x, -x])
    expected = np.stack([padded(row) for row in rows])
    np.testing.assert_allclose(tj.jit(tj.vmap(padded))(rows), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("n", [200_000, 200_003])
def test_chunks_of_padded_arrays(n, monkeypatch):
    monkeypatch.setattr(config, "threads", 3)
    x = np.linspace(-3, 3, n)
    compiled = tj.jit(padded)
    np.testing.assert_allclose(compiled(x), padded(x), rtol=1e-13, atol=1e-13)
    assert "chunks of" in compiled.kernels(x)
