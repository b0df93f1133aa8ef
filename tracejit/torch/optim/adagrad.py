"""Adagrad: the gradient over the root of the sum of all squares so far."""

from __future__ import annotations

from typing import Any

import numpy as np

from .adam import decayed
from .optimizer import Optimizer, check, check_options, like, scalar
from .pieces import filled


class Adagrad(Optimizer):
    """Adagrad (Duchi et al. 2011): x <- x - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(sum of g**2) + eps).

    >>> from tracejit import torch
    >>> x = torch.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = torch.optim.Adagrad([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([ 0.9000, -2.9000], requires_grad=True)
    """

    elementwise = True

    def __init__(
        self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, foreach=None, *, maximize=False,
        differentiable=False, fused=None,
    ):  # fmt: skip
        check_options(lr, eps, weight_decay)
        check("lr_decay value", lr_decay, lr_decay >= 0.0)
        check("initial_accumulator_value value", initial_accumulator_value, initial_accumulator_value >= 0.0)
        super().__init__(
            params,
            {
                "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay, "initial_accumulator_value": initial_accumulator_value,
                "foreach": foreach, "maximize": maximize, "differentiable": differentiable, "fused": fused,
            },
        )  # fmt: skip

    def start(self, x: Any, group: dict[str, Any]) -> dict[str, Any]:
        value = group["initial_accumulator_value"]
        return {"sum": filled(x, complex(value, value) if x.dtype.kind == "c" else value)}

    def update(self, x: Any, gradient: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        lr = scalar(group["lr"])
        gradient = decayed(x, gradient, group, lr)
        total = state["sum"]
        total += gradient * gradient
        x -= like(x, lr / (1 + (step - 1) * group["lr_decay"])) * gradient / (np.sqrt(total) + group["eps"])
