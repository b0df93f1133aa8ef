"""Derivatives, vmap, loops, custom rules and callbacks on a device, at once and compiled."""

import numpy as np
import pytest

import tracejit as tj
from tests.cuda.device.test_jit import same

RNG = np.random.default_rng(0)
X, I, W = RNG.normal(size=6), np.array([1, 3, 5, 1]), RNG.normal(size=(4, 6))


def mixed(x, i, w):
    """Methods, indexing, buffers and constants, as people write them."""
    y = w.dot(x) + w @ x
    z = np.zeros(4)
    z[:] = x[i] * y
    z[1:] += np.sum(w[1:] * x, axis=1)
    ordered = np.take_along_axis(x, np.argsort(x), 0)
    total = np.sum(z * np.arange(4)) + np.sum(np.where(x > 0, x, 0.1)) + ordered[0]
    return total + np.concatenate([x, w[0]])[3] + np.sum(np.eye(6) @ x) + np.einsum("ij,j->", w, x)


@pytest.mark.parametrize("number", (0, 2))
def test_gradients(number):
    there = tj.device_put((X, I, W))
    want = tj.value_and_grad(mixed, number)(X, I, W)
    same(tj.value_and_grad(mixed, number)(*there), want)
    same(tj.jit(tj.value_and_grad(mixed, number))(*there), want)
    same(tj.value_and_grad(tj.jit(mixed), number)(*there), want)


def test_gradients_of_functions_that_close_over_arrays():
    _, i, w = tj.device_put((X, I, W))
    want = tj.grad(lambda x: mixed(x, I, W))(X)
    x = tj.device_put(X)
    same(tj.grad(lambda x: mixed(x, i, w))(x), want)
    same(tj.jit(tj.grad(lambda x: mixed(x, i, w)))(x), want)
    same(tj.grad(lambda x: np.sum(np.cumsum(x) * X))(x), tj.grad(lambda x: np.sum(np.cumsum(x) * X))(X))


@pytest.mark.parametrize(
    "transform",
    (
        lambda f: tj.jacrev(f), lambda f: tj.jacfwd(f), lambda f: lambda x: tj.jvp(f, (x,), (x,)), lambda f: lambda x: tj.vjp(f, x)[1](f(x)),
        lambda f: tj.hessian(lambda x: np.sum(f(x))), lambda f: lambda x: tj.hvp(lambda x: np.sum(f(x)))(x, x), lambda f: tj.vmap(f),
        lambda f: lambda x: tj.linearize(f, x)[1](x), lambda f: lambda x: tj.vmap(tj.grad(lambda r: f(r) * r))(x),
    ),
)  # fmt: skip
def test_transforms(transform):
    f = transform(lambda x: np.tanh(x) * x**2)
    want = f(X)
    x = tj.device_put(X)
    same(f(x), want)
    same(tj.jit(f)(x), want)


@pytest.mark.parametrize(
    "f",
    (
        lambda x: x[x > 0.5] ** 2, lambda x: x[np.nonzero(x > 0)[0]] ** 2, lambda x: x[np.argsort(-x)][:3] * np.arange(3.0),
        lambda x: x * 2 if x[0] < 0.5 else x, lambda x: sum(x[i] for i in range(int(np.sum(x > 0)))), lambda x: np.pad(x, 2, mode="edge") ** 2,
        lambda x: np.where(np.arange(6) > 2, x, 0.0), lambda x: np.stack([x, np.ones(6), x * 2]) ** 2, lambda x: np.median(x) + np.quantile(x, 0.3),
        lambda x: np.interp(x, np.arange(5.0), np.arange(5.0) ** 2), lambda x: np.convolve(x, np.array([1.0, 2.0, 1.0])) ** 2, lambda x: np.prod(x),
        lambda x: np.take(x, [1, 1, 2]) * np.roll(x, 2)[:3], lambda x: np.linalg.norm(x) * np.std(x), lambda x: x * float(np.arange(3.0)[1]),
    ),
)  # fmt: skip
def test_functions_of_numpy(f):
    g = tj.grad(lambda x: np.sum(f(x)))
    same(g(tj.device_put(X)), g(X))
    same(tj.jit(g)(tj.device_put(X)), g(X))


