"""Initial values of parameters, drawn in place from torch's random stream.

A weight has its outputs first and its inputs second; further dimensions are a receptive field.

>>> import tracejit.torch as torch
>>> torch.nn.init.constant_(torch.empty(2), 3.0)
tensor([3., 3.])
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .. import random
from ..inplace import overwrite
from ..modes import no_grad, require_values
from ..tensor import Tensor, wrap

_GAINS = {"linear": 1, "conv1d": 1, "conv2d": 1, "conv3d": 1, "conv_transpose1d": 1, "conv_transpose2d": 1, "conv_transpose3d": 1, "sigmoid": 1,
          "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}  # fmt: skip


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through a nonlinearity; `param` is the slope of "leaky_relu"."""
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return _GAINS[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    shape = tensor._data.shape
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _fan(tensor: Tensor, mode: str) -> int:
    modes = ("fan_in", "fan_out")
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {list(modes)}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform in [a, b)."""
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normal."""
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None) -> Tensor:
    """Normal, within [a, b]."""
    require_values("trunc_normal_")
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect.", stacklevel=2)
    source = random.default_generator if generator is None else generator
    d, n, shape = tensor._data.dtype, tensor._data.size, tensor._data.shape
    low, high = ((1.0 + math.erf((v - mean) / std / math.sqrt(2.0))) / 2.0 for v in (a, b))
    if high - low > 0.3:  # draw again, all of them, until no place is outside
        values = source.normal(n, d, mean, std)
        while (outside := (values < d.type(a)) | (values > d.type(b))).any():
            values = np.where(outside, source.normal(n, d, mean, std), values)
    else:  # uniform numbers, kept with a probability in proportion to the density
        peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
        values, pending = np.zeros(n, d), np.ones(n, bool)
        while pending.any():
            drawn = source.uniform(n, d, a, b)
            values = np.where(pending, drawn, values)
            with np.errstate(divide="ignore"):
                pending &= np.log(source.uniform(n, d)) > -0.5 * ((drawn - mean) / std) ** 2 - peak
    return _put(tensor, values.reshape(shape))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number everywhere."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix."""
    if tensor._data.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _put(tensor, np.eye(*tensor._data.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Weights of a convolution that gives its input."""
    shape = tensor._data.shape
    if len(shape) not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    values, each = np.zeros(shape), shape[0] // groups
    for group in range(groups):
        for d in range(min(each, shape[1])):
            values[(group * each + d, d, *(n // 2 for n in shape[2:]))] = 1
    return _put(tensor, values)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform with variance 2 gain^2 / (inputs + outputs) (Glorot and Bengio, 2010)."""
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal with variance 2 gain^2 / (inputs + outputs) (Glorot and Bengio, 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor)))), generator)


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None) -> Tensor:
    """Uniform with variance gain^2 / fan (He et al., 2015)."""
    if 0 in tensor._data.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    bound = math.sqrt(3.0) * calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None) -> Tensor:
    """Normal with variance gain^2 / fan (He et al., 2015)."""
    if 0 in tensor._data.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    return normal_(tensor, 0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """`gain` times a random matrix with orthonormal rows or columns; dimensions but the first count as columns (Saxe et al., 2014)."""
    shape = tensor._data.shape
    if len(shape) < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if 0 in shape:
        return tensor
    rows, columns = shape[0], math.prod(shape[1:])
    flat = wrap(np.empty((rows, columns), tensor._data.dtype)).normal_(0, 1, generator=generator)._data
    q, r = np.linalg.qr(flat.T if rows < columns else flat)
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return _put(tensor, gain * (q.T if rows < columns else q).reshape(shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Normal, with a fraction `sparsity` of each column zero."""
    if tensor._data.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    from ..dispatch import FUNCTIONS

    require_values("sparse_")
    rows, columns = tensor._data.shape
    normal_(tensor, 0, std, generator)
    values = np.array(tensor._data)
    for column in range(columns):
        values[FUNCTIONS["randperm"](rows)._data[: math.ceil(sparsity * rows)], column] = 0
    return _put(tensor, values)


def _put(tensor: Tensor, values: np.ndarray) -> Tensor:
    with no_grad():
        overwrite(tensor, values.astype(tensor._data.dtype))
    return tensor


def _older(new: Any, name: str) -> Any:
    def old(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(f"nn.init.{name} is now deprecated in favor of nn.init.{name}_.", FutureWarning, stacklevel=2)
        return new(*args, **kwargs)

    old.__name__, old.__doc__ = name, f"The older name of `{name}_`."
    return old


uniform, normal, constant, eye, dirac = (
    _older(f, n) for f, n in ((uniform_, "uniform"), (normal_, "normal"), (constant_, "constant"), (eye_, "eye"), (dirac_, "dirac"))
)
xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal, orthogonal, sparse = (
    _older(f, n)
    for f, n in (
        (xavier_uniform_, "xavier_uniform"),
        (xavier_normal_, "xavier_normal"),
        (kaiming_uniform_, "kaiming_uniform"),
        (kaiming_normal_, "kaiming_normal"),
        (orthogonal_, "orthogonal"),
        (sparse_, "sparse"),
    )
)
