"""500 sweeps of Jacobi's method for the Poisson equation on 256 x 256 points, as loops of plain NumPy that `tj.lift` compiles, float64."""

from operator import methodcaller

import numpy as np

from benchmarks.task import Data, Prepared, Task

POINTS, SWEEPS = 256, 500


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {"start": np.zeros((POINTS, POINTS)), "source": random.standard_normal((POINTS, POINTS)) / POINTS**2}


def sweeps(start, source):
    """A sweep is one expression on slices."""
    u = start.copy()
    for _ in range(SWEEPS):
        u[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - source[1:-1, 1:-1])
    return u


def sweeps_by_points(start, source):
    """A sweep is a loop nest, as one writes it for `@njit`."""
    old, new = start.copy(), start.copy()
    for _ in range(SWEEPS):
        for i in range(1, POINTS - 1):
            for j in range(1, POINTS - 1):
                new[i, j] = 0.25 * (old[i - 1, j] + old[i + 1, j] + old[i, j - 1] + old[i, j + 1] - source[i, j])
        old, new = new, old
    return old


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    return Prepared(tj.jit(tj.lift(sweeps)), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax

    jax.config.update("jax_enable_x64", True)

    @jax.jit
    def sweeps(start, source):
        def sweep(_, u):
            inner = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - source[1:-1, 1:-1])
            return u.at[1:-1, 1:-1].set(inner)

        return jax.lax.fori_loop(0, SWEEPS, sweep, start)

    return Prepared(sweeps, jax.device_put(tuple(data.values())), wait=methodcaller("block_until_ready"))


def numba(data: Data) -> Prepared:
    from numba import njit

    return Prepared(njit(sweeps_by_points), tuple(data.values()))


def numpy(data: Data) -> Prepared:
    return Prepared(sweeps, tuple(data.values()))


TASKS = (Task("jacobi", "Jacobi 256x256, 500 sweeps, lifted, f64", make_data, tolerance=1e-12),)