def test_results_that_do_not_depend_on_an_argument():
    x = tj.device_put(X)
    same(tj.grad(lambda x, y: np.sum(y), (0, 1))(x, x), (np.zeros(6), np.ones(6)))
    same(tj.vjp(lambda x: np.floor(x), x)[1](x), (np.zeros(6),))
    same(tj.vmap(lambda r: np.ones(2))(x), np.ones((6, 2)))


def test_custom_rules():
    @tj.custom_vjp
    def f(x):
        return np.sin(x)

    f.defvjp(lambda x: (np.sin(x), x), lambda x, ct: (2 * ct * np.cos(x),))
    g = tj.grad(lambda x: np.sum(f(x)))
    same(g(tj.device_put(X)), 2 * np.cos(X))
    same(tj.jit(g)(tj.device_put(X)), 2 * np.cos(X))


@pytest.mark.parametrize(
    "f",
    (
        lambda x: tj.scan(lambda c, a: (c + a, c * a), x[0], x), lambda x: tj.fori_loop(0, 5, lambda i, c: c + np.sin(c) * i, x),
        lambda x: tj.while_loop(lambda c: c[0] < 100.0, lambda c: c * 2, np.abs(x) + 1), lambda x: tj.cond(x[0] > 0, np.sin, np.cos, x),
        lambda x: tj.associative_scan(np.add, x), lambda x: tj.checkpoint(np.tanh)(x),
    ),
)  # fmt: skip
def test_control(f):
    same(f(tj.device_put(X)), f(X))
    same(tj.jit(f)(tj.device_put(X)), f(X))
    g = tj.grad(lambda x: sum(np.sum(leaf) for leaf in tj.tree.leaves(f(x))))
    same(g(tj.device_put(X)), g(X))
    same(tj.jit(g)(tj.device_put(X)), g(X))


@pytest.mark.parametrize(
    "f",
    (
        lambda x, w: tj.scan(lambda h, a: (np.tanh(w @ h) * a, h.sum()), x[:4], x[:3]),
        lambda x, w: tj.scan(lambda h, a: (tj.cond(h.sum() > a, np.sin, lambda h: h @ w, h), h), x[:4], x[:3]),
        lambda x, w: tj.scan(lambda h, a: (tj.while_loop(lambda h: np.sum(h * h) > 1, lambda h: h * 0.6, h + a), h), w[0], x[:2]),
        lambda x, w: tj.vmap(lambda r: tj.while_loop(lambda r: np.sum(r * r) > 1, lambda r: np.tanh(r) * 0.9, r))(w),
    ),
)  # fmt: skip
def test_loops_that_are_one_kernel(f):
    w = W[:, :4].copy()
    x, there = tj.device_put((X, w))
    same(tj.jit(f)(x, there), f(X, w))
    g = tj.grad(lambda x, w: sum(np.sum(leaf) for leaf in tj.tree.leaves(f(x, w))), argnums=(0, 1))
    compiled = tj.jit(g)
    same(compiled(x, there), g(X, w))
    assert "Python drives" not in compiled.explain(x, there)


def test_callbacks_are_given_arrays_of_the_host():
    seen = []

    def twice(x):
        seen.append(type(x))
        return 2 * x

    f = lambda x: tj.pure_callback(twice, tj.ShapeDtype((6,), np.float64), x) + 1
    same(tj.jit(f)(tj.device_put(X)), 2 * X + 1)
    assert set(seen) == {np.ndarray}


def test_a_training_step_stays_on_the_device():
    model = {"w": RNG.normal(size=(6, 3)), "b": np.zeros(3)}
    data, target = RNG.normal(size=(8, 6)), RNG.normal(size=(8, 3))
    optimizer = tj.optim.adam(1e-2)

    def step(model, state, data, target):
        loss, slope = tj.value_and_grad(lambda m: np.mean((np.tanh(data @ m["w"] + m["b"]) - target) ** 2))(model)
        updates, state = optimizer.update(slope, state, model)
        return loss, tj.tree.map(np.add, model, updates), state

    here, there = (model, optimizer.init(model)), tj.device_put((model, optimizer.init(model)))
    compiled = tj.jit(step)
    on_device = tj.device_put((data, target))
    for _ in range(3):
        loss, *here = step(*here, data, target)
        there_loss, *there = compiled(*there, *on_device)
        same(there_loss, loss)
    same(there[0], here[0])


def test_layers():
    from tracejit import nn

    x = RNG.normal(size=(4, 6))
    f = lambda x: nn.gelu(nn.softmax(x) @ W.T)
    same(tj.jit(f, target="cuda")(x), f(x))
