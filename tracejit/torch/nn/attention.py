"""Which computation attention uses: here there is one, and choosing any of torch's is accepted."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..absent import of_module


class SDPBackend(enum.IntEnum):
    """torch's computations of attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Iterator[None]:
    """A context in which attention uses one of these computations: here it is the same. Raises `TypeError` for anything but `SDPBackend`.

    >>> from tracejit import torch
    >>> from tracejit.torch.nn.attention import SDPBackend, sdpa_kernel
    >>> x = torch.ones(1, 2, 3)
    >>> with sdpa_kernel(SDPBackend.MATH):
    ...     torch.nn.functional.scaled_dot_product_attention(x, x, x).shape
    torch.Size([1, 2, 3])
    """
    for backend in backends if isinstance(backends, (list, tuple)) else [backends]:
        if not isinstance(backend, SDPBackend):
            raise TypeError(f"Backend must be an instance of SDPBackend or a list of SDPBackend instances, got {type(backend).__name__}")
    yield


__all__ = ["SDPBackend", "sdpa_kernel"]
__getattr__ = of_module(globals())
