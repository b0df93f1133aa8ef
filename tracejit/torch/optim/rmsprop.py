"""RMSprop: the gradient over the root of its mean square."""

from __future__ import annotations

from typing import Any

import numpy as np

from .adam import decayed
from .optimizer import Optimizer, check, check_options, like, scalar
from .pieces import zeros


class RMSprop(Optimizer):
    """RMSprop (Hinton, lecture 6 of "Neural networks for machine learning"): x <- x - lr * g / (sqrt(v) + eps), v the average of g**2 of weight
    `alpha`, or with `centered` the variance of g (Graves 2013); with `momentum`, the quotients are summed up.

    >>> from tracejit import torch
    >>> x = torch.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = torch.optim.RMSprop([x], lr=0.01)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([ 0.9000, -2.9000], requires_grad=True)
    """

    elementwise = True

    def __init__(
        self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, capturable=False, foreach=None, maximize=False,
        differentiable=False,
    ):  # fmt: skip
        check_options(lr, eps, weight_decay)
        check("momentum value", momentum, momentum >= 0.0)
        check("alpha value", alpha, alpha >= 0.0)
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered, "weight_decay": weight_decay,
                "capturable": capturable, "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            },
        )  # fmt: skip

    def start(self, x: Any, group: dict[str, Any]) -> dict[str, Any]:
        state = {"square_avg": zeros(x)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros(x)
        if group["centered"]:
            state["grad_avg"] = zeros(x)
        return state

    def update(self, x: Any, gradient: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        alpha, lr = group["alpha"], scalar(group["lr"])
        gradient = decayed(x, gradient, group, lr)
        square = state["square_avg"]
        square *= alpha
        square += (1 - alpha) * gradient * gradient
        if group["centered"]:
            mean = state["grad_avg"]
            mean += (1 - alpha) * (gradient - mean)
            square = square - mean * mean
        quotient = gradient / (np.sqrt(square) + group["eps"])
        if group["momentum"] > 0:
            buffer = state["momentum_buffer"]
            buffer *= group["momentum"]
            buffer += quotient
            quotient = buffer
        x -= like(x, lr) * quotient
