"""Layers that draw: with one seed they give torch's numbers in training."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit.torch as ours

LAYERS = {
    "dropout": lambda torch: torch.nn.Dropout(0.3),
    "channels": lambda torch: torch.nn.Dropout2d(0.5),
    "alpha": lambda torch: torch.nn.AlphaDropout(0.4),
    "alpha of channels": lambda torch: torch.nn.FeatureAlphaDropout(0.4),
    "rrelu": lambda torch: torch.nn.RReLU(),
    "lstm": lambda torch: First(torch.nn.LSTM(4, 3, 3, dropout=0.4, batch_first=True, bidirectional=True)),
    "gru": lambda torch: First(torch.nn.GRU(4, 3, 2, dropout=0.4)),
    "encoder": lambda torch: torch.nn.TransformerEncoderLayer(4, 2, 8, 0.3),
    "encoder batch first": lambda torch: torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(4, 2, 8, 0.3, batch_first=True), 2),
    "encoder batch and norm first": lambda torch: torch.nn.TransformerEncoderLayer(4, 2, 8, 0.3, batch_first=True, norm_first=True),
    "decoder batch first": lambda torch: Twice(torch.nn.TransformerDecoderLayer(4, 2, 8, 0.3, batch_first=True)),
}


class First:
    def __init__(self, layer):
        self.layer = layer

    def __call__(self, x):
        return self.layer(x)[0]


class Twice(First):
    def __call__(self, x):
        return self.layer(x, x)


def outcome(torch, name, shape):
    torch.manual_seed(5)
    layer = LAYERS[name](torch)
    x = torch.tensor(np.random.default_rng(2).normal(size=shape).astype("f4"), requires_grad=True)
    y = layer(x)
    y.square().sum().backward()
    return y.detach().numpy(), x.grad.numpy(), torch.rand(2).numpy()


@pytest.mark.parametrize("name", LAYERS)
def test_draws_are_torchs(name):
    torch = pytest.importorskip("torch")
    shape = (3, 5, 4) if "alpha" not in name and name != "channels" else (3, 5, 2, 4)
    for expected, found in zip(outcome(torch, name, shape), outcome(ours, name, shape)):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


def test_alpha_dropout_keeps_mean_and_variance():
    ours.manual_seed(0)
    x = ours.randn(200_000)
    y = ours.nn.functional.alpha_dropout(x, 0.3, training=True)
    assert abs(y.mean().item()) < 0.02 and abs(y.std().item() - 1) < 0.02
    assert 0.29 < ((y + 1.05955).abs() < 2e-5).float().mean().item() < 0.31  # those that are dropped
