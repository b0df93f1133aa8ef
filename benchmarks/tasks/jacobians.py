"""Jacobians at 2,000 points of a function from R^6 to R^6, float64: the repressilator, a ring of three genes with their messengers and proteins.

M. Elowitz, S. Leibler: A synthetic oscillatory network of transcriptional regulators, Nature 403 (2000), 335-338.
"""

from operator import methodcaller

import numpy as np

from benchmarks.task import Data, Prepared, Task

POINTS = 2_000
LEAK, STRENGTH, DECAY, COOPERATION = 0.216, 216.0, 0.2, 2.1


def make_data() -> Data:
    return {"states": np.random.default_rng(0).uniform(0.1, 5.0, (POINTS, 6))}


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    def rates(state):
        messengers, proteins = state[:3], state[3:]
        made = STRENGTH / (1.0 + np.roll(proteins, 1) ** COOPERATION) + LEAK
        return np.concatenate([made - messengers, DECAY * (messengers - proteins)])

    return Prepared(tj.jit(tj.vmap(tj.jacfwd(rates))), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def rates(state):
        messengers, proteins = state[:3], state[3:]
        made = STRENGTH / (1.0 + jnp.roll(proteins, 1) ** COOPERATION) + LEAK
        return jnp.concatenate([made - messengers, DECAY * (messengers - proteins)])

    return Prepared(jax.jit(jax.vmap(jax.jacfwd(rates))), jax.device_put(tuple(data.values())), wait=methodcaller("block_until_ready"))


def torch(data: Data) -> Prepared:
    import torch

    def rates(state):
        messengers, proteins = state[:3], state[3:]
        made = STRENGTH / (1.0 + torch.roll(proteins, 1) ** COOPERATION) + LEAK
        return torch.cat([made - messengers, DECAY * (messengers - proteins)])

    return Prepared(torch.func.vmap(torch.func.jacfwd(rates)), tuple(torch.from_numpy(value) for value in data.values()))


def numpy(data: Data) -> Prepared:
    def jacobians(states):
        result = np.zeros((len(states), 6, 6))
        powers = states[:, 3:] ** COOPERATION
        slopes = -STRENGTH * COOPERATION * powers / states[:, 3:] / (1.0 + powers) ** 2
        for gene in range(3):
            result[:, gene, gene] = -1.0
            result[:, (gene + 1) % 3, gene + 3] = slopes[:, gene]
            result[:, gene + 3, gene] = DECAY
            result[:, gene + 3, gene + 3] = -DECAY
        return result

    return Prepared(jacobians, tuple(data.values()))


TASKS = (Task("jacobians", "2,000 Jacobians of R^6 -> R^6 by vmap, f64", make_data, tolerance=1e-12),)
