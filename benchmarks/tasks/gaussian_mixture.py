"""ADBench's GMM: log-likelihood of a Gaussian mixture with a Wishart prior, and its gradient, n = 1000, d = 20, K = 25, float64.

The parameters are log weights (K), means (K, d) and inverse covariance factors (K, d + d(d-1)/2): logarithms of the diagonal, then the
columns of the strict lower triangle. F. Srajer, Z. Kukelova, A. Fitzgibbon: A benchmark of selected algorithmic differentiation tools on some
problems in computer vision and machine learning, 2018.
"""

import numpy as np

from benchmarks.task import Data, Prepared, Task

POINTS, DIMENSIONS, COMPONENTS = 1000, 20, 25
COLUMN, ROW = np.triu_indices(DIMENSIONS, 1)
WISHART_GAMMA, WISHART_M = 1.0, 0
DEGREES = DIMENSIONS + WISHART_M + 1


def log_gamma_distribution(a: float) -> float:
    """Logarithm of the multivariate gamma function of dimension DIMENSIONS."""
    from math import lgamma, log, pi

    return 0.25 * DIMENSIONS * (DIMENSIONS - 1) * log(pi) + sum(lgamma(a - 0.5 * j) for j in range(DIMENSIONS))


WISHART_CONSTANT = COMPONENTS * (DEGREES * DIMENSIONS * (np.log(WISHART_GAMMA) - 0.5 * np.log(2.0)) - log_gamma_distribution(0.5 * DEGREES))
CONSTANT = -0.5 * POINTS * DIMENSIONS * np.log(2.0 * np.pi) + WISHART_CONSTANT


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {
        "log_weights": random.standard_normal(COMPONENTS),
        "means": random.uniform(0.0, 1.0, (COMPONENTS, DIMENSIONS)),
        "factors": random.standard_normal((COMPONENTS, DIMENSIONS * (DIMENSIONS + 1) // 2)),
        "points": random.standard_normal((POINTS, DIMENSIONS)),
    }


def tracejit(data: Data) -> Prepared:
    from scipy.special import logsumexp

    import tracejit as tj

    def log_likelihood(log_weights, means, factors, points):
        logarithms = factors[:, :DIMENSIONS]
        inverse = np.zeros((COMPONENTS, DIMENSIONS, DIMENSIONS))
        inverse[:, ROW, COLUMN] = factors[:, DIMENSIONS:]
        inverse[:, np.arange(DIMENSIONS), np.arange(DIMENSIONS)] = np.exp(logarithms)
        whitened = (points - means[:, None, :]) @ np.swapaxes(inverse, 1, 2)
        scores = (log_weights + np.sum(logarithms, axis=1))[:, None] - 0.5 * np.sum(whitened**2, axis=2)
        prior = 0.5 * WISHART_GAMMA**2 * np.sum(inverse**2) - WISHART_M * np.sum(logarithms)
        return CONSTANT + np.sum(logsumexp(scores, axis=0)) - POINTS * logsumexp(log_weights) + prior

    return Prepared(tj.jit(tj.value_and_grad(log_likelihood, argnums=(0, 1, 2))), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp
    from jax.nn import logsumexp

    jax.config.update("jax_enable_x64", True)

    def log_likelihood(log_weights, means, factors, points):
        logarithms = factors[:, :DIMENSIONS]
        inverse = jnp.zeros((COMPONENTS, DIMENSIONS, DIMENSIONS)).at[:, ROW, COLUMN].set(factors[:, DIMENSIONS:])
        inverse = inverse.at[:, np.arange(DIMENSIONS), np.arange(DIMENSIONS)].set(jnp.exp(logarithms))
        whitened = (points - means[:, None, :]) @ jnp.swapaxes(inverse, 1, 2)
        scores = (log_weights + jnp.sum(logarithms, axis=1))[:, None] - 0.5 * jnp.sum(whitened**2, axis=2)
        prior = 0.5 * WISHART_GAMMA**2 * jnp.sum(inverse**2) - WISHART_M * jnp.sum(logarithms)
        return CONSTANT + jnp.sum(logsumexp(scores, axis=0)) - POINTS * logsumexp(log_weights) + prior

    value_and_grad = jax.jit(jax.value_and_grad(log_likelihood, argnums=(0, 1, 2)))
    return Prepared(value_and_grad, jax.device_put(tuple(data.values())), wait=jax.block_until_ready)


def torch(data: Data) -> Prepared:
    import torch

    rows, columns, diagonal = torch.from_numpy(ROW), torch.from_numpy(COLUMN), torch.arange(DIMENSIONS)

    def value_and_grad(log_weights, means, factors, points):
        logarithms = factors[:, :DIMENSIONS]
        inverse = torch.zeros((COMPONENTS, DIMENSIONS, DIMENSIONS), dtype=torch.float64)
        inverse[:, rows, columns] = factors[:, DIMENSIONS:]
        inverse[:, diagonal, diagonal] = torch.exp(logarithms)
        whitened = (points - means[:, None, :]) @ inverse.mT
        scores = (log_weights + torch.sum(logarithms, 1))[:, None] - 0.5 * torch.sum(whitened**2, 2)
        prior = 0.5 * WISHART_GAMMA**2 * torch.sum(inverse**2) - WISHART_M * torch.sum(logarithms)
        value = CONSTANT + torch.sum(torch.logsumexp(scores, 0)) - POINTS * torch.logsumexp(log_weights, 0) + prior
        return value.detach(), torch.autograd.grad(value, (log_weights, means, factors))

    return Prepared(value_and_grad, tuple(torch.from_numpy(value).requires_grad_(name != "points") for name, value in data.items()))


def numpy(data: Data) -> Prepared:
    from scipy.special import logsumexp, softmax

    def value_and_grad(log_weights, means, factors, points):
        logarithms = factors[:, :DIMENSIONS]
        diagonal = np.arange(DIMENSIONS)
        inverse = np.zeros((COMPONENTS, DIMENSIONS, DIMENSIONS))
        inverse[:, ROW, COLUMN] = factors[:, DIMENSIONS:]
        inverse[:, diagonal, diagonal] = np.exp(logarithms)
        centred = points - means[:, None, :]
        whitened = centred @ np.swapaxes(inverse, 1, 2)
        scores = (log_weights + np.sum(logarithms, axis=1))[:, None] - 0.5 * np.sum(whitened**2, axis=2)
        prior = 0.5 * WISHART_GAMMA**2 * np.sum(inverse**2) - WISHART_M * np.sum(logarithms)
        value = CONSTANT + np.sum(logsumexp(scores, axis=0)) - POINTS * logsumexp(log_weights) + prior

        shares = softmax(scores, axis=0)
        weights = np.sum(shares, axis=1)
        pulled = shares[:, :, None] * whitened
        by_inverse = WISHART_GAMMA**2 * inverse - np.swapaxes(pulled, 1, 2) @ centred
        by_logarithms = weights[:, None] - WISHART_M + by_inverse[:, diagonal, diagonal] * np.exp(logarithms)
        by_means = np.sum(pulled @ inverse, axis=1)
        return value, (weights - POINTS * softmax(log_weights), by_means, np.concatenate([by_logarithms, by_inverse[:, ROW, COLUMN]], axis=1))

    return Prepared(value_and_grad, tuple(data.values()))


TASKS = (Task("gaussian_mixture", "ADBench's GMM and gradient, n = 1000, d = 20, K = 25, f64", make_data, tolerance=1e-10),)
