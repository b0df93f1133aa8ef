"""Convolutions and pooling against torch, eager and compiled, with gradients; and what is said of shapes that do not fit."""
from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit import nn


def compare(f, g, *args, gradients=True):
    """`f` of arrays against `g` of tensors."""
    torch = pytest.importorskip("torch")
    tensors = [torch.tensor(a, requires_grad=gradients) for a in args]
    want = g(torch.nn.functional, *tensors)
    for run in (f, tj.jit(f)):
        np.testing.assert_allclose(run(*args), want.detach().numpy(), rtol=1e-10, atol=1e-10)
    if gradients:
        ct = np.random.default_rng(3).normal(size=tuple(want.shape))
        want.backward(torch.tensor(ct))
        every = tuple(range(len(args)))
        got = tj.jit(tj.grad(lambda *xs: np.sum(ct * f(*xs)), argnums=every))(*args)
        for a, t in zip(got, tensors):
            np.testing.assert_allclose(a, t.grad.numpy(), rtol=1e-9, atol=1e-9)


def normal(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape)


def levels(*shape):
    """Few values, so that windows have ties."""
    return np.random.default_rng(5).integers(0, 4, shape).astype(float)


def test_conv():
    compare(lambda x, w, b: nn.conv(x, w, b, strides=2, padding=1, groups=2), lambda F, x, w, b: F.conv2d(x, w, b, 2, 1, 1, 2),
            normal(2, 4, 7, 6), normal(6, 2, 3, 3), normal(6))
    compare(lambda x, w: nn.conv(x, w, padding="same", dilation=2),
            lambda F, x, w: F.conv1d(x, w, None, 1, "same", 2), normal(2, 4, 9), normal(6, 4, 4))


def test_conv_transpose():
    compare(lambda x, w, b: nn.conv_transpose(x, w, b, strides=2, padding=1, output_padding=1, groups=2),
            lambda F, x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1, 2), normal(2, 4, 5, 4), normal(4, 3, 3, 3), normal(6))
    compare(lambda x, w: nn.conv_transpose(x, w, strides=(1, 2, 1), dilation=2),
            lambda F, x, w: F.conv_transpose3d(x, w, None, (1, 2, 1), 0, 0, 1, 2), normal(2, 3, 3, 4, 3), normal(3, 2, 2, 2, 1))


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("window, strides, padding, dilation", [((3, 3), 2, 1, 1), ((3, 2), (2, 1), (1, 0), (2, 1)), ((5, 5), 3, 1, 1)])
def test_max_pool(window, strides, padding, dilation, ceil):
    options = dict(strides=strides, padding=padding, dilation=dilation, ceil_mode=ceil)
    compare(lambda x: nn.max_pool(x, window, **options), lambda F, x: F.max_pool2d(x, window, strides, padding, dilation, ceil), levels(2, 3, 9, 8))
    compare(lambda x: nn.max_pool(x, window, return_indices=True, **options)[1],
            lambda F, x: F.max_pool2d(x, window, strides, padding, dilation, ceil, return_indices=True)[1], levels(2, 3, 9, 8), gradients=False)


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("include", [False, True])
def test_avg_pool(ceil, include):
    compare(lambda x: nn.avg_pool(x, (3, 2), strides=2, padding=1, ceil_mode=ceil, count_include_pad=include),
            lambda F, x: F.avg_pool2d(x, (3, 2), 2, 1, ceil, include), normal(2, 3, 9, 8))


@pytest.mark.parametrize("sizes", [(1, 1), (3, 2), (4, None), (11, 9)])
def test_adaptive(sizes):
    compare(lambda x: nn.adaptive_avg_pool(x, sizes), lambda F, x: F.adaptive_avg_pool2d(x, sizes), normal(2, 3, 8, 9))
    compare(lambda x: nn.adaptive_max_pool(x, sizes), lambda F, x: F.adaptive_max_pool2d(x, sizes), levels(2, 3, 8, 9))
    compare(lambda x: nn.adaptive_max_pool(x, sizes, return_indices=True)[1],
            lambda F, x: F.adaptive_max_pool2d(x, sizes, return_indices=True)[1], levels(2, 3, 8, 9), gradients=False)


def test_batched_convolutions_are_a_loop():
    x, w = normal(3, 2, 4, 7), normal(3, 6, 4, 3)
    want = np.stack([nn.conv(a, b, padding=1) for a, b in zip(x, w)])
    np.testing.assert_allclose(tj.vmap(lambda a, b: nn.conv(a, b, padding=1))(x, w), want)
    np.testing.assert_allclose(tj.jit(tj.vmap(lambda b: nn.conv(x[0], b, padding=1)))(w), np.stack([nn.conv(x[0], b, padding=1) for b in w]))


def test_norms_against_torch():
    weight, bias = normal(4), normal(4) + 1
    compare(lambda x, w, b: nn.batch_norm(x, w, b)[0], lambda F, x, w, b: F.batch_norm(x, None, None, w, b, True), normal(3, 4, 5), weight, bias)
    compare(lambda x, w, b: nn.group_norm(x, 2, w, b), lambda F, x, w, b: F.group_norm(x, 2, w, b), normal(3, 4, 5), weight, bias)
    compare(lambda x: nn.layer_norm(x, axes=2), lambda F, x: F.layer_norm(x, (4, 5)), normal(3, 4, 5))
    compare(lambda x: nn.rms_norm(x, epsilon=1e-6), lambda F, x: F.rms_norm(x, (5,), None, 1e-6), normal(3, 4, 5))


def test_attention_against_torch():
    q, k, v = normal(2, 3, 5, 4), normal(2, 3, 5, 4) + 1, normal(2, 3, 5, 6)
    compare(lambda *a: nn.attention(*a, causal=True), lambda F, *a: F.scaled_dot_product_attention(*a, is_causal=True), q, k, v)


@pytest.mark.parametrize("call, message", [
    (lambda: nn.conv(np.ones((1, 3, 8)), np.ones((4, 2, 3))), "has 3 channels"),
    (lambda: nn.conv(np.ones((3, 8)), np.ones((4, 3))), "conv takes"),
    (lambda: nn.conv(np.ones((1, 3, 8)), np.ones((4, 3, 3)), padding="full"), "padding is"),
    (lambda: nn.conv_transpose(np.ones((1, 3, 8)), np.ones((3, 2, 3)), strides=2, output_padding=2), "output_padding"),
    (lambda: nn.max_pool(np.ones((1, 3, 8)), 3, padding=2), "at most half"),
    (lambda: nn.max_pool(np.ones((1, 3, 2)), 3), "no window"),
    (lambda: nn.adaptive_avg_pool(np.ones((1, 0)), 2), "axes with elements"),
])
def test_misuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()
