"""Settings of the whole program: threads, determinism, the default device."""

from __future__ import annotations

import warnings
from typing import Any

from ..config import config
from . import dtypes
from .autograd.anomaly import is_anomaly_enabled, set_detect_anomaly
from .devices import CPU, device

_set: dict[str, Any] = {"deterministic": False, "warn_only": False, "precision": "highest", "warn_always": False}


def get_num_threads() -> int:
    """How many threads compiled functions use."""
    return config.threads


def set_num_threads(n: int) -> None:
    """Let compiled functions use so many threads. Raises `RuntimeError` for less than one."""
    if not isinstance(n, int) or n < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer, got {n!r}")
    config.threads = n


def get_num_interop_threads() -> int:
    """One: operations run one after another."""
    return 1


def set_num_interop_threads(n: int) -> None:
    """Nothing: operations run one after another."""


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Keep the mode: the same program on the same machine gives the same bits anyway."""
    _set.update(deterministic=bool(mode), warn_only=bool(warn_only))


def are_deterministic_algorithms_enabled() -> bool:
    """What `use_deterministic_algorithms` has set."""
    return _set["deterministic"]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """What `use_deterministic_algorithms` has set."""
    return _set["warn_only"]


def set_float32_matmul_precision(precision: str) -> None:
    """Keep the precision: products of float32 matrices are computed in float32. Raises `ValueError` for an unknown one."""
    if precision not in ("highest", "high", "medium"):
        raise ValueError(f"Invalid matmul precision: {precision!r}. Valid are 'highest', 'high' and 'medium'")
    _set["precision"] = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` has set."""
    return _set["precision"]


def set_default_device(where: Any) -> None:
    """The CPU. Raises `RuntimeError` for any other."""
    if where is not None and str(device(where)) != "cpu":
        raise RuntimeError(f"set_default_device: new tensors lie in the memory of the CPU, not of {where!r}: pass device=... where they are made")


def get_default_device() -> device:
    """The CPU."""
    return CPU


def set_default_tensor_type(t: Any) -> None:
    """Let new floating tensors have the dtype of an old tensor type, as `set_default_dtype`."""
    name = t if isinstance(t, str) else getattr(t, "__name__", str(t))
    found = next((d for d in dtypes.DTYPES.values() if name.rpartition(".")[2] == f"{d.legacy}Tensor"), None)
    if found is None:
        raise TypeError(f"only floating-point types are supported as the default type, got {name}")
    dtypes.set_default_dtype(found)


def set_warn_always(b: bool) -> None:
    """Show warnings each time that they come up, or once."""
    _set["warn_always"] = bool(b)
    warnings.simplefilter("always" if b else "default")


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` has set."""
    return _set["warn_always"]


def set_flush_denormal(mode: bool) -> bool:
    """Whether the mode could be set: numbers below the normal ones are always kept."""
    return not mode


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Switch anomaly detection on or off, as `autograd.set_detect_anomaly`."""
    set_detect_anomaly(mode, check_nan)


__all__ = [
    "are_deterministic_algorithms_enabled", "get_default_device", "get_float32_matmul_precision", "get_num_interop_threads", "get_num_threads",
    "is_anomaly_enabled", "is_deterministic_algorithms_warn_only_enabled", "is_warn_always_enabled", "set_anomaly_enabled", "set_default_device",
    "set_default_tensor_type", "set_float32_matmul_precision", "set_flush_denormal", "set_num_interop_threads", "set_num_threads", "set_warn_always",
    "use_deterministic_algorithms",
]  # fmt: skip
