"""Adadelta: steps in the unit of the parameter, without a learning rate to choose."""

from __future__ import annotations

from typing import Any

import numpy as np

from .adam import decayed
from .optimizer import Optimizer, check, check_options, like, scalar
from .pieces import zeros


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012): x <- x - lr * d with d = g * sqrt(u + eps) / sqrt(v + eps), v and u the averages of g**2 and of d**2 of weight `rho`.

    >>> from tracejit import torch
    >>> x = torch.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = torch.optim.Adadelta([x], eps=1e-2)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([ 0.6877, -2.6842], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *, capturable=False, maximize=False, differentiable=False):
        check_options(lr, eps, weight_decay)
        check("rho value", rho, 0.0 <= rho <= 1.0)
        super().__init__(
            params,
            {
                "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize, "capturable": capturable, "foreach": foreach,
                "differentiable": differentiable,
            },
        )  # fmt: skip

    def start(self, x: Any, group: dict[str, Any]) -> dict[str, Any]:
        return {"square_avg": zeros(x), "acc_delta": zeros(x)}

    def update(self, x: Any, gradient: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        rho, eps, lr = group["rho"], group["eps"], scalar(group["lr"])
        gradient = decayed(x, gradient, group, lr)
        square, moved = state["square_avg"], state["acc_delta"]
        square *= rho
        square += (1 - rho) * gradient * gradient
        delta = np.sqrt(moved + eps) / np.sqrt(square + eps) * gradient
        moved *= rho
        moved += (1 - rho) * delta * delta
        x -= like(x, lr) * delta
