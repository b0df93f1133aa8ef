"""Winograd's convolutions: the formula, native code against it in sizes that are no multiples of anything, errors, and when it is used."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.ir import ArrayType, Builder
from tracejit.lowering.cpu import linear_maps
from tracejit.lowering.program import execute
from tracejit.ops import conv
from tracejit.ops.winograd import matrices, tile_for, winograd_outer, winograd_product

PLAIN = dict(strides=(1, 1), lhs_dilation=(1, 1), rhs_dilation=(1, 1), turned=False)
# x, outputs, zeros in front, places of the result
SHAPES = [
    ((2, 3, 7, 9), 5, (1, 1), (7, 9)),
    ((2, 70, 13, 14), 33, (0, -1), (10, 11)),
    ((33, 16, 4, 4), 100, (1, 1), (4, 4)),
    ((1, 17, 40, 40), 64, (2, 1), (41, 40)),
    ((90, 40, 8, 8), 40, (1, 1), (8, 8)),
    ((2, 16, 90, 5), 16, (1, 1), (90, 5)),
]


def _native(op, *args, **params):
    builder = Builder()
    inputs = tuple(builder.input(ArrayType(a.shape, a.dtype)) for a in args)
    return execute(builder.finish(tuple(builder.emit(op, inputs, params))), args)[0]


def _direct(x, w, low, out):
    high = tuple(q + 2 - n - b for q, n, b in zip(out, x.shape[2:], low))
    return conv.reference(np, x[None], w[None], padding=tuple(zip(low, high)), **PLAIN)[0]


@pytest.mark.parametrize("tile", [2, 4])
def test_the_formula_is_the_convolution(tile):
    rng = np.random.default_rng(0)
    for low, out in (((1, 1), (7, 9)), ((0, -1), (5, 4)), ((2, 2), (9, 8))):
        x, w = rng.normal(size=(2, 3, 7, 9)), rng.normal(size=(4, 3, 3, 3))
        params = dict(low=low, tile=tile)
        want = _direct(x, w, low, out)
        np.testing.assert_allclose(winograd_product.run(np, x, w, out=out, turned=False, **params), want, atol=1e-12)
        backwards = np.ascontiguousarray(w.swapaxes(0, 1)[..., ::-1, ::-1])
        np.testing.assert_allclose(winograd_product.run(np, x, backwards, out=out, turned=True, **params), want, atol=1e-12)
        y = rng.normal(size=want.shape)
        got = winograd_outer.run(np, x, y, **params)
        np.testing.assert_allclose(np.sum(got * w), np.sum(want * y), rtol=1e-11)  # it is the transpose in w


@pytest.mark.parametrize("tile", [2, 4])
def test_transforms_are_taken_by_pairs_of_points(tile):
    b, g, a = matrices(tile)
    for matrix in (b[1:-1], g[1:-1], a.T[1:-1]):
        assert len(linear_maps._pairs(matrix)) == tile // 2


@pytest.mark.parametrize("threads, tile", [(1, 4), (3, 2), (3, 4)])
def test_native_code_in_all_sizes(tile, threads, monkeypatch):
    monkeypatch.setattr(tj.config, "threads", threads)
    rng = np.random.default_rng(1)
    dtype = np.dtype(np.float64 if threads == 1 else np.float32)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    for number, (shape, outputs, low, out) in enumerate(SHAPES):
        turned = bool(number % 2)
        x, w = rng.normal(size=shape), rng.normal(size=(outputs, shape[1], 3, 3))
        w = w.swapaxes(0, 1).copy() if turned else w
        params = dict(low=low, tile=tile)
        want = winograd_product.run(np, x, w, out=out, turned=turned, **params)
        got = _native(winograd_product, x.astype(dtype), w.astype(dtype), out=out, turned=turned, **params)
        np.testing.assert_allclose(got, want, atol=tolerance * abs(want).max(), rtol=0, err_msg=str((shape, out)))
        y = rng.normal(size=want.shape)
        want = winograd_outer.run(np, x, y, **params)
        got = _native(winograd_outer, x.astype(dtype), y.astype(dtype), **params)
        np.testing.assert_allclose(got, want, atol=tolerance * abs(want).max(), rtol=0, err_msg=str((shape, out)))


@pytest.mark.parametrize("tile, most", [(2, 1.0), (4, 3.0)])
@pytest.mark.parametrize("channels", [32, 256])
def test_errors_against_a_direct_sum(tile, most, channels):
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(2, channels, 8, 8)).astype(np.float32), rng.normal(size=(32, channels, 3, 3)).astype(np.float32)
    exact = _direct(x.astype(np.float64), w.astype(np.float64), (1, 1), (8, 8))
    padded, direct = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), np.zeros(exact.shape, np.float32)
    for c in range(channels):  # one product after the other, as a kernel sums them
        for i in range(3):
            for j in range(3):
                direct += w[None, :, c, i, j, None, None] * padded[:, c, None, i : i + 8, j : j + 8]
    got = _native(winograd_product, x, w, low=(1, 1), out=(8, 8), tile=tile, turned=False)
    assert np.sqrt(np.mean((got - exact) ** 2)) < most * np.sqrt(np.mean((direct - exact) ** 2))


def test_when_it_is_used(monkeypatch):
    large = (64, 64, (32, 32), 8)
    assert tile_for(np.dtype(np.float32), *large) == 4
    assert tile_for(np.dtype(np.float64), *large) == 2
    assert tile_for(np.dtype(np.float32), 3, 64, (32, 32), 8) is None
    assert tile_for(np.dtype(np.float32), 64, 64, (1, 1), 64) is None
    monkeypatch.setattr(tj.config, "winograd", 2)
    assert tile_for(np.dtype(np.float32), *large) == 2
    monkeypatch.setattr(tj.config, "winograd", 0)
    assert tile_for(np.dtype(np.float32), *large) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_gradients_of_a_compiled_convolution(dtype, monkeypatch):
    monkeypatch.setattr(conv, "LARGE", np.inf)  # what is compared with is the reference
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(4, 20, 12, 10)), rng.normal(size=(36, 20, 3, 3))
    ct = rng.normal(size=(4, 36, 12, 10))

    def f(x, w, ct):
        return np.sum(ct * tj.nn.conv(x, w, padding=1))

    want = tj.value_and_grad(f, argnums=(0, 1))(x, w, ct)
    step = tj.jit(tj.value_and_grad(f, argnums=(0, 1)))
    args = tuple(a.astype(dtype) for a in (x, w, ct))
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for got, wanted in zip(tj.tree.leaves(step(*args)), tj.tree.leaves(want)):
        np.testing.assert_allclose(got, wanted, atol=tolerance * np.max(abs(wanted)), rtol=tolerance)
    assert "winograd" in step.llvm(*args)


@pytest.mark.parametrize("width", ["16", "32"])
def test_narrow_vectors(width, monkeypatch):
    monkeypatch.setenv("TRACEJIT_VECTOR_BYTES", width)
    rng = np.random.default_rng(5)
    x, w, y = rng.normal(size=(2, 5, 6, 7)), rng.normal(size=(9, 5, 3, 3)), rng.normal(size=(2, 9, 6, 7))
    params = dict(low=(1, 1), tile=4)
    got = _native(winograd_product, x, w, out=(6, 7), turned=False, **params)
    np.testing.assert_allclose(got, _direct(x, w, (1, 1), (6, 7)), atol=1e-11)
    np.testing.assert_allclose(_native(winograd_outer, x, y, **params), winograd_outer.run(np, x, y, **params), atol=1e-11)
