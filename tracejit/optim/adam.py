"""Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019)."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import tree
from .optimizer import Optimizer, Schedule, cast, check_params, check_range, first_step, match_gradients, value_at, zeros_like


class AdamState(NamedTuple):
    """`step`: updates made so far; `mean` and `square`: decaying averages of the gradient and of its square, trees like the parameters."""
    step: Any
    mean: Any
    square: Any


def adam(lr: float | Schedule = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.0) -> Optimizer:
    """`p = p - lr m / (sqrt(s) + eps)`, where `m` and `s` are the bias-corrected averages of the gradient and of its square.

    `lr` is a float or a schedule. `weight_decay p` is added to the gradient. `update` returns new parameters.
    Step for step the same as `torch.optim.Adam`.
    Raises ValueError for a beta outside [0, 1) or a negative `eps` or weight decay.

    >>> opt = adam(0.1)
    >>> round(float(opt.update(2.0, opt.init(1.0), 1.0)[0]), 6)  # the first step has length lr
    0.9
    """
    return _adam(lr, beta1, beta2, eps, weight_decay, decoupled=False)


def adamw(lr: float | Schedule = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, weight_decay: float = 1e-2) -> Optimizer:
    """Adam with decoupled weight decay: `p` shrinks by the factor `1 - lr weight_decay` at each step, whatever the gradient's scale.

    `lr` is a float or a schedule. `update` returns new parameters. Step for step the same as `torch.optim.AdamW`.
    Raises ValueError for a beta outside [0, 1) or a negative `eps` or weight decay.

    >>> opt = adamw(0.1, weight_decay=0.5)
    >>> round(float(opt.update(0.0, opt.init(1.0), 1.0)[0]), 6)
    0.95
    """
    return _adam(lr, beta1, beta2, eps, weight_decay, decoupled=True)


def _adam(lr: float | Schedule, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool) -> Optimizer:
    check_range("beta1", beta1, 0.0, 1.0)
    check_range("beta2", beta2, 0.0, 1.0)
    check_range("eps", eps, 0.0)
    check_range("weight_decay", weight_decay, 0.0)

    def init(params: Any) -> AdamState:
        check_params(params)
        return AdamState(first_step(), zeros_like(params), zeros_like(params))

    def update(grads: Any, state: AdamState, params: Any) -> tuple[Any, AdamState]:
        grads = match_gradients(grads, params)
        rate = value_at(lr, state.step)
        step = state.step + 1
        if weight_decay and decoupled:
            params = tree.map(lambda p: p * cast(1 - rate * weight_decay, p), params)
        elif weight_decay:
            grads = tree.map(lambda g, p: g + weight_decay * p, grads, params)
        mean = tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, state.mean, grads)
        square = tree.map(lambda s, g: beta2 * s + (1 - beta2) * (g * g), state.square, grads)
        # The corrections for starting from zero are scalars, so that each element costs one division and not three.
        scale = rate / (1 - beta1**step)
        root_correction = 1 / np.sqrt(1 - beta2**step)
        params = tree.map(lambda p, m, s: p - cast(scale, p) * m / (np.sqrt(s) * cast(root_correction, p) + eps), params, mean, square)
        return params, AdamState(step, mean, square)

    return Optimizer(init, update)
