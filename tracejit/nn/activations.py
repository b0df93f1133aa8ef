"""Activations: elementwise, but for the two softmax functions. They keep the shape, and the dtype where it is floating-point.

Wherever the value is finite so are the derivatives, however large the input. At a kink the derivative is that of the left branch.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..api import stop_gradient


def relu(x: Any) -> Any:
    """`max(x, 0)`; the derivative at 0 is 0.

    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return np.maximum(x, 0)


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """`x` where it is positive, `slope * x` elsewhere; the derivative at 0 is `slope`.

    >>> leaky_relu(np.array([-1.0, 2.0]), slope=0.1)
    array([-0.1,  2. ])
    """
    return np.where(x > 0, x, slope * x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere; the derivative at 0 is `alpha`.

    >>> elu(np.array([-100.0, 2.0]))
    array([-1.,  2.])
    """
    # The exponential is taken of the branch's own inputs only: exp(1000) would be infinite, and its derivative times zero not a number.
    return np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0, x)))


def sigmoid(x: Any) -> Any:
    """`1 / (1 + exp(-x))`, with full relative accuracy on both sides.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    from scipy.special import expit  # 0.2 s to import, and few programs need it
    return expit(x)


def silu(x: Any) -> Any:
    """`x * sigmoid(x)`, also called swish.

    >>> silu(np.array([-1000.0, 0.0, 1000.0]))
    array([  -0.,    0., 1000.])
    """
    return x * sigmoid(x)


def softplus(x: Any) -> Any:
    """`log(1 + exp(x))` without overflow.

    >>> softplus(np.array([-1000.0, 1000.0]))
    array([   0., 1000.])
    """
    return np.logaddexp(x, 0)


def gelu(x: Any, approximate: bool = False) -> Any:
    """`x * Phi(x)`, `Phi` the normal distribution function; with `approximate`, its usual expression through `tanh` (within 5e-4 of it).

    >>> gelu(np.array([-1.0, 1.0])).round(4), gelu(np.array([-1.0, 1.0]), approximate=True).round(4)
    (array([-0.1587,  0.8413]), array([-0.1588,  0.8412]))
    """
    if approximate:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))))
    from scipy.special import erf
    return 0.5 * x * (1 + erf(math.sqrt(0.5) * x))


def softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Any:
    """`exp(x) / sum(exp(x))` along `axis`; not a number where all entries are -inf.

    >>> softmax(np.array([1000.0, 1000.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    weights = np.exp(shift_to_zero(x, axis))
    return weights / np.sum(weights, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Any:
    """`x - log(sum(exp(x)))` along `axis`; not a number where all entries are -inf.

    >>> log_softmax(np.array([0.0, -np.inf]))
    array([  0., -inf])
    """
    shifted = shift_to_zero(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def shift_to_zero(x: Any, axis: int | tuple[int, ...]) -> Any:
    """`x` less its maximum along `axis`, so that exponentials neither overflow nor all vanish.

    What is computed from it must not depend on the shift, as is true of both softmax functions. Then treating the maximum as a constant
    is exact at every order of derivative, and saves differentiating through it.
    """
    return x - stop_gradient(np.max(x, axis=axis, keepdims=True))
