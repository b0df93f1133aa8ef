"""What a call with nested arguments costs: a dict of ten arrays of four doubles in, a dict of ten out.

HIPS autograd takes no part: without a gradient it is NumPy.
"""

import numpy as np

from benchmarks.task import Data, Prepared, Task


def make_data() -> Data:
    return {f"parameter_{position}": np.arange(4.0) + position for position in range(10)}


def add_one(parameters):
    return {name: value + 1.0 for name, value in parameters.items()}


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    return Prepared(tj.jit(add_one), (data,))


def jax(data: Data) -> Prepared:
    import jax

    jax.config.update("jax_enable_x64", True)
    return Prepared(jax.jit(add_one), (jax.device_put(data),), wait=jax.block_until_ready)


def torch(data: Data) -> Prepared:
    import torch

    return Prepared(add_one, ({name: torch.from_numpy(value) for name, value in data.items()},))


def torch_compile(data: Data) -> Prepared:
    import torch

    return Prepared(torch.compile(add_one), ({name: torch.from_numpy(value) for name, value in data.items()},))


def numpy(data: Data) -> Prepared:
    return Prepared(add_one, (data,))


TASKS = (Task("dict_call", "dict of ten small arrays in, dict of ten out", make_data, tolerance=0.0),)
