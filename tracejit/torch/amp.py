"""Mixed precision, which only pays where hardware computes in half precision: switched off it does what torch's does switched off.

A training loop that is written for it runs unchanged with `enabled=False`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .absent import of_module
from .modes import Switch


class autocast(Switch):
    """A context in which nothing is different. Raises `RuntimeError` where it is enabled: operations keep the dtypes of their operands.

    >>> from tracejit import torch
    >>> with torch.autocast("cpu", enabled=False):
    ...     torch.ones(1) * 2
    tensor([2.])
    """

    def __init__(self, device_type: str = "cpu", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None):
        if enabled:
            raise RuntimeError(
                "autocast is not provided: operations keep the dtypes of their operands, since half precision is no faster on a CPU. "
                "Pass enabled=False, or convert the module: model.half()"
            )
        self._given = device_type, dtype, enabled, cache_enabled

    def _fresh(self) -> autocast:
        return type(self)(*self._given)

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *exception: Any) -> None:
        pass


class GradScaler:
    """A scaler of losses that is switched off: it hands everything through. Raises `RuntimeError` where it is enabled.

    >>> from tracejit import torch
    >>> scaler = torch.amp.GradScaler("cpu", enabled=False)
    >>> scaler.scale(torch.tensor(2.0))
    tensor(2.)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        if enabled and device == "cpu":
            raise RuntimeError("GradScaler is not provided, as gradients are not computed in half precision: pass enabled=False")
        # For a GPU that is not there torch's is switched off too, with a warning.

    def scale(self, outputs: Any) -> Any:
        """The losses, as they are."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing: gradients are not scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """The optimiser's step."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | None = None) -> None:
        """Nothing: there is no scale."""

    def get_scale(self) -> float:
        """One."""
        return 1.0

    def is_enabled(self) -> bool:
        """No."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Nothing is kept."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing is read."""


def custom_fwd(fwd: Callable | None = None, *, device_type: str = "cpu", cast_inputs: Any = None) -> Callable:
    """Decorates the `forward` of a Function: as it is."""
    return (lambda f: f) if fwd is None else fwd


def custom_bwd(bwd: Callable | None = None, *, device_type: str = "cpu") -> Callable:
    """Decorates the `backward` of a Function: as it is."""
    return (lambda f: f) if bwd is None else bwd


def is_autocast_available(device_type: str) -> bool:
    """No."""
    return False


__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

__getattr__ = of_module(globals())
