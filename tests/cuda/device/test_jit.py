"""Compiled functions on a device: where they run, what they read and write, their guards and messages."""

import warnings

import numpy as np
import pytest

import tracejit as tj
from tracejit.cuda.backend import backend

X = np.linspace(0.1, 1.0, 5)
W = np.arange(10.0).reshape(2, 5)


def same(got, want):
    """Equal trees, the first of arrays on the device."""
    for g, w in zip(tj.tree.leaves(got), tj.tree.leaves(want), strict=True):
        assert backend().is_device_array(g) and g.dtype == np.asarray(w).dtype and g.shape == np.shape(w)
        np.testing.assert_allclose(g.get(), w, rtol=1e-12, atol=1e-12)


def thrice(f, args, want):
    """The slow way, and the entry."""
    for _ in range(3):
        same(f(*args), want)


# -- where it runs
def test_a_call_follows_its_arguments():
    f = tj.jit(lambda x, w, s: (w @ x * s, {"a": np.sum(w, axis=0) + x}))
    want = W @ X * 2.0, {"a": W.sum(0) + X}
    thrice(f, (*tj.device_put((X, W)), 2.0), want)
    assert isinstance(f(X, W, 2.0)[0], np.ndarray)
    thrice(f, (*tj.device_put((X, W)), np.float64(2.0)), want)


def test_a_target_brings_its_arguments():
    thrice(tj.jit(lambda x: np.sin(x) ** 2, target="cuda"), (X,), np.sin(X) ** 2)
    thrice(tj.jit(target="cuda:0")(lambda x, n: x * n), (X, 3), X * 3)
    with pytest.raises(ValueError, match="target is"):
        tj.jit(np.sin, target="gpu")


def test_numbers_follow_what_is_closed_over():
    there = tj.device_put(X)
    thrice(tj.jit(lambda s: there * s), (2.0,), X * 2.0)


def test_other_calls_and_keywords():
    f = tj.jit(lambda x, *, scale, power: (x * scale) ** power, static_argnames="power")
    x = tj.device_put(X)
    for scale in (2.0, 3.0, 2.0):
        for power in (2, 3, 2):
            same(f(x, scale=scale, power=power), (X * scale) ** power)
    g = tj.jit(lambda tree: tree["a"] * tree["b"][0])
    for _ in range(3):
        same(g({"b": [x, None], "a": x}), X * X)
    same(g({"b": [tj.device_put(X[:2])], "a": tj.device_put(X[:2])}), X[:2] ** 2)


def test_strided_arguments():
    there = tj.device_put(W)
    thrice(tj.jit(lambda w: w * 2), (there.T[::2],), W.T[::2] * 2)


def test_arrays_in_two_places():
    f = tj.jit(lambda x, w: w @ x)
    with pytest.raises(tj.cuda.DeviceError, match="argument `x` is an array of the host.*argument `w` lives on cuda:0.*device_put"):
        f(X, tj.device_put(W))
    with pytest.raises(tj.cuda.DeviceError, match="argument `x` lives on cuda:0, and the target is cpu"):
        tj.jit(lambda x: x, target="cpu")(tj.device_put(X))
    there = tj.device_put(W)
    for of_it in (tj.jit, lambda f: tj.grad(lambda x: np.sum(f(x)))):
        with pytest.raises(tj.cuda.DeviceError, match=r"closes over an array \(float64\[2, 5\]\) on cuda:0, and its arguments are arrays of"):
            of_it(lambda x: there @ x)(X)
    with pytest.raises(tj.cuda.DeviceError, match="tangents lives on the host"):
        tj.jvp(np.sin, (tj.device_put(X),), (X,))
    with pytest.raises(tj.cuda.DeviceError, match="cotangents lives on the host"):
        tj.vjp(np.sin, tj.device_put(X))[1](X)
    with pytest.raises(tj.cuda.DeviceError, match="argument `w` is an array of the host"):
        tj.grad(lambda x, w: np.sum(w @ x))(tj.device_put(X), W)
    with pytest.raises(tj.cuda.DeviceError, match="live in two places"):
        tj.vmap(np.multiply)(tj.device_put(X), X)


@pytest.mark.skipif(tj.cuda.device_count() < 2, reason="there is one device")
def test_two_devices():
    f = tj.jit(lambda x, y: x + y)
    x, y = tj.device_put(X, "cuda:0"), tj.device_put(X, "cuda:1")
    with pytest.raises(tj.cuda.DeviceError, match='`y` lives on cuda:1, and argument `x` on cuda:0: pass `tracejit.device_put.x, "cuda:0".`'):
        f(x, y)
    for _ in range(3):
        assert backend().device_of(f(y, y)) == 1
        assert backend().device_of(f(x, x)) == 0
    with pytest.raises(tj.cuda.DeviceError, match="lives on cuda:1, and the target is cuda:0"):
        tj.jit(np.sin, target="cuda:0")(y)


# -- what it closes over
def test_arrays_of_the_host_that_are_closed_over():
    w = W.copy()
    f = tj.jit(lambda x: w @ x)
    thrice(f, (tj.device_put(X),), w @ X)
    w[0, 0] = 7.0
    thrice(f, (tj.device_put(X),), w @ X)


def test_a_large_array_of_the_host_is_said_to_be_copied():
    large = np.zeros(200_000)
    f = tj.jit(lambda x: np.sum(large * x[:1]) + x)
    x = tj.device_put(X)
    with pytest.warns(RuntimeWarning, match="copied to the device at each call"):
        same(f(x), X)
    large[3] = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(f(x), X + X[0])


