"""Gradient of layer normalisation over rows of a 4096x1024 float32 array, for a given cotangent: with respect to x, scale and shift."""

import numpy as np

from benchmarks.task import Data, Prepared, Task

ROWS, COLUMNS = 4096, 1024
EPSILON = 1e-5


def make_data() -> Data:
    random = np.random.default_rng(0)
    shapes = {"x": (ROWS, COLUMNS), "scale": (COLUMNS,), "shift": (COLUMNS,), "cotangent": (ROWS, COLUMNS)}
    return {name: random.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    def weighted_sum(x, scale, shift, cotangent):
        centred = x - np.mean(x, axis=1, keepdims=True)
        variance = np.mean(centred**2, axis=1, keepdims=True)
        return np.sum(cotangent * (centred / np.sqrt(variance + EPSILON) * scale + shift))

    return Prepared(tj.jit(tj.grad(weighted_sum, argnums=(0, 1, 2))), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    def weighted_sum(x, scale, shift, cotangent):
        centred = x - jnp.mean(x, axis=1, keepdims=True)
        variance = jnp.mean(centred**2, axis=1, keepdims=True)
        return jnp.sum(cotangent * (centred * jax.lax.rsqrt(variance + EPSILON) * scale + shift))

    arguments = jax.device_put(tuple(data.values()))
    return Prepared(jax.jit(jax.grad(weighted_sum, argnums=(0, 1, 2))), arguments, wait=jax.block_until_ready)


def torch(data: Data) -> Prepared:
    import torch

    def gradient(x, scale, shift, cotangent):
        y = torch.nn.functional.layer_norm(x, (COLUMNS,), scale, shift, EPSILON)
        return torch.autograd.grad(y, (x, scale, shift), cotangent)

    return Prepared(gradient, tuple(torch.from_numpy(value).requires_grad_(name != "cotangent") for name, value in data.items()))


def torch_compile(data: Data) -> Prepared:
    import torch

    @torch.compile
    def gradient(x, scale, shift, cotangent):
        def normalised(x, scale, shift):
            return torch.nn.functional.layer_norm(x, (COLUMNS,), scale, shift, EPSILON)

        _, pull_back = torch.func.vjp(normalised, x, scale, shift)
        return pull_back(cotangent)

    return Prepared(gradient, tuple(torch.from_numpy(value) for value in data.values()))


def autograd(data: Data) -> Prepared:
    import autograd.numpy as anp
    from autograd import grad

    def weighted_sum(x, scale, shift, cotangent):
        centred = x - anp.mean(x, axis=1, keepdims=True)
        variance = anp.mean(centred**2, axis=1, keepdims=True)
        return anp.sum(cotangent * (centred / anp.sqrt(variance + EPSILON) * scale + shift))

    return Prepared(grad(weighted_sum, (0, 1, 2)), tuple(data.values()))


def numpy(data: Data) -> Prepared:
    def gradient(x, scale, shift, cotangent):
        centred = x - np.mean(x, axis=1, keepdims=True)
        inverse_deviation = 1.0 / np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + EPSILON)
        normalised = centred * inverse_deviation
        scaled = cotangent * scale
        mean_along = np.mean(scaled * normalised, axis=1, keepdims=True)
        by_x = inverse_deviation * (scaled - np.mean(scaled, axis=1, keepdims=True) - normalised * mean_along)
        return by_x, np.sum(cotangent * normalised, axis=0), np.sum(cotangent, axis=0)

    return Prepared(gradient, tuple(data.values()))


TASKS = (Task("layer_norm_gradient", "layer norm gradient, 4096x1024, f32", make_data, tolerance=1e-5),)
