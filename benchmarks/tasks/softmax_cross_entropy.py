"""Loss and gradient of the softmax cross-entropy of 4096 examples in 1000 classes, float32, labels as integers."""

import numpy as np

from benchmarks.task import Data, Prepared, Task

EXAMPLES, CLASSES = 4096, 1000


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {"logits": random.standard_normal((EXAMPLES, CLASSES), dtype=np.float32), "labels": random.integers(0, CLASSES, EXAMPLES)}


def tracejit(data: Data) -> Prepared:
    from scipy.special import logsumexp

    import tracejit as tj

    def loss(logits, labels):
        return np.mean(logsumexp(logits, axis=1) - logits[np.arange(EXAMPLES), labels])

    return Prepared(tj.jit(tj.value_and_grad(loss)), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    def loss(logits, labels):
        return jnp.mean(jax.nn.logsumexp(logits, axis=1) - logits[jnp.arange(EXAMPLES), labels])

    return Prepared(jax.jit(jax.value_and_grad(loss)), jax.device_put(tuple(data.values())), wait=jax.block_until_ready)


def torch(data: Data) -> Prepared:
    import torch

    def value_and_grad(logits, labels):
        loss = torch.nn.functional.cross_entropy(logits, labels)
        return loss.detach(), torch.autograd.grad(loss, logits)[0]

    return Prepared(value_and_grad, (torch.from_numpy(data["logits"]).requires_grad_(), torch.from_numpy(data["labels"])))


def torch_compile(data: Data) -> Prepared:
    import torch

    @torch.compile
    def value_and_grad(logits, labels):
        gradient, loss = torch.func.grad_and_value(torch.nn.functional.cross_entropy)(logits, labels)
        return loss, gradient

    return Prepared(value_and_grad, tuple(torch.from_numpy(value) for value in data.values()))


def numpy(data: Data) -> Prepared:
    def value_and_grad(logits, labels):
        shifted = logits - np.max(logits, axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        sums = np.sum(exponentials, axis=1, keepdims=True)
        chosen = np.arange(EXAMPLES), labels
        loss = np.mean(np.log(sums[:, 0]) - shifted[chosen])
        gradient = exponentials / (EXAMPLES * sums)
        gradient[chosen] -= 1.0 / EXAMPLES
        return loss, gradient

    return Prepared(value_and_grad, tuple(data.values()))


TASKS = (Task("softmax_cross_entropy", "softmax cross-entropy and gradient, 4096 examples, 1000 classes, f32", make_data, tolerance=1e-5),)
