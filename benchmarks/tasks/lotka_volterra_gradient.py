"""Gradient through 2,000 Runge-Kutta steps of the Lotka-Volterra equations, in the initial state and the four parameters, float64."""

import numpy as np

from benchmarks.task import Data, Prepared, Task
from benchmarks.tasks.lotka_volterra import STEP, STEPS, TARGET, loss_with, make_data, slope


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    return Prepared(tj.jit(tj.grad(loss_with(tj.fori_loop), argnums=(0, 1))), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax

    jax.config.update("jax_enable_x64", True)
    gradient = jax.jit(jax.grad(loss_with(jax.lax.fori_loop), argnums=(0, 1)))
    return Prepared(gradient, jax.device_put(tuple(data.values())), wait=jax.block_until_ready)


def numpy(data: Data) -> Prepared:
    """Forward sensitivities: the same steps on the state and its six derivatives, which is the derivative of the steps themselves."""

    def slopes(values, parameters):
        (prey, predators), tangents = values[:, 0], values[:, 1:]
        births, hunting, deaths, feeding = parameters
        by_state = np.array([[births - hunting * predators, -hunting * prey], [feeding * predators, feeding * prey - deaths]])
        changes = np.column_stack([slope((prey, predators), parameters), by_state @ tangents])
        changes[:, 3:] += [[prey, -prey * predators, 0.0, 0.0], [0.0, 0.0, -predators, prey * predators]]
        return changes

    def gradient(state, parameters):
        values = np.column_stack([state, np.eye(2), np.zeros((2, 4))])
        for _ in range(STEPS):
            first = slopes(values, parameters)
            second = slopes(values + 0.5 * STEP * first, parameters)
            third = slopes(values + 0.5 * STEP * second, parameters)
            fourth = slopes(values + STEP * third, parameters)
            values += STEP / 6.0 * (first + 2.0 * second + 2.0 * third + fourth)
        by_all = 2.0 * (values[:, 0] - TARGET) @ values[:, 1:]
        return by_all[:2], by_all[2:]

    return Prepared(gradient, tuple(data.values()))


TASKS = (Task("lotka_volterra_gradient", "gradient through 2,000 Runge-Kutta steps of Lotka-Volterra, f64", make_data, tolerance=1e-10),)
