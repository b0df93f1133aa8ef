"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from ...errors import at_user_line
from ..tensor import Tensor
from .optimizer import Optimizer, check, check_options, like, scalar
from .pieces import zeros


class SGD(Optimizer):
    """x <- x - lr * b, where b is the gradient, or with momentum b <- momentum * b + (1 - dampening) * gradient (the gradient itself at first).

    `nesterov` uses gradient + momentum * b in its place (Sutskever et al. 2013); `weight_decay` adds weight_decay * x to the gradient; `maximize`
    turns its sign.

    >>> from tracejit import torch
    >>> x = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.SGD([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([0.8000], requires_grad=True)
    """

    counts_steps, elementwise = False, True

    def __init__(
        self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False, foreach=None, differentiable=False,
        fused=None,
    ):  # fmt: skip
        check_options(lr, weight_decay=weight_decay)
        check("momentum value", momentum, momentum >= 0.0)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(at_user_line("Nesterov momentum requires a momentum and zero dampening"))
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov, "maximize": maximize,
                "foreach": foreach, "differentiable": differentiable, "fused": fused,
            },
        )  # fmt: skip
        self._first = False  # whether the parameter whose turn it is has its first step with momentum

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        super()._update(p, group)
        self._first = False  # what a step leaves is what it found: compiled steps would otherwise begin with one program more

    def advance(self, x: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        if group["momentum"] != 0 and "momentum_buffer" not in state:
            self._first = True
            state["momentum_buffer"] = zeros(x)

    def update(self, x: Any, gradient: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        momentum, decay = group["momentum"], group["weight_decay"]
        if decay != 0:
            gradient = gradient + decay * x
        if momentum != 0:
            buffer = state["momentum_buffer"]
            if self._first:
                buffer[...] = gradient
            else:
                buffer *= momentum
                buffer += (1 - group["dampening"]) * gradient if group["dampening"] else gradient
            gradient = gradient + momentum * buffer if group["nesterov"] else buffer
        x -= like(x, scalar(group["lr"])) * gradient
