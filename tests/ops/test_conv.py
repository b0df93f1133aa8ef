"""Convolutions: compiled against the reference meaning over random shapes, and in sizes that several tiles, blocks and chunks share."""
from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.ops import conv
from tracejit.ops.conv import conv_general, output_length
from tracejit.ops.taps import as_taps


def _random(rng):
    n = int(rng.integers(1, 4))
    groups, examples, channels, outputs = (int(rng.integers(1, most)) for most in (3, 4, 6, 20))
    sizes, taps = (tuple(map(int, rng.integers(1, most, n))) for most in (9, 5))
    strides, lhs, rhs = (tuple(map(int, rng.integers(1, 4, n))) for _ in range(3))
    lhs = lhs if rng.random() < 0.5 else (1,) * n
    padding = tuple((int(a), int(b)) for a, b in rng.integers(-1, 4, (n, 2)))
    params = dict(strides=strides, padding=padding, lhs_dilation=lhs, rhs_dilation=rhs, turned=bool(rng.random() < 0.5))
    out = tuple(output_length(s, k, a, *p, ld, rd) for s, k, a, p, ld, rd in zip(sizes, taps, strides, padding, lhs, rhs))
    w = (outputs, channels) if not params["turned"] else (channels, outputs)
    return rng.normal(size=(groups, examples, channels, *sizes)), rng.normal(size=(groups, *w, *taps)), out, params


def test_products_at_shifted_places_are_the_convolution():
    rng, seen = np.random.default_rng(0), 0
    while seen < 150:
        x, w, out, params = _random(rng)
        if 0 not in out:
            got = as_taps(x, w, out, *(params[k] for k in ("strides", "padding", "lhs_dilation", "rhs_dilation", "turned")))
            np.testing.assert_allclose(got, conv_general.run(np, x, w, **params), rtol=1e-10, atol=1e-10, err_msg=str(params))
            seen += 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_values_and_gradients(dtype):
    rng, seen = np.random.default_rng(1), 0
    tolerance = 1e-3 if dtype == np.float32 else 1e-10
    while seen < 6:
        x, w, out, params = _random(rng)
        if 0 in out:
            continue
        x, w = x.astype(dtype), w.astype(dtype)
        ct = rng.normal(size=(x.shape[0], x.shape[1], w.shape[2 if params["turned"] else 1], *out)).astype(dtype)

        def f(x, w, ct=ct, params=params):
            return np.sum(ct * conv_general(x, w, **params))

        got, want = tj.jit(tj.value_and_grad(f, argnums=(0, 1)))(x, w), tj.value_and_grad(f, argnums=(0, 1))(x, w)
        for a, b in zip(tj.tree.leaves(got), tj.tree.leaves(want)):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=str(params))
        seen += 1


