"""A step of an MLP 64-32-10 of modules on a batch of 32, eagerly: cross entropy, relu, SGD with momentum."""

import numpy as np

from benchmarks.eager import versions
from benchmarks.task import Data, Task


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {"x": random.standard_normal((32, 64), dtype=np.float32), "labels": random.integers(0, 10, 32)}


def training(torch, data, make_optimizer):
    """The step of the network under an optimizer of its parameters."""
    nn = torch.nn
    torch.manual_seed(0)
    x, labels = torch.from_numpy(data["x"]), torch.from_numpy(data["labels"])
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).to(x.dtype)
    loss_of, optimizer = nn.CrossEntropyLoss(), make_optimizer(model.parameters())

    def step():
        optimizer.zero_grad()
        loss = loss_of(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def make(torch, data, fused):
    return training(torch, data, lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9, **fused))


tracejit, torch, reference = versions(make)

TASKS = (Task("eager_mlp_sgd", "eager: MLP 64-32-10, batch 32, SGD with momentum, f32", make_data, tolerance=1e-4),)
