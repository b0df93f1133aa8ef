"""What programs ask of `torch.accelerator` to find out that there is none here."""

from __future__ import annotations

from .absent import of_module


def is_available() -> bool:
    """Whether tensors can lie in the memory of an accelerator: no.

    >>> from tracejit import torch
    >>> torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
    'cpu'
    """
    return False


def device_count() -> int:
    """The number of accelerators: none."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """The accelerator that is used: none."""


def synchronize(device: object = None) -> None:
    """Nothing: results are there when a function returns."""


__getattr__ = of_module(globals())