@pytest.mark.parametrize("shape", [(2, 40, 20, 20, 37, 3, 1), (1, 130, 9, 10, 70, 3, 2), (1, 3, 60, 61, 20, 7, 2), (2, 64, 20, 20, 100, 1, 1)])
@pytest.mark.parametrize("threads", [1, 3])
def test_sizes_of_many_tiles(shape, threads, monkeypatch):
    monkeypatch.setattr(tj.config, "threads", threads)
    monkeypatch.setattr(conv, "LARGE", np.inf)  # what is compared with is the reference
    n, c, h, w, o, k, stride = shape
    rng = np.random.default_rng(2)
    x, weights = rng.normal(size=(1, n, c, h, w)).astype(np.float32), rng.normal(size=(1, o, c, k, k)).astype(np.float32)
    params = dict(strides=(stride,) * 2, padding=((k // 2, k // 2),) * 2, lhs_dilation=(1, 1), rhs_dilation=(1, 1), turned=False)
    value, back = tj.vjp(lambda x, w: conv_general(x, w, **params), x.astype(np.float64), weights.astype(np.float64))
    ct = rng.normal(size=value.shape).astype(np.float32)
    np.testing.assert_allclose(tj.jit(lambda x, w: conv_general(x, w, **params))(x, weights), value, rtol=1e-3, atol=2e-3)
    gradients = tj.jit(tj.grad(lambda x, w: np.sum(ct * conv_general(x, w, **params)), argnums=(0, 1)))(x, weights)
    for a, b in zip(gradients, back(ct.astype(np.float64))):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-2)


def test_large_convolutions_of_plain_arrays_are_compiled():
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(1, 2, 8, 30, 30)), rng.normal(size=(1, 16, 8, 3, 3))
    params = dict(strides=(1, 1), padding=((1, 1), (1, 1)), lhs_dilation=(1, 1), rhs_dilation=(1, 1), turned=False)
    np.testing.assert_allclose(conv_general.run(np, x, w, **params), conv.reference(np, x, w, **params), rtol=1e-12, atol=1e-12)


def test_costs_count_channels_and_taps():
    from tracejit.lowering.costs import costs

    params = dict(strides=(1,), padding=((0, 0),), lhs_dilation=(1,), rhs_dilation=(1,), turned=False)
    graph = tj.jit(lambda x, w: conv_general(x, w, **params)).graph(np.ones((1, 2, 3, 8)), np.ones((1, 4, 3, 3)))
    assert costs(graph).flops == 2 * (2 * 4 * 6) * (3 * 3)


def test_no_step_of_a_compiled_convolution_needs_python():
    from tracejit.lowering.program import program

    x, w = np.ones((1, 2, 3, 8, 8)), np.ones((1, 4, 3, 3, 3))
    params = dict(strides=(2, 1), padding=((1, 1), (0, 2)), lhs_dilation=(1, 1), rhs_dilation=(1, 2), turned=False)
    graph = tj.jit(tj.grad(lambda x, w: np.sum(np.sin(conv_general(x, w, **params))), argnums=(0, 1))).graph(x, w)
    assert program(graph).host_ops == []


@pytest.mark.parametrize("x, w, message", [
    ((1, 2, 3, 8), (1, 4, 2, 3), "do not match"),
    ((2, 3, 8), (4, 3, 3), "conv_general takes"),
    ((1, 2, 3, 8), (1, 4, 3, 0), "at least one tap"),
])
def test_shapes_that_do_not_fit(x, w, message):
    with pytest.raises(ValueError, match=message):
        tj.jit(lambda x, w: conv_general(x, w, strides=(1,), padding=((0, 0),), lhs_dilation=(1,), rhs_dilation=(1,), turned=False))(
            np.ones(x), np.ones(w)
        )


@pytest.mark.parametrize("size, taps, stride, padding", [(1, 3, 1, 1), (2, 3, 2, 1), (2, 5, 1, 2), (1, 1, 1, 0), (3, 3, 4, 2)])
@pytest.mark.parametrize("channels", [3, 20])
def test_taps_that_meet_only_zeros_are_left_out(size, taps, stride, padding, channels):
    rng = np.random.default_rng(4)
    x, w = rng.normal(size=(5, channels, size, size)), rng.normal(size=(18, channels, taps, taps))

    def f(x, w):
        return np.sum(np.sin(tj.nn.conv(x, w, strides=stride, padding=padding)))

    want, got = (g(x, w) for g in (tj.value_and_grad(f, argnums=(0, 1)), tj.jit(tj.value_and_grad(f, argnums=(0, 1)))))
    for a, b in zip(tj.tree.leaves(got), tj.tree.leaves(want)):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_a_convolution_that_sees_nothing_is_zero():
    params = dict(strides=(3,), padding=((2, 2),), lhs_dilation=(1,), rhs_dilation=(4,), turned=False)
    x, w = np.ones((1, 2, 3, 1)), np.ones((1, 4, 3, 2))
    np.testing.assert_array_equal(tj.jit(lambda x, w: conv_general(x, w, **params))(x, w), conv_general.run(np, x, w, **params))
