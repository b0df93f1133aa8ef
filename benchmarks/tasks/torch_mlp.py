"""One Adam step of an MLP 784-256-128-10 of modules, batch 128: cross entropy, relu, float32."""

import numpy as np

from benchmarks.task import Data, Task
from benchmarks.training import Training

BATCH = 128


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {"images": random.random((BATCH, 784), dtype=np.float32), "labels": random.integers(0, 10, BATCH)}


def build(torch):
    nn = torch.nn
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))


def loss(torch, model, images, labels):
    return torch.nn.functional.cross_entropy(model(images), labels)


def optimizer(torch, parameters, **options):
    return torch.optim.Adam(parameters, lr=1e-3, **options)


TRAINING = Training(build, loss, optimizer, {"fused": True})
tracejit, torch, torch_compile, reference = TRAINING.versions()

TASKS = (Task("torch_mlp", "training step of modules: MLP 784-256-128-10, Adam, batch 128, f32", make_data, tolerance=1e-4),)
