"""Gradient through an embedding: 8192 rows are gathered from a table of 20,000 x 64, and their cotangents added to the rows they came from."""

from operator import methodcaller

import numpy as np

from benchmarks.task import Data, Prepared, Task

WORDS, WIDTH = 20_000, 64
SENTENCES, LENGTH = 64, 128


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {
        "table": random.standard_normal((WORDS, WIDTH), dtype=np.float32),
        "tokens": np.minimum(random.geometric(1e-3, (SENTENCES, LENGTH)), WORDS - 1),
        "cotangent": random.standard_normal((SENTENCES, LENGTH, WIDTH), dtype=np.float32),
    }


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    def loss(table, tokens, cotangent):
        return np.sum(cotangent * np.tanh(table[tokens]))

    return Prepared(tj.jit(tj.grad(loss)), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    def loss(table, tokens, cotangent):
        return jnp.sum(cotangent * jnp.tanh(table[tokens]))

    return Prepared(jax.jit(jax.grad(loss)), jax.device_put(tuple(data.values())), wait=methodcaller("block_until_ready"))


def torch(data: Data) -> Prepared:
    import torch

    def gradient(table, tokens, cotangent):
        return torch.autograd.grad(torch.tanh(torch.nn.functional.embedding(tokens, table)), table, cotangent)[0]

    arguments = [torch.from_numpy(value) for value in data.values()]
    return Prepared(gradient, (arguments[0].requires_grad_(), *arguments[1:]))


def numpy(data: Data) -> Prepared:
    def gradient(table, tokens, cotangent):
        by_table = np.zeros_like(table)
        np.add.at(by_table, tokens, cotangent * (1.0 - np.tanh(table[tokens]) ** 2))
        return by_table

    return Prepared(gradient, tuple(data.values()))


TASKS = (Task("embedding_gradient", "gradient through 8192 rows gathered from 20,000 x 64, f32", make_data, tolerance=1e-5),)
