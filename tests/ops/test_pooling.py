"""The way back through a maximum over windows: native code against the reference meaning."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.ir import ArrayType, Builder
from tracejit.lowering.program import execute
from tracejit.ops import windows
from tracejit.ops.windows import window_place, window_scatter

CASES = [
    ((3, 5, 9, 8), (2, 2), (2, 2), (1, 1)),
    ((4, 11, 12), (3, 3), (2, 2), (1, 1)),
    ((2, 40), (5,), (3,), (2,)),
    ((2, 7, 6, 5), (2, 1, 3), (1, 2, 1), (2, 1, 1)),
    ((70, 64, 16, 16), (2, 2), (2, 2), (1, 1)),
]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape, window, strides, dilation", CASES)
def test_native_code(shape, window, strides, dilation, threads, monkeypatch):
    monkeypatch.setattr(tj.config, "threads", threads)
    monkeypatch.setattr(windows, "LARGE", np.inf)
    rng = np.random.default_rng(0)
    lead = len(shape) - len(window)
    places = (*shape[:lead], *windows.lengths(shape[lead:], window, strides, dilation))
    y, at = rng.normal(size=places), rng.integers(0, np.prod(window), places)
    params = dict(shape=shape, window=window, strides=strides, dilation=dilation)
    for dtype in (np.float32, np.float64):
        builder = Builder()
        inputs = builder.input(ArrayType(places, np.dtype(dtype))), builder.input(ArrayType(places, at.dtype))
        got = execute(builder.finish(tuple(builder.emit(window_scatter, inputs, params))), (y.astype(dtype), at))[0]
        np.testing.assert_allclose(got, window_place.run(np, y.astype(dtype), at, **params), rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-6)


def test_the_gradient_of_max_pooling_uses_it():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, 8, 32, 32))

    def f(x):
        return np.sum(np.sin(tj.nn.max_pool(x, 3, strides=2, padding=1)))

    compiled = tj.jit(tj.grad(f))
    np.testing.assert_allclose(compiled(x), tj.grad(f)(x), rtol=1e-12)
    assert "window_scatter" in compiled.llvm(x)
