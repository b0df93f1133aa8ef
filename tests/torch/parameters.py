"""Parameters for tests of optimizers, and how close they come to torch's."""

import numpy as np

from tracejit import torch

TOLERANCE = {"float32": 2e-6, "float64": 1e-14, "complex64": 2e-6}


def sample(rng, shape, dtype):
    x = rng.normal(size=shape)
    return np.asarray(x + 1j * rng.normal(size=shape) if dtype.startswith("complex") else x, dtype)


def parameter(*values):
    return torch.tensor(values or [1.0, 2.0], requires_grad=True)
