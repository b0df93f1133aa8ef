"""Optimizers of matrices, Adafactor and Muon: torch's own values, compiled steps, and what is refused."""

import numpy as np
import pytest

from tracejit import torch

from .parameters import TOLERANCE, sample

OF_MATRICES = [
    ("Adafactor", {}, [(3, 4), (5,), (), (2, 3, 4)]),
    ("Adafactor", {"lr": 0.1, "weight_decay": 0.1, "maximize": True, "d": 2.0, "eps": (1e-5, 1e-2)}, [(3, 4), (5,)]),
    ("Muon", {}, [(3, 4), (6, 2), (8, 8)]), ("Muon", {"lr": 0.1, "nesterov": False, "adjust_lr_fn": "match_rms_adamw"}, [(3, 4), (6, 2)]),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options, shapes", OF_MATRICES, ids=[f"{name} {options}" for name, options, _ in OF_MATRICES])
def test_optimizers_of_matrices_are_torchs(name, options, shapes, dtype):
    real = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    starts = [sample(rng, shape, dtype) for shape in shapes]
    ours = [torch.from_numpy(x.copy()).requires_grad_() for x in starts]
    theirs = [real.from_numpy(x.copy()).requires_grad_() for x in starts]
    a, b = getattr(torch.optim, name)(ours, **options), getattr(real.optim, name)(theirs, **options)
    tolerance = 2e-3 if name == "Muon" else TOLERANCE[dtype]  # which rounds to bfloat16 on the way: what lies between two of these goes either way
    for _ in range(20):
        for x, y in zip(ours, theirs):
            gradient = sample(rng, tuple(x.shape), dtype)
            x.grad, y.grad = torch.from_numpy(gradient.copy()), real.from_numpy(gradient.copy())
        a.step()
        b.step()
        for x, y in zip(ours, theirs):
            np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol=tolerance, atol=tolerance)
    for x, y in zip(ours, theirs):
        assert list(a.state[x]) == list(b.state[y])
        for key, value in b.state[y].items():
            np.testing.assert_allclose(a.state[x][key].numpy(), value.numpy(), rtol=1e-5, atol=1e-6)
    b.load_state_dict({"state": {n: {k: real.from_numpy(t.numpy().copy()) for k, t in s.items()} for n, s in a.state_dict()["state"].items()},
                       "param_groups": a.state_dict()["param_groups"]})  # fmt: skip


@pytest.mark.parametrize("name", ["Adafactor", "Muon"])
def test_compiled_steps_of_optimizers_of_matrices(name):
    def trained(compile):
        x = torch.tensor([[1.0, -2.0, 0.5], [0.3, 2.0, -1.0]], requires_grad=True)
        optimizer = getattr(torch.optim, name)([x], lr=0.1)

        def step():
            optimizer.zero_grad()
            (x * x + x).sum().backward()
            optimizer.step()

        run = torch.compile(step) if compile else step
        for _ in range(5):
            run()
        return x.detach().numpy()

    np.testing.assert_allclose(trained(True), trained(False), rtol=2e-3)


def test_optimizers_of_matrices_refuse():
    complex_ = torch.ones(2, 2, dtype=torch.complex64, requires_grad=True)
    complex_.grad = torch.ones(2, 2, dtype=torch.complex64)
    for name in ("Adafactor", "Muon"):
        with pytest.raises(RuntimeError, match="does not support complex parameters"):
            getattr(torch.optim, name)([complex_]).step()
    x = torch.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match="Muon only supports 2D parameters"):
        torch.optim.Muon([x])
    with pytest.raises(ValueError, match="adjust_lr_fn"):
        torch.optim.Muon([torch.ones(2, 2, requires_grad=True)], adjust_lr_fn="other")
    with pytest.raises(ValueError, match="beta2_decay"):
        torch.optim.Adafactor([x], beta2_decay=0.8)
