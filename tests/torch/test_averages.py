"""Averages of weights beside torch's."""

import importlib

import numpy as np
import pytest

import tracejit.torch as ours

from .semantics import as_real


def training(torch, **options):
    swa = importlib.import_module(f"{torch.__name__}.optim.swa_utils")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
    if "decay" in options:
        average = swa.AveragedModel(net, multi_avg_fn=swa.get_ema_multi_avg_fn(options["decay"]))
    else:
        average = swa.AveragedModel(net, use_buffers=options.get("buffers", False))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    scheduler = swa.SWALR(optimizer, swa_lr=0.05, anneal_epochs=3, anneal_strategy=options.get("strategy", "cos"))
    data = [torch.tensor(np.random.default_rng(i).normal(size=(4, 2)), dtype=torch.float32) for i in range(6)]
    rates = []
    for x in data:
        optimizer.zero_grad()
        net(x).pow(2).sum().backward()
        optimizer.step()
        average.update_parameters(net)
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    swa.update_bn(data, average)
    return dict(average.state_dict()), np.array(rates), average(data[0])


@pytest.mark.parametrize("options", [{}, {"buffers": True, "strategy": "linear"}, {"decay": 0.7}], ids=str)
def test_averages_as_torch(options):
    as_real(lambda torch: training(torch, **options), rtol=1e-5, atol=1e-6)


def test_the_mean_of_weights():
    net = ours.nn.Linear(1, 1, bias=False)
    average = ours.optim.swa_utils.AveragedModel(net)
    for value in (1.0, 2.0, 6.0):
        ours.nn.init.constant_(net.weight, value)
        average.update_parameters(net)
    assert average.module.weight.item() == 3.0 and average(ours.ones(1)).item() == 3.0
    with pytest.raises(ValueError, match="Invalid decay"):
        ours.optim.swa_utils.get_ema_avg_fn(2.0)
