"""NAdam: Adam with Nesterov momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import wrap
from .adam import averages, decayed
from .optimizer import Optimizer, check, check_options, like, number, scalar
from .pieces import zeros


class NAdam(Optimizer):
    """Adam with Nesterov momentum (Dozat 2016), whose momentum grows from beta1 / 2 to beta1 by mu(t) = beta1 * (1 - 0.96**(t * momentum_decay) / 2).

    >>> from tracejit import torch
    >>> x = torch.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = torch.optim.NAdam([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([ 0.8944, -2.8944], requires_grad=True)
    """

    elementwise = True

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3, decoupled_weight_decay=False, *, foreach=None,
        maximize=False, capturable=False, differentiable=False,
    ):  # fmt: skip
        check_options(lr, eps, weight_decay, betas)
        check("momentum_decay value", momentum_decay, momentum_decay >= 0.0)
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach, "capturable": capturable,
                "differentiable": differentiable,
            },
        )  # fmt: skip

    def start(self, x: Any, group: dict[str, Any]) -> dict[str, Any]:
        return {"mu_product": wrap(np.ones((), np.float32)), "exp_avg": zeros(x), "exp_avg_sq": zeros(x)}

    def advance(self, x: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        product = state["mu_product"]
        product *= like(product, self._mu(step, group))

    @staticmethod
    def _mu(step: Any, group: dict[str, Any]) -> Any:
        return group["betas"][0] * (1.0 - 0.5 * 0.96 ** (step * group["momentum_decay"]))

    def update(self, x: Any, gradient: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        (beta1, beta2), lr = group["betas"], scalar(group["lr"])
        gradient = decayed(x, gradient, group, lr)
        mean, square = averages(state, gradient, beta1, beta2)
        mu, mu_next, product = self._mu(step, group), self._mu(step + 1, group), number(state["mu_product"])
        denominator = np.sqrt(square / like(x, 1 - beta2**step))
        denominator += group["eps"]
        x -= like(x, lr * (1.0 - mu) / (1.0 - product)) * gradient / denominator
        x -= like(x, lr * mu_next / (1.0 - product * mu_next)) * mean / denominator
