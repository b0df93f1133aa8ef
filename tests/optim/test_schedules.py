"""Schedules: their values, against torch where it is installed, and as array functions."""
import math

import numpy as np
import pytest

from tracejit import optim

SCHEDULES = {
    "constant": (optim.constant(0.1), lambda t: 0.1),
    "exponential": (optim.exponential_decay(0.1, 0.9, steps=3), lambda t: 0.1 * 0.9 ** (t / 3)),
    "staircase": (optim.exponential_decay(0.1, 0.9, steps=3, staircase=True), lambda t: 0.1 * 0.9 ** (t // 3)),
    "step": (optim.step_decay(0.1, 4, rate=0.5), lambda t: 0.1 * 0.5 ** (t // 4)),
    "cosine": (optim.cosine_decay(0.1, 10, final=0.02), lambda t: 0.02 + 0.08 * (1 + math.cos(math.pi * min(t, 10) / 10)) / 2),
    "warmup": (optim.linear_warmup(0.1, 5, initial=0.05), lambda t: 0.05 + 0.05 * min(t, 5) / 5),
    "warmup_cosine": (optim.warmup_cosine(0.1, 4, 14), lambda t: 0.1 * t / 4 if t < 4 else 0.05 * (1 + math.cos(math.pi * min(t - 4, 10) / 10))),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_values(name):
    schedule, expected = SCHEDULES[name]
    for step in range(20):
        for as_type in (int, np.int64, np.array):
            np.testing.assert_allclose(schedule(as_type(step)), expected(step), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", SCHEDULES)
def test_of_an_array_of_steps(name):
    schedule, expected = SCHEDULES[name]
    steps = np.arange(20)
    np.testing.assert_allclose(np.broadcast_to(schedule(steps), 20), [expected(int(t)) for t in steps], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("name", "options", "schedule"), [
    ("ExponentialLR", dict(gamma=0.9), optim.exponential_decay(0.1, 0.9)),
    ("StepLR", dict(step_size=3, gamma=0.5), optim.step_decay(0.1, 3, 0.5)),
    ("CosineAnnealingLR", dict(T_max=15, eta_min=0.01), optim.cosine_decay(0.1, 15, 0.01)),
    ("LinearLR", dict(start_factor=0.5, total_iters=6), optim.linear_warmup(0.1, 6, 0.05)),
])
def test_matches_torch(name, options, schedule):
    torch = pytest.importorskip("torch")
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs = getattr(torch.optim.lr_scheduler, name)(opt, **options)
    for step in range(15):
        np.testing.assert_allclose(schedule(step), theirs.get_last_lr()[0], rtol=1e-10)
        opt.step()
        theirs.step()


@pytest.mark.parametrize("make", [
    lambda: optim.exponential_decay(0.1, 0.9, steps=0), lambda: optim.step_decay(0.1, 0), lambda: optim.cosine_decay(0.1, -1),
    lambda: optim.linear_warmup(0.1, 0), lambda: optim.warmup_cosine(0.1, 5, 5), lambda: optim.warmup_cosine(0.1, 0, 5)])
def test_refuses_lengths_that_make_no_sense(make):
    with pytest.raises(ValueError, match="steps must be"):
        make()
