"""What goes on working after an error, and how messages name the user's line."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj

x3 = np.arange(1.0, 4.0)


def line(f, offset: int = 0) -> str:
    """ "file:line" as messages name it, so many lines below the first line of `f`."""
    return f"{f.__code__.co_filename}:{f.__code__.co_firstlineno + offset}"


def total(x):
    return np.sum(x * x)


compiled_total = tj.jit(total)


@pytest.fixture(autouse=True)
def next_call_works():
    """After every error the same functions can be traced, compiled and differentiated."""
    yield
    assert compiled_total(x3) == 14.0
    assert tj.trace(total)(x3).out_types[0].shape == ()
    np.testing.assert_array_equal(tj.grad(total)(x3), 2 * x3)
    np.testing.assert_array_equal(tj.vmap(total)(np.ones((2, 3))), [3.0, 3.0])
