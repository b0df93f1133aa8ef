"""A step of an MLP 64-32-10 of modules on a batch of 32, eagerly: cross entropy, relu, Adam."""

from benchmarks.eager import versions
from benchmarks.task import Task
from benchmarks.tasks.eager_mlp_sgd import make_data, training


def make(torch, data, fused):
    return training(torch, data, lambda parameters: torch.optim.Adam(parameters, lr=1e-3, **fused))


tracejit, torch, reference = versions(make)

TASKS = (Task("eager_mlp_adam", "eager: MLP 64-32-10, batch 32, Adam, f32", make_data, tolerance=1e-4),)
