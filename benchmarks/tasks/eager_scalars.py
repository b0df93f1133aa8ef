"""A straight line through three points by gradient descent: nothing but the price of the operations, about twenty a step."""

import numpy as np

from benchmarks.eager import versions
from benchmarks.task import Data, Task


def make_data() -> Data:
    return {"x": np.array([1.0, 2.0, 3.0], np.float32), "y": np.array([2.1, 3.9, 6.2], np.float32)}


def make(torch, data, fused):
    x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
    w, b = (torch.tensor(value, dtype=x.dtype, requires_grad=True) for value in (0.5, 0.1))

    def step():
        loss = (x * w + b - y).pow(2).sum()
        loss.backward()
        with torch.no_grad():
            w.sub_(0.01 * w.grad)
            b.sub_(0.01 * b.grad)
            w.grad.zero_()
            b.grad.zero_()
        return loss.detach()

    return step


tracejit, torch, reference = versions(make)

TASKS = (Task("eager_scalars", "eager: a line through three points, f32", make_data, tolerance=1e-4),)
