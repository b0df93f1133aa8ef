"""The tasks, one file each; this list is the order in which they run."""

from __future__ import annotations

import dataclasses
import importlib

from benchmarks.systems import SYSTEMS
from benchmarks.task import Task

FILES = (
    "tiny_call",
    "dict_call",
    "rosenbrock",
    "black_scholes",
    "mlp_gradient",
    "mlp_training",
    "layer_norm",
    "softmax",
    "softmax_cross_entropy",
    "embedding",
    "n_body",
    "gaussian_mixture",
    "gaussian_process",
    "ocean_density",
    "lorenz",
    "lotka_volterra",
    "lotka_volterra_gradient",
    "tanh_rnn",
    "lstm",
    "newton_while",
    "hmc",
    "jacobi",
    "jacobi_by_points",
    "jacobians",
    "hessian",
    "compile_scan",
    "compile_layers",
    "torch_mlp",
    "torch_convnet",
    "torch_lstm",
    "torch_lstm_cell",
    "torch_resnet",
    "eager_polynomial",
    "eager_mlp_sgd",
    "eager_mlp_adam",
    "eager_scalars",
    "import_time",
)


def load_tasks() -> dict[str, Task]:
    """All tasks by name, each with the versions that its file defines."""
    tasks = {}
    for file in FILES:
        module = importlib.import_module(f"benchmarks.tasks.{file}")
        versions = {system: getattr(module, system) for system in (*SYSTEMS, "reference") if hasattr(module, system)}
        for task in module.TASKS:
            tasks[task.name] = dataclasses.replace(task, versions=versions)
    return tasks
