"""The full Hessian of the negative log-likelihood of a Poisson regression with 30 parameters and 1000 observations, float64."""

from operator import methodcaller

import numpy as np

from benchmarks.task import Data, Prepared, Task

OBSERVATIONS, PARAMETERS = 1000, 30


def make_data() -> Data:
    random = np.random.default_rng(0)
    features = random.standard_normal((OBSERVATIONS, PARAMETERS))
    parameters = 0.1 * random.standard_normal(PARAMETERS)
    return {"parameters": parameters, "features": features, "counts": random.poisson(np.exp(features @ parameters)).astype(float)}


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    def negative_log_likelihood(parameters, features, counts):
        logarithms = features @ parameters
        return np.sum(np.exp(logarithms) - counts * logarithms)

    return Prepared(tj.jit(tj.hessian(negative_log_likelihood)), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def negative_log_likelihood(parameters, features, counts):
        logarithms = features @ parameters
        return jnp.sum(jnp.exp(logarithms) - counts * logarithms)

    return Prepared(jax.jit(jax.hessian(negative_log_likelihood)), jax.device_put(tuple(data.values())), wait=methodcaller("block_until_ready"))


def torch(data: Data) -> Prepared:
    import torch

    def negative_log_likelihood(parameters, features, counts):
        logarithms = features @ parameters
        return torch.sum(torch.exp(logarithms) - counts * logarithms)

    return Prepared(torch.func.hessian(negative_log_likelihood), tuple(torch.from_numpy(value) for value in data.values()))


def numpy(data: Data) -> Prepared:
    return Prepared(lambda parameters, features, counts: (features.T * np.exp(features @ parameters)) @ features, tuple(data.values()))


TASKS = (Task("hessian", "Hessian of a Poisson likelihood, 30 parameters, 1000 observations, f64", make_data, tolerance=1e-12),)
