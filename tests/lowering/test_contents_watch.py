"""The native entry's look at what is in an array."""

from __future__ import annotations

import numpy as np
import pytest

from tracejit.lowering.cpu.specs import Constant, Watch

from .test_entry_calls import MISS, entry


@pytest.mark.parametrize("array", [np.arange(5.0), np.arange(7, dtype=np.int8), np.array(2.0), np.arange(1000) % 2 == 0, np.zeros(0)])
def test_contents(array):
    then = np.frombuffer(array.tobytes(), np.uint8) if array.size else np.zeros(0, np.uint8)
    call = entry([], Constant("same"), watches=[Watch("contents", array, None, then)])
    assert call() == "same"
    for place in range(0, array.size, 3):
        before = array.flat[place]
        array.flat[place] = not before if array.dtype == bool else before + 1
        assert call() is MISS
        array.flat[place] = before
        assert call() == "same"
