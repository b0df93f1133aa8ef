"""The random stream, number by number, beside torch's."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit.torch as ours

from .semantics import as_real

DRAWS = {
    "rand": lambda t: t.rand(5),
    "rand in double": lambda t: t.rand(3, dtype=t.float64),
    "rand in half": lambda t: t.rand(4, dtype=t.float16),
    "few normal": lambda t: t.cat([t.randn(5), t.randn(4)]),
    "16 normal": lambda t: t.randn(16),
    "17 normal": lambda t: t.randn(17),
    "many normal": lambda t: t.cat([t.randn(3), t.randn(5, 8).flatten(), t.randn(2)]),
    "few normal in double": lambda t: t.randn(5, dtype=t.float64),
    "normal in double": lambda t: t.randn(20, dtype=t.float64),
    "complex normal": lambda t: t.randn(4, dtype=t.complex64).real,
    "randint": lambda t: t.randint(-5, 10, (20,)),
    "large randint": lambda t: t.randint(0, 1 << 40, (5,)),
    "randperm": lambda t: t.randperm(1000),
    "bernoulli": lambda t: t.bernoulli(t.full((20,), 0.3)),
    "bernoulli in double": lambda t: t.bernoulli(t.full((20,), 0.3, dtype=t.float64)),
    "bernoulli_": lambda t: t.cat([t.zeros(50).bernoulli_(0.3), t.rand(3)]),
    "bernoulli of a number": lambda t: t.bernoulli(t.zeros(20), 0.3),
    "normal": lambda t: t.normal(2.0, 3.0, (20,)),
    "normal of tensors": lambda t: t.normal(t.arange(20.0), t.ones(20) * 2),
    "normal_": lambda t: t.zeros(5).normal_(1, 2),
    "uniform_": lambda t: t.zeros(20).uniform_(-2, 3),
    "uniform_ in double": lambda t: t.zeros(5, dtype=t.float64).uniform_(-2, 3),
    "exponential_": lambda t: t.zeros(20).exponential_(),
    "geometric_": lambda t: t.zeros(5).geometric_(0.3),
    "log_normal_": lambda t: t.zeros(5).log_normal_(),
    "cauchy_": lambda t: t.zeros(5).cauchy_(),
    "random_": lambda t: t.zeros(5).random_(0, 10),
    "multinomial": lambda t: t.multinomial(t.arange(1.0, 10.0), 4),
    "multinomial with replacement": lambda t: t.multinomial(t.arange(1.0, 10.0), 10, replacement=True),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("seed", [0, 42])
def test_as_torch_draws(name, seed):
    theirs = pytest.importorskip("torch")
    found = []
    for torch in (ours, theirs):
        torch.manual_seed(seed)
        found.append(DRAWS[name](torch).numpy())
    assert found[0].dtype == found[1].dtype
    np.testing.assert_allclose(found[0], found[1], rtol=2e-6, atol=1e-6)


def test_fixed_numbers():
    ours.manual_seed(0)
    assert ours.rand(3).tolist() == [0.49625658988952637, 0.7682217955589294, 0.08847743272781372]
    ours.manual_seed(0)
    np.testing.assert_allclose(ours.randn(3).numpy(), [1.5409961, -0.2934289, -2.1787894], rtol=1e-6)


def test_generators_are_apart_and_can_be_restored():
    a, b = (ours.Generator().manual_seed(1) for _ in range(2))
    ours.manual_seed(5)
    assert ours.equal(ours.rand(4, generator=a), ours.rand(4, generator=b)) and ours.default_generator.initial_seed() == 5
    state = ours.get_rng_state()
    first = ours.rand(3)
    ours.set_rng_state(state)
    assert ours.equal(first, ours.rand(3))
    with pytest.raises(RuntimeError, match="not the state of a generator"):
        ours.set_rng_state(ours.zeros(3, dtype=ours.uint8))
    with ours.random.fork_rng():
        inside = ours.rand(2)
    assert ours.equal(inside, ours.rand(2))


@pytest.mark.parametrize("draws", [0, 1, 5, 623, 624, 625, 2000])
def test_states_are_torchs_and_either_goes_on_from_them(draws):
    torch = pytest.importorskip("torch")
    for library in (ours, torch):
        library.manual_seed(9)
        library.rand(draws)
        library.randn(3)  # one is left over

    def following(library):
        return [*library.randn(2).tolist(), *library.rand(700).tolist(), *library.randn(20).tolist()]

    saved, torchs = ours.get_rng_state(), torch.get_rng_state()
    assert saved.shape == torchs.shape
    expected = following(torch)
    np.testing.assert_allclose(following(ours), expected, rtol=1e-5, atol=1e-6)
    ours.set_rng_state(ours.tensor(torchs.numpy()))
    np.testing.assert_allclose(following(ours), expected, rtol=1e-5, atol=1e-6)
    torch.set_rng_state(torch.tensor(saved.numpy()))
    np.testing.assert_allclose(following(torch), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(RuntimeError, match="not the state of a generator"):
        ours.set_rng_state(ours.zeros_like(saved))


def _in_memory_order(torch):
    """What is drawn into memory that is not in the order of the indices, and by other dtypes than those of the table."""
    torch.manual_seed(3)
    rows = torch.zeros(3, 17)
    yield "uniform", rows.t().uniform_(-1, 1)
    yield "normal, whole", torch.zeros(3, 17).t().normal_()
    yield "normal, every second", torch.zeros(40)[::2].normal_(1, 2)
    yield "a slice", torch.zeros(3, 17, 2)[:, :, 1].t().exponential_()
    yield "coins", torch.zeros(3, 17).t().bernoulli_(0.3)
    yield "coins of their own", torch.zeros(3, 17).t().bernoulli_(torch.linspace(0, 1, 51, dtype=torch.float64).reshape(17, 3))
    yield "like", (torch.rand_like(rows.t()), torch.randn_like(rows.t()))
    yield "dropout", torch.nn.functional.dropout(torch.ones(3, 17).t(), 0.4)
    yield "half", (torch.randn(17, dtype=torch.float16).float(), torch.rand(5000, dtype=torch.float16).float())
    yield "complex", torch.view_as_real(torch.rand(5, dtype=torch.complex64))
    yield "without replacement", torch.multinomial(torch.linspace(0.1, 1, 1000), 500)
    yield "afterwards", torch.rand(2)


def test_draws_follow_the_memory():
    as_real(lambda torch: dict(_in_memory_order(torch)), rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize(
    "draw",
    ["multinomial(torch.tensor([-1.0, 1.0]), 1)", "multinomial(torch.zeros(2), 1)", "multinomial(torch.ones(2), 0)", "normal(0.0, -1.0, (2,))",
     "rand(-1)", "randn(2, dtype=torch.int64)", "randperm(-1)", "zeros(2).exponential_(0)", "zeros(2).geometric_(1.5)", "zeros(2).cauchy_(0, -1)",
     "zeros(2).log_normal_(0, -1)", "zeros(2, dtype=torch.int64).normal_()", "zeros(2).random_(5, 5)", "randint(0, 300, (2,), dtype=torch.uint8)",
     "bernoulli(torch.tensor([1]))"],
)  # fmt: skip
def test_what_cannot_be_drawn(draw):
    theirs = pytest.importorskip("torch")
    errors = []
    for torch in (ours, theirs):
        with pytest.raises(Exception) as raised:
            eval(f"torch.{draw}", {"torch": torch})
        errors.append(raised.type)
    assert issubclass(*errors)
