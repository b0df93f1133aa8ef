"""2,000 Runge-Kutta steps of the Lotka-Volterra equations, float64: the loop whose gradient is `lotka_volterra_gradient`."""

from collections.abc import Callable
from operator import methodcaller

import numpy as np

from benchmarks.task import Data, Prepared, Task

STEPS = 2_000
STEP = 5e-3
TARGET = (1.0, 1.0)


def make_data() -> Data:
    return {"state": np.array([1.0, 0.8]), "parameters": np.array([1.1, 0.4, 0.4, 0.1])}


def slope(state, parameters):
    prey, predators = state
    births, hunting, deaths, feeding = parameters
    return births * prey - hunting * prey * predators, feeding * prey * predators - deaths * predators


def moved(state, by, direction):
    return state[0] + by * direction[0], state[1] + by * direction[1]


def runge_kutta_step(state, parameters):
    first = slope(state, parameters)
    second = slope(moved(state, 0.5 * STEP, first), parameters)
    third = slope(moved(state, 0.5 * STEP, second), parameters)
    fourth = slope(moved(state, STEP, third), parameters)
    return tuple(v + STEP / 6.0 * (a + 2.0 * b + 2.0 * c + d) for v, a, b, c, d in zip(state, first, second, third, fourth, strict=True))


def loss_with(fori_loop: Callable) -> Callable:
    """The squared distance of the last state from a target."""

    def loss(state, parameters):
        prey, predators = fori_loop(0, STEPS, lambda _, state: runge_kutta_step(state, parameters), tuple(state))
        return (prey - TARGET[0]) ** 2 + (predators - TARGET[1]) ** 2

    return loss


def python_loop(first: int, last: int, body: Callable, state):
    for turn in range(first, last):
        state = body(turn, state)
    return state


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    return Prepared(tj.jit(loss_with(tj.fori_loop)), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax

    jax.config.update("jax_enable_x64", True)
    return Prepared(jax.jit(loss_with(jax.lax.fori_loop)), jax.device_put(tuple(data.values())), wait=methodcaller("block_until_ready"))


def numba(data: Data) -> Prepared:
    from numba import njit

    @njit
    def loss(state, parameters):
        x, y = state
        births, hunting, deaths, feeding = parameters
        half, sixth = 0.5 * STEP, STEP / 6.0
        for _ in range(STEPS):
            u, v = x, y
            a0, a1 = births * u - hunting * u * v, feeding * u * v - deaths * v
            u, v = x + half * a0, y + half * a1
            b0, b1 = births * u - hunting * u * v, feeding * u * v - deaths * v
            u, v = x + half * b0, y + half * b1
            c0, c1 = births * u - hunting * u * v, feeding * u * v - deaths * v
            u, v = x + STEP * c0, y + STEP * c1
            d0, d1 = births * u - hunting * u * v, feeding * u * v - deaths * v
            x += sixth * (a0 + 2.0 * b0 + 2.0 * c0 + d0)
            y += sixth * (a1 + 2.0 * b1 + 2.0 * c1 + d1)
        return (x - TARGET[0]) ** 2 + (y - TARGET[1]) ** 2

    return Prepared(loss, tuple(data.values()))


def numpy(data: Data) -> Prepared:
    loss = loss_with(python_loop)
    return Prepared(lambda state, parameters: loss(state.tolist(), parameters.tolist()), tuple(data.values()))


TASKS = (Task("lotka_volterra", "Lotka-Volterra, 2,000 Runge-Kutta steps, f64", make_data, tolerance=1e-11),)
