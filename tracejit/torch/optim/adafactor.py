"""Adafactor: second moments of matrices by their rows and columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import at_user_line
from ..tensor import Tensor, wrap
from .optimizer import Optimizer, check, like, number, scalar
from .pieces import zeros


class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern 2018): of the averages of squared gradients, a matrix keeps those of its rows and of its columns alone, and steps
    are in proportion to the root mean square of the parameter.

    lr: an upper bound for the size of steps, beside 1 / sqrt(step). beta2_decay: averages have weight 1 - step**beta2_decay. eps: least values of the
    averages (None: the resolution of the dtype) and of the root mean square. d: above this root mean square an update is scaled down.
    Raises `RuntimeError` for complex parameters.

    >>> from tracejit import torch
    >>> x = torch.tensor([[1.0, -3.0]], requires_grad=True)
    >>> optimizer = torch.optim.Adafactor([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([[ 0.7764, -2.7764]], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0.0, *, foreach=None, maximize=False
    ):  # fmt: skip
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError(at_user_line("Tensor lr must be 1-element"))
        check("learning rate", lr, scalar(lr) >= 0.0)
        check("beta2_decay", beta2_decay, beta2_decay <= 0.0)
        check("epsilon1", eps[0], eps[0] is None or eps[0] >= 0.0)
        check("epsilon2", eps[1], eps[1] >= 0.0)
        check("clipping threshold d", d, d >= 1.0)
        check("weight_decay value", weight_decay, weight_decay >= 0.0)
        super().__init__(
            params,
            {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize},
        )

    def start(self, x: Any, group: dict[str, Any]) -> dict[str, Any]:
        if x.dtype.kind == "c":
            raise RuntimeError(at_user_line("Adafactor does not support complex parameters"))
        if x.ndim < 2:
            return {"variance": zeros(x)}
        *lead, rows, columns = x.shape
        return {"row_var": wrap(np.zeros((*lead, rows, 1), x.dtype)), "col_var": wrap(np.zeros((*lead, 1, columns), x.dtype))}

    def update(self, x: Any, gradient: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        lr, (eps1, eps2) = scalar(group["lr"]), group["eps"]
        eps1 = float(np.finfo(x.dtype).eps) if eps1 is None else eps1
        weight = step ** group["beta2_decay"]
        rate = np.maximum(eps2, _root_mean_square(x)) * np.minimum(lr, 1 / step**0.5)
        if group["weight_decay"] != 0:
            x *= like(x, 1 - lr * group["weight_decay"])
        if x.ndim > 1:
            rows, columns = state["row_var"], state["col_var"]
            _average(rows, (gradient * gradient).mean(-1, keepdims=True), weight)
            _average(columns, (gradient * gradient).mean(-2, keepdims=True), weight)
            variance = rows @ columns / np.maximum(rows.mean(-2, keepdims=True), x.dtype.type(eps1))
        else:
            variance = state["variance"]
            _average(variance, gradient * gradient, weight)
        move = gradient / np.sqrt(np.maximum(variance, x.dtype.type(eps1 * eps1)))
        x -= like(x, rate / np.maximum(1.0, _root_mean_square(move) / group["d"])) * move


def _root_mean_square(x: Any) -> Any:
    return number(np.sqrt(np.sum(x * x))) / x.size**0.5


def _average(into: Any, new: Any, weight: Any) -> None:
    into += like(into, weight) * (new - into)
