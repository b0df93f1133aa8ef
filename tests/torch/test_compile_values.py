"""Compiled functions that look at values, draw numbers, or replace the memory of tensors, do what they do without `compile`."""

import pytest

import tracejit.torch as torch
from tracejit.errors import TracejitError
from tracejit.torch import nn

rnn = nn.utils.rnn


def leaves(x):
    if isinstance(x, torch.Tensor):
        return [x]
    return [t for y in x for t in leaves(y)] if isinstance(x, (tuple, list)) else []


def compare(f, *args):
    """Three calls, each from the same random state, with and without `compile`. The compiled function."""
    compiled = torch.compile(f)
    for _ in range(3):
        torch.manual_seed(0)
        wanted = leaves(f(*args))
        torch.manual_seed(0)
        got = leaves(compiled(*args))
        assert len(got) == len(wanted)
        for a, b in zip(got, wanted):
            assert a.dtype == b.dtype and torch.allclose(a, b, rtol=1e-5, atol=1e-6)
    return compiled


X = torch.arange(30.0).reshape(5, 2, 3) / 10
A = torch.tensor([[2.0, 1.0, 0.5], [4.0, -1.0, 1.0], [1.0, 1.0, 3.0]])


def test_packed_sequences():
    torch.manual_seed(0)
    lstm, gru = nn.LSTM(3, 4), nn.GRU(3, 4)

    def step(x):
        lstm.zero_grad()
        out, (h, _) = lstm(rnn.pack_padded_sequence(x, [5, 3]))
        loss = rnn.pad_packed_sequence(out)[0].square().sum() + h.sum()
        loss.backward()
        return loss.detach(), [p.grad.clone() for p in lstm.parameters()]

    def unsorted(x, lengths):
        out, _ = gru(rnn.pack_padded_sequence(x, lengths, enforce_sorted=False))
        return rnn.pad_packed_sequence(out, total_length=7, batch_first=True)

    compare(step, X)
    compiled = compare(unsorted, X, torch.tensor([3, 5]))
    compare(lambda x: rnn.unpack_sequence(lstm(rnn.pack_sequence([x[:5, 0], x[:3, 1]]))[0]), X)
    held = torch.tensor([5, 5])
    closed = torch.compile(lambda x: unsorted(x, held))
    for lengths in ([5, 4], [3, 5]):  # what they are is asked for, by Python
        held.copy_(torch.tensor(lengths))
        for got in (compiled(X, torch.tensor(lengths)), closed(X)):
            assert all(torch.allclose(a, b) for a, b in zip(got, unsorted(X, held)))


def test_factorizations():
    compare(torch.linalg.lu_factor, A)
    compare(lambda a: torch.linalg.lu_solve(*torch.linalg.lu_factor(a), torch.eye(3)), A)


def test_draws():
    compare(lambda x: nn.functional.rrelu(x - 1, training=True), X)
    compare(lambda x: x.sum() + nn.init.trunc_normal_(torch.empty(50), std=0.7, a=-0.5, b=0.5), X)


def trained(update, compile):
    torch.manual_seed(0)
    net, losses = nn.Linear(3, 2), []

    def step(x):
        net.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        update(net)
        return loss.detach()

    run = torch.compile(step) if compile else step
    for i in range(6):
        before = [p.data for p in net.parameters()]
        held = [t.tolist() for t in before]
        losses.append(run(X[i % 5]).item())
        kept = [t.tolist() == h for t, h in zip(before, held)]
    return losses, [p.tolist() for p in net.parameters()], kept, run


def subtracts(net):
    for p in net.parameters():
        p.data -= 0.1 * p.grad


def replaces(net):
    for p in net.parameters():
        p.data = p.data - 0.1 * p.grad


@pytest.mark.parametrize("update", [subtracts, replaces])
def test_data_of_parameters(update):
    losses, parameters, kept, _ = trained(update, False)
    found, there, held, run = trained(update, True)
    assert found == pytest.approx(losses, rel=1e-5) and sum(there, [])[0] == pytest.approx(sum(parameters, [])[0], rel=1e-5)
    assert held == kept == [update is replaces] * 2
    assert run.cache_info().misses <= 2


def test_data_that_cannot_be_replaced():
    p, q = torch.ones(3), torch.zeros(3)
    lies_in_p = p[:2]

    def of_another_shape():
        q.data = torch.zeros(2)

    def shared():
        p.data = p * 2
        return lies_in_p

    def there_before():
        q.data = lies_in_p

    def argument(x):
        x.data = x * 2

    for f, what in [(of_another_shape, "shape"), (shared, "same memory"), (there_before, "shape")]:
        with pytest.raises(TracejitError, match=what):
            torch.compile(f)()
    with pytest.raises(TracejitError, match="argument"):
        torch.compile(argument)(q)
    assert p.tolist() == [1.0, 1.0, 1.0] and q.tolist() == [0.0, 0.0, 0.0]


def test_lengths_that_always_change():
    f = lambda x, lengths: rnn.pad_packed_sequence(rnn.pack_padded_sequence(x.exp(), lengths, enforce_sorted=False))[0]
    compiled = torch.compile(f)
    for lengths in ([5, 4], [3, 5], [2, 2], [1, 4], [2, 5], [5, 5]):
        assert torch.allclose(compiled(X, lengths), f(X, lengths))
    assert compiled.cache_info().currsize <= 5


def test_sparse_values_and_initial_values():
    compare(lambda: nn.init.sparse_(torch.empty(4, 4), 0.5))
    compare(lambda: [nn.init.orthogonal_(torch.empty(3, 3)), nn.init.kaiming_normal_(torch.empty(3, 3))])


def test_rows_in_order():
    many = torch.stack([A, A.flip(0), A.T])
    for a in (A, many, many[:, :2], many[:, :, :2]):
        compare(torch.linalg.lu_factor, a)
        compare(lambda a: torch.lu_unpack(*torch.linalg.lu_factor_ex(a)[:2]), a)
        packed, pivots = torch.linalg.lu_factor(a)
        P, L, U = torch.lu_unpack(packed, pivots)
        assert torch.allclose(P @ L @ U, a, atol=1e-5)
    with pytest.raises(RuntimeError, match=r"lu_factor: \(Batch element 1\): U\[2,2\] is zero"):
        torch.linalg.lu_factor(torch.stack([A[:2, :2], torch.ones(2, 2)]))
