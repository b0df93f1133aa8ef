"""Anomaly detection: NaN in a gradient, or an error on the way back, is told with the line that recorded the function."""

from __future__ import annotations

from typing import Any

from ..modes import Switch, state


class detect_anomaly(Switch):
    """Every node recorded inside remembers its stack, and a NaN in what it returns raises `RuntimeError` unless `check_nan` is off.

    >>> from tracejit import torch
    >>> x = torch.zeros(1, requires_grad=True)
    >>> with torch.autograd.detect_anomaly():
    ...     y = (x.sqrt() * 0).sum()
    ...     y.backward()
    Traceback (most recent call last):
    RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output...
    """

    def __init__(self, check_nan: bool = True):
        self.check_nan = check_nan

    def _fresh(self) -> detect_anomaly:
        return detect_anomaly(self.check_nan)

    def __enter__(self) -> None:
        self._before = state.anomaly, state.check_nan
        state.anomaly, state.check_nan = True, self.check_nan

    def __exit__(self, *exception: Any) -> None:
        state.anomaly, state.check_nan = self._before


class set_detect_anomaly(Switch):
    """Switch anomaly detection on or off: from the call on, or inside of the context."""

    def __init__(self, mode: bool, check_nan: bool = True):
        self._before = state.anomaly, state.check_nan
        self.mode, self.check_nan = mode, check_nan
        state.anomaly, state.check_nan = mode, check_nan

    def _fresh(self) -> set_detect_anomaly:
        return set_detect_anomaly(self.mode, self.check_nan)

    def __enter__(self) -> None:
        state.anomaly, state.check_nan = self.mode, self.check_nan

    def __exit__(self, *exception: Any) -> None:
        state.anomaly, state.check_nan = self._before


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on."""
    return state.anomaly
