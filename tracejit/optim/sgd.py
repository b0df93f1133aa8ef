"""Stochastic gradient descent, with heavy-ball or Nesterov momentum."""
from __future__ import annotations

from typing import Any, NamedTuple

from .. import tree
from .optimizer import Optimizer, Schedule, cast, check_params, check_range, first_step, match_gradients, value_at, zeros_like


class SGDState(NamedTuple):
    """`step`: updates made so far; `velocity`: a tree like the parameters, or None without momentum."""
    step: Any
    velocity: Any


def sgd(lr: float | Schedule, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0) -> Optimizer:
    """`v = momentum v + g; p = p - lr v`, where `g` is the gradient plus `weight_decay p`. Nesterov's form steps along `g + momentum v`.

    `lr` is a float or a schedule. `update` returns new parameters. Step for step the same as `torch.optim.SGD`.
    Raises ValueError for a momentum outside [0, 1), a negative weight decay, or `nesterov` without momentum.

    >>> opt = sgd(0.1)
    >>> round(opt.update(2.0, opt.init(1.0), 1.0)[0], 6)
    0.8
    """
    check_range("momentum", momentum, 0.0, 1.0)
    check_range("weight_decay", weight_decay, 0.0)
    if nesterov and momentum == 0.0:
        raise ValueError("nesterov needs a momentum above 0")

    def init(params: Any) -> SGDState:
        check_params(params)
        return SGDState(first_step(), zeros_like(params) if momentum else None)

    def update(grads: Any, state: SGDState, params: Any) -> tuple[Any, SGDState]:
        direction = match_gradients(grads, params)
        velocity = None
        if weight_decay:
            direction = tree.map(lambda g, p: g + weight_decay * p, direction, params)
        if momentum:
            velocity = tree.map(lambda v, g: momentum * v + g, state.velocity, direction)
            direction = tree.map(lambda g, v: g + momentum * v, direction, velocity) if nesterov else velocity
        rate = value_at(lr, state.step)
        params = tree.map(lambda p, d: p - cast(rate, p) * d, params, direction)
        return params, SGDState(state.step + 1, velocity)

    return Optimizer(init, update)
