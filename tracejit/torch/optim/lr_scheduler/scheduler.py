"""`LRScheduler`: what all schedulers of learning rates have in common.

A scheduler is a counter of epochs and a rule for the learning rate of each parameter group.  As in torch, most rules give the new rate from the
present one, so that schedulers can be chained and a rate that was changed by hand stays changed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from ....errors import at_user_line
from ....trace import Tracer
from ....trace.tracer import as_number
from ...tensor import Tensor
from ..optimizer import Optimizer


class LRScheduler:
    """The base of all schedulers. Subclasses define `get_lr`, the learning rates of epoch `last_epoch`.

    optimizer: whose groups get the rates; the first are set at once. last_epoch: -1, or where training goes on; the groups then have "initial_lr".

    >>> from tracejit import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> class Halving(torch.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [lr / 2**self.last_epoch for lr in self.base_lrs]
    >>> scheduler = Halving(optimizer)
    >>> for epoch in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.125]
    """

    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        self.optimizer = checked(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", number(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    at_user_line(
                        f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch >= 0: "
                        "load the optimizer's state first, or begin with last_epoch=-1"
                    )
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            del self._is_initial

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; functions are left out, and callable objects are entered as their attributes."""
        return {key: value for key, value in vars(self).items() if key not in ("optimizer", "_is_initial")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where another scheduler of this kind was when `state_dict` was called."""
        vars(self).update(state_dict)

    def get_last_lr(self) -> list[Any]:
        """The learning rates of the groups that were last set."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """The learning rates of epoch `last_epoch`."""
        raise NotImplementedError(f"{type(self).__name__} does not define `get_lr`")

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch, or to this one, and set its learning rates. Call it after the optimizer's step."""
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(
                at_user_line(
                    "Detected call of `lr_scheduler.step()` before `optimizer.step()`, which skips the first value of the schedule: "
                    "call `optimizer.step()` first"
                ),
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        closed = getattr(self, "_get_closed_form_lr", self.get_lr)
        if epoch is None:
            self.last_epoch += 1
            rates = self.get_lr()
        else:
            self.last_epoch = epoch
            rates = closed()
        self._set(rates)

    def _set(self, rates: list[Any]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            assign(group, "lr", rate)
        self._last_lr = self._present()

    def _present(self) -> list[Any]:
        """The learning rates of the groups as they are."""
        return [number(group["lr"]) for group in self.optimizer.param_groups]

    def _scaled(self, factor: float) -> list[Any]:
        """The learning rates of the groups, times a factor."""
        return [lr * factor for lr in self._present()]


def checked(optimizer: Any) -> Optimizer:
    """The optimizer, or `TypeError` where it is none."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(at_user_line(f"{type(optimizer).__name__} is not an Optimizer"))
    return optimizer


def number(rate: Any) -> Any:
    """A learning rate as a number; one that is a tensor stays in its group as one, and is written into."""
    return rate.item() if isinstance(rate, Tensor) else rate


def cosine(x: Any) -> Any:
    """The cosine of a number, which may be a proxy: a compiled step may advance its scheduler."""
    return as_number(np.cos(x)) if type(x) is Tracer else math.cos(x)


def whole(x: Any) -> Any:
    """The next integer at or below a number, which may be a proxy."""
    return as_number(np.floor(x).astype(np.int64)) if type(x) is Tracer else math.floor(x)


def assign(group: dict[str, Any], key: str, value: Any) -> None:
    """Set an option of a group; a tensor keeps its memory."""
    if isinstance(group[key], Tensor):
        group[key].fill_(value)
    else:
        group[key] = value


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """An option for each group: a list of them, or one for all."""
    n = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * n
    if len(value) != n:
        raise ValueError(at_user_line(f"{name} must have the same length as optimizer.param_groups: {len(value)} values for {n} groups"))
    return list(value)


def attributes_of(function: Callable | None) -> dict[str, Any] | None:
    """What a state dict holds of a function: the attributes of a callable object, of a plain function nothing."""
    return None if function is None or isinstance(function, FunctionType) else dict(vars(function))
