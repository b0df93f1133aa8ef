"""Training steps as people write them: compiled, they leave behind what they leave behind eagerly, and compile no more often than they must."""

import copy

import numpy as np
import pytest

from tracejit import torch
from tracejit.torch.optim import lr_scheduler

from .training_steps import F, batches, close, compare, network, nn


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_runs_as_it_is_with_a_compiled_closure(search):
    def program(compile):
        net = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2)).double()
        optimizer = torch.optim.LBFGS(net.parameters(), lr=0.5, line_search_fn=search, max_iter=5)

        def step(x, y):
            def closure():
                optimizer.zero_grad()
                loss = F.mse_loss(net(x.double()), y.double())
                loss.backward()
                return loss

            return optimizer.step(closure)

        run = compile(step)
        losses = [run(x, y).item() for x, y in batches()]
        return [losses, list(net.parameters())], [] if run is step else list(run._closures.values())

    compare(program, [1])


def test_train_and_eval_compile_once_each():
    def program(compile):
        net = network()
        run = compile(lambda x: net(x).sum())
        found = []
        for i, (x, _) in enumerate(batches()):
            net.train(i % 2 == 0)
            found.append(run(x))
        return [found, dict(net.named_buffers())], [run]

    compare(program, [2])


@pytest.mark.parametrize(
    "schedule, compilations",
    [
        (lambda o: lr_scheduler.StepLR(o, 2, 0.5), 1),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=10), 1),  # it changes beta1, too
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3), 1),
    ],
    ids=["step", "one cycle", "cosine"],
)
def test_values_of_schedules_are_inputs(schedule, compilations):
    def program(compile):
        net = network()
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.05)
        scheduler = schedule(optimizer)

        def step(x, y):
            optimizer.zero_grad()
            loss = F.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = compile(step)
        losses = []
        for x, y in batches(8):
            losses.append(run(x, y).item())
            scheduler.step()
        return [losses, list(net.parameters())], [run]

    compare(program, [compilations])


def test_a_momentum_that_a_schedule_changes():
    def program(compile):
        net = network()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
        scheduler = lr_scheduler.CyclicLR(optimizer, 0.01, 0.1, step_size_up=3)

        def step(x, y):
            optimizer.zero_grad()
            F.mse_loss(net(x), y).backward()
            optimizer.step()

        run = compile(step)
        for x, y in batches(8):
            run(x, y)
            scheduler.step()
        return [list(net.parameters())], [run]

    compare(program, [1])


def test_gradients_of_several_micro_batches():
    def program(compile):
        net, seen = network(), []
        optimizer = torch.optim.Adam(net.parameters(), lr=0.05)

        def accumulate(x, y):
            loss = F.mse_loss(net(x), y) / 3
            loss.backward()
            return loss.detach()

        def update():
            norm = nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            optimizer.step()
            optimizer.zero_grad()
            return norm

        accumulate, update = compile(accumulate), compile(update)
        for i, (x, y) in enumerate(batches(9)):
            seen.append(accumulate(x, y))
            if i % 3 == 2:
                seen.append(update())
        return [seen, list(net.parameters())], [accumulate, update]

    compare(program, [1, 1])


def test_micro_batches_within_a_step():
    def program(compile):
        net = network()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

        def step(x, y):
            optimizer.zero_grad(set_to_none=True)
            for part, target in zip(x.chunk(4), y.chunk(4)):
                (F.mse_loss(net(part), target) / 4).backward()
            nn.utils.clip_grad_value_(net.parameters(), 0.1)
            optimizer.step()

        run = compile(step)
        for x, y in batches():
            run(x, y)
        return [list(net.parameters()), [p.grad for p in net.parameters()], dict(net.named_buffers())], [run]

    compare(program, [1])


def test_parameters_are_frozen_and_thawed():
    def program(compile):
        net = network()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05)

        def step(x, y):
            optimizer.zero_grad(set_to_none=True)
            loss = F.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        run, seen = compile(step), []
        for i, (x, y) in enumerate(batches(9)):
            net[0].requires_grad_(i < 3 or i >= 6)
            seen.append(run(x, y))
            seen.append([p.grad is None for p in net.parameters()])
        return [seen, list(net.parameters())], [run]

    compare(program)


