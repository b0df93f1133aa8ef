"""Positions of extrema in long lines, which are looked through by blocks."""

import numpy as np
import pytest

import tracejit as tj
from tracejit.ops.reduction import BLOCK, LONG_LINE


@pytest.mark.parametrize("n", [LONG_LINE, LONG_LINE + 1, LONG_LINE + BLOCK - 1])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_long_lines(n, name):
    function = getattr(np, name)
    compiled = tj.jit(function)
    rng = np.random.default_rng(n)
    sign = 1 if name == "argmax" else -1
    for dtype in (np.float64, np.float32, np.int32):
        line = rng.integers(-1000, 1000, n).astype(dtype)  # with ties
        assert compiled(line) == function(line)
        for places in ((0,), (n - 1,), (n - 2, n - 1), (BLOCK - 1, BLOCK), (n // BLOCK * BLOCK - 1,), (n - BLOCK, n - 1), (n - BLOCK - 1, n - 1)):
            marked = line.copy()
            marked[list(places)] = sign * 5000
            assert compiled(marked) == places[0]
            if dtype is not np.int32:
                marked[[p for p in (places[0] + 5, n - 3) if p < n]] = np.nan
                assert compiled(marked) == function(marked)
    assert compiled(np.zeros(n)) == 0 and compiled(np.arange(n) % 7 > 5) == function(np.arange(n) % 7 > 5)
