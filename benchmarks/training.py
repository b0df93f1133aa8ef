"""Training steps written once for two libraries: `tracejit.torch` and PyTorch run the same lines, and only the import differs.

A task gives a `build(torch, data)`, which makes a model and an optimizer with the modules of the library that it gets, and the loss. Both libraries
draw the same parameters from the same seed. The first step is part of the setup, in every system: it makes the optimizer's state, and a first call
then measures what it takes to compile.

- tracejit compiles the whole step in one call of `torch.compile`;
- PyTorch runs it as it is, with its fused optimizers;
- torch.compile compiles model and loss, whose backward it compiles too, beside a fused optimizer. Dynamo breaks the graph at `backward()`, so a
  compiled step would be the same pieces;
- the reference runs eagerly in float64, with tracejit's tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from benchmarks.task import Data, Prepared

COMPARED_STEPS = 4


class Training(NamedTuple):
    """What is trained: `loss(model, *batch)` is a scalar, `optimizer(parameters, **options)` makes the optimizer; `fused` are PyTorch's options.

    All but the reference train on `device`.
    """

    build: Callable[[ModuleType], Any]
    loss: Callable[..., Any]
    optimizer: Callable[..., Any]
    fused: dict[str, Any]
    device: str = "cpu"
    compared: int = COMPARED_STEPS

    def versions(self) -> tuple[Callable[[Data], Prepared], ...]:
        """The functions of a task file: tracejit, torch, torch_compile, reference."""

        def tracejit(data: Data) -> Prepared:
            from tracejit import torch

            return self._prepared(torch, data, compile_step=True)

        def torch(data: Data) -> Prepared:
            import torch

            return self._prepared(torch, data, options=self.fused)

        def torch_compile(data: Data) -> Prepared:
            import torch

            return self._prepared(torch, data, options=self.fused, compile_loss=True)

        def reference(data: Data) -> Prepared:
            from tracejit import torch

            return self._prepared(torch, data, double=True)

        return tracejit, torch, torch_compile, reference

    def _prepared(
        self, torch: ModuleType, data: Data, options: dict | None = None, compile_step: bool = False, compile_loss: bool = False, double: bool = False
    ) -> Prepared:
        device = "cpu" if double else self.device
        batch = tuple(torch.from_numpy(array).to(device) for array in data.values())

        def fresh_step() -> Callable[[], Any]:
            torch.manual_seed(0)
            model = self.build(torch).to(device)
            if double:
                model = model.double()
            optimizer = self.optimizer(torch, model.parameters(), **(options or {}))
            loss_of = self.loss

            def step(*batch):
                optimizer.zero_grad()
                loss = loss_of(torch, model, *batch)
                loss.backward()
                optimizer.step()
                return loss.detach()

            step(*batch)
            if compile_loss:
                loss_of = torch.compile(self.loss)
            run = torch.compile(step) if compile_step else step
            return lambda: run(*batch)

        def first_losses() -> list[float]:
            call = fresh_step()
            return [float(call()) for _ in range(self.compared)]

        wait = None if device == "cpu" else lambda loss: torch.cuda.synchronize()
        return Prepared(fresh_step(), wait=wait, result=first_losses)
