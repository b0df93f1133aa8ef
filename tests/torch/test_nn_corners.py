"""Rare inputs of `nn.functional`, as torch takes them: of no dimension, of no elements, of integers, cut by padding, not numbers."""

import math

import numpy as np
import pytest

import tracejit.torch as ours

torch = pytest.importorskip("torch")

REDUCTIONS = ("none", "mean", "sum")
PICTURE = (1, 1, 4, 5)


def same(f, atol=1e-6):
    """Both give the same array, or an exception of the same type."""
    outcomes = []
    for package in (torch, ours):
        try:
            made = f(package, package.nn.functional).detach()
            outcomes.append((str(made.dtype), tuple(made.shape), made.numpy()))
        except (RuntimeError, IndexError, ValueError) as error:
            outcomes.append((type(error), None, np.zeros(())))
    assert outcomes[0][:2] == outcomes[1][:2]
    np.testing.assert_allclose(outcomes[1][2].astype(float), outcomes[0][2].astype(float), atol=atol)


def test_floating_classes():
    same(lambda t, f: f.cross_entropy(t.ones(3, 4), t.ones(3)))
    same(lambda t, f: f.cross_entropy(t.ones(3, 4), t.ones(3, 5)))


@pytest.mark.parametrize("weight", [0.25, [0.25], [0.1, 0.2]])
def test_prelu_of_a_number(weight):
    same(lambda t, f: f.prelu(t.tensor(-2.0), t.tensor(weight)))


@pytest.mark.parametrize("how", REDUCTIONS)
def test_margins_of_a_number(how):
    for y in (0, [0]):
        same(lambda t, f: f.multi_margin_loss(t.tensor(0.5), t.tensor(y), reduction=how))
        same(lambda t, f: f.multi_margin_loss(t.tensor([0.5, 0.2]), t.tensor(y), reduction=how))
        same(lambda t, f: f.multilabel_margin_loss(t.tensor(0.5), t.tensor(y), reduction=how))
    same(lambda t, f: f.multilabel_margin_loss(t.tensor(0.5), t.tensor(-1), reduction=how))


@pytest.mark.parametrize("mode", ["constant", "replicate", "reflect", "circular"])
def test_padding_that_cuts(mode):
    for pair in ((-1, 0), (1, -1), (-2, 3), (-4, 0), (-3, -3)):
        same(lambda t, f: f.pad(t.arange(5.0).reshape(1, 1, 5), pair, mode))
    same(lambda t, f: f.pad(t.arange(5.0).reshape(1, 1, 5), (0, -5), "replicate"))
    same(lambda t, f: f.pad(t.arange(20.0).reshape(PICTURE), (2, -1, -2, 1), mode))


def test_batch_norm_of_vectors():
    same(lambda t, f: f.batch_norm(t.zeros(0), None, None, training=True))
    same(lambda t, f: f.batch_norm(t.zeros(0), t.zeros(0), t.ones(0)))
    same(lambda t, f: f.batch_norm(t.zeros(3), t.zeros(3), t.ones(3)))
    same(lambda t, f: f.batch_norm(t.zeros(3), None, None, training=True))


@pytest.mark.parametrize("size", [(3, 5), (4, 6), (7, 3), (2, 2)])
def test_pictures_of_bytes(size):
    for options in (dict(mode="bilinear"), dict(mode="bilinear", align_corners=True), dict(mode="bicubic"), dict(mode="area")):
        same(lambda t, f: f.interpolate((t.arange(20) * 12).reshape(PICTURE).to(t.uint8), size=size, **options), atol=1)
    same(lambda t, f: f.interpolate(t.arange(20).reshape(PICTURE), size=size, mode="bilinear"))


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_means_of_integers(dtype):
    def whole(t, *shape):
        return t.arange(-4, math.prod(shape) - 4).reshape(1, 1, *shape).to(getattr(t, dtype))

    same(lambda t, f: f.avg_pool1d(whole(t, 10), 3))
    same(lambda t, f: f.avg_pool2d(whole(t, 5, 5), 2, padding=1, ceil_mode=True))
    same(lambda t, f: f.avg_pool2d(whole(t, 5, 5), 2, padding=1, count_include_pad=False))
    same(lambda t, f: f.avg_pool2d(whole(t, 4, 4), 3, divisor_override=5))
    same(lambda t, f: f.avg_pool3d(whole(t, 2, 2, 2), 2))
    same(lambda t, f: f.adaptive_avg_pool2d(whole(t, 4, 4), 3))


@pytest.mark.parametrize("name", ["elu", "selu", "celu", "hardtanh", "softshrink", "relu", "leaky_relu"])
def test_slopes_where_elements_are_no_numbers(name):
    def slope(t, f):
        x = t.tensor([math.nan, -1.0, 0.0, 2.0, math.inf, -math.inf], requires_grad=True)
        getattr(f, name)(x).sum().backward()
        return x.grad

    same(slope)
