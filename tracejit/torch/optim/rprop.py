"""Rprop: steps that only look at the signs of gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from .optimizer import Optimizer, check, check_options, scalar
from .pieces import filled, zeros


class Rprop(Optimizer):
    """Resilient backpropagation (Riedmiller and Braun 1993): each entry has a step size of its own, which grows by etas[1] while its gradient keeps
    its sign, and shrinks by etas[0] where it does not; there it rests for a step.

    >>> from tracejit import torch
    >>> x = torch.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = torch.optim.Rprop([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([ 0.9000, -2.9000], requires_grad=True)
    """

    elementwise = True

    def __init__(
        self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, capturable=False, foreach=None, maximize=False, differentiable=False
    ):
        check_options(lr)
        check("eta values", etas, 0.0 < etas[0] < 1.0 < etas[1])
        super().__init__(
            params,
            {
                "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
                "capturable": capturable,
            },
        )  # fmt: skip

    def start(self, x: Any, group: dict[str, Any]) -> dict[str, Any]:
        lr = scalar(group["lr"])
        return {"prev": zeros(x), "step_size": filled(x, lr * (1 + 1j) if x.dtype.kind == "c" else lr)}

    def update(self, x: Any, gradient: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        (smaller, larger), (least, most) = group["etas"], group["step_sizes"]
        before, size = state["prev"], state["step_size"]
        kept = gradient * before
        one = x.dtype.type(1)
        factor = np.where(kept > 0, x.dtype.type(larger), np.where(kept < 0, x.dtype.type(smaller), one))
        size[...] = np.clip(size * factor, x.dtype.type(least), x.dtype.type(most))
        gradient = np.where(kept < 0, gradient * 0, gradient)
        x -= np.sign(gradient) * size
        before[...] = gradient
