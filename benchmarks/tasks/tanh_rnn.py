"""Loss and gradient of a tanh recurrent network by a scan over its inputs: 100 steps, batch 32, 64 inputs, 128 units, float32."""

import numpy as np

from benchmarks.task import Data, Prepared, Task

STEPS, BATCH, INPUTS, UNITS = 100, 32, 64, 128


def make_data() -> Data:
    random = np.random.default_rng(0)
    data = {
        "from_input": random.standard_normal((INPUTS, UNITS)) / np.sqrt(INPUTS),
        "from_state": random.standard_normal((UNITS, UNITS)) / np.sqrt(UNITS),
        "bias": 0.1 * random.standard_normal(UNITS),
        "inputs": random.standard_normal((STEPS, BATCH, INPUTS)),
        "targets": random.uniform(-1.0, 1.0, (STEPS, BATCH, UNITS)),
    }
    return {name: array.astype(np.float32) for name, array in data.items()}


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    def loss(from_input, from_state, bias, inputs, targets):
        def step(state, x):
            state = np.tanh(x @ from_input + state @ from_state + bias)
            return state, state

        _, states = tj.scan(step, np.zeros((BATCH, UNITS), np.float32), inputs)
        return np.mean((states - targets) ** 2)

    return Prepared(tj.jit(tj.value_and_grad(loss, argnums=(0, 1, 2))), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    def loss(from_input, from_state, bias, inputs, targets):
        def step(state, x):
            state = jnp.tanh(x @ from_input + state @ from_state + bias)
            return state, state

        _, states = jax.lax.scan(step, jnp.zeros((BATCH, UNITS), jnp.float32), inputs)
        return jnp.mean((states - targets) ** 2)

    value_and_grad = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))
    return Prepared(value_and_grad, jax.device_put(tuple(data.values())), wait=jax.block_until_ready)


def torch(data: Data) -> Prepared:
    import torch

    def value_and_grad(from_input, from_state, bias, inputs, targets):
        state, states = torch.zeros((BATCH, UNITS)), []
        for x in inputs:
            state = torch.tanh(torch.addmm(torch.addmm(bias, x, from_input), state, from_state))
            states.append(state)
        loss = torch.mean((torch.stack(states) - targets) ** 2)
        return loss.detach(), torch.autograd.grad(loss, (from_input, from_state, bias))

    arguments = (torch.from_numpy(value).requires_grad_(name not in ("inputs", "targets")) for name, value in data.items())
    return Prepared(value_and_grad, tuple(arguments))


def numpy(data: Data) -> Prepared:
    def value_and_grad(from_input, from_state, bias, inputs, targets):
        states = np.zeros((STEPS + 1, BATCH, UNITS), inputs.dtype)
        prepared = inputs @ from_input + bias
        for step in range(STEPS):
            states[step + 1] = np.tanh(prepared[step] + states[step] @ from_state)
        errors = states[1:] - targets
        sums = errors * (2.0 / errors.size)
        for step in reversed(range(STEPS)):
            if step + 1 < STEPS:
                sums[step] += sums[step + 1] @ from_state.T
            sums[step] *= 1.0 - states[step + 1] ** 2
        flat = sums.reshape(-1, UNITS)
        return np.mean(errors**2), (inputs.reshape(-1, INPUTS).T @ flat, states[:-1].reshape(-1, UNITS).T @ flat, flat.sum(axis=0))

    return Prepared(value_and_grad, tuple(data.values()))


TASKS = (Task("tanh_rnn", "tanh RNN by scan, value and gradient, 100 steps, batch 32, 64-128, f32", make_data, tolerance=1e-4),)
