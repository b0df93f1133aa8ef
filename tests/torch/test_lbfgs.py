"""LBFGS: torch's own values, minima, states, and what is refused."""

import io

import numpy as np
import pytest

from tracejit import torch

from .parameters import parameter


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def minimize(lib, function, start, calls, **options):
    x = lib.tensor(start, dtype=lib.float64, requires_grad=True)
    optimizer = lib.optim.LBFGS([x], **options)
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = function(x)
        loss.backward()
        return loss

    for _ in range(calls):
        losses.append(float(optimizer.step(closure)))
    return x.detach().numpy(), losses, optimizer.state[x]


WOLFE = {"line_search_fn": "strong_wolfe"}


@pytest.mark.parametrize("options", [{"lr": 1e-3}, WOLFE, {**WOLFE, "max_iter": 4, "history_size": 3}], ids=str)
def test_lbfgs_is_torchs(options):
    real = pytest.importorskip("torch")
    calls = 5
    x, losses, state = minimize(torch, rosenbrock, [-1.2, 1.0], calls, **options)
    y, expected, reference = minimize(real, rosenbrock, [-1.2, 1.0], calls, **options)
    np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-12)
    assert (state["n_iter"], state["func_evals"]) == (reference["n_iter"], reference["func_evals"])


def test_lbfgs_finds_minima():
    x, losses, _ = minimize(torch, rosenbrock, [-1.2, 1.0], 4, line_search_fn="strong_wolfe", max_iter=30)
    np.testing.assert_allclose(x, [1.0, 1.0], rtol=1e-3)
    assert losses == sorted(losses, reverse=True)
    x, _, state = minimize(torch, lambda x: ((x - torch.tensor([3.0, -1.0])) ** 2).sum(), [0.0, 0.0], 2)
    np.testing.assert_allclose(x, [3.0, -1.0], rtol=1e-9)
    assert state["func_evals"] <= 6


def test_lbfgs_goes_on_from_a_state():
    x, y = (torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True) for _ in range(2))
    first, second = (torch.optim.LBFGS([p], max_iter=3, line_search_fn="strong_wolfe") for p in (x, y))

    def closure_of(optimizer, p):
        def closure():
            optimizer.zero_grad()
            loss = rosenbrock(p)
            loss.backward()
            return loss

        return closure

    first.step(closure_of(first, x))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    second.load_state_dict(torch.load(file))
    with torch.no_grad():
        y.copy_(x)
    first.step(closure_of(first, x))
    second.step(closure_of(second, y))
    assert x.tolist() == y.tolist()


def test_lbfgs_misuse():
    x, y = parameter(), parameter()
    with pytest.raises(TypeError, match="closure"):
        torch.optim.LBFGS([x]).step()
    with pytest.raises(ValueError, match="parameter groups"):
        torch.optim.LBFGS([{"params": [x]}, {"params": [y]}])
