"""Learning rates as functions of the number of updates made so far.

Each schedule takes an integer, an integer array or a traced integer and uses only array operations, so that it can be part of a jitted training step.
"""
from __future__ import annotations

import math

import numpy as np

from .optimizer import Schedule


def constant(value: float) -> Schedule:
    """`value` at every step.

    >>> constant(0.1)(1000)
    0.1
    """
    return lambda step: value


def exponential_decay(initial: float, rate: float, steps: int = 1, staircase: bool = False) -> Schedule:
    """`initial * rate ** (step / steps)`; with `staircase`, the exponent is rounded down. Raises ValueError unless `steps` is at least 1.

    >>> round(float(exponential_decay(1.0, 0.5, steps=10)(20)), 6)
    0.25
    """
    _check_steps("steps", steps)
    return lambda step: initial * rate ** (step // steps if staircase else step / steps)


def step_decay(initial: float, steps: int, rate: float = 0.1) -> Schedule:
    """`initial`, multiplied by `rate` after every `steps` steps. Raises ValueError unless `steps` is at least 1.

    >>> [round(float(step_decay(1.0, 2)(step)), 6) for step in range(5)]
    [1.0, 1.0, 0.1, 0.1, 0.01]
    """
    return exponential_decay(initial, rate, steps, staircase=True)


def cosine_decay(initial: float, steps: int, final: float = 0.0) -> Schedule:
    """Half a cosine from `initial` at step 0 down to `final` at step `steps` and ever after. Raises ValueError unless `steps` is at least 1.

    >>> [round(float(cosine_decay(1.0, 10)(step)), 6) for step in (0, 5, 10, 20)]
    [1.0, 0.5, 0.0, 0.0]
    """
    _check_steps("steps", steps)
    return lambda step: final + (initial - final) * 0.5 * (1 + np.cos(math.pi * np.minimum(step / steps, 1.0)))


def linear_warmup(peak: float, steps: int, initial: float = 0.0) -> Schedule:
    """A line from `initial` at step 0 to `peak` at step `steps`, constant after that. Raises ValueError unless `steps` is at least 1.

    >>> [round(float(linear_warmup(1.0, 4)(step)), 6) for step in (0, 1, 4, 9)]
    [0.0, 0.25, 1.0, 1.0]
    """
    _check_steps("steps", steps)
    return lambda step: initial + (peak - initial) * np.minimum(step / steps, 1.0)


def warmup_cosine(peak: float, warmup_steps: int, steps: int, initial: float = 0.0, final: float = 0.0) -> Schedule:
    """`linear_warmup` for `warmup_steps` steps, then `cosine_decay` from `peak` to `final`, reached at step `steps`.

    Raises ValueError unless 1 <= warmup_steps < steps.

    >>> [round(float(warmup_cosine(1.0, 2, 6)(step)), 6) for step in (0, 1, 2, 4, 6)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    _check_steps("warmup_steps", warmup_steps)
    if warmup_steps >= steps:
        raise ValueError(f"warmup_steps must be below steps, got {warmup_steps} and {steps}")
    warmup, decay = linear_warmup(peak, warmup_steps, initial), cosine_decay(peak, steps - warmup_steps, final)
    return lambda step: np.where(step < warmup_steps, warmup(step), decay(step - warmup_steps))


def _check_steps(name: str, steps: int) -> None:
    if not steps >= 1:
        raise ValueError(f"{name} must be at least 1, got {steps}")
