"""Optimizers on parameters that live on a device."""

import numpy as np
import pytest

import tracejit as tj
from tracejit.cuda.backend import backend


@pytest.mark.parametrize("make", [lambda: tj.optim.adam(0.1), lambda: tj.optim.sgd(0.1, momentum=0.9), lambda: tj.optim.rmsprop(0.1)])
def test_state_and_parameters_stay_on_the_device(make):
    optimizer = make()
    start = {"weights": np.linspace(-1.0, 1.0, 6).reshape(2, 3), "bias": np.zeros(3)}

    def loss(parameters, x):
        return ((np.tanh(x @ parameters["weights"] + parameters["bias"]) - 0.5) ** 2).sum()

    @tj.jit
    def step(parameters, state, x):
        value, gradient = tj.value_and_grad(loss)(parameters, x)
        return value, *optimizer.update(gradient, state, parameters)

    def losses(parameters, x):
        state, found = optimizer.init(parameters), []
        for _ in range(3):
            value, parameters, state = step(parameters, state, x)
            found.append(float(value))
        return found, parameters, state

    x = np.arange(8.0).reshape(4, 2) / 8
    want, _, _ = losses(start, x)
    got, parameters, state = losses(tj.device_put(start), tj.device_put(x))
    np.testing.assert_allclose(got, want, rtol=1e-12)
    leaves = [leaf for leaf in tj.tree.leaves((parameters, state)) if np.ndim(leaf)]
    assert leaves and all(backend().is_device_array(leaf) for leaf in leaves)
