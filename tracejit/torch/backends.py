"""Switches of torch's backends, which programs set so that runs repeat: here runs repeat anyway, and the switches only keep what they are set to.

>>> from tracejit import torch
>>> torch.backends.cudnn.benchmark = True
>>> torch.backends.mps.is_available()
False
"""

from __future__ import annotations

from typing import Any

from .absent import of_module


class _Backend:
    """One backend: whether it is there, and what is set of it."""

    def __init__(self, available: bool = False, **switches: Any):
        self._available = available
        self.__dict__.update(switches)

    def is_available(self) -> bool:
        return self._available

    def is_built(self) -> bool:
        return self._available

    def version(self) -> None:
        """None: the library is not used."""


cudnn = _Backend(enabled=False, benchmark=False, deterministic=True, allow_tf32=False, benchmark_limit=10)
mps = _Backend()
mkl = _Backend()
mkldnn = _Backend(enabled=False)
openmp = _Backend()
cuda = _Backend(matmul=_Backend(allow_tf32=False, allow_fp16_reduced_precision_reduction=False, allow_bf16_reduced_precision_reduction=False))


__getattr__ = of_module(globals())
