"""A transformer's block: multi-head attention with a causal mask, layer normalisation, and batch normalisation with running averages in place."""

import numpy as np


def softmax(x, axis=-1):
    x = x - np.max(x, axis=axis, keepdims=True)
    e = np.exp(x)
    return e / np.sum(e, axis=axis, keepdims=True)


def layer_norm(x, g, b, eps=1e-5):
    mean = np.mean(x, axis=-1, keepdims=True)
    variance = np.var(x, axis=-1, keepdims=True)
    return g * (x - mean) / np.sqrt(variance + eps) + b


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def mha(x, c_attn, c_proj, n_head):
    x = x @ c_attn["w"] + c_attn["b"]
    qkv_heads = list(map(lambda t: np.split(t, n_head, axis=-1), np.split(x, 3, axis=-1)))
    causal_mask = (1 - np.tri(x.shape[0], dtype=x.dtype)) * -1e10
    out_heads = [softmax(q @ k.T / np.sqrt(q.shape[-1]) + causal_mask) @ v for q, k, v in zip(*qkv_heads)]
    return np.hstack(out_heads) @ c_proj["w"] + c_proj["b"]


def batch_norm(x, running_mean, running_var, momentum=0.1):
    mean, var = x.mean(axis=0), x.var(axis=0)
    running_mean *= 1 - momentum
    running_mean += momentum * mean
    np.multiply(running_var, 1 - momentum, out=running_var)
    np.add(running_var, momentum * var, out=running_var)
    return (x - mean) / np.sqrt(var + 1e-5)


def main(tokens, params, running_mean, running_var):
    x = params["wte"][tokens] + params["wpe"][range(len(tokens))]
    x = x + mha(layer_norm(x, **params["ln"]), params["attn"], params["proj"], n_head=2)
    x = batch_norm(gelu(x), running_mean, running_var)
    return x @ params["wte"].T


def arguments(n=4):
    rng = np.random.default_rng(25)
    d = 4
    linear = lambda m, k: {"w": 0.4 * rng.standard_normal((m, k)), "b": 0.1 * rng.standard_normal(k)}
    params = {
        "wte": rng.standard_normal((6, d)), "wpe": rng.standard_normal((8, d)), "ln": {"g": np.ones(d), "b": np.zeros(d)},
        "attn": linear(d, 3 * d), "proj": linear(d, d),
    }  # fmt: skip
    return rng.integers(0, 6, n), params, np.zeros(d), np.ones(d)
