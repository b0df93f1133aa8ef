"""Layers with a batch normalisation behind them as one layer; modules without initial values."""

from __future__ import annotations

import copy
from typing import Any

from ...dispatch import FUNCTIONS
from ...tensor import Tensor
from ..modules.module import Module
from ..parameter import Parameter


def _scaled(weight: Any, bias: Any, mean: Tensor, var: Tensor, eps: float, gain: Any, shift: Any, shape: list[int]) -> tuple[Parameter, Parameter]:
    scale = (var + eps).rsqrt() * (1.0 if gain is None else gain)
    start = FUNCTIONS["zeros_like"](mean) if bias is None else bias
    made = (start - mean) * scale + (0.0 if shift is None else shift)
    return Parameter((weight * scale.reshape(shape)).detach(), weight.requires_grad), Parameter(made.detach(), weight.requires_grad)


def fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose: bool = False) -> tuple[Parameter, Parameter]:
    """Weight and bias of a convolution that does what a convolution and a batch normalisation in evaluation do."""
    shape = [1, -1] if transpose else [-1, 1]
    return _scaled(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, shape + [1] * (conv_w.dim() - 2))


def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b) -> tuple[Parameter, Parameter]:
    """Weight and bias of a linear map that does what a linear map and a batch normalisation in evaluation do."""
    return _scaled(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, [-1, 1])


def _fused(layer: Module, bn: Module, weights: Any, *options: Any) -> Module:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    made = copy.deepcopy(layer)
    made.weight, made.bias = weights(layer.weight, layer.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, *options)
    return made


def fuse_conv_bn_eval(conv: Module, bn: Module, transpose: bool = False) -> Module:
    """A convolution and a batch normalisation behind it, both in evaluation, as one convolution.

    >>> import tracejit.torch as torch
    >>> conv, bn = torch.nn.Conv2d(1, 2, 3).eval(), torch.nn.BatchNorm2d(2).eval()
    >>> torch.nn.utils.fuse_conv_bn_eval(conv, bn)
    Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))
    """
    return _fused(conv, bn, fuse_conv_bn_weights, transpose)


def fuse_linear_bn_eval(linear: Module, bn: Module) -> Module:
    """A linear map and a batch normalisation behind it, both in evaluation, as one linear map."""
    return _fused(linear, bn, fuse_linear_bn_weights)


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Module:
    """The module, without drawing random numbers for its initial values."""
    from ... import random

    draws = random.default_generator.state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        random.default_generator.set(draws)
