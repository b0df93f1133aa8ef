"""The functions of the example programs on a device, at small sizes, beside the host."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import tracejit as tj
from tracejit.cuda.backend import backend

EXAMPLES = Path(__file__).parents[3] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def close(got, want, digits):
    for g, w in zip(tj.tree.leaves(got), tj.tree.leaves(want), strict=True):
        assert backend().is_device_array(g)
        np.testing.assert_allclose(g.get(), w, rtol=digits, atol=digits * max(1.0, float(np.max(np.abs(w)))))


def both(f, *args, digits=1e-9):
    """The function compiled on the device, and on the host."""
    close(tj.jit(f, target="cuda")(*args), tj.jit(f)(*args), digits)


def test_black_scholes():
    example = load("black_scholes")
    market = example.sample(40, np.float64)
    both(example.greeks, *market)


def test_newton_while():
    example = load("newton_while")
    mean = np.linspace(0.1, 3.0, 5)
    f = lambda e: np.sum(example.places(e, mean))
    both(tj.value_and_grad(f), 0.3)


def test_rosenbrock():
    example = load("rosenbrock")
    x = np.linspace(-1.0, 1.5, 6)
    both(tj.value_and_grad(example.rosenbrock), x)
    both(tj.hessian(example.rosenbrock), x)


@pytest.mark.slow
def test_pendulum():
    example = load("pendulum_ilqr")
    controls = np.full((example.STEPS, 1), 0.2)
    both(lambda u: example.optimise(np.array([np.pi, 0.0]), u, 2)[:2], controls, digits=1e-6)


def test_training_step():
    example = load("train_digits")
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(6, 64)).astype(np.float32), rng.integers(0, 10, 6)
    params = tj.nn.init_mlp(rng, [64, 16, 10], dtype=np.float32)
    optimizer = tj.optim.chain(tj.optim.clip_by_global_norm(5.0), tj.optim.adamw(1e-2))
    both(example.make_step(optimizer), params, optimizer.init(params), images, labels, digits=1e-4)


@pytest.mark.slow
def test_chains():
    example = load("hmc_logistic")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(10, 3)), (rng.normal(size=10) > 0).astype(float)
    both(lambda start: example.chain(tj.random.key(1), start, x, y, 2, 3), np.zeros(3), digits=1e-6)


@pytest.mark.slow
def test_rates_of_an_equation():
    example = load("lotka_volterra")
    times, logs = np.linspace(0.0, 1.0, 4), np.log([0.5, 0.03, 0.03, 0.8, 30.0, 4.0])
    counts = example.simulate(logs, times)
    f = lambda logs: example.misfit(logs, times, 1.1 * counts, np.ones(4), "discrete")
    both(tj.value_and_grad(f), logs, digits=1e-5)


def test_heat():
    example = load("heat_inversion")
    both(lambda u: tj.lift(example.heat)(u, 3, 0.2), np.random.default_rng(0).normal(size=(5, 6)))
