"""Learning-rate schedulers: step by step torch's own rates, and their states."""

import io
import math
import warnings

import pytest

from tracejit import torch

schedulers = torch.optim.lr_scheduler


def optimizer_of(lib, groups=2, **options):
    params = [{"params": [lib.zeros(1, requires_grad=True)], "lr": 0.1 * (i + 1)} for i in range(groups)]
    return lib.optim.SGD(params, lr=0.1, **{"momentum": 0.9, **options})


def inverse(epoch):
    return 1 / (1 + epoch)


SCHEDULERS = {
    "StepLR": lambda s, o: s.StepLR(o, 3, gamma=0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 5, 5, 9], gamma=0.3),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.9),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.25, total_iters=4),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.2, 0.9, total_iters=7),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 8, power=2.0),
    "LambdaLR": lambda s, o: s.LambdaLR(o, inverse),
    "LambdaLR, two": lambda s, o: s.LambdaLR(o, [inverse, lambda e: 0.9**e]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.95),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 5, eta_min=0.01),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, eta_min=0.01),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.01, 0.1, step_size_up=4),
    "CyclicLR, triangular2": lambda s, o: s.CyclicLR(o, [0.01, 0.02], [0.1, 0.3], 3, 5, mode="triangular2"),
    "CyclicLR, exp_range": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9, cycle_momentum=False),
    "CyclicLR, scale_fn": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 3, scale_fn=lambda x: 1 / x, scale_mode="cycle"),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=20),
    "OneCycleLR, linear": lambda s, o: s.OneCycleLR(o, [0.5, 0.2], epochs=4, steps_per_epoch=5, anneal_strategy="linear", pct_start=0.4),
    "OneCycleLR, three phases": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=20, three_phase=True),
    "SequentialLR": lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=4), s.ExponentialLR(o, 0.8), s.CosineAnnealingLR(o, 3)], [4, 9]),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 5), s.ExponentialLR(o, 0.9)]),
}


def rates(lib, make, steps=20):
    optimizer = optimizer_of(lib)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(lib.optim.lr_scheduler, optimizer)
        seen = []
        for _ in range(steps):
            seen.append([(g["lr"], g["momentum"]) for g in optimizer.param_groups])
            assert scheduler.get_last_lr() == [g["lr"] for g in optimizer.param_groups]
            optimizer.step()
            scheduler.step()
    return seen


@pytest.mark.parametrize("name", SCHEDULERS)
def test_rates_are_torchs(name):
    real = pytest.importorskip("torch")
    for ours, theirs in zip(rates(torch, SCHEDULERS[name]), rates(real, SCHEDULERS[name]), strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert a == pytest.approx(b, rel=1e-13, abs=1e-17)


FIXED = {
    "StepLR": [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025],
    "MultiStepLR": [0.1, 0.1, 0.03, 0.03, 0.03, 0.0027, 0.0027],
    "ExponentialLR": [0.1 * 0.9**i for i in range(7)],
    "ConstantLR": [0.025] * 4 + [0.1] * 3,
    "LinearLR": [0.1 * (0.2 + 0.1 * i) for i in range(7)],
    "PolynomialLR": [0.1 * (1 - i / 8) ** 2 for i in range(7)],
    "LambdaLR": [0.1 / (1 + i) for i in range(7)],
    "MultiplicativeLR": [0.1 * 0.95**i for i in range(7)],
    "CosineAnnealingLR": [0.01 + 0.09 * (1 + math.cos(math.pi * i / 5)) / 2 for i in range(7)],
    "CosineAnnealingWarmRestarts": [0.1, 0.0775, 0.0325, 0.1, 0.01 + 0.09 * (1 + math.cos(math.pi / 6)) / 2, 0.0775, 0.055],
    "CyclicLR": [0.01, 0.0325, 0.055, 0.0775, 0.1, 0.0775, 0.055],
    "OneCycleLR": [0.02 + 0.48 * (1 - math.cos(math.pi * i / 5)) / 2 for i in range(6)],
    "SequentialLR": [0.01, 0.0325, 0.055, 0.0775, 0.1, 0.08, 0.064],
    "ChainedScheduler": [0.01, 0.009, 0.0081, 0.00729, 0.006561, 0.1 * 0.9**5],
}


@pytest.mark.parametrize("name", FIXED)
def test_rates_by_formula(name):
    seen = [step[0][0] for step in rates(torch, SCHEDULERS[name], len(FIXED[name]))]
    assert seen == pytest.approx(FIXED[name], rel=1e-12)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_state_goes_on(name):
    def run(optimizer, scheduler, n):
        seen = []
        for _ in range(n):
            optimizer.step()
            scheduler.step()
            seen.append(scheduler.get_last_lr())
        return seen

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = optimizer_of(torch)
        scheduler = SCHEDULERS[name](schedulers, first)
        run(first, scheduler, 6)
        file = io.BytesIO()
        torch.save({"optimizer": first.state_dict(), "scheduler": scheduler.state_dict()}, file)  # they are plain data
        second = optimizer_of(torch)
        again = SCHEDULERS[name](schedulers, second)
        saved = torch.load(file)
        second.load_state_dict(saved["optimizer"])
        again.load_state_dict(saved["scheduler"])
        assert run(second, again, 6) == run(first, scheduler, 6)


def test_closed_forms_when_an_epoch_is_given():
    for name in ("StepLR", "MultiStepLR", "ExponentialLR", "ConstantLR", "LinearLR", "PolynomialLR", "CosineAnnealingLR"):
        optimizer = optimizer_of(torch)
        scheduler = SCHEDULERS[name](schedulers, optimizer)
        for epoch, expected in enumerate(FIXED[name]):
            optimizer.step()
            scheduler.step(epoch)
            assert scheduler.get_last_lr()[0] == pytest.approx(expected, rel=1e-12)


def test_warm_restarts_at_fractions():
    real = pytest.importorskip("torch")

    def run(lib):
        scheduler = lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer_of(lib), 2, 3)
        return [scheduler.step(e) or scheduler.get_last_lr() for e in (0, 0.3, 1.9, 2.1, 7.5, 8.2, 30)]

    for ours, theirs in zip(run(torch), run(real), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-13)


