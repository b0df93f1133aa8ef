"""Layers and initialisers: shapes, dtypes, statistics, and training through the transforms."""
import numpy as np
import pytest

import tracejit as tj
from tracejit import nn, optim

VARIANCES = {"lecun": lambda inputs, outputs: 1 / inputs, "he": lambda inputs, outputs: 2 / inputs,
             "glorot": lambda inputs, outputs: 2 / (inputs + outputs)}
INITIALIZERS = [f"{name}_{distribution}" for name in VARIANCES for distribution in ("uniform", "normal")] + ["orthogonal"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers_have_shape_and_dtype_and_repeat(name, dtype):
    initialize = getattr(nn, name)
    for shape in [(4, 6), (3, 3, 8, 5), (0, 3)]:
        w = initialize(np.random.default_rng(0), shape, dtype)
        assert w.shape == shape and w.dtype == dtype
        np.testing.assert_array_equal(w, initialize(np.random.default_rng(0), shape, dtype))
    with pytest.raises(ValueError, match="at least two axes"):
        initialize(np.random.default_rng(0), (3,))
    with pytest.raises(TypeError, match="weights are floating-point, got dtype int64"):
        initialize(np.random.default_rng(0), (3, 3), np.int64)


@pytest.mark.parametrize("shape", [(300, 500), (3, 3, 60, 80)])
@pytest.mark.parametrize("name", INITIALIZERS[:-1])
def test_variance(name, shape):
    family, distribution = name.split("_")
    w = getattr(nn, name)(np.random.default_rng(0), shape)
    field = int(np.prod(shape[:-2]))
    variance = VARIANCES[family](field * shape[-2], field * shape[-1])
    assert abs(w.mean()) < 4 * np.sqrt(variance / w.size)
    np.testing.assert_allclose(w.var(), variance, rtol=0.03)
    if distribution == "uniform":
        assert np.abs(w).max() <= np.sqrt(3 * variance)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 3, 4), (5, 5)])
def test_orthogonal(shape):
    w = nn.orthogonal(np.random.default_rng(0), shape, gain=2.0).reshape(-1, shape[-1])
    gram = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


def test_dense():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4))
    params = nn.init_dense(rng, 4, 5)
    assert params.bias.shape == (5,) and not params.bias.any()
    np.testing.assert_allclose(nn.dense(params._replace(bias=np.arange(5.0)), x), np.einsum("abi,io->abo", x, params.weight) + np.arange(5.0))
    without = nn.init_dense(rng, 4, 5, bias=False)
    assert len(tj.tree.leaves(without)) == 1
    np.testing.assert_array_equal(nn.dense(without, x[0]), x[0] @ without.weight)


def test_mlp():
    params = nn.init_mlp(np.random.default_rng(0), [4, 8, 8, 2], initializer=nn.glorot_normal, dtype=np.float32)
    x = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    by_hand = x
    for weight, bias in params[:-1]:
        by_hand = np.tanh(by_hand @ weight + bias)
    by_hand = by_hand @ params[-1].weight + params[-1].bias
    out = nn.mlp(params, x, activation=np.tanh)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, by_hand, rtol=1e-6)
    np.testing.assert_allclose(tj.jit(nn.mlp, static_argnums=2)(params, x, np.tanh), by_hand, rtol=1e-5)
    with pytest.raises(ValueError, match=r"an input and an output size, got \[4\]"):
        nn.init_mlp(np.random.default_rng(0), [4])


@pytest.mark.parametrize("tier", [lambda f: f, tj.jit], ids=["plain", "jit"])
def test_derivatives_of_an_mlp(tier):
    rng = np.random.default_rng(0)
    params = nn.init_mlp(rng, [3, 5, 2])
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    tj.check_grads(tier(lambda params: nn.mse(nn.mlp(params, x, np.tanh), y)), (params,), order=2, modes=("fwd", "rev"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tier", [lambda f: f, tj.jit], ids=["plain", "jit"])
@pytest.mark.parametrize("opt", [
    optim.sgd(optim.warmup_cosine(0.2, 5, 60), momentum=0.9, nesterov=True), optim.adam(optim.cosine_decay(0.05, 60)), optim.adamw(0.05),
    optim.rmsprop(optim.step_decay(0.02, 40), momentum=0.5, centered=True), optim.chain(optim.clip_by_global_norm(1.0), optim.adam(0.05))])
def test_a_training_step_of_every_optimizer(opt, tier, dtype):
    rng = np.random.default_rng(0)
    params = nn.init_mlp(rng, [2, 16, 1], dtype=dtype)
    x = rng.normal(size=(64, 2)).astype(dtype)
    y = x[:, :1] * x[:, 1:]

    def step(params, state, x, y):
        loss, grads = tj.value_and_grad(lambda params: nn.mse(nn.mlp(params, x, np.tanh), y))(params)
        params, state = opt.update(grads, state, params)
        return loss, params, state

    step, state, losses = tier(step), opt.init(params), []
    for _ in range(60):
        loss, params, new_state = step(params, state, x, y)
        tj.tree.check_same_structure("state", state, "new state", new_state)
        state = new_state
        losses.append(float(loss))
    assert {leaf.dtype for leaf in tj.tree.leaves(params)} == {np.dtype(dtype)}
    assert losses[-1] < 0.3 * losses[0]
