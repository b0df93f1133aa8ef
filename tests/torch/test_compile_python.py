"""What a compiled function does with Python's own things, lists, numbers, objects and errors, is what it does eagerly."""

import collections
import dataclasses
import math
import random

import pytest

from tracejit import torch
from tracejit.errors import TracejitError

from .training_steps import F, batches, close, compare, network, nn


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


def test_a_function_that_changes_what_it_reads_at_each_call_runs_as_it_is():
    state = {"n": 0}

    @torch.compile
    def f(x):
        state["n"] = int(str(state["n"])) + 1
        return x * state["n"]

    with pytest.warns(RuntimeWarning, match="it runs as it is from now on, since each of 8 calls in a row has changed .* n"):
        assert [f(torch.ones(1)).item() for _ in range(12)] == list(range(1, 13))
    assert f.cache_info().misses == 8


def test_iterators_and_sets_from_outside_are_refused():
    x, items, seen = torch.ones(1), iter([1.0, 2.0, 3.0]), set()
    with pytest.raises(TracejitError, match="`items` is an iterator .* take the item outside"):
        torch.compile(lambda x: x * next(items))(x)
    assert next(items) == 1.0
    loader = iter(torch.utils.data.DataLoader(torch.arange(4.0), batch_size=2))
    with pytest.raises(TracejitError, match="is an iterator"):
        torch.compile(lambda: next(loader).sum())()
    with pytest.raises(TracejitError, match="a set from outside is changed"):
        torch.compile(lambda x: seen.add(3) or x)(x)
    assert seen == set()
    full = collections.deque([1.0], maxlen=1)
    with pytest.raises(TracejitError, match="a deque from outside is full"):
        torch.compile(lambda x: full.append(x.sum().item()))(x)
    assert list(full) == [1.0]
