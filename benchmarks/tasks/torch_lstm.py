"""One Adam step of `nn.LSTM` with a linear layer behind it: 64 steps, batch 32, 64 inputs, 128 units, float32."""

import numpy as np

from benchmarks.task import Data, Task
from benchmarks.training import Training

STEPS, BATCH, INPUTS, UNITS, CLASSES = 64, 32, 64, 128, 32


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {
        "inputs": random.standard_normal((STEPS, BATCH, INPUTS)).astype(np.float32),
        "labels": random.integers(0, CLASSES, (STEPS, BATCH)),
    }


def build(torch):
    return torch.nn.ModuleList([torch.nn.LSTM(INPUTS, UNITS), torch.nn.Linear(UNITS, CLASSES)])


def loss(torch, model, inputs, labels):
    layer, head = model
    outputs, _ = layer(inputs)
    return torch.nn.functional.cross_entropy(head(outputs).flatten(0, 1), labels.flatten())


def optimizer(torch, parameters, **options):
    return torch.optim.Adam(parameters, lr=1e-3, **options)


tracejit, torch, torch_compile, reference = Training(build, loss, optimizer, {"fused": True}).versions()

TASKS = (Task("torch_lstm", "training step of modules: LSTM, 64 steps, batch 32, 64-128, Adam, f32", make_data, tolerance=1e-4),)
