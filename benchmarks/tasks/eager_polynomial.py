"""Fitting a third order polynomial to a sine at 2000 points, in the manner of tutorials: operators, backward, and an update by hand."""

import numpy as np

from benchmarks.eager import versions
from benchmarks.task import Data, Task

RATE = 1e-6


def make_data() -> Data:
    x = np.linspace(-np.pi, np.pi, 2000, dtype=np.float32)
    return {"x": x, "y": np.sin(x), "coefficients": np.random.default_rng(0).standard_normal(4).astype(np.float32)}


def make(torch, data, fused):
    x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
    a, b, c, d = parameters = [torch.tensor(float(value), dtype=x.dtype, requires_grad=True) for value in data["coefficients"]]

    def step():
        predicted = a + b * x + c * x**2 + d * x**3
        loss = (predicted - y).pow(2).sum()
        loss.backward()
        with torch.no_grad():
            for parameter in parameters:
                parameter -= RATE * parameter.grad
                parameter.grad = None
        return loss.detach()

    return step


tracejit, torch, reference = versions(make)

TASKS = (Task("eager_polynomial", "eager: a polynomial of order 3 fitted to 2000 points, f32", make_data, tolerance=1e-4),)
