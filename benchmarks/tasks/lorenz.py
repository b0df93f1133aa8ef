"""20,000 Runge-Kutta steps of the Lorenz system: a long loop over three numbers, float64; the whole trajectory is the result."""

import numpy as np

from benchmarks.task import Data, Prepared, Task

STEPS = 20_000
STEP = 1e-3


def make_data() -> Data:
    return {"state": np.array([1.0, 1.0, 1.0]), "parameters": np.array([10.0, 28.0, 8.0 / 3.0])}


def slope(state, parameters):
    x, y, z = state
    sigma, rho, beta = parameters
    return sigma * (y - x), x * (rho - z) - y, x * y - beta * z


def moved(state, by, direction):
    return tuple(value + by * change for value, change in zip(state, direction, strict=True))


def runge_kutta_step(state, parameters):
    first = slope(state, parameters)
    second = slope(moved(state, 0.5 * STEP, first), parameters)
    third = slope(moved(state, 0.5 * STEP, second), parameters)
    fourth = slope(moved(state, STEP, third), parameters)
    return tuple(v + STEP / 6.0 * (a + 2.0 * b + 2.0 * c + d) for v, a, b, c, d in zip(state, first, second, third, fourth, strict=True))


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    @tj.jit
    def trajectory(state, parameters):
        def step(state, _):
            state = runge_kutta_step(state, parameters)
            return state, np.stack(state)

        return tj.scan(step, tuple(state), length=STEPS)[1]

    return Prepared(trajectory, tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    @jax.jit
    def trajectory(state, parameters):
        def step(state, _):
            state = runge_kutta_step(state, parameters)
            return state, jnp.stack(state)

        return jax.lax.scan(step, tuple(state), length=STEPS)[1]

    return Prepared(trajectory, jax.device_put(tuple(data.values())), wait=jax.block_until_ready)


def numba(data: Data) -> Prepared:
    from numba import njit

    @njit
    def slope(x, y, z, sigma, rho, beta):
        return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

    @njit
    def trajectory(state, parameters):
        x, y, z = state
        sigma, rho, beta = parameters
        states = np.empty((STEPS, 3))
        half, sixth = 0.5 * STEP, STEP / 6.0
        for step in range(STEPS):
            a0, a1, a2 = slope(x, y, z, sigma, rho, beta)
            b0, b1, b2 = slope(x + half * a0, y + half * a1, z + half * a2, sigma, rho, beta)
            c0, c1, c2 = slope(x + half * b0, y + half * b1, z + half * b2, sigma, rho, beta)
            d0, d1, d2 = slope(x + STEP * c0, y + STEP * c1, z + STEP * c2, sigma, rho, beta)
            x += sixth * (a0 + 2.0 * b0 + 2.0 * c0 + d0)
            y += sixth * (a1 + 2.0 * b1 + 2.0 * c1 + d1)
            z += sixth * (a2 + 2.0 * b2 + 2.0 * c2 + d2)
            states[step, 0], states[step, 1], states[step, 2] = x, y, z
        return states

    return Prepared(trajectory, tuple(data.values()))


def numpy(data: Data) -> Prepared:
    def trajectory(state, parameters):
        state, states = state.tolist(), []
        for _ in range(STEPS):
            state = runge_kutta_step(state, parameters.tolist())
            states.append(state)
        return np.array(states)

    return Prepared(trajectory, tuple(data.values()))


# The system is chaotic: over 20 units of time rounding grows by e^(0.9 * 20), about 7e7.
TASKS = (Task("lorenz", "Lorenz system, 20,000 Runge-Kutta steps, f64", make_data, tolerance=1e-7),)
