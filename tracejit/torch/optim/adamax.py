"""Adamax: Adam by the largest gradient instead of the mean square."""

from __future__ import annotations

from typing import Any

import numpy as np

from .adam import decayed
from .optimizer import Optimizer, check_options, like, scalar
from .pieces import zeros


class Adamax(Optimizer):
    """Adamax (Kingma and Ba 2015, algorithm 2): x <- x - lr * m' / u, where u <- max(beta2 * u, |gradient| + eps).

    >>> from tracejit import torch
    >>> x = torch.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = torch.optim.Adamax([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([ 0.9000, -2.9000], requires_grad=True)
    """

    elementwise = True

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *, maximize=False, differentiable=False, capturable=False
    ):
        check_options(lr, eps, weight_decay, betas)
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize,
                "differentiable": differentiable, "capturable": capturable,
            },
        )  # fmt: skip

    def start(self, x: Any, group: dict[str, Any]) -> dict[str, Any]:
        return {"exp_avg": zeros(x), "exp_inf": zeros(x)}

    def update(self, x: Any, gradient: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        (beta1, beta2), lr = group["betas"], scalar(group["lr"])
        gradient = decayed(x, gradient, group, lr)
        mean, largest = state["exp_avg"], state["exp_inf"]
        mean += (1 - beta1) * (gradient - mean)
        largest[...] = np.maximum(beta2 * largest, np.abs(gradient) + group["eps"])
        x -= like(x, lr / (1 - beta1**step)) * mean / largest
