"""Training steps as people write them: compiled, they leave behind what they leave behind eagerly, and compile no more often than they must."""

import copy
import dataclasses
import math
import random

import numpy as np
import pytest

from tracejit import torch
from tracejit.errors import TracejitError
from tracejit.torch.optim import lr_scheduler

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


def test_losses_that_are_kept_as_numbers():
    class Meter:
        def __init__(self):
            self.total, self.n = 0.0, 0

        def update(self, value, n):
            self.total += value * n
            self.n += n

    def program(compile):
        net, losses, meter, seen, hits = network(), [], Meter(), 0, 0
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

        def step(x, y):
            nonlocal seen, hits
            optimizer.zero_grad()
            out = net(x)
            loss = F.mse_loss(out, y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            meter.update(loss.item(), len(x))
            seen += len(x)
            hits += (out.argmax(1) == y.argmax(1)).sum().item()
            return {"loss": loss.item(), "accuracy": (out.argmax(1) == y.argmax(1)).float().mean().item()}

        run = compile(step)
        results = [run(x, y) for x, y in batches()]
        assert all(type(v) is float for v in losses) and type(hits) is int
        return [results, losses, meter.total, meter.n, seen, hits], [run]

    compare(program, [1])


def test_a_list_that_is_read_is_not_taken_for_one_that_is_added_to():
    losses = []

    @torch.compile
    def f(x):
        losses.append(x.sum().item())
        return x * len(losses)

    for i in range(4):
        assert f(torch.ones(2)).tolist() == [i + 1] * 2
    assert losses == [2.0] * 4


def test_lists_of_tensors_and_aliases():
    outputs = []
    keep = {"outputs": outputs}

    @torch.compile
    def f(x):
        outputs.append(x * 2)
        return len(keep["outputs"])

    assert [f(torch.full((2,), float(i))) for i in range(4)] == [1, 2, 3, 4]
    assert [t.tolist() for t in outputs] == [[2.0 * i] * 2 for i in range(4)]


def test_an_argument_that_is_added_to_is_refused():
    with pytest.raises(TracejitError, match="a list or dictionary that is an argument is changed"):
        torch.compile(lambda x, history: history.append(x * 2))(torch.ones(2), [])


total = 0.0


def test_globals_and_hidden_states_of_the_function_around():
    def program(compile):
        global total
        total, hidden = 0.0, torch.zeros(3)
        cell = nn.RNNCell(5, 3)

        def step(x):
            global total
            nonlocal hidden
            hidden = cell(x[:1], hidden.reshape(1, 3)).detach().reshape(3)
            total += hidden.sum().item()

        run = compile(step)
        for x, _ in batches():
            run(x)
        return [total, hidden], [run]

    compare(program, [1])


def test_an_error_of_the_users_is_met_once():
    met = []
    rate = [0.1]

    @torch.compile
    def f(x, fail):
        met.append(0)
        if fail:
            raise ValueError("no")
        return x * rate[0]

    for r in (0.1, 0.2, 0.3):
        rate[0] = r
        f(torch.ones(2), False)
    del met[:]
    for error in (ValueError, ValueError):
        with pytest.raises(error, match="no"):
            f(torch.ones(2), True)
    assert met == []  # what an aborted call did is taken back, as far as it was done to lists


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


def test_results_in_an_object_of_the_users():
    @dataclasses.dataclass
    class Output:
        loss: torch.Tensor
        logits: list
        count: int = 3

    net = nn.Linear(5, 2)
    f = torch.compile(lambda x: Output(net(x).sum(), [net(x)]))
    for x, _ in batches(3):
        made, expected = f(x), net(x)
        assert type(made) is Output and made.count == 3
        close([made.loss, *made.logits], [expected.sum(), expected])


def test_numbers_that_change_after_the_same_ran_eagerly():
    net = nn.Linear(5, 2)

    def f(x, i):
        return net(x) * 0.5**i + i

    compiled = torch.compile(f)
    for i, (x, _) in enumerate(batches(8)):
        close(f(x, i), compiled(x, i))
    assert compiled.cache_info().currsize == 4  # three integers have a program each


def test_an_index_that_is_a_tensor_is_read_at_each_call():
    f = torch.compile(lambda t, i: t[i])
    t = torch.tensor([10, 11])
    assert [f(t, torch.tensor(i)).item() for i in (0, 1, 1, 0, -1)] == [10, 11, 11, 10, 11]
    with pytest.raises(IndexError, match="index 5 is out of bounds"):
        f(t, torch.tensor(5))


def test_a_compiled_module_within_a_compiled_step():
    def program(compile):
        net = compile(network())
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

        def step(x, y):
            optimizer.zero_grad()
            loss = F.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = compile(step)
        return [[run(x, y) for x, y in batches()], list(net.parameters())], [run]

    compare(program, [1])


def test_numbers_that_python_draws_are_told():
    f = torch.compile(lambda x: x * random.random())
    with pytest.warns(RuntimeWarning, match="`random` drew numbers .* Draw from torch's stream"):
        f(torch.ones(2))


def test_an_error_of_the_program_changes_nothing():
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.1)
    table = torch.tensor([0, 1])

    @torch.compile
    def step(x, i):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        return w.detach()[table[i]]

    for i in (0, 1):
        step(torch.ones(2), torch.tensor(i))
    before = w.tolist(), optimizer.state[w]["step"].item(), w._version
    with pytest.raises(IndexError, match="index 5 is out of bounds"):
        step(torch.ones(2), torch.tensor(5))
    assert before == (w.tolist(), optimizer.state[w]["step"].item(), w._version)


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


