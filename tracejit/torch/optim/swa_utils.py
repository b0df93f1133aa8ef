"""Averages of the weights that training goes through (Izmailov et al., 2018), and moving averages."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

from ..dispatch import FUNCTIONS
from ..modes import no_grad
from ..nn.modules.module import Module
from ..nn.modules.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from ..tensor import Tensor
from .lr_scheduler.scheduler import LRScheduler


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Tensor, Tensor, Any], Tensor]:
    """The rule of a moving average that keeps `decay` of what it was. Raises `ValueError` for a decay outside of [0, 1]."""
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")

    def averaged(average: Tensor, current: Tensor, count: Any) -> Tensor:
        return decay * average + (1 - decay) * current

    return averaged


def get_swa_avg_fn() -> Callable[[Tensor, Tensor, Any], Tensor]:
    """The rule of the mean of all."""

    def averaged(average: Tensor, current: Tensor, count: Any) -> Tensor:
        return average + (current - average) / (count + 1)

    return averaged


def _of_many(one: Callable[[Tensor, Tensor, Any], Tensor]) -> Callable[[Iterable[Tensor], Iterable[Tensor], Any], None]:
    def averaged(averages: Iterable[Tensor], currents: Iterable[Tensor], count: Any) -> None:
        with no_grad():
            for average, current in zip(averages, currents):
                if average.is_floating_point() or average.is_complex():
                    average.copy_(one(average, current, count))
                else:
                    average.copy_(current)

    return averaged


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """The rule of moving averages, of lists of tensors."""
    return _of_many(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Callable:
    """The rule of means, of lists of tensors."""
    return _of_many(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of those that `update_parameters` was called with.

    >>> from tracejit import torch
    >>> model = torch.nn.Linear(1, 1)
    >>> average = torch.optim.swa_utils.AveragedModel(model)
    >>> average.update_parameters(model)
    >>> average.n_averaged.item()
    1
    """

    def __init__(
        self, model: Module, device: Any = None, avg_fn: Callable | None = None, multi_avg_fn: Callable | None = None, use_buffers: bool = False
    ):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        self.register_buffer("n_averaged", FUNCTIONS["tensor"](0))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def _averaged(self, model: Module) -> list[Tensor]:
        return [*model.parameters(), *(model.buffers() if self.use_buffers else ())]

    def update_parameters(self, model: Module) -> None:
        """Take the parameters of a model, as they are now, into the averages. Its buffers are copied, unless they are averaged too."""
        own, given = self._averaged(self.module), [t.detach() for t in self._averaged(model)]
        with no_grad():
            if self.n_averaged.item() == 0:
                for a, b in zip(own, given):
                    a.copy_(b)
            elif self.multi_avg_fn is not None:
                self.multi_avg_fn([t.detach() for t in own], given, self.n_averaged)
            else:
                rule = self.avg_fn or get_swa_avg_fn()
                for a, b in zip(own, given):
                    a.copy_(rule(a.detach(), b, self.n_averaged) if a.is_floating_point() or a.is_complex() else b)
            if not self.use_buffers:
                for a, b in zip(self.module.buffers(), model.buffers()):
                    a.copy_(b)
            self.n_averaged += 1


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the statistics of all batch normalisations of a model anew, from the data that a loader gives."""
    norms = [m for m in model.modules() if isinstance(m, (BatchNorm1d, BatchNorm2d, BatchNorm3d))]
    if not norms:
        return
    kept, training = [m.momentum for m in norms], model.training
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
    model.train()
    try:
        with no_grad():
            for batch in loader:
                model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    finally:
        for m, momentum in zip(norms, kept):
            m.momentum = momentum
        model.train(training)


class SWALR(LRScheduler):
    """Goes from the learning rate that an optimizer has to `swa_lr` in `anneal_epochs` steps, along a cosine or a line, and stays there."""

    def __init__(self, optimizer: Any, swa_lr: Any, anneal_epochs: int = 10, anneal_strategy: str = "cos", last_epoch: int = -1):
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must by one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        rates = list(swa_lr) if isinstance(swa_lr, (list, tuple)) else [swa_lr] * len(optimizer.param_groups)
        if len(rates) != len(optimizer.param_groups):
            raise ValueError(f"swa_lr must have an entry for each of the {len(optimizer.param_groups)} groups, got {len(rates)}")
        for group, rate in zip(optimizer.param_groups, rates):
            group["swa_lr"] = rate
        self._strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: float) -> float:
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self._strategy == "cos" else t

    def get_lr(self) -> list[float]:
        """The rates of this step, from those of the one before."""
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            lr, goal = group["lr"], group["swa_lr"]
            start = goal if before == 1 else (lr - before * goal) / (1 - before)
            rates.append(goal * now + start * (1 - now))
        return rates
