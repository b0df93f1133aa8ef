"""Loss and gradient of a small network, where overhead counts as much as arithmetic: four dense tanh layers of 64, batch 64, float32."""

import numpy as np

from benchmarks.task import Data, Prepared, Task

WIDTH = 64
BATCH = 64
LAYERS = 4


def make_data() -> Data:
    random = np.random.default_rng(0)
    data = {"x": random.standard_normal((BATCH, WIDTH)), "y": random.uniform(-1.0, 1.0, (BATCH, WIDTH))}
    for layer in range(LAYERS):
        data[f"weights_{layer}"] = random.standard_normal((WIDTH, WIDTH)) / np.sqrt(WIDTH)
        data[f"bias_{layer}"] = 0.1 * random.standard_normal(WIDTH)
    return {name: array.astype(np.float32) for name, array in data.items()}


def parameters_of(data: Data) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(data[f"weights_{layer}"], data[f"bias_{layer}"]) for layer in range(LAYERS)]


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    def loss(parameters, x, y):
        for weights, bias in parameters:
            x = np.tanh(x @ weights + bias)
        return np.mean((x - y) ** 2)

    return Prepared(tj.jit(tj.value_and_grad(loss)), (parameters_of(data), data["x"], data["y"]))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    def loss(parameters, x, y):
        for weights, bias in parameters:
            x = jnp.tanh(x @ weights + bias)
        return jnp.mean((x - y) ** 2)

    arguments = jax.device_put((parameters_of(data), data["x"], data["y"]))
    return Prepared(jax.jit(jax.value_and_grad(loss)), arguments, wait=jax.block_until_ready)


def torch_loss(parameters, x, y):
    import torch

    for weights, bias in parameters:
        x = torch.tanh(torch.addmm(bias, x, weights))
    return torch.mean((x - y) ** 2)


def torch(data: Data) -> Prepared:
    import torch

    parameters = [tuple(torch.from_numpy(array).requires_grad_() for array in layer) for layer in parameters_of(data)]
    leaves = [leaf for layer in parameters for leaf in layer]

    def value_and_grad(x, y):
        loss = torch_loss(parameters, x, y)
        gradient = torch.autograd.grad(loss, leaves)
        return loss.detach(), list(zip(gradient[::2], gradient[1::2], strict=True))

    return Prepared(value_and_grad, (torch.from_numpy(data["x"]), torch.from_numpy(data["y"])))


def torch_compile(data: Data) -> Prepared:
    import torch

    parameters = [tuple(torch.from_numpy(array) for array in layer) for layer in parameters_of(data)]

    @torch.compile
    def value_and_grad(parameters, x, y):
        gradient, loss = torch.func.grad_and_value(torch_loss)(parameters, x, y)
        return loss, gradient

    return Prepared(value_and_grad, (parameters, torch.from_numpy(data["x"]), torch.from_numpy(data["y"])))


def autograd(data: Data) -> Prepared:
    import autograd.numpy as anp
    from autograd import value_and_grad

    def loss(parameters, x, y):
        for weights, bias in parameters:
            x = anp.tanh(anp.dot(x, weights) + bias)
        return anp.mean((x - y) ** 2)

    return Prepared(value_and_grad(loss), (parameters_of(data), data["x"], data["y"]))


def numpy(data: Data) -> Prepared:
    def value_and_grad(parameters, x, y):
        activations = [x]
        for weights, bias in parameters:
            activations.append(np.tanh(activations[-1] @ weights + bias))
        error = activations[-1] - y
        cotangent = error * (2.0 / error.size)
        gradient = []
        for (weights, _), before, after in zip(parameters[::-1], activations[-2::-1], activations[:0:-1], strict=True):
            cotangent = cotangent * (1.0 - after * after)
            gradient.append((before.T @ cotangent, cotangent.sum(axis=0)))
            cotangent = cotangent @ weights.T
        return np.mean(error**2), gradient[::-1]

    return Prepared(value_and_grad, (parameters_of(data), data["x"], data["y"]))


TASKS = (Task("mlp_gradient", "value and gradient of an MLP 64x4, batch 64, f32", make_data, tolerance=1e-5),)
