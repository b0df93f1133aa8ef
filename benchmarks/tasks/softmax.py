"""Gradient of the softmax over rows of a 4096x1024 float32 array, for a given cotangent."""

from operator import methodcaller

import numpy as np

from benchmarks.task import Data, Prepared, Task

ROWS, COLUMNS = 4096, 1024


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {name: random.standard_normal((ROWS, COLUMNS), dtype=np.float32) for name in ("x", "cotangent")}


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    def weighted_sum(x, cotangent):
        exponentials = np.exp(x - tj.stop_gradient(np.max(x, axis=1, keepdims=True)))
        return np.sum(cotangent * exponentials / np.sum(exponentials, axis=1, keepdims=True))

    return Prepared(tj.jit(tj.grad(weighted_sum)), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    def weighted_sum(x, cotangent):
        return jnp.sum(cotangent * jax.nn.softmax(x, axis=1))

    arguments = jax.device_put(tuple(data.values()))
    return Prepared(jax.jit(jax.grad(weighted_sum)), arguments, wait=methodcaller("block_until_ready"))


def torch(data: Data) -> Prepared:
    import torch

    def gradient(x, cotangent):
        return torch.autograd.grad(torch.softmax(x, dim=1), x, cotangent)[0]

    return Prepared(gradient, (torch.from_numpy(data["x"]).requires_grad_(), torch.from_numpy(data["cotangent"])))


def torch_compile(data: Data) -> Prepared:
    import torch

    @torch.compile
    def gradient(x, cotangent):
        _, pull_back = torch.func.vjp(lambda x: torch.softmax(x, dim=1), x)
        return pull_back(cotangent)[0]

    return Prepared(gradient, tuple(torch.from_numpy(value) for value in data.values()))


def autograd(data: Data) -> Prepared:
    import autograd.numpy as anp
    from autograd import grad

    def weighted_sum(x, cotangent):
        exponentials = anp.exp(x - anp.max(x, axis=1, keepdims=True))
        return anp.sum(cotangent * exponentials / anp.sum(exponentials, axis=1, keepdims=True))

    return Prepared(grad(weighted_sum), tuple(data.values()))


def numpy(data: Data) -> Prepared:
    def gradient(x, cotangent):
        exponentials = np.exp(x - np.max(x, axis=1, keepdims=True))
        probabilities = exponentials / np.sum(exponentials, axis=1, keepdims=True)
        return probabilities * (cotangent - np.sum(cotangent * probabilities, axis=1, keepdims=True))

    return Prepared(gradient, tuple(data.values()))


TASKS = (Task("softmax_gradient", "softmax gradient, 4096x1024, f32", make_data, tolerance=1e-5),)
