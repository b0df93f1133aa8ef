"""How long the compiler takes: the first call of a scan whose body is 500 operations on an array of 64 numbers, float64."""

from collections.abc import Callable
from operator import methodcaller

import numpy as np

from benchmarks.task import Data, Prepared, Task

OPERATIONS, STEPS, WIDTH = 500, 10, 64


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {"state": random.standard_normal(WIDTH), "scale": random.uniform(0.5, 1.0, WIDTH)}


def body_with(sin: Callable) -> Callable:
    """A turn of OPERATIONS operations, no two alike."""

    def body(state, scale):
        for number in range(OPERATIONS // 5):
            state = scale * sin(state + 0.01 * number) - 0.1 * state
        return state

    return body


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    body = body_with(np.sin)
    return Prepared(tj.jit(lambda state, scale: tj.fori_loop(0, STEPS, lambda _, s: body(s, scale), state)), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    body = body_with(jnp.sin)
    compiled = jax.jit(lambda state, scale: jax.lax.fori_loop(0, STEPS, lambda _, s: body(s, scale), state))
    return Prepared(compiled, jax.device_put(tuple(data.values())), wait=methodcaller("block_until_ready"))


def numba(data: Data) -> Prepared:
    """Written out as one statement for each of the five operations' groups: what the others trace."""
    from numba import njit

    lines = [f"        state = scale * np.sin(state + {0.01 * number!r}) - 0.1 * state" for number in range(OPERATIONS // 5)]
    source = "\n".join(["def loop(state, scale):", f"    for _ in range({STEPS}):", *lines, "    return state"])
    names = {"np": np}
    exec(source, names)
    return Prepared(njit(names["loop"]), tuple(data.values()))


def numpy(data: Data) -> Prepared:
    body = body_with(np.sin)

    def loop(state, scale):
        for _ in range(STEPS):
            state = body(state, scale)
        return state

    return Prepared(loop, tuple(data.values()))


TASKS = (
    Task(
        "compile_scan",
        "first call of a scan with a body of 500 operations, f64",
        make_data,
        tolerance=1e-10,
        not_peers=("numpy",),
        compared="first_call_seconds",
    ),
)
