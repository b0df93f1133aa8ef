"""What one call costs: ``x + 1.0`` on four doubles. HIPS autograd takes no part: without a gradient it is NumPy."""

from operator import methodcaller

import numpy as np

from benchmarks.task import Data, Prepared, Task


def make_data() -> Data:
    return {"x": np.arange(4.0)}


def add_one(x):
    return x + 1.0


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    return Prepared(tj.jit(add_one), (data["x"],))


def jax(data: Data) -> Prepared:
    import jax

    jax.config.update("jax_enable_x64", True)
    return Prepared(jax.jit(add_one), (jax.device_put(data["x"]),), wait=methodcaller("block_until_ready"))


def torch(data: Data) -> Prepared:
    import torch

    return Prepared(add_one, (torch.from_numpy(data["x"]),))


def torch_compile(data: Data) -> Prepared:
    import torch

    return Prepared(torch.compile(add_one), (torch.from_numpy(data["x"]),))


def numpy(data: Data) -> Prepared:
    return Prepared(add_one, (data["x"],))


TASKS = (Task("tiny_call", "x + 1.0 on four doubles", make_data, tolerance=0.0),)
