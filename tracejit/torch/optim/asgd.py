"""ASGD: gradient descent with an average of all that it went through."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import wrap
from .adam import decayed
from .optimizer import Optimizer, check_options, like, number, scalar
from .pieces import filled, whole_state, writable, zeros


class ASGD(Optimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky 1992): the average since step `t0` is in the state, as `ax`.

    >>> from tracejit import torch
    >>> x = torch.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = torch.optim.ASGD([x], lr=0.1, lambd=0.0)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([ 0.8000, -2.4000], requires_grad=True)
    """

    elementwise = True

    def __init__(
        self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, foreach=None, maximize=False, differentiable=False, capturable=False
    ):
        check_options(lr, 0.0, weight_decay)
        super().__init__(
            params,
            {
                "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize,
                "differentiable": differentiable, "capturable": capturable,
            },
        )  # fmt: skip

    def start(self, x: Any, group: dict[str, Any]) -> dict[str, Any]:
        one = np.ones((), np.float32)
        return {"eta": filled(one, scalar(group["lr"])), "mu": wrap(one), "ax": zeros(x)}

    def update(self, x: Any, gradient: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        gradient = decayed(x, gradient, group, scalar(group["lr"]))
        eta, mu, average = number(state["eta"]), number(state["mu"]), state["ax"]
        x *= like(x, 1 - group["lambd"] * eta)
        x -= like(x, eta) * gradient
        average += (x - average) * like(x, mu)

    def change(self, array: Any, gradient: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        super().change(array, gradient, state, group)
        kept, step, lr = whole_state(state), number(writable(state["step"]._array)), scalar(group["lr"])
        kept["eta"][...] = lr / (1 + group["lambd"] * lr * step) ** group["alpha"]  # for the next step
        kept["mu"][...] = 1 / np.maximum(1.0, step - group["t0"])