class Counts:
    def __init__(self):
        self.n, self.m, self.s, self.items, self.pair = 0, 5, 0.5, [1, 2], (1, 2)


def _start_again(c, x):
    c.n += 1
    if c.n >= 3:
        c.n = 0
    return x * c.n


def _exchange(c, x):
    c.n, c.m = c.m, c.n + 1
    return x * c.n


def _exchange_in_a_tuple(c, x):
    c.n += 1
    c.pair = (c.n, c.pair[0])
    return x * c.pair[1]


def _whole(c, x):
    n = c.n + 1
    c.n = math.floor(n)
    return x * n


def _in_a_list(c, x):
    c.items[0] += 1
    c.items[1] = x.sum().item() * c.items[0]
    return x * c.items[1]


@pytest.mark.parametrize("f", [_start_again, _exchange, _exchange_in_a_tuple, _whole, _in_a_list])
def test_numbers_that_a_step_binds_anew(f):
    def program(compile):
        counts = Counts()
        run = compile(lambda x: f(counts, x))
        return [(run(torch.ones(2)), vars(counts).copy(), list(counts.items)) for _ in range(10)], [run]

    compare(program)


def test_items_of_lists_are_replaced():
    def program(compile):
        cells = [nn.RNNCell(3, 3) for _ in range(2)]
        hidden = [torch.zeros(2, 3) for _ in cells]
        optimizer = torch.optim.SGD([p for c in cells for p in c.parameters()], lr=0.1)

        @compile
        def step(x):
            for i, cell in enumerate(cells):
                x = cell(x, hidden[i])
                hidden[i] = x.detach()
            optimizer.zero_grad()
            x.square().sum().backward()
            optimizer.step()
            return x.detach()

        results = [step(torch.full((2, 3), float(i))) for i in range(6)]
        return [results, hidden], [step]

    compare(program, [1])


def test_what_is_taken_out_of_a_list_is_refused():
    kept = [torch.ones(1), torch.ones(1)]
    with pytest.raises(TracejitError, match="taken out of a list from outside"):
        torch.compile(lambda x: x * kept.pop())(torch.ones(1))
    assert len(kept) == 2


KINDS = {
    "digits": lambda n: len(str(n)),
    "text": lambda n: float(f"{n}"),
    "key": lambda n: {1: 5, 6: 7}.get(n, 0),
    "set": lambda n: len({n, 3}),
    "asked for its class": lambda n: 1 if isinstance(n, int) else 2,
    "asked for its type": lambda n: 1 if type(n) is int else 2,
    "place in a list": lambda n: list(range(10, 20))[n],
    "rounded": lambda n: math.floor(n / 2),
    "compared as a float": lambda n: 3 if 0.0 * n == 0 else 4,
}


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_that_python_asks_for_what_proxies_do_not_have(kind):
    use = KINDS[kind]
    f = torch.compile(lambda x, n: x * use(n))
    assert [f(torch.ones(1), n).item() for n in range(1, 9)] == [use(n) for n in range(1, 9)]


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


def test_a_function_that_changes_what_it_reads_at_each_call_runs_as_it_is():
    state = {"n": 0}

    @torch.compile
    def f(x):
        state["n"] = int(str(state["n"])) + 1
        return x * state["n"]

    with pytest.warns(RuntimeWarning, match="it runs as it is from now on, since each of 8 calls in a row has changed .* n"):
        assert [f(torch.ones(1)).item() for _ in range(12)] == list(range(1, 13))
    assert f.cache_info().misses == 8
