"""Modules without parameters: each holds the arguments of a function of `functional` and applies it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ...tensor import Tensor
from .. import functional as F
from .module import Module


class _Applied(Module):
    """`function(input, **arguments)`. A subclass names its arguments, with their defaults, in `arguments`; `shown` are those that `repr` shows."""

    function: Callable
    arguments: dict[str, Any] = {}
    shown: tuple[str, ...] | None = None
    quoted: tuple[str, ...] = ()
    hidden_when_false = ("inplace",)
    __signature__: inspect.Signature

    def __init_subclass__(cls) -> None:
        kind = inspect.Parameter
        cls.__signature__ = inspect.Signature(
            [kind(name, kind.POSITIONAL_OR_KEYWORD, default=kind.empty if value is REQUIRED else value) for name, value in cls.arguments.items()]
        )

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            setattr(self, name, value)
        self.settle()

    def settle(self) -> None:
        """Check and complete the arguments."""

    def keywords(self) -> dict[str, Any]:
        """The arguments of the function."""
        return {name: getattr(self, name) for name in self.arguments}

    def forward(self, input: Tensor) -> Tensor:
        return type(self).function(input, **self.keywords())

    def extra_repr(self) -> str:
        parts = []
        for name in self.arguments if self.shown is None else self.shown:
            value = getattr(self, name)
            if name not in self.hidden_when_false or value:
                parts.append(f"{name}={value!r}" if name in self.quoted else f"{name}={value}")
        return ", ".join(parts)


REQUIRED = object()


def _module(name: str, function: Callable, doc: str, **arguments: Any) -> type[_Applied]:
    """A module that applies a function with these arguments."""
    made = type(name, (_Applied,), {"__doc__": doc, "function": staticmethod(function), "arguments": arguments, "__module__": __name__})
    return made


# -- activations
ReLU = _module("ReLU", F.relu, "The elements, zero at least.", inplace=False)
ReLU6 = _module("ReLU6", F.relu6, "The elements, cut to [0, 6].", inplace=False)
LeakyReLU = _module("LeakyReLU", F.leaky_relu, "`leaky_relu`.", negative_slope=0.01, inplace=False)
ELU = _module("ELU", F.elu, "`elu`.", alpha=1.0, inplace=False)
CELU = _module("CELU", F.celu, "`celu`.", alpha=1.0, inplace=False)
SELU = _module("SELU", F.selu, "`selu`.", inplace=False)
SiLU = _module("SiLU", F.silu, "`x * sigmoid(x)`.", inplace=False)
Mish = _module("Mish", F.mish, "`x * tanh(softplus(x))`.", inplace=False)
Hardswish = _module("Hardswish", F.hardswish, "`hardswish`.", inplace=False)
Hardsigmoid = _module("Hardsigmoid", F.hardsigmoid, "`hardsigmoid`.", inplace=False)
Hardtanh = _module("Hardtanh", F.hardtanh, "The elements, cut to [min_val, max_val].", min_val=-1.0, max_val=1.0, inplace=False)
Threshold = _module("Threshold", F.threshold, "`threshold`.", threshold=REQUIRED, value=REQUIRED, inplace=False)
GELU = _module("GELU", F.gelu, "`gelu`.", approximate="none")
GELU.quoted = ("approximate",)
Softplus = _module("Softplus", F.softplus, "`softplus`.", beta=1.0, threshold=20.0)
Sigmoid = _module("Sigmoid", F.sigmoid, "The sigmoid.")
Tanh = _module("Tanh", F.tanh, "The hyperbolic tangent.")
LogSigmoid = _module("LogSigmoid", F.logsigmoid, "The logarithm of the sigmoid.")
Softsign = _module("Softsign", F.softsign, "`x / (1 + |x|)`.")
Tanhshrink = _module("Tanhshrink", F.tanhshrink, "`x - tanh(x)`.")
GLU = _module("GLU", F.glu, "The first half times the sigmoid of the second.", dim=-1)
Softmax = _module("Softmax", F.softmax, "Exponentials along `dim`, divided by their sum.", dim=None)
Softmin = _module("Softmin", F.softmin, "The softmax of the negative.", dim=None)
LogSoftmax = _module("LogSoftmax", F.log_softmax, "The logarithm of the softmax.", dim=None)


class _Shrink(_Applied):
    arguments = {"lambd": 0.5}

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softshrink(_Shrink):
    """The elements moved towards zero by `lambd`."""

    function = staticmethod(F.softshrink)
    arguments = _Shrink.arguments


class Hardshrink(_Shrink):
    """The elements, zero within `lambd` of zero."""

    function = staticmethod(F.hardshrink)
    arguments = _Shrink.arguments


class RReLU(_Applied):
    """`leaky_relu` with random slopes in training."""

    function = staticmethod(F.rrelu)
    arguments = {"lower": 1.0 / 8, "upper": 1.0 / 3, "inplace": False}

    def keywords(self) -> dict[str, Any]:
        return {**super().keywords(), "training": self.training}


class Softmax2d(Module):
    """The softmax over the channels of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3)


