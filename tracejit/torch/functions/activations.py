"""The activations that torch has in its main namespace: the others are in `nn.functional`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..dispatch import Primitive, function
from ..tensor import Tensor
from .operands import axis, cast


def _relu_slope(xs, y, ts):
    return np.where(y <= 0, y.dtype.type(0), ts[0])  # also of a gradient that is infinite, and of NaN


_relu = Primitive("Relu", lambda x: np.maximum(x, 0), rule=_relu_slope, native=True)


@function("relu", inplace=True)
def relu(input: Tensor) -> Tensor:
    """The elements, zero at least. The gradient at zero is zero."""
    if input._data.dtype.kind in "bc":
        raise RuntimeError(f"relu is not supported for tensors of dtype {input.dtype}: convert them first")
    return _relu.of_one(input)


def _softmax_impl(x, axis, dtype=None):
    x = cast(x, dtype)
    if not x.ndim:
        return x * 0 + 1
    if not x.size:
        return np.exp(x)
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def _softmax_slope(xs, y, ts, axis, dtype=None):
    t = cast(ts[0], dtype)
    return 0 * t if not y.ndim else y * (t - np.sum(y * t, axis=axis, keepdims=True))


def _log_softmax_impl(x, axis, dtype=None):
    x = cast(x, dtype)
    if not x.ndim:
        return x * 0
    if not x.size:
        return x * 1
    centred = x - np.max(x, axis=axis, keepdims=True)
    return centred - np.log(np.sum(np.exp(centred), axis=axis, keepdims=True))


def _log_softmax_slope(xs, y, ts, axis, dtype=None):
    t = cast(ts[0], dtype)
    return 0 * t if not y.ndim else t - np.sum(np.exp(y) * t, axis=axis, keepdims=True)


_softmax = Primitive("Softmax", _softmax_impl, rule=_softmax_slope, native=True)
_log_softmax = Primitive("LogSoftmax", _log_softmax_impl, rule=_log_softmax_slope, native=True)


def _floating(input: Tensor, dtype: Any) -> dict[str, Any]:
    if dtype is not None:
        return {"dtype": dtypes.as_numpy(dtype)}
    if input._data.dtype.kind not in "fc":
        raise NotImplementedError(f"\"softmax_kernel_impl\" not implemented for '{input.dtype.legacy}': convert the input first, x.float()")
    if input._data.dtype.kind == "c":
        raise NotImplementedError(f"\"softmax_kernel_impl\" not implemented for '{input.dtype.legacy}': take x.real, x.imag or x.abs()")
    return {}


@function("softmax")
def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """Exponentials along `dim`, divided by their sum."""
    return _softmax(input, axis=axis(dim, input._data.ndim), **_floating(input, dtype))


@function("log_softmax")
def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """The logarithm of the softmax."""
    return _log_softmax(input, axis=axis(dim, input._data.ndim), **_floating(input, dtype))
