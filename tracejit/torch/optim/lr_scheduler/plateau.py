"""A schedule by results: smaller steps when a metric has ceased to improve."""

from __future__ import annotations

import math
from typing import Any

from ....errors import at_user_line
from ..optimizer import Optimizer
from .scheduler import LRScheduler, assign, checked, per_group


class ReduceLROnPlateau(LRScheduler):
    """The rate times `factor` when the metric has not improved for more than `patience` epochs.

    mode: "min" or "max", which way it improves. threshold, threshold_mode: by how much, "rel"ative to the best or "abs"olutely. cooldown: epochs
    after a reduction in which nothing is counted. min_lr: no rate goes below it (one for all groups, or a list). eps: smaller changes are not made.

    >>> from tracejit import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (1.0, 1.0, 1.0):
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10, threshold: float = 1e-4,
        threshold_mode: str = "rel", cooldown: int = 0, min_lr: Any = 0, eps: float = 1e-8,
    ):  # fmt: skip
        if factor >= 1.0:
            raise ValueError(at_user_line(f"Factor should be < 1.0, got {factor}."))
        if mode not in ("min", "max"):
            raise ValueError(at_user_line(f"mode {mode} is unknown!"))
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(at_user_line(f"threshold mode {threshold_mode} is unknown!"))
        self.optimizer = checked(optimizer)
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.min_lrs = per_group("min_lr", optimizer, min_lr)
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.last_epoch, self.best, self.cooldown_counter, self.num_bad_epochs = 0, self.mode_worse, 0, 0
        self._last_lr = self._present()

    def step(self, metrics: Any, epoch: int | None = None) -> None:
        """Take note of the metric of an epoch, a number or a tensor of one."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current, self.best):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._present()

    @property
    def in_cooldown(self) -> bool:
        """Whether a reduction is so recent that nothing is counted."""
        return self.cooldown_counter > 0

    def _is_better(self, value: float, best: float) -> bool:
        sign = 1.0 if self.mode == "max" else -1.0
        margin = best * (1.0 + sign * self.threshold) if self.threshold_mode == "rel" else best + sign * self.threshold
        return value > margin if self.mode == "max" else value < margin

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    at_user_line(f"the optimizer has {len(groups)} parameter groups now, and `min_lrs` {len(self.min_lrs)} values: set it anew")
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, old, least in zip(groups, self._present(), self.min_lrs):
            new = max(old * self.factor, least)
            if old - new > self.eps:
                assign(group, "lr", new)
