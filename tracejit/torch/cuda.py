"""What programs ask of `torch.cuda` to find out that there is none here."""

from __future__ import annotations

from .absent import of_module


def is_available() -> bool:
    """Whether tensors can lie in the memory of a GPU: no.

    >>> from tracejit import torch
    >>> "cuda" if torch.cuda.is_available() else "cpu"
    'cpu'
    """
    return False


def device_count() -> int:
    """The number of GPUs: none."""
    return 0


def manual_seed(seed: int) -> None:
    """Nothing, as in torch without a GPU."""


def manual_seed_all(seed: int) -> None:
    """Nothing, as in torch without a GPU."""


def synchronize(device: object = None) -> None:
    """Nothing: results are there when a function returns."""


def empty_cache() -> None:
    """Nothing, as in torch without a GPU."""

__getattr__ = of_module(globals())
