"""One Adam step of an LSTM that a loop makes of `nn.LSTMCell`, as it is written for what `nn.LSTM` lacks: 24 steps, batch 32, 64-128, float32.

`torch.compile` leaves `nn.LSTM` to the kernels of eager mode, and writes out the turns of a loop.
"""

import numpy as np

from benchmarks.task import Data, Task
from benchmarks.training import Training

STEPS, BATCH, INPUTS, UNITS, CLASSES = 24, 32, 64, 128, 32


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {
        "inputs": random.standard_normal((STEPS, BATCH, INPUTS)).astype(np.float32),
        "labels": random.integers(0, CLASSES, (STEPS, BATCH)),
    }


def build(torch):
    return torch.nn.ModuleList([torch.nn.LSTMCell(INPUTS, UNITS), torch.nn.Linear(UNITS, CLASSES)])


def loss(torch, model, inputs, labels):
    cell, head = model
    h = c = torch.zeros(BATCH, UNITS, dtype=inputs.dtype)
    outputs = []
    for x in inputs:
        h, c = cell(x, (h, c))
        outputs.append(h)
    return torch.nn.functional.cross_entropy(head(torch.stack(outputs)).flatten(0, 1), labels.flatten())


def optimizer(torch, parameters, **options):
    return torch.optim.Adam(parameters, lr=1e-3, **options)


tracejit, torch, torch_compile, reference = Training(build, loss, optimizer, {"fused": True}).versions()

TASKS = (Task("torch_lstm_cell", "training step of a loop over LSTMCell, 24 steps, batch 32, 64-128, Adam, f32", make_data, tolerance=1e-4),)
