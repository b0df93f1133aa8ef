"""Modules of maximum pooling by windows at pseudo-random distances."""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor
from .. import functional as F
from .module import Module


class _FractionalMaxPool(Module):
    """Fractional maximum pooling (Graham 2014)."""

    axes: int

    def __init__(
        self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False, _random_samples: Tensor | None = None
    ):
        super().__init__()
        name = type(self).__name__

        def several(x: Any) -> Any:
            return x if x is None or isinstance(x, (tuple, list)) else (x,) * self.axes

        self.kernel_size, self.return_indices = several(kernel_size), return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size, self.output_ratio = several(output_size), several(output_ratio)
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if output_ratio is not None and not all([0 < ratio < 1 for ratio in self.output_ratio]):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        pool = getattr(F, f"fractional_max_pool{self.axes}d")
        return pool(input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples)


class FractionalMaxPool2d(_FractionalMaxPool):
    """`fractional_max_pool2d`.

    >>> import tracejit.torch as torch
    >>> torch.nn.FractionalMaxPool2d(2, output_ratio=0.6)(torch.ones(1, 10, 10)).shape
    torch.Size([1, 6, 6])
    """

    axes = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """`fractional_max_pool3d`."""

    axes = 3
