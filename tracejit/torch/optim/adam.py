"""Adam and AdamW: steps by moving averages of the gradient and of its square."""

from __future__ import annotations

from typing import Any

import numpy as np

from .optimizer import Optimizer, check_options, like, scalar
from .pieces import zeros


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1): x <- x - lr * m' / (sqrt(v') + eps) with m, v the averages of the gradient and of its square with
    weights `betas`, and m', v' those without their bias towards zero.

    `weight_decay` adds weight_decay * x to the gradient, or with `decoupled_weight_decay` shrinks x by lr * weight_decay; `amsgrad` divides by the
    largest v so far (Reddi et al. 2018).

    >>> from tracejit import torch
    >>> x = torch.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = torch.optim.Adam([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([ 0.9000, -2.9000], requires_grad=True)
    """

    elementwise = True

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, foreach=None, maximize=False, capturable=False,
        differentiable=False, fused=None, decoupled_weight_decay=False,
    ):  # fmt: skip
        check_options(lr, eps, weight_decay, betas)
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize, "foreach": foreach,
                "capturable": capturable, "differentiable": differentiable, "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
            },
        )  # fmt: skip

    def start(self, x: Any, group: dict[str, Any]) -> dict[str, Any]:
        state = {"exp_avg": zeros(x), "exp_avg_sq": zeros(x)}
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = zeros(x)
        return state

    def update(self, x: Any, gradient: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        (beta1, beta2), lr = group["betas"], scalar(group["lr"])
        gradient = decayed(x, gradient, group, lr)
        mean, square = averages(state, gradient, beta1, beta2)
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"]
            largest[...] = square = np.maximum(largest, square)
        denominator = np.sqrt(square)
        denominator /= like(x, (1 - beta2**step) ** 0.5)
        denominator += group["eps"]
        x -= like(x, lr / (1 - beta1**step)) * mean / denominator


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): each step first shrinks x by the factor 1 - lr * weight_decay.

    >>> from tracejit import torch
    >>> x = torch.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = torch.optim.AdamW([x], lr=0.1, weight_decay=0.5)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([ 0.8500, -2.7500], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False, foreach=None, capturable=False,
        differentiable=False, fused=None,
    ):  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable, differentiable=differentiable,
            fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip


def decayed(x: Any, gradient: Any, group: dict[str, Any], lr: Any) -> Any:
    """The gradient with the weight decay in it; a decoupled one shrinks x at once."""
    decay = group["weight_decay"]
    if decay == 0:
        return gradient
    if group.get("decoupled_weight_decay"):
        x *= like(x, 1 - lr * decay)
        return gradient
    return gradient + decay * x


def averages(state: Any, gradient: Any, beta1: float, beta2: float) -> tuple[Any, Any]:
    """The moving averages of the gradient and of its square, brought up to date."""
    mean, square = state["exp_avg"], state["exp_avg_sq"]
    mean += (1 - beta1) * (gradient - mean)
    square *= beta2
    square += (1 - beta2) * gradient * gradient
    return mean, square
