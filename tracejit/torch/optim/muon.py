"""Muon: momentum whose matrix is made nearly orthogonal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import at_user_line
from ..tensor import Tensor
from .optimizer import Optimizer, check, like, scalar
from .pieces import zeros

_RATIOS = {
    None: lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "original": lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}


class Muon(Optimizer):
    """Muon (Jordan 2024): the step is the momentum with its singular values brought near to one, by some steps of a Newton-Schulz iteration.

    It is for matrices of hidden layers; other parameters take another optimizer. The iteration is carried out in the precision of bfloat16, as torch
    does it. adjust_lr_fn: "original" has steps of equal size for all shapes of matrices, "match_rms_adamw" those of AdamW.
    Raises `ValueError` for a parameter that is no matrix, `RuntimeError` for a complex one.

    >>> from tracejit import torch
    >>> x = torch.tensor([[3.0, 0.0], [0.0, 1.0]], requires_grad=True)
    >>> optimizer = torch.optim.Muon([x], lr=0.1, weight_decay=0.0)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.detach().round(decimals=1)
    tensor([[2.9000, 0.0000],
            [0.0000, 0.9000]])
    """

    counts_steps = False

    def __init__(
        self, params, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True, ns_coefficients=(3.4445, -4.7750, 2.0315), eps=1e-7, ns_steps=5,
        adjust_lr_fn=None,
    ):  # fmt: skip
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError(at_user_line("Tensor lr must be 1-element"))
        check("learning rate", lr, scalar(lr) >= 0.0)
        check("momentum", momentum, momentum >= 0.0)
        check("weight decay", weight_decay, weight_decay >= 0.0)
        check("learning rate function adjust_lr_fn", adjust_lr_fn, adjust_lr_fn in _RATIOS)
        check("ns_coefficients, which are three", ns_coefficients, len(ns_coefficients) == 3)
        check("number of steps ns_steps, which is less than 100", ns_steps, ns_steps < 100)
        super().__init__(
            params,
            {
                "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov, "ns_coefficients": ns_coefficients, "eps": eps,
                "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn,
            },
        )  # fmt: skip
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(at_user_line(f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}"))

    def start(self, x: Any, group: dict[str, Any]) -> dict[str, Any]:
        if x.dtype.kind == "c":
            raise RuntimeError(at_user_line("Muon does not support complex parameters"))
        return {"momentum_buffer": zeros(x)}

    def update(self, x: Any, gradient: Any, state: Any, group: dict[str, Any], step: Any) -> None:
        lr, momentum, buffer = scalar(group["lr"]), group["momentum"], state["momentum_buffer"]
        buffer += (1 - momentum) * (gradient - buffer)
        along = gradient + momentum * (buffer - gradient) if group["nesterov"] else buffer
        move = orthogonalized(along, group["ns_coefficients"], group["ns_steps"], group["eps"])
        x *= like(x, 1 - lr * group["weight_decay"])
        x -= like(x, lr * _RATIOS[group["adjust_lr_fn"]](*x.shape)) * move.astype(x.dtype)


def orthogonalized(x: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """A matrix with singular values between 0.7 and 1.2 or so in place of those of x, by the iteration x <- a x + (b G + c G^2) x with G = x x^T, in
    the precision of bfloat16. The result is of float32."""
    a, b, c = [np.float32(k) for k in coefficients]
    y = _rounded(x.astype(np.float32))
    y = y.T if x.shape[0] > x.shape[1] else y
    y = _rounded(y / np.maximum(_rounded(np.sqrt(np.sum(y * y))), _rounded(np.float32(eps))))
    for _ in range(steps):
        gram = _rounded(y @ y.T)
        y = _rounded(a * y + _rounded(b * gram + c * (gram @ gram)) @ y)
    return y.T if x.shape[0] > x.shape[1] else y


def _rounded(x: Any) -> Any:
    """To the eight leading bits, by Veltkamp's splitting."""
    scaled = x * np.float32((1 << 16) + 1)
    return scaled - (scaled - x)
