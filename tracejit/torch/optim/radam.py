"""RAdam: Adam that corrects for the variance of its first steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...trace import Tracer
from .adam import averages, decayed
from .optimizer import Optimizer, check_options, like, scalar
from .pieces import zeros


class RAdam(Optimizer):
    """Rectified Adam (Liu et al. 2020): steps by the mean gradient alone until the variance of the mean square is tractable, and then by Adam's
    rule, times the rectification.

    >>> from tracejit import torch
    >>> x = torch.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = torch.optim.RAdam([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([ 0.8000, -2.4000], requires_grad=True)
    """

    elementwise = True

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False, *, foreach=None, maximize=False,
        capturable=False, differentiable=False,
    ):  # fmt: skip
        check_options(lr, eps, weight_decay, betas)
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize, "foreach": foreach,
                "capturable": capturable, "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable,
            },
        )  # fmt: skip

    def start(self, x: Any, group: dict[str, Any]) -> dict[str, Any]:
        return {"exp_avg": zeros(x), "exp_avg_sq": zeros(x)}

    def update(self, x: Any, gradient: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        (beta1, beta2), lr = group["betas"], scalar(group["lr"])
        gradient = decayed(x, gradient, group, lr)
        mean, square = averages(state, gradient, beta1, beta2)
        remaining = 1 - beta2**step
        longest = 2 / (1 - beta2) - 1  # rho_inf: the length of the average in the limit
        length = longest - 2 * step * beta2**step / remaining  # rho_t: its length now
        rate = lr / (1 - beta1**step)
        if type(step) is not Tracer and length <= 5.0:
            x -= like(x, rate) * mean
            return
        ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        factor = (np.maximum(ratio, 0.0) * remaining) ** 0.5
        rectified = like(x, rate * factor) / (np.sqrt(square) + group["eps"])
        x -= mean * (np.where(length > 5.0, rectified, like(x, rate)) if type(step) is Tracer else rectified)