# -- dropout
class _Dropout(_Applied):
    arguments = {"p": 0.5, "inplace": False}
    hidden_when_false = ()

    def settle(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {self.p}")

    def keywords(self) -> dict[str, Any]:
        return {**super().keywords(), "training": self.training}


def _dropout(name: str, function: Callable, doc: str) -> type[_Dropout]:
    return type(name, (_Dropout,), {"__doc__": doc, "function": staticmethod(function), "__module__": __name__})


Dropout = _dropout("Dropout", F.dropout, "Zero each element with probability `p` in training.")
Dropout1d = _dropout("Dropout1d", F.dropout1d, "Zero whole channels of (N, C, L) with probability `p` in training.")
Dropout2d = _dropout("Dropout2d", F.dropout2d, "Zero whole channels of (N, C, H, W) with probability `p` in training.")
Dropout3d = _dropout("Dropout3d", F.dropout3d, "Zero whole channels of (N, C, D, H, W) with probability `p` in training.")
AlphaDropout = _dropout("AlphaDropout", F.alpha_dropout, "Dropout that keeps mean and variance of what `SELU` gives.")


# -- pooling
class _Pool(_Applied):
    hidden_when_false = ()

    def settle(self) -> None:
        self.stride = self.kernel_size if self.stride is None else self.stride


class _MaxPool(_Pool):
    arguments = dict(kernel_size=REQUIRED, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False)
    shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")


class _AvgPool(_Pool):
    arguments = dict(kernel_size=REQUIRED, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None)
    shown = ("kernel_size", "stride", "padding")


class AvgPool1d(_Pool):
    """Means of windows of (N, C, L)."""

    function = staticmethod(F.avg_pool1d)
    arguments = dict(kernel_size=REQUIRED, stride=None, padding=0, ceil_mode=False, count_include_pad=True)
    shown = ("kernel_size", "stride", "padding")

    def settle(self) -> None:
        super().settle()
        for name in self.shown:
            value = getattr(self, name)
            setattr(self, name, tuple(value) if isinstance(value, (tuple, list)) else (value,))


class _LPPool(_Applied):
    hidden_when_false = ()
    arguments = dict(norm_type=REQUIRED, kernel_size=REQUIRED, stride=None, ceil_mode=False)


class _AdaptivePool(_Applied):
    arguments = dict(output_size=REQUIRED)


class _AdaptiveMaxPool(_Applied):
    arguments = dict(output_size=REQUIRED, return_indices=False)
    shown = ("output_size",)


def _pools(base: type[_Applied], name: str, functions: dict[int, Callable], doc: str) -> list[type]:
    return [
        type(f"{name}{n}d", (base,), {"__doc__": f"{doc} over {n} dimensions.", "function": staticmethod(f), "arguments": base.arguments,
                                      "__module__": __name__})
        for n, f in functions.items()
    ]  # fmt: skip


MaxPool1d, MaxPool2d, MaxPool3d = _pools(_MaxPool, "MaxPool", {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}, "The largest of windows")
AvgPool2d, AvgPool3d = _pools(_AvgPool, "AvgPool", {2: F.avg_pool2d, 3: F.avg_pool3d}, "Means of windows")
LPPool1d, LPPool2d, LPPool3d = _pools(_LPPool, "LPPool", {1: F.lp_pool1d, 2: F.lp_pool2d, 3: F.lp_pool3d}, "Norms of windows")
AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d = _pools(
    _AdaptivePool, "AdaptiveAvgPool", {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}, "Means of parts"
)
AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d = _pools(
    _AdaptiveMaxPool, "AdaptiveMaxPool", {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}, "The largest of parts"
)


# -- shapes
class Flatten(Module):
    """Dimensions `start_dim` to `end_dim` as one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """A dimension as several."""

    def __init__(self, dim: int, unflattened_size: Any):
        super().__init__()
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Upsample(Module):
    """`interpolate`."""

    def __init__(
        self, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ):  # fmt: skip
        super().__init__()
        self.size, self.mode, self.align_corners, self.recompute_scale_factor = size, mode, align_corners, recompute_scale_factor
        several = isinstance(scale_factor, (tuple, list))
        self.scale_factor = tuple(map(float, scale_factor)) if several else float(scale_factor) if scale_factor else None

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor)

    def extra_repr(self) -> str:
        what = f"scale_factor={self.scale_factor!r}" if self.scale_factor is not None else f"size={self.size!r}"
        return f"{what}, mode={self.mode!r}"


PixelShuffle = _module("PixelShuffle", F.pixel_shuffle, "`pixel_shuffle`.", upscale_factor=REQUIRED)
PixelUnshuffle = _module("PixelUnshuffle", F.pixel_unshuffle, "`pixel_unshuffle`.", downscale_factor=REQUIRED)
ChannelShuffle = _module("ChannelShuffle", F.channel_shuffle, "`channel_shuffle`.", groups=REQUIRED)
Unfold = _module("Unfold", F.unfold, "The windows of an image as columns.", kernel_size=REQUIRED, dilation=1, padding=0, stride=1)
LocalResponseNorm = _module(
    "LocalResponseNorm", F.local_response_norm, "`local_response_norm`.", size=REQUIRED, alpha=1e-4, beta=0.75, k=1.0
)
LocalResponseNorm.extra_repr = lambda self: f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class _Pad(Module):
    """Padding of the last dimensions; one number for all sides, or two for each dimension, the last one first."""

    axes: int
    mode: str

    def __init__(self, padding: Any, value: float = 0.0):
        super().__init__()
        self.padding = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * (2 * self.axes)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value if self.mode == "constant" else None)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}" if type(self).__name__.startswith("Constant") else f"{self.padding}"


def _pads(name: str, mode: str) -> list[type[_Pad]]:
    doc = f"Padding of the last dimensions, mode {mode!r}."
    return [type(f"{name}Pad{n}d", (_Pad,), {"axes": n, "mode": mode, "__doc__": doc, "__module__": __name__}) for n in (1, 2, 3)]


ConstantPad1d, ConstantPad2d, ConstantPad3d = _pads("Constant", "constant")
ZeroPad1d, ZeroPad2d, ZeroPad3d = _pads("Zero", "constant")
ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = _pads("Reflection", "reflect")
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = _pads("Replication", "replicate")
CircularPad1d, CircularPad2d, CircularPad3d = _pads("Circular", "circular")
