"""Networks and batches for compiled training steps, and the comparison with eager ones."""

import numpy as np
import pytest

from tracejit import torch

nn, F = torch.nn, torch.nn.functional


def batches(n=6, size=8, width=5, seed=1):
    rng = np.random.default_rng(seed)
    return [(torch.tensor(rng.normal(size=(size, width)).astype("f4")), torch.tensor(rng.normal(size=(size, 2)).astype("f4"))) for _ in range(n)]


def network():
    return nn.Sequential(nn.Linear(5, 7, bias=False), nn.BatchNorm1d(7), nn.Tanh(), nn.Linear(7, 2))


def close(a, b, where=""):
    """Equal nests of tensors, numbers and containers."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-4, atol=2e-6, err_msg=where)
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            close(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, pair in enumerate(zip(a, b)):
            close(*pair, f"{where}[{i}]")
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=2e-4, abs=2e-6), where
    else:
        assert a == b, where


def compare(program, compilations=None):
    """`program(compile)` gives what is compared, and the compiled functions, whose compilations are counted."""
    torch.manual_seed(0)
    expected, _ = program(lambda f: f)
    torch.manual_seed(0)
    found, compiled = program(torch.compile)
    close(expected, found)
    if compilations is not None:
        assert [c.cache_info().currsize for c in compiled] == compilations
