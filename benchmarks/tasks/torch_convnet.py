"""One Adam step of a small convolutional network on images of 28 x 28, batch 32: two convolutions with max pooling, two linear layers, float32."""

import numpy as np

from benchmarks.task import Data, Task
from benchmarks.training import Training

BATCH = 32


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {"images": random.random((BATCH, 1, 28, 28), dtype=np.float32), "labels": random.integers(0, 10, BATCH)}


def build(torch):
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def loss(torch, model, images, labels):
    return torch.nn.functional.cross_entropy(model(images), labels)


def optimizer(torch, parameters, **options):
    return torch.optim.Adam(parameters, lr=1e-3, **options)


tracejit, torch, torch_compile, reference = Training(build, loss, optimizer, {"fused": True}).versions()

TASKS = (Task("torch_convnet", "training step of modules: two convolutions on 28 x 28, Adam, batch 32, f32", make_data, tolerance=1e-4),)
