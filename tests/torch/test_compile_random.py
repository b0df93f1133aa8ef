"""Random numbers in compiled functions are those that eager code draws, and the stream goes on from where they ended."""

import copy

import numpy as np
import pytest

from tracejit import torch
from tracejit.errors import TracejitError
from tracejit.torch.utils.checkpoint import checkpoint

from .test_random_stream import DRAWS

F = torch.nn.functional
MORE = {
    "dropout": lambda t: t.nn.functional.dropout(t.ones(7, 5), 0.3),
    "dropout2d": lambda t: t.nn.functional.dropout2d(t.ones(3, 4, 2, 2), 0.5),
    "rand_like": lambda t: t.rand_like(t.ones(2, 3)),
    "one permutation": lambda t: t.randperm(1),
    "no number": lambda t: t.cat([t.rand(0), t.randn(0), t.rand(2)]),
    "init": lambda t: t.nn.init.kaiming_uniform_(t.empty(5, 3)),
    "random_ of bytes": lambda t: t.zeros(50, dtype=t.uint8).random_(),
    "all words of a refill": lambda t: t.cat([t.rand(620), t.rand(10), t.rand(2000)]),
}


@pytest.mark.parametrize("name", [*DRAWS, *MORE])
def test_draws_are_bit_by_bit_those_of_eager_code(name):
    draw = DRAWS.get(name) or MORE[name]
    found = []
    for run in (lambda: draw(torch), torch.compile(lambda: draw(torch))):
        torch.manual_seed(3)
        found.append([torch.randn(3), run(), run(), torch.randn(2), run(), torch.rand(3)])
    for eager, compiled in zip(*found, strict=True):
        assert eager.dtype == compiled.dtype
        if name in ("exponential_", "geometric_", "log_normal_", "cauchy_", "multinomial"):  # NumPy's logarithms and tangents differ in the last bit
            np.testing.assert_allclose(eager.numpy(), compiled.numpy(), rtol=1e-6)
        else:
            np.testing.assert_array_equal(eager.numpy(), compiled.numpy())


def test_a_draw_is_no_host_call():
    def f(x):
        return F.dropout(x, 0.5) + torch.randn(4) + torch.randn(32)[:4] + torch.randperm(4)

    f = torch.compile(f)
    f(torch.ones(4))
    shown = f.kernels(torch.ones(4))
    assert "MT19937" in shown and "host call" not in shown


def test_masks_of_a_training_step():
    losses = []
    for compiled in (False, True):
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Dropout(0.4), torch.nn.Linear(16, 1))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

        def step(x, net=net, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (net(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = torch.compile(step) if compiled else step
        losses.append([run(torch.randn(4, 6)).item() for _ in range(6)])
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_the_second_pass_of_a_checkpoint_has_the_same_mask():
    w = torch.ones(50, requires_grad=True)

    def step(x):
        w.grad = None
        checkpoint(lambda x: (F.dropout(w * x, 0.5) ** 2).sum(), x, use_reentrant=False).backward()
        return torch.rand(2)

    grads = []
    for run in (step, torch.compile(step)):
        torch.manual_seed(1)
        grads += [(run(torch.ones(50)), w.grad) for _ in range(2)]
    for (eager, g), (compiled, h) in zip(grads[:2], grads[2:]):
        assert torch.equal(eager, compiled) and torch.equal(g, h)


def test_a_generator_of_ones_own():
    own = torch.Generator().manual_seed(5)
    twin = copy.deepcopy(own)
    f = torch.compile(lambda: torch.rand(3, generator=own))
    torch.manual_seed(0)
    before = torch.get_rng_state().tolist()
    assert [f().tolist() for _ in range(3)] == [torch.rand(3, generator=twin).tolist() for _ in range(3)]
    assert torch.get_rng_state().tolist() == before and torch.equal(own.get_state(), twin.get_state())


def test_a_seed_inside_begins_anew_at_each_run():
    def f():
        torch.manual_seed(7)
        return torch.rand(3), torch.randn(1)

    compiled = torch.compile(f)
    first, second = compiled(), compiled()
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1]) and torch.initial_seed() == 7
    after = torch.randn(3)
    f()
    assert torch.equal(after, torch.randn(3))
    with pytest.raises(TracejitError, match="every run the same seed"):
        torch.compile(lambda: torch.seed())()


def test_what_is_drawn_in_fork_rng_is_as_if_it_had_not_been():
    def f():
        with torch.random.fork_rng():
            inner = torch.rand(2)
        return inner, torch.rand(2)

    inner, outer = torch.compile(f)()
    assert torch.equal(inner, outer)


def test_branches_on_draws():
    def f(x):
        return x * 2 if torch.rand(()) < 0.5 else x - 1

    found = []
    for run in (f, torch.compile(f)):
        torch.manual_seed(2)
        found.append([run(torch.ones(2)).tolist() for _ in range(12)] + [torch.rand(1).item()])
    assert found[0] == found[1] and len(set(map(str, found[0]))) == 3


def test_an_error_leaves_the_stream_where_it_was():
    def f(x):
        torch.rand(5)
        raise ValueError("no")

    before = torch.get_rng_state().tolist()
    with pytest.raises(ValueError, match="no"):
        torch.compile(f)(torch.ones(1))
    assert torch.get_rng_state().tolist() == before
