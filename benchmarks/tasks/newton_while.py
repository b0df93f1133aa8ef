"""Newton's method in a while loop and its derivative in reverse mode: Kepler's equation for 1000 orbits at once, float64."""

import numpy as np

from benchmarks.task import Data, Prepared, Task

ORBITS = 1000
ACCURACY = 1e-12


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {"mean_anomalies": random.uniform(0.0, np.pi, ORBITS), "eccentricities": random.uniform(0.1, 0.9, ORBITS)}


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    def total_anomaly(mean_anomalies, eccentricities):
        def error(anomalies):
            return anomalies - eccentricities * np.sin(anomalies) - mean_anomalies

        def step(anomalies):
            return anomalies - error(anomalies) / (1.0 - eccentricities * np.cos(anomalies))

        start = mean_anomalies + eccentricities
        return np.sum(tj.while_loop(lambda anomalies: np.max(np.abs(error(anomalies))) > ACCURACY, step, start))

    return Prepared(tj.jit(tj.grad(total_anomaly, argnums=(0, 1))), tuple(data.values()))


def jax(data: Data) -> Prepared:
    """Reverse mode through a while loop is an error in JAX; what its users write instead is a scan of as many steps as are ever needed."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def total_anomaly(mean_anomalies, eccentricities):
        def error(anomalies):
            return anomalies - eccentricities * jnp.sin(anomalies) - mean_anomalies

        def step(anomalies, _):
            going_on = jnp.max(jnp.abs(error(anomalies))) > ACCURACY
            return jnp.where(going_on, anomalies - error(anomalies) / (1.0 - eccentricities * jnp.cos(anomalies)), anomalies), None

        return jnp.sum(jax.lax.scan(step, mean_anomalies + eccentricities, length=8)[0])

    gradient = jax.jit(jax.grad(total_anomaly, argnums=(0, 1)))
    return Prepared(gradient, jax.device_put(tuple(data.values())), wait=jax.block_until_ready)


def torch(data: Data) -> Prepared:
    import torch

    def gradient(mean_anomalies, eccentricities):
        anomalies = mean_anomalies + eccentricities
        while True:
            error = anomalies - eccentricities * torch.sin(anomalies) - mean_anomalies
            if torch.max(torch.abs(error)) <= ACCURACY:
                return torch.autograd.grad(torch.sum(anomalies), (mean_anomalies, eccentricities))
            anomalies = anomalies - error / (1.0 - eccentricities * torch.cos(anomalies))

    return Prepared(gradient, tuple(torch.from_numpy(value).requires_grad_() for value in data.values()))


def numpy(data: Data) -> Prepared:
    """By the implicit function theorem, at the solution."""

    def gradient(mean_anomalies, eccentricities):
        anomalies = mean_anomalies + eccentricities
        while True:
            error = anomalies - eccentricities * np.sin(anomalies) - mean_anomalies
            if np.max(np.abs(error)) <= ACCURACY:
                by_mean = 1.0 / (1.0 - eccentricities * np.cos(anomalies))
                return by_mean, by_mean * np.sin(anomalies)
            anomalies = anomalies - error / (1.0 - eccentricities * np.cos(anomalies))

    return Prepared(gradient, tuple(data.values()))


TASKS = (Task("newton_while", "Newton's method in a while loop, reverse mode, 1000 Kepler equations, f64", make_data, tolerance=1e-9),)