def test_two_networks_with_an_optimizer_each():
    def program(compile):
        real, fake = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2)), nn.Linear(3, 5)
        judge, make = torch.optim.Adam(real.parameters(), lr=0.01), torch.optim.RMSprop(fake.parameters(), lr=0.01)

        def step(x, y):
            noise = torch.randn(8, 3)
            judge.zero_grad()
            loss = F.mse_loss(real(x), y) + real(fake(noise).detach()).square().mean()
            loss.backward()
            judge.step()
            make.zero_grad()
            other = -real(fake(noise)).square().mean()
            other.backward()
            make.step()
            return loss.detach(), other.detach()

        run = compile(step)
        return [[run(x, y) for x, y in batches()], list(real.parameters()), list(fake.parameters())], [run]

    compare(program, [1])


def test_a_moving_average_of_weights():
    def program(compile):
        net = network()
        average = copy.deepcopy(net).requires_grad_(False)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05)

        def step(x, y):
            optimizer.zero_grad()
            loss = F.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for p, q in zip(average.parameters(), net.parameters()):
                    p.lerp_(q, 0.1)
                for p, q in zip(average.buffers(), net.buffers()):
                    p.copy_(q)

        run = compile(step)
        for x, y in batches():
            run(x, y)
        return [list(average.parameters()), dict(average.named_buffers()), net[1].num_batches_tracked], [run]

    compare(program, [1])


