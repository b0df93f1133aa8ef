"""Gravitational energy of 1000 bodies and its gradient with respect to their positions: all pairs, Plummer softening, float64."""

import numpy as np

from benchmarks.task import Data, Prepared, Task

BODIES = 1000
SOFTENING = 1e-2


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {"positions": random.standard_normal((BODIES, 3)), "masses": random.uniform(0.5, 1.5, BODIES)}


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    def energy(positions, masses):
        separations = positions[:, None, :] - positions[None, :, :]
        distances = np.sqrt(np.sum(separations**2, axis=-1) + SOFTENING**2)
        return -0.5 * np.sum(masses[:, None] * masses[None, :] / distances)

    return Prepared(tj.jit(tj.value_and_grad(energy)), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def energy(positions, masses):
        separations = positions[:, None, :] - positions[None, :, :]
        distances = jnp.sqrt(jnp.sum(separations**2, axis=-1) + SOFTENING**2)
        return -0.5 * jnp.sum(masses[:, None] * masses[None, :] / distances)

    return Prepared(jax.jit(jax.value_and_grad(energy)), jax.device_put(tuple(data.values())), wait=jax.block_until_ready)


def torch(data: Data) -> Prepared:
    import torch

    def value_and_grad(positions, masses):
        separations = positions[:, None, :] - positions[None, :, :]
        distances = torch.sqrt(torch.sum(separations**2, -1) + SOFTENING**2)
        energy = -0.5 * torch.sum(masses[:, None] * masses[None, :] / distances)
        return energy.detach(), torch.autograd.grad(energy, positions)[0]

    return Prepared(value_and_grad, (torch.from_numpy(data["positions"]).requires_grad_(), torch.from_numpy(data["masses"])))


def numba(data: Data) -> Prepared:
    from numba import njit

    @njit
    def value_and_grad(positions, masses):
        energy = 0.0
        gradient = np.zeros_like(positions)
        for i in range(len(positions)):
            energy -= 0.5 * masses[i] ** 2 / SOFTENING
            for j in range(i):
                x, y, z = positions[i] - positions[j]
                inverse = 1.0 / np.sqrt(x * x + y * y + z * z + SOFTENING**2)
                pair = masses[i] * masses[j] * inverse
                energy -= pair
                slope = pair * inverse * inverse
                for axis, component in enumerate((x, y, z)):
                    gradient[i, axis] += slope * component
                    gradient[j, axis] -= slope * component
        return energy, gradient

    return Prepared(value_and_grad, tuple(data.values()))


def numpy(data: Data) -> Prepared:
    def value_and_grad(positions, masses):
        separations = positions[:, None, :] - positions[None, :, :]
        inverses = 1.0 / np.sqrt(np.sum(separations**2, axis=-1) + SOFTENING**2)
        pairs = masses[:, None] * masses[None, :] * inverses
        return -0.5 * np.sum(pairs), np.einsum("ij,ijk->ik", pairs * inverses**2, separations)

    return Prepared(value_and_grad, tuple(data.values()))


TASKS = (Task("n_body", "energy of 1000 bodies and gradient, f64", make_data, tolerance=1e-11),)