def test_arrays_of_the_device_that_are_closed_over():
    w, i = tj.device_put(W), tj.device_put(np.array([1, 3]))
    f = tj.jit(lambda x: np.sin(w.dot(x)) + w[0, 0] + x[i])
    thrice(f, (tj.device_put(X),), np.sin(W.dot(X)) + X[[1, 3]])
    w[0, 0] = 7.0
    changed = W.copy()
    changed[0, 0] = 7.0
    same(f(tj.device_put(X)), np.sin(changed.dot(X)) + 7.0 + X[[1, 3]])


# -- guards
def branch(x):
    return x * 2 if x.sum() > 2 else x - 1


def test_guards():
    f = tj.jit(branch)
    for _ in range(4):
        same(f(tj.device_put(X)), X * 2)
        same(f(tj.device_put(X * 0)), X * 0 - 1)
    assert f.cache_info().misses == 2 and "the condition" in f.explain(tj.device_put(X))


# -- writes
def double(x):
    x[1:] *= 2
    return x.sum()


def test_arguments_that_are_written():
    f, host = tj.jit(double), tj.jit(double, target="cuda")
    for _ in range(3):
        there, here, want = tj.device_put(X), X.copy(), X.copy()
        total = double(want)
        same(f(there), total)
        same(there, want)
        same(host(here), total)
        np.testing.assert_array_equal(here, want)
    both = tj.jit(lambda x, y: double(x) + y)
    with pytest.raises(ValueError, match="shares memory"):
        there = tj.device_put(X)
        both(there, there[1:])


class Simulation:
    def __init__(self, u):
        self.u, self.time = u, 0.0

    @tj.jit
    def step(self, dt):
        self.u[1:-1] += dt * (self.u[2:] - 2 * self.u[1:-1] + self.u[:-2])
        self.time += dt
        return self.u.sum()


def test_objects_that_are_written():
    there, here = Simulation(tj.device_put(X**2)), Simulation(X**2)
    for _ in range(4):
        same(there.step(0.1), here.step(0.1))
        same(there.u, here.u)
        assert float(there.time) == here.time


def test_a_written_argument_is_the_memory_of_its_new_contents():
    @tj.jit
    def step(p, g):
        p -= 0.1 * g
        return np.sum(p * p)

    p, g = tj.device_put((np.ones(3000), np.full(3000, 2.0)))
    where = backend().address(p)
    for turn in range(1, 5):
        same(step(p, g), np.sum(np.full(3000, 1 - 0.2 * turn) ** 2))
        same(p, np.full(3000, 1 - 0.2 * turn))
    assert backend().address(p) == where

    @tj.jit
    def with_outside(p):
        p[:-1] += q[1:]

    q = p
    with pytest.raises(ValueError, match="shares memory with an array which it closes over"):
        with_outside(p)


def test_an_argument_that_is_returned_is_the_very_array():
    x = tj.device_put(X)
    f = tj.jit(lambda x: (x, x + 1))
    for _ in range(3):
        assert f(x)[0] is x


# -- random numbers
def test_random_numbers_are_those_of_the_host():
    key = tj.random.key(3)
    same(tj.jit(lambda k, x: x + tj.random.normal(k, (5,)), target="cuda")(key, X), X + tj.random.normal(key, (5,)))
    same(tj.random.normal(tj.device_put(key), (5,)), tj.random.normal(key, (5,)))
    same(tj.random.permutation(key, tj.device_put(X)), tj.random.permutation(key, X))
    same(tj.random.choice(key, tj.device_put(X), (3,)), tj.random.choice(key, X, (3,)))
    there, here = tj.random.default_rng(3), tj.random.default_rng(3)
    f = tj.jit(lambda x: x + there.normal(size=5))
    for _ in range(3):
        same(f(tj.device_put(X)), X + here.normal(size=5))


# -- errors, and what was built
def test_an_index_out_of_range():
    f = tj.jit(lambda x, i: x[i])
    same(f(*tj.device_put((X, np.array([0, -1])))), X[[0, -1]])
    with pytest.raises(IndexError, match="out of bounds"):
        f(*tj.device_put((X, np.array([0, 5]))))
        tj.cuda.synchronize()  # a device tells of it when it is waited for


def test_what_was_built():
    f = tj.jit(lambda x, w: np.sort(np.tanh(w @ x)), target="cuda")
    f(X, W)
    assert "is compiled for cuda:0" in f.explain(X, W) and "through CuPy: sort" in f.explain(X, W)
    assert "tanh" in f.kernels(X, W) and "through CuPy: sort" in f.kernels(X, W) and "def kernel" in f.llvm(X, W)
    f(X, W.astype(np.float32))
    g = tj.jit(lambda x: x)
    g(X)
    assert g.explain(tj.device_put(X)) == "compiles anew: runs on cuda:0, ran on the host"


def test_ahead_of_time():
    lowered = tj.jit(lambda x, w, s: w @ x * s, target="cuda").lower(X, W, 2.0)
    compiled = lowered.compile()
    for _ in range(3):
        same(compiled(X, W, 2.0), W @ X * 2)
        same(compiled(*tj.device_put((X, W)), 3.0), W @ X * 3)
    cost = compiled.cost_analysis()
    assert cost.flops >= 20 and cost.bytes_accessed > 0 and compiled.memory_analysis().output_bytes == 16
    assert "kernel" in compiled.kernels() and "def kernel" in compiled.as_text()
    same(tj.jit(np.sin, target="cuda").lower(tj.ShapeDtype((5,), np.float64)).compile()(X), np.sin(X))
    with pytest.raises(tj.cuda.DeviceError, match="compiled for the host"):
        tj.jit(np.sin).lower(X).compile()(tj.device_put(X))