def test_modules_in_a_list_around():
    def program(compile):
        layers = [nn.Linear(5, 5) for _ in range(3)]
        heads = {"a": nn.Linear(5, 2), "b": nn.Linear(5, 2)}
        parameters = [p for m in (*layers, *heads.values()) for p in m.parameters()]
        optimizer = torch.optim.Adam([{"params": parameters[:6], "lr": 0.1}, {"params": parameters[6:]}], lr=0.01)

        def step(x, y, which):
            optimizer.zero_grad()
            for layer in layers:
                x = x + torch.relu(layer(x))
            loss = F.mse_loss(heads[which](x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = compile(step)
        return [[run(x, y, "ab"[i % 2]) for i, (x, y) in enumerate(batches(8))], parameters], [run]

    compare(program)


def test_a_penalty_on_gradients_and_their_gradients():
    def program(compile):
        net = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1)).double()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05)

        def step(x):
            x = x.double().requires_grad_()
            out = net(x).sum()
            (first,) = torch.autograd.grad(out, x, create_graph=True)
            (second,) = torch.autograd.grad(first.square().sum(), x, create_graph=True)
            optimizer.zero_grad()
            (out**2 + first.norm() + second.norm()).backward()
            optimizer.step()
            return first.detach(), second.detach()

        run = compile(step)
        return [[run(x) for x, _ in batches()], list(net.parameters())], [run]

    compare(program, [1])


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_are_native_loops(kind):
    def program(compile):
        layer, head = getattr(nn, kind)(5, 6, num_layers=2, batch_first=True), nn.Linear(6, 2)
        optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.01)

        def step(x, y):
            optimizer.zero_grad()
            out, _ = layer(x.reshape(2, 4, 5))
            loss = F.mse_loss(head(out).reshape(8, 2), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = compile(step)
        seen = [run(x, y) for x, y in batches()]
        if run is not step:
            shown = run.kernels()
            assert "native loop" in shown and "host call" not in shown
        return [seen, list(layer.parameters())], [run]

    compare(program, [1])


def test_a_step_that_fails_changes_no_parameter():
    """Parameters are computed in their own memory; a label that is out of range is found before anything is written there."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(4, 3)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)

    @torch.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(layer(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    for _ in range(4):
        step(x, y)
    before = [np.array(p.detach().numpy()) for p in layer.parameters()]
    with pytest.raises(IndexError):
        step(x, torch.tensor([0, 1, 7, 0, 1]))
    for p, old in zip(layer.parameters(), before):
        np.testing.assert_array_equal(p.detach().numpy(), old)
    assert np.isfinite(float(step(x, y).detach()))


def test_the_loop_of_a_recurrent_layer_runs_once_forwards_and_once_backwards():
    layer = nn.LSTM(3, 4)

    @torch.compile
    def f(x):
        layer.zero_grad()
        layer(x)[0].sum().backward()

    for _ in range(2):
        f(torch.ones(5, 2, 3))
    assert f.kernels().count("scan(") == 2


def test_hooks_on_gradients_that_come_and_go():
    def program(compile):
        net, seen = network(), []
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

        @compile
        def step(x, y):
            optimizer.zero_grad()
            loss = F.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            return loss.item()

        losses = []
        for i, (x, y) in enumerate(batches(14)):
            if i == 2:
                tripled = net[0].weight.register_hook(lambda g: g * 3)
            if i == 4:
                noted = net[3].bias.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.sum().item()))
                again = net[0].weight.register_hook(lambda g: g - 1)
            if i == 7:
                tripled.remove()
            if i == 9:
                again.remove()
                noted.remove()
            if i == 11:
                net[0].weight.register_hook(lambda g: -g)
            losses.append(step(x, y))
        return [losses, seen, list(net.parameters())], [step]

    compare(program)


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
@pytest.mark.parametrize("within", [True, False])
def test_what_a_loss_does_not_depend_on_stays_where_it_is(kind, within):
    """As where gradients are None after `zero_grad`: neither momentum nor decay moves it."""

    def program(compile, set_to_none):
        body, heads = nn.Linear(5, 4), nn.ModuleList([nn.Linear(4, 2), nn.Linear(4, 2)])
        parameters = [*body.parameters(), *heads.parameters()]
        optimizer = getattr(torch.optim, kind)(parameters, lr=0.1, weight_decay=0.1, **({"momentum": 0.9} if kind == "SGD" else {}))
        options = {} if set_to_none is None else {"set_to_none": set_to_none}

        @compile
        def step(x, y, task):
            if within:
                optimizer.zero_grad(**options)
            loss = F.mse_loss(heads[task](torch.tanh(body(x))), y)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            return loss.item()

        losses = []
        for i, (x, y) in enumerate(batches(12)):
            if not within:
                optimizer.zero_grad(**options)
            if i in (4, 9):
                for p in body.parameters():
                    p.requires_grad_(i == 9)
            losses.append(step(x, y, i // 3 % 2))
        return [losses, parameters, optimizer.state_dict()["state"]], [step]

    def run(compile, set_to_none):
        torch.manual_seed(0)
        return program(compile, set_to_none)[0]

    expected = run(lambda f: f, True)
    for compile in (lambda f: f, torch.compile):
        close(expected, run(compile, None))
    with pytest.raises(AssertionError):
        close(expected, run(lambda f: f, False))


@pytest.mark.parametrize(
    "schedule",
    [
        lambda o: lr_scheduler.CosineAnnealingLR(o, 7),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
        lambda o: lr_scheduler.MultiStepLR(o, [3, 6], 0.5),
        lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.2, 3),
        lambda o: lr_scheduler.OneCycleLR(o, 0.2, total_steps=20),
    ],
)
def test_a_schedule_that_the_step_itself_advances(schedule):
    def program(compile):
        net = network()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        scheduler = schedule(optimizer)

        @compile
        def step(x, y):
            optimizer.zero_grad()
            F.mse_loss(net(x), y).backward()
            optimizer.step()
            scheduler.step()
            return scheduler.get_last_lr()[0]

        return [[(step(x, y), scheduler.last_epoch) for x, y in batches(12)], list(net.parameters())], [step]

    for f in (lambda f: f, torch.compile):
        _, (step,) = program(f)
    assert step.cache_info().hits >= 7
    compare(program)


def test_numbers_of_classes_and_defaults_are_known():
    class Options:
        rate = 2.0

    def scaled(x, by=1.0):
        return x * by

    f = torch.compile(lambda x: scaled(x) * Options.rate)
    found = []
    for rate in (2.0, 3.0, 4.0, 2.0):
        Options.rate, scaled.__defaults__ = rate, (rate + 1,)
        found.append(f(torch.ones(1)).item())
    assert found == [6.0, 12.0, 20.0, 6.0]


def test_the_mean_of_all_batches_is_one_program():
    def program(compile):
        norm = nn.BatchNorm1d(5, momentum=None)
        run = compile(lambda x: norm(x))
        return [[run(x).detach() for x, _ in batches(8)], norm.state_dict()], [run]

    compare(program, [1])


def test_results_in_inference_mode_are_inference_tensors():
    f = torch.compile(lambda x: x * 2)
    for _ in range(2):
        with torch.inference_mode():
            made = f(torch.ones(2))
        assert made.is_inference() and not f(torch.ones(2)).is_inference()
        with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
            torch.ones(2, requires_grad=True) * made
