"""Log marginal likelihood of a Gaussian process with 400 observations and its gradient in the kernel's seven parameters, float64."""

import numpy as np

from benchmarks.task import Data, Prepared, Task

POINTS, DIMENSIONS = 400, 5


def make_data() -> Data:
    random = np.random.default_rng(0)
    x = random.uniform(-1.0, 1.0, (POINTS, DIMENSIONS))
    y = np.sin(x @ np.arange(1.0, DIMENSIONS + 1)) + 0.1 * random.standard_normal(POINTS)
    # Logarithms: amplitude, noise, one length scale for each dimension.
    parameters = np.log([1.0, 0.1, *np.linspace(0.5, 1.5, DIMENSIONS)])
    return {"parameters": parameters, "x": x, "y": y}


def tracejit(data: Data) -> Prepared:
    from scipy.linalg import solve_triangular

    import tracejit as tj

    def log_likelihood(parameters, x, y):
        amplitude, noise, scales = np.exp(parameters[0]), np.exp(parameters[1]), np.exp(parameters[2:])
        scaled = x / scales
        squares = np.sum(scaled**2, axis=1)
        distances = squares[:, None] + squares[None, :] - 2.0 * scaled @ scaled.T
        covariance = amplitude**2 * np.exp(-0.5 * distances) + noise**2 * np.eye(POINTS)
        factor = np.linalg.cholesky(covariance)
        whitened = solve_triangular(factor, y, lower=True)
        return -0.5 * whitened @ whitened - np.sum(np.log(np.diagonal(factor))) - 0.5 * POINTS * np.log(2.0 * np.pi)

    return Prepared(tj.jit(tj.value_and_grad(log_likelihood)), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp
    from jax.scipy.linalg import solve_triangular

    jax.config.update("jax_enable_x64", True)

    def log_likelihood(parameters, x, y):
        amplitude, noise, scales = jnp.exp(parameters[0]), jnp.exp(parameters[1]), jnp.exp(parameters[2:])
        scaled = x / scales
        squares = jnp.sum(scaled**2, axis=1)
        distances = squares[:, None] + squares[None, :] - 2.0 * scaled @ scaled.T
        covariance = amplitude**2 * jnp.exp(-0.5 * distances) + noise**2 * jnp.eye(POINTS)
        factor = jnp.linalg.cholesky(covariance)
        whitened = solve_triangular(factor, y, lower=True)
        return -0.5 * whitened @ whitened - jnp.sum(jnp.log(jnp.diagonal(factor))) - 0.5 * POINTS * jnp.log(2.0 * jnp.pi)

    return Prepared(jax.jit(jax.value_and_grad(log_likelihood)), jax.device_put(tuple(data.values())), wait=jax.block_until_ready)


def torch(data: Data) -> Prepared:
    import torch

    def value_and_grad(parameters, x, y):
        amplitude, noise, scales = torch.exp(parameters[0]), torch.exp(parameters[1]), torch.exp(parameters[2:])
        scaled = x / scales
        squares = torch.sum(scaled**2, 1)
        distances = squares[:, None] + squares[None, :] - 2.0 * scaled @ scaled.T
        covariance = amplitude**2 * torch.exp(-0.5 * distances) + noise**2 * torch.eye(POINTS, dtype=torch.float64)
        factor = torch.linalg.cholesky(covariance)
        whitened = torch.linalg.solve_triangular(factor, y[:, None], upper=False)[:, 0]
        value = -0.5 * whitened @ whitened - torch.sum(torch.log(torch.diagonal(factor))) - 0.5 * POINTS * np.log(2.0 * np.pi)
        return value.detach(), torch.autograd.grad(value, parameters)[0]

    return Prepared(value_and_grad, tuple(torch.from_numpy(value).requires_grad_(name == "parameters") for name, value in data.items()))


def numpy(data: Data) -> Prepared:
    from scipy.linalg import cho_factor, cho_solve

    def value_and_grad(parameters, x, y):
        amplitude, noise, scales = np.exp(parameters[0]), np.exp(parameters[1]), np.exp(parameters[2:])
        separations = ((x[:, None, :] - x[None, :, :]) / scales) ** 2
        kernel = amplitude**2 * np.exp(-0.5 * np.sum(separations, axis=2))
        factor = cho_factor(kernel + noise**2 * np.eye(POINTS), lower=True)
        solution = cho_solve(factor, y)
        value = -0.5 * y @ solution - np.sum(np.log(np.diagonal(factor[0]))) - 0.5 * POINTS * np.log(2.0 * np.pi)
        by_covariance = 0.5 * (np.outer(solution, solution) - cho_solve(factor, np.eye(POINTS)))
        by_kernel = by_covariance * kernel
        by_scales = np.einsum("ij,ijk->k", by_kernel, separations)
        return value, np.concatenate([[2.0 * np.sum(by_kernel), 2.0 * noise**2 * np.trace(by_covariance)], by_scales])

    return Prepared(value_and_grad, tuple(data.values()))


TASKS = (Task("gaussian_process", "Gaussian process likelihood and gradient, n = 400, f64", make_data, tolerance=1e-9),)
