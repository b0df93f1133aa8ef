"""Eager training loops, written once: `tracejit.torch` and PyTorch run the same lines, and nothing is compiled by the user.

A task gives a `make(torch, data, fused)`, which makes what is trained with the library that it gets and returns a step without arguments that returns
the loss. `fused` are the options of PyTorch's fused optimizers, empty for the others. What is timed is mostly the price of an operation on small
tensors: to record it, to go back through it, to update a parameter. The reference gets the data in float64, with tracejit's tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.task import Data, Prepared

COMPARED_STEPS = 20

Make = Callable[[Any, Data, dict[str, Any]], Callable[[], Any]]


def versions(make: Make) -> tuple[Callable[[Data], Prepared], ...]:
    """The functions of a task file: tracejit, torch, reference."""

    def tracejit(data: Data) -> Prepared:
        from tracejit import torch

        return _prepared(lambda: make(torch, data, {}))

    def torch(data: Data) -> Prepared:
        import torch

        return _prepared(lambda: make(torch, data, {"fused": True}))

    def reference(data: Data) -> Prepared:
        from tracejit import torch

        return _prepared(lambda: make(torch, data, {}))

    return tracejit, torch, reference


def _prepared(fresh_step: Callable[[], Callable[[], Any]]) -> Prepared:
    def first_losses() -> list[float]:
        step = fresh_step()
        return [step().item() for _ in range(COMPARED_STEPS)]

    return Prepared(fresh_step(), result=first_losses)
