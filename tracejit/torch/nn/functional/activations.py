"""Activations. At a kink the derivative is torch's: that of the branch that holds there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .... import residence
from ....ops import elementwise
from ... import random
from ...dispatch import FUNCTIONS, Primitive, into_first
from ...functions.operands import as_float, axis, cast
from ...modes import require_values
from ...tensor import Tensor, wrap

relu, relu_, sigmoid, tanh = (FUNCTIONS[name] for name in ("relu", "relu_", "sigmoid", "tanh"))


def _one(x: Any, value: float) -> Any:
    """A constant of the dtype of x."""
    return cast(value, x.dtype)


def _expm1_below(x, scale=1.0):
    """expm1 where x is at most zero; elsewhere it is not read, and must not overflow."""
    return np.expm1(np.where(x <= 0, x, _one(x, 0)) * _one(x, scale))


def _softplus_impl(x, beta, threshold):
    scaled = x * _one(x, beta)
    far = scaled > threshold
    return np.where(far, x, np.log1p(np.exp(np.where(far, _one(x, 0), scaled))) / _one(x, beta))


def _gelu_impl(x, approximate):
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))))
    return 0.5 * x * (1 + elementwise.erf(x * _one(x, math.sqrt(0.5))))


def _hardtanh_impl(x, low, high):
    return np.where(x <= low, _one(x, low), np.where(x >= high, _one(x, high), x))


def _elu_impl(x, alpha, scale, input_scale):
    return np.where(x <= 0, _expm1_below(x, input_scale) * _one(x, alpha * scale), x * _one(x, scale))  # NaN goes with the line


_leaky_relu = Primitive("LeakyRelu", lambda x, slope: np.where(x > 0, x, x * _one(x, slope)))
_elu = Primitive("Elu", _elu_impl)
_celu = Primitive("Celu", lambda x, alpha: np.where(x <= 0, _expm1_below(x, 1 / alpha) * _one(x, alpha), x))
_silu = Primitive("Silu", lambda x: x * elementwise.logistic(x), native=True)
_gelu = Primitive("Gelu", _gelu_impl, native=True)
_softplus = Primitive("Softplus", _softplus_impl)
_mish = Primitive("Mish", lambda x: x * np.tanh(_softplus_impl(x, 1.0, 20.0)))
_log_sigmoid = Primitive("LogSigmoid", lambda x: -np.logaddexp(-x, x.dtype.type(0)))
_hardtanh = Primitive("Hardtanh", _hardtanh_impl)
_hardsigmoid = Primitive("Hardsigmoid", lambda x: np.where(x <= -3, _one(x, 0), np.where(x >= 3, _one(x, 1), x / 6 + _one(x, 0.5))))
_hardswish = Primitive("Hardswish", lambda x: np.where(x <= -3, _one(x, 0), np.where(x >= 3, x, x * (x + 3) / 6)))
_threshold = Primitive("Threshold", lambda x, threshold, value: np.where(x <= threshold, _one(x, value), x))
_softshrink = Primitive(
    "Softshrink", lambda x, lam: np.where(x > lam, x - _one(x, lam), np.where(x >= -lam, 0 * x, x + _one(x, lam)))
)
_hardshrink = Primitive("Hardshrink", lambda x, lam: np.where((x >= -lam) & (x <= lam), _one(x, 0), x))
_prelu = Primitive("PreluKernel", lambda x, w: np.where(x > 0, x, x * w))
_rrelu = Primitive("RreluWithNoise", lambda x, noise: np.where(x <= 0, x * noise, x))


def _glu_impl(x, axis):
    a, b = np.split(x, 2, axis=axis)
    return a * elementwise.logistic(b)


_glu = Primitive("Glu", _glu_impl)


def _inplace(f: Callable) -> Callable:
    """The function with torch's `inplace` argument."""
    written = into_first(f, f.__name__ + "_")

    def apply(input: Tensor, *args: Any, inplace: bool = False, **kwargs: Any) -> Tensor:
        return (written if inplace else f)(input, *args, **kwargs)

    apply.__name__ = apply.__qualname__ = f.__name__
    apply.__doc__ = f.__doc__
    return apply


_plain_relu = relu


def _relu(input: Tensor) -> Tensor:
    """The elements, zero at least. The gradient at zero is zero."""
    return _plain_relu(input)


def _named(name: str, f: Callable) -> Callable:
    f.__name__ = f.__qualname__ = name
    return _inplace(f)


relu = _named("relu", _relu)


@_inplace
def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """The elements where they are positive, `negative_slope` times them elsewhere."""
    return _leaky_relu(input, slope=as_float(negative_slope))


@_inplace
def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """The elements where they are positive, `alpha * (exp(x) - 1)` elsewhere."""
    return _elu(input, alpha=as_float(alpha), scale=1.0, input_scale=1.0)


@_inplace
def selu(input: Tensor) -> Tensor:
    """The self-normalising `elu` (Klambauer et al., 2017)."""
    return _elu(input, alpha=1.6732632423543772848170429916717, scale=1.0507009873554804934193349852946, input_scale=1.0)


