"""Arguments and arrays from outside that share memory: a program takes all for separate, so what would differ from NumPy is refused."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj

W, N = np.ones(3), np.arange(3)


def write_and_sum(x):
    x[0] = 5.0
    return W.sum()


def write_and_take(x):
    x[0] = 5
    return N.sum() + N[0]


@pytest.mark.parametrize("f, array, given", [
    (write_and_sum, W, lambda: W), (write_and_sum, W, lambda: W[1:]), (write_and_sum, W, lambda: W[::-1]), (write_and_take, N, lambda: N),
])  # fmt: skip
def test_arguments_that_are_written_and_arrays_that_are_read(f, array, given):
    before = array.copy()
    compiled = tj.jit(f)
    for apart in (False, True, True, True, False):
        if apart:
            compiled(before.copy())
            continue
        with pytest.raises(ValueError, match=r"test_shared_memory.py.*shares memory.*closes over and reads"):
            compiled(given())
    np.testing.assert_array_equal(array, before)


def test_arrays_that_are_closed_over_and_not_read_may_be_arguments():
    buffer = np.zeros(3)

    @tj.jit
    def fill(x):
        assert buffer.shape == x.shape
        x += 1
        return x

    for k in range(3):
        assert fill(buffer) is buffer
        np.testing.assert_array_equal(buffer, k + 1)


def test_unused_arrays_are_no_inputs():
    used, unused = np.ones(3), np.asfortranarray(np.ones((3, 3)))
    f = tj.jit(lambda x: x * used + unused.shape[0])
    np.testing.assert_array_equal(f(np.ones(3)), 4.0)
    assert len(f.graph(np.ones(3)).inputs) == 2
