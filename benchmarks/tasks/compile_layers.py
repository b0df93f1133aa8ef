"""How long the compiler takes: the first call of the gradient of 64 identical compiled layers one after the other, float32."""

import numpy as np

from benchmarks.task import Data, Prepared, Task

LAYERS, WIDTH, BATCH = 64, 32, 16


def make_data() -> Data:
    random = np.random.default_rng(0)
    data = {
        "weights": random.standard_normal((LAYERS, WIDTH, WIDTH)) / np.sqrt(WIDTH),
        "biases": 0.1 * random.standard_normal((LAYERS, WIDTH)),
        "x": random.standard_normal((BATCH, WIDTH)),
    }
    return {name: array.astype(np.float32) for name, array in data.items()}


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    @tj.jit
    def layer(x, weights, bias):
        return x + np.tanh(x @ weights + bias)

    def loss(weights, biases, x):
        for weight, bias in zip(weights, biases, strict=True):
            x = layer(x, weight, bias)
        return np.mean(x**2)

    return Prepared(tj.jit(tj.value_and_grad(loss, argnums=(0, 1))), (list(data["weights"]), list(data["biases"]), data["x"]))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    @jax.jit
    def layer(x, weights, bias):
        return x + jnp.tanh(x @ weights + bias)

    def loss(weights, biases, x):
        for weight, bias in zip(weights, biases, strict=True):
            x = layer(x, weight, bias)
        return jnp.mean(x**2)

    arguments = jax.device_put((list(data["weights"]), list(data["biases"]), data["x"]))
    return Prepared(jax.jit(jax.value_and_grad(loss, argnums=(0, 1))), arguments, wait=jax.block_until_ready)


def numpy(data: Data) -> Prepared:
    def value_and_grad(weights, biases, x):
        inputs, bends = [], []
        for weight, bias in zip(weights, biases, strict=True):
            inputs.append(x)
            bends.append(np.tanh(x @ weight + bias))
            x = x + bends[-1]
        by_weights, by_biases = [], []
        cotangent = x * (2.0 / x.size)
        for weight, before, bent in zip(weights[::-1], inputs[::-1], bends[::-1], strict=True):
            by_sum = cotangent * (1.0 - bent**2)
            by_weights.append(before.T @ by_sum)
            by_biases.append(by_sum.sum(axis=0))
            cotangent = cotangent + by_sum @ weight.T
        return np.mean(x**2), (by_weights[::-1], by_biases[::-1])

    return Prepared(value_and_grad, (list(data["weights"]), list(data["biases"]), data["x"]))


TASKS = (
    Task(
        "compile_layers",
        "first call of the gradient of 64 identical compiled layers, f32",
        make_data,
        tolerance=1e-4,
        not_peers=("numpy",),
        compared="first_call_seconds",
    ),
)
