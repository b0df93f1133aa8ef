"""Gradient of the Rosenbrock function of n variables, sum over i of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2, in float64."""

from functools import partial
from operator import methodcaller

import numpy as np

from benchmarks.task import Data, Prepared, Task


def make_data(n: int) -> Data:
    return {"x": np.random.default_rng(0).uniform(-2.0, 2.0, n)}


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    def rosenbrock(x):
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return Prepared(tj.jit(tj.grad(rosenbrock)), (data["x"],))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def rosenbrock(x):
        return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return Prepared(jax.jit(jax.grad(rosenbrock)), (jax.device_put(data["x"]),), wait=methodcaller("block_until_ready"))


def torch(data: Data) -> Prepared:
    import torch

    def rosenbrock(x):
        return torch.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    def gradient(x):
        return torch.autograd.grad(rosenbrock(x), x)[0]

    return Prepared(gradient, (torch.from_numpy(data["x"]).requires_grad_(),))


def torch_compile(data: Data) -> Prepared:
    import torch

    def rosenbrock(x):
        return torch.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return Prepared(torch.compile(torch.func.grad(rosenbrock)), (torch.from_numpy(data["x"]),))


def autograd(data: Data) -> Prepared:
    import autograd.numpy as anp
    from autograd import grad

    def rosenbrock(x):
        return anp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return Prepared(grad(rosenbrock), (data["x"],))


def numpy(data: Data) -> Prepared:
    def gradient(x):
        head, residual = x[:-1], x[1:] - x[:-1] ** 2
        result = np.zeros_like(x)
        result[:-1] = -400.0 * head * residual - 2.0 * (1.0 - head)
        result[1:] += 200.0 * residual
        return result

    return Prepared(gradient, (data["x"],))


TASKS = (
    Task("rosenbrock_10", "gradient of Rosenbrock, n = 10, f64", partial(make_data, 10), tolerance=1e-13),
    Task("rosenbrock_1e6", "gradient of Rosenbrock, n = 10^6, f64", partial(make_data, 10**6), tolerance=1e-13),
)
