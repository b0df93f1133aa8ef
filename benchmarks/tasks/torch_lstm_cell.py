"""One Adam step of an LSTM that a loop makes of `nn.LSTMCell`, as it is written for what `nn.LSTM` lacks: 24 steps, batch 32, 64-128, float32.

`torch.compile` leaves `nn.LSTM` to the kernels of eager mode, and writes out the turns of a loop.
"""

from benchmarks.task import Data, Task
from benchmarks.tasks import torch_lstm
from benchmarks.tasks.torch_lstm import BATCH, CLASSES, INPUTS, UNITS, optimizer
from benchmarks.training import Training

STEPS = 24


def make_data() -> Data:
    return {name: array[:STEPS] for name, array in torch_lstm.make_data().items()}


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


tracejit, torch, torch_compile, reference = Training(build, loss, optimizer, {"fused": True}).versions()

TASKS = (Task("torch_lstm_cell", "training step of a loop over LSTMCell, 24 steps, batch 32, 64-128, Adam, f32", make_data, tolerance=1e-4),)