METRICS = [1.0, 0.9, 0.95, 0.93, 0.92, 0.5, 0.5, 0.5, 0.5, 0.4999, 0.5, 0.5, 0.5, 0.7, 0.7, 0.7, 0.7]


PLATEAUS = [{}, {"mode": "max"}, {"threshold_mode": "abs", "threshold": 0.01}, {"cooldown": 2, "min_lr": [0.02, 0.01]}]


@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_plateau(options):
    real = pytest.importorskip("torch")

    def run(lib):
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer_of(lib), factor=0.5, patience=2, **options)
        return [scheduler.step(m) or list(scheduler.get_last_lr()) for m in METRICS]

    assert run(torch) == run(real)


def test_plateau_by_hand():
    optimizer = optimizer_of(torch, groups=1)
    scheduler = schedulers.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    seen = []
    for loss in (1.0, torch.tensor(0.5), 0.5, 0.5, 0.5, 0.5):
        scheduler.step(loss)
        seen.append(optimizer.param_groups[0]["lr"])
    assert seen == [0.1, 0.1, 0.1, 0.05, 0.05, 0.025]
    again = schedulers.ReduceLROnPlateau(optimizer_of(torch, groups=1), patience=7)
    again.load_state_dict(scheduler.state_dict())
    assert again.patience == 1 and again.best == 0.5


def test_rates_in_tensors_keep_their_memory():
    rate = torch.tensor(0.5)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
    scheduler = schedulers.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is rate and rate.item() == 0.25 and scheduler.get_last_lr() == [0.25]


def test_adams_beta_is_its_momentum():
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = schedulers.OneCycleLR(optimizer, 0.1, total_steps=10)
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.999)
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["betas"][0] == pytest.approx(0.85)


def test_errors():
    optimizer = optimizer_of(torch)
    with pytest.raises(TypeError, match="is not an Optimizer"):
        schedulers.StepLR(3, 2)
    with pytest.raises(KeyError, match="initial_lr"):
        schedulers.StepLR(optimizer_of(torch), 2, last_epoch=3)
    with pytest.raises(ValueError, match="same length"):
        schedulers.LambdaLR(optimizer, [inverse])
    with pytest.raises(TypeError, match="should be a function"):
        schedulers.LambdaLR(optimizer, 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        schedulers.ConstantLR(optimizer, 2.0)
    with pytest.raises(ValueError, match="positive integer T_0"):
        schedulers.CosineAnnealingWarmRestarts(optimizer, 0)
    with pytest.raises(ValueError, match="total_steps OR"):
        schedulers.OneCycleLR(optimizer, 0.1)
    with pytest.raises(ValueError, match="Tried to step 3 times"):
        scheduler = schedulers.OneCycleLR(optimizer, 0.1, total_steps=2)
        for _ in range(3):
            optimizer.step()
            scheduler.step()
    with pytest.raises(ValueError, match="cycle_momentum=False"):
        schedulers.CyclicLR(torch.optim.Adagrad([torch.zeros(1, requires_grad=True)]), 0.1, 0.2)
    with pytest.raises(ValueError, match="same optimizer"):
        schedulers.ChainedScheduler([schedulers.StepLR(optimizer, 1), schedulers.StepLR(optimizer_of(torch), 1)])
    with pytest.raises(ValueError, match="one more than"):
        schedulers.SequentialLR(optimizer, [schedulers.StepLR(optimizer, 1)], [1])
    with pytest.raises(ValueError, match="Factor"):
        schedulers.ReduceLROnPlateau(optimizer, factor=1.0)


def test_the_order_of_steps_is_checked():
    scheduler = schedulers.StepLR(optimizer_of(torch), 2)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()
