"""RMSProp (Hinton, 2012), plain or centered (Graves, 2013)."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import tree
from .optimizer import Optimizer, Schedule, cast, check_params, check_range, first_step, match_gradients, value_at, zeros_like


class RMSPropState(NamedTuple):
    """`step`: updates made so far; `square`, `mean`, `velocity`: trees like the parameters, the last two None where the options need none."""
    step: Any
    square: Any
    mean: Any
    velocity: Any


def rmsprop(lr: float | Schedule = 1e-2, decay: float = 0.99, eps: float = 1e-8, momentum: float = 0.0, centered: bool = False,
            weight_decay: float = 0.0) -> Optimizer:
    """`p = p - lr g / (sqrt(s) + eps)`, `s` the decaying average of the squared gradient, less the squared average of the gradient if `centered`.

    `lr` is a float or a schedule. `weight_decay p` is added to the gradient. `update` returns new parameters. Step for step the same as
    `torch.optim.RMSprop`. Raises ValueError for a `decay` or momentum outside [0, 1) or a negative `eps` or weight decay.

    >>> opt = rmsprop(0.1, decay=0.75)
    >>> round(float(opt.update(3.0, opt.init(1.0), 1.0)[0]), 6)
    0.8
    """
    check_range("decay", decay, 0.0, 1.0)
    check_range("eps", eps, 0.0)
    check_range("momentum", momentum, 0.0, 1.0)
    check_range("weight_decay", weight_decay, 0.0)

    def init(params: Any) -> RMSPropState:
        check_params(params)
        return RMSPropState(first_step(), zeros_like(params), zeros_like(params) if centered else None, zeros_like(params) if momentum else None)

    def update(grads: Any, state: RMSPropState, params: Any) -> tuple[Any, RMSPropState]:
        grads = match_gradients(grads, params)
        if weight_decay:
            grads = tree.map(lambda g, p: g + weight_decay * p, grads, params)
        square = variance = tree.map(lambda s, g: decay * s + (1 - decay) * (g * g), state.square, grads)
        mean = velocity = None
        if centered:
            mean = tree.map(lambda m, g: decay * m + (1 - decay) * g, state.mean, grads)
            variance = tree.map(lambda s, m: s - m * m, square, mean)
        direction = tree.map(lambda g, v: g / (np.sqrt(v) + eps), grads, variance)
        if momentum:
            direction = velocity = tree.map(lambda v, d: momentum * v + d, state.velocity, direction)
        rate = value_at(lr, state.step)
        params = tree.map(lambda p, d: p - cast(rate, p) * d, params, direction)
        return params, RMSPropState(state.step + 1, square, mean, velocity)

    return Optimizer(init, update)
