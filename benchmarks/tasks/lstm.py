"""Loss and gradient of an LSTM by a scan over its inputs: 100 steps, batch 32, 64 inputs, 128 units, float32."""

import numpy as np

from benchmarks.task import Data, Prepared, Task

STEPS, BATCH, INPUTS, UNITS = 100, 32, 64, 128


def make_data() -> Data:
    random = np.random.default_rng(0)
    data = {
        "from_input": random.standard_normal((INPUTS, 4 * UNITS)) / np.sqrt(INPUTS),
        "from_output": random.standard_normal((UNITS, 4 * UNITS)) / np.sqrt(UNITS),
        "bias": 0.1 * random.standard_normal(4 * UNITS),
        "inputs": random.standard_normal((STEPS, BATCH, INPUTS)),
        "targets": random.uniform(-1.0, 1.0, (STEPS, BATCH, UNITS)),
    }
    return {name: array.astype(np.float32) for name, array in data.items()}


def tracejit(data: Data) -> Prepared:
    from scipy.special import expit

    import tracejit as tj

    def loss(from_input, from_output, bias, inputs, targets):
        def step(state, x):
            output, cell = state
            entry, forget, gate, new = np.split(x @ from_input + output @ from_output + bias, 4, axis=1)
            cell = expit(forget) * cell + expit(entry) * np.tanh(new)
            output = expit(gate) * np.tanh(cell)
            return (output, cell), output

        start = np.zeros((BATCH, UNITS), np.float32)
        _, outputs = tj.scan(step, (start, start), inputs)
        return np.mean((outputs - targets) ** 2)

    return Prepared(tj.jit(tj.value_and_grad(loss, argnums=(0, 1, 2))), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp
    from jax.nn import sigmoid

    def loss(from_input, from_output, bias, inputs, targets):
        def step(state, x):
            output, cell = state
            entry, forget, gate, new = jnp.split(x @ from_input + output @ from_output + bias, 4, axis=1)
            cell = sigmoid(forget) * cell + sigmoid(entry) * jnp.tanh(new)
            output = sigmoid(gate) * jnp.tanh(cell)
            return (output, cell), output

        start = jnp.zeros((BATCH, UNITS), jnp.float32)
        _, outputs = jax.lax.scan(step, (start, start), inputs)
        return jnp.mean((outputs - targets) ** 2)

    value_and_grad = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))
    return Prepared(value_and_grad, jax.device_put(tuple(data.values())), wait=jax.block_until_ready)


def torch(data: Data) -> Prepared:
    import torch

    def value_and_grad(from_input, from_output, bias, inputs, targets):
        output = cell = torch.zeros((BATCH, UNITS))
        outputs = []
        for x in inputs:
            entry, forget, gate, new = torch.addmm(torch.addmm(bias, x, from_input), output, from_output).chunk(4, 1)
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(entry) * torch.tanh(new)
            output = torch.sigmoid(gate) * torch.tanh(cell)
            outputs.append(output)
        loss = torch.mean((torch.stack(outputs) - targets) ** 2)
        return loss.detach(), torch.autograd.grad(loss, (from_input, from_output, bias))

    arguments = (torch.from_numpy(value).requires_grad_(name not in ("inputs", "targets")) for name, value in data.items())
    return Prepared(value_and_grad, tuple(arguments))


def numpy(data: Data) -> Prepared:
    from scipy.special import expit

    def value_and_grad(from_input, from_output, bias, inputs, targets):
        outputs = np.zeros((STEPS + 1, BATCH, UNITS), inputs.dtype)
        cells = np.zeros_like(outputs)
        gates = np.zeros((STEPS, BATCH, 4, UNITS), inputs.dtype)  # entry, forget, output, new: after their nonlinearities
        prepared = inputs @ from_input + bias
        for step in range(STEPS):
            sums = (prepared[step] + outputs[step] @ from_output).reshape(BATCH, 4, UNITS)
            gates[step, :, :3] = expit(sums[:, :3])
            gates[step, :, 3] = np.tanh(sums[:, 3])
            entry, forget, gate, new = np.moveaxis(gates[step], 1, 0)
            cells[step + 1] = forget * cells[step] + entry * new
            outputs[step + 1] = gate * np.tanh(cells[step + 1])
        errors = outputs[1:] - targets
        by_sums = np.zeros_like(gates)
        by_output = np.zeros((BATCH, UNITS), inputs.dtype)
        by_cell = np.zeros_like(by_output)
        for step in reversed(range(STEPS)):
            entry, forget, gate, new = np.moveaxis(gates[step], 1, 0)
            bent = np.tanh(cells[step + 1])
            by_output = by_output + errors[step] * (2.0 / errors.size)
            by_cell = by_cell + by_output * gate * (1.0 - bent**2)
            by_gates = by_cell * new, by_cell * cells[step], by_output * bent, by_cell * entry
            slopes = entry * (1.0 - entry), forget * (1.0 - forget), gate * (1.0 - gate), 1.0 - new**2
            by_sums[step] = np.stack([by * slope for by, slope in zip(by_gates, slopes, strict=True)], axis=1)
            by_output = by_sums[step].reshape(BATCH, -1) @ from_output.T
            by_cell = by_cell * forget
        flat = by_sums.reshape(STEPS * BATCH, 4 * UNITS)
        by_weights = inputs.reshape(-1, INPUTS).T @ flat, outputs[:-1].reshape(-1, UNITS).T @ flat
        return np.mean(errors**2), (*by_weights, flat.sum(axis=0))

    return Prepared(value_and_grad, tuple(data.values()))


TASKS = (Task("lstm", "LSTM by scan, value and gradient, 100 steps, batch 32, 64-128, f32", make_data, tolerance=1e-4),)
