"""Other names and forms of functions: written into their input, or with the places of what they found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...dispatch import FUNCTIONS, into_first
from ...tensor import Tensor
from . import activations, images
from .layers import _check_probability, scaled_to_selu

celu_ = into_first(activations.celu, "celu_")
elu_ = into_first(activations.elu, "elu_")
hardtanh_ = into_first(activations.hardtanh, "hardtanh_")
leaky_relu_ = into_first(activations.leaky_relu, "leaky_relu_")
rrelu_ = into_first(activations.rrelu, "rrelu_")
selu_ = into_first(activations.selu, "selu_")
threshold_ = into_first(activations.threshold, "threshold_")


def _with_indices(pool: Callable) -> Callable:
    def found(*args: Any, return_indices: bool = True, **kwargs: Any) -> Any:
        return pool(*args, return_indices=True, **kwargs)

    found.__name__ = found.__qualname__ = f"{pool.__name__}_with_indices"
    found.__doc__ = f"The result of `{pool.__name__}`, and the places that its elements come from."
    return found


max_pool1d_with_indices, max_pool2d_with_indices, max_pool3d_with_indices = map(
    _with_indices, (images.max_pool1d, images.max_pool2d, images.max_pool3d)
)
adaptive_max_pool1d_with_indices, adaptive_max_pool2d_with_indices, adaptive_max_pool3d_with_indices = map(
    _with_indices, (images.adaptive_max_pool1d, images.adaptive_max_pool2d, images.adaptive_max_pool3d)
)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """The older name of `interpolate` with mode "nearest"."""
    return images.interpolate(input, size, scale_factor)


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """The older name of `interpolate` with mode "bilinear" and corners that are kept."""
    return images.interpolate(input, size, scale_factor, "bilinear", True)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """`alpha_dropout` of whole channels."""
    _check_probability(p)
    if not training or p == 0:
        return input
    kept = FUNCTIONS["empty"](*input.shape[:2], *(1,) * (input._data.ndim - 2), dtype=input.dtype, device=input.device).bernoulli_(1 - p)
    return scaled_to_selu(input, kept, p, inplace)


__all__ = [
    "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d_with_indices", "adaptive_max_pool3d_with_indices", "celu_", "elu_",
    "feature_alpha_dropout", "hardtanh_", "leaky_relu_", "max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices", "rrelu_",
    "selu_", "threshold_", "upsample_bilinear", "upsample_nearest",
]  # fmt: skip