@_inplace
def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """The elements where they are positive, `alpha * (exp(x / alpha) - 1)` elsewhere."""
    return _celu(input, alpha=as_float(alpha))


@_inplace
def silu(input: Tensor) -> Tensor:
    """`x * sigmoid(x)`."""
    return _silu(input)


@_inplace
def mish(input: Tensor) -> Tensor:
    """`x * tanh(softplus(x))`."""
    return _mish(input)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """`x * Phi(x)`, Phi the normal distribution function; `approximate="tanh"` for its usual approximation."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return _gelu(input, approximate=approximate)


def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """`log(1 + exp(beta x)) / beta`; x itself where `beta x` is above `threshold`."""
    return _softplus(input, beta=as_float(beta), threshold=as_float(threshold))


def logsigmoid(input: Tensor) -> Tensor:
    """The logarithm of the sigmoid."""
    return _log_sigmoid(input)


@_inplace
def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """The elements, cut to [min_val, max_val]."""
    return _hardtanh(input, low=as_float(min_val), high=as_float(max_val))


@_inplace
def relu6(input: Tensor) -> Tensor:
    """The elements, cut to [0, 6]."""
    return _hardtanh(input, low=0.0, high=6.0)


@_inplace
def hardsigmoid(input: Tensor) -> Tensor:
    """`x / 6 + 1 / 2`, cut to [0, 1]."""
    return _hardsigmoid(input)


@_inplace
def hardswish(input: Tensor) -> Tensor:
    """`x * hardsigmoid(x)`."""
    return _hardswish(input)


@_inplace
def threshold(input: Tensor, threshold: float, value: float) -> Tensor:
    """The elements where they are above `threshold`, `value` elsewhere."""
    return _threshold(input, threshold=as_float(threshold), value=as_float(value))


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """The elements moved towards zero by `lambd`, zero within it."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return _softshrink(input, lam=float(lambd))


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """The elements, zero within `lambd` of zero."""
    return _hardshrink(input, lam=float(lambd))


def softsign(input: Tensor) -> Tensor:
    """`x / (1 + |x|)`."""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """`x - tanh(x)`."""
    return input - input.tanh()


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """The elements where they are positive, `weight` times them elsewhere: one weight, or one for each channel (the second dimension)."""
    n = weight._data.size
    if input._data.dtype != weight._data.dtype:
        raise RuntimeError(f"prelu: Type promoting not supported. Got {input.dtype} and {weight.dtype}: convert one, x.to({weight.dtype})")
    if n != 1 and (input._data.ndim < 2 or input._data.shape[1] != n):
        raise RuntimeError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {n} and input of shape {list(input.shape)}."
        )
    if input._data.ndim > 1:
        weight = weight.view(-1, *(1,) * (input._data.ndim - 2))
    elif not input._data.ndim:
        weight = weight.reshape(())
    return _prelu(input, weight)


@_inplace
def rrelu(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """`leaky_relu` with slopes drawn from [lower, upper] in training, and their mean else."""
    if not training:
        return _leaky_relu(input, slope=(lower + upper) / 2)
    require_values("rrelu in training, which draws a slope for each negative element,")
    array = residence.on_host(input.detach()._array)
    noise = np.ones(array.shape, array.dtype)
    places = array <= 0
    noise[places] = random.default_generator.uniform(int(places.sum()), np.dtype(np.float64), lower, upper)
    return _rrelu(input, wrap(noise).to(input.device))


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along `dim` times the sigmoid of the second."""
    d = axis(dim, input._data.ndim)
    if input._data.shape[d] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {d} is size {input._data.shape[d]}")
    return _glu(input, axis=d)


def softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """Exponentials along `dim`, divided by their sum."""
    return FUNCTIONS["softmax"](input, _usual(input) if dim is None else dim, dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """The logarithm of the softmax."""
    return FUNCTIONS["log_softmax"](input, _usual(input) if dim is None else dim, dtype=dtype)


def softmin(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """The softmax of the negative."""
    return softmax(-input, dim, dtype)


def _usual(input: Tensor) -> int:
    return 0 if input._data.ndim in (0, 1, 3) else 1


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, dim: int = -1) -> Tensor:
    """A softmax with Gumbel noise; `hard` gives the winner of it as a one, with the derivative of the soft one."""
    noise = -FUNCTIONS["empty_like"](logits).exponential_().log()
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    winner = soft.detach().argmax(dim, keepdim=True)
    ones = FUNCTIONS["zeros_like"](logits).scatter_(dim, winner, 1.0)
    return ones - soft.detach() + soft


__all__ = [
    "celu", "elu", "gelu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log_softmax", "logsigmoid",
    "mish", "prelu", "relu", "relu6", "relu_", "rrelu", "selu", "sigmoid", "silu", "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh",
    "tanhshrink", "threshold",
]  # fmt: skip
