"""Convolutions whose vectors run along channels: native code against the reference in sizes that are no multiples of anything; when it is used."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.ir import ArrayType, Builder
from tracejit.lowering.program import execute
from tracejit.ops import conv
from tracejit.ops.picture_products import axis, picture_outer, picture_product

# x, outputs, taps, strides, low, lhs_dilation, rhs_dilation, out
CASES = [
    ((2, 3, 7, 9), 5, (3, 3), (2, 2), (1, 1), (1, 1), (1, 1), (4, 5)),
    ((3, 20, 8, 8), 40, (3, 3), (1, 1), (1, 1), (2, 2), (1, 1), (16, 15)),
    ((2, 70, 13, 14), 33, (5, 2), (2, 1), (0, -1), (1, 1), (1, 2), (5, 11)),
    ((33, 16, 4, 4), 100, (1, 1), (2, 2), (0, 0), (1, 1), (1, 1), (2, 2)),
    ((1, 17, 40, 70), 64, (3, 3), (2, 2), (1, 1), (1, 1), (1, 1), (20, 35)),
    ((5, 33, 6, 6), 16, (1, 1), (1, 1), (0, 0), (2, 2), (1, 1), (12, 11)),
    ((40, 64, 8, 8), 64, (3, 3), (2, 2), (1, 1), (1, 1), (1, 1), (4, 4)),
    ((3, 16, 5, 6), 20, (2, 3), (1, 1), (2, -1), (3, 1), (2, 2), (13, 5)),
]


def _native(op, *args, **params):
    builder = Builder()
    inputs = tuple(builder.input(ArrayType(a.shape, a.dtype)) for a in args)
    return execute(builder.finish(tuple(builder.emit(op, inputs, params))), args)[0]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_native_code_in_all_sizes(case, threads, monkeypatch):
    monkeypatch.setattr(tj.config, "threads", threads)
    shape, outputs, taps, strides, low, lhs, rhs, out = case
    rng = np.random.default_rng(0)
    dtype = np.dtype(np.float64 if threads == 1 else np.float32)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    turned = bool(shape[0] % 2)
    x, w = rng.normal(size=shape), rng.normal(size=(outputs, shape[1], *taps))
    w = w.swapaxes(0, 1).copy() if turned else w
    params = dict(strides=strides, low=low, lhs_dilation=lhs, rhs_dilation=rhs, out=out, turned=turned)
    want = picture_product.run(np, x, w, **params)
    assert want.shape == (shape[0], outputs, *out)
    got = _native(picture_product, x.astype(dtype), w.astype(dtype), **params)
    np.testing.assert_allclose(got, want, atol=tolerance * abs(want).max(), rtol=0)
    if max(lhs) == 1:
        y = rng.normal(size=want.shape)
        params = dict(strides=strides, low=low, rhs_dilation=rhs, taps=taps)
        want = picture_outer.run(np, x, y, **params)
        got = _native(picture_outer, x.astype(dtype), y.astype(dtype), **params)
        np.testing.assert_allclose(got, want, atol=tolerance * abs(want).max(), rtol=0)


def test_blocks_of_a_sum_meet(monkeypatch):
    """With several blocks of places the sums stay in memory between them."""
    from tracejit.lowering.cpu import picture_products as native

    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(9, 20, 9, 7)), rng.normal(size=(9, 40, 5, 4))
    params = dict(strides=(2, 2), low=(1, 1), rhs_dilation=(1, 1), taps=(3, 3))
    want = picture_outer.run(np, x, y, **params)
    for most in (8, 12, 50):
        monkeypatch.setattr(native, "SUM_MOST", most)
        np.testing.assert_allclose(_native(picture_outer, x, y, **params), want, atol=1e-11)


def test_phases_of_a_dilated_axis():
    forward = axis(8, 4, 3, 2, 1, 1, 1)
    assert forward.phases == (((0, 0), (1, 1), (2, 2)),) and (forward.count, forward.step, forward.low, forward.reach) == (4, 2, 1, 3)
    back = axis(4, 8, 3, 1, 1, 2, 1)
    assert back.phases == (((1, 0),), ((0, 0), (2, 1))) and (back.count, back.step, back.low, back.reach) == (4, 1, 0, 2)


@pytest.mark.parametrize("taps, stride, padding", [(3, 2, 1), (1, 2, 0), (5, 1, 2), (4, 3, 0)])
def test_values_and_gradients_of_a_compiled_convolution(taps, stride, padding, monkeypatch):
    monkeypatch.setattr(conv, "LARGE", np.inf)  # what is compared with is the reference
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(17, 20, 11, 10)), rng.normal(size=(36, 20, taps, taps))

    def f(x, w):
        return np.sum(np.sin(tj.nn.conv(x, w, strides=stride, padding=padding)))

    want = tj.value_and_grad(f, argnums=(0, 1))(x, w)
    step = tj.jit(tj.value_and_grad(f, argnums=(0, 1)))
    for got, wanted in zip(tj.tree.leaves(step(x, w)), tj.tree.leaves(want)):
        np.testing.assert_allclose(got, wanted, atol=1e-11 * np.max(abs(wanted)), rtol=1e-11)
    text = step.llvm(x, w)
    assert "picture_product" in text and "picture_outer" in text


def test_one_long_axis(monkeypatch):
    """Its blocks are cut anywhere along it."""
    monkeypatch.setattr(conv, "LARGE", np.inf)  # what is compared with is the reference
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(2, 16, 3000)), rng.normal(size=(32, 16, 5))

    def f(x, w):
        return np.sum(np.sin(tj.nn.conv(x, w, strides=2, padding=3)))

    want = tj.value_and_grad(f, argnums=(0, 1))(x, w)
    step = tj.jit(tj.value_and_grad(f, argnums=(0, 1)))
    for got, wanted in zip(tj.tree.leaves(step(x, w)), tj.tree.leaves(want)):
        np.testing.assert_allclose(got, wanted, atol=1e-11 * np.max(abs(wanted)), rtol=1e-11)
    assert len(step.llvm(x, w)) < 400_000
