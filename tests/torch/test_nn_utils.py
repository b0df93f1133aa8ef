"""Packed sequences, lazy modules, parametrizations and fused layers beside torch's."""

import copy

import numpy as np
import pytest

import tracejit.torch as ours

from .semantics import as_real

rnn = ours.nn.utils.rnn


def normal(torch, *shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape), dtype=torch.float32)


def packed(torch):
    nn, utils = torch.nn, torch.nn.utils.rnn
    sequences = [normal(torch, n, 3, seed=n) for n in (2, 4, 1, 3)]
    made = utils.pack_sequence(sequences, enforce_sorted=False)
    yield "packed", list(made)
    yield "padded", utils.pad_packed_sequence(made, batch_first=True, padding_value=-1, total_length=6)
    yield "unpacked", utils.unpack_sequence(made)
    for name in ("RNN", "LSTM", "GRU"):
        for both in (False, True):
            torch.manual_seed(0)
            net = getattr(nn, name)(3, 4, 2, bidirectional=both)
            given = made._replace(data=made.data.clone().requires_grad_())
            out, state = net(given)
            states = state if isinstance(state, tuple) else (state,)
            total = out.data.pow(2).sum() + sum(h.sin().sum() for h in states)
            yield f"{name} {both}", (list(out), state, torch.autograd.grad(total, (given.data, *net.parameters())))


def test_packed_sequences_as_torch():
    as_real(lambda torch: dict(packed(torch)), rtol=1e-5, atol=1e-6)


def test_packing():
    made = rnn.pack_sequence([ours.tensor([1, 2, 3]), ours.tensor([4])])
    assert made.data.tolist() == [1, 4, 2, 3] and made.batch_sizes.tolist() == [2, 1, 1] and made.sorted_indices is None
    with pytest.raises(RuntimeError, match="must be sorted in decreasing order"):
        rnn.pack_sequence([ours.ones(1), ours.ones(2)])
    with pytest.raises(RuntimeError, match="greater than 0"):
        rnn.pack_padded_sequence(ours.ones(2, 2), [2, 0])
    with pytest.raises(ValueError, match="total_length"):
        rnn.pad_packed_sequence(made, total_length=2)


def lazy(torch):
    nn = torch.nn
    for make, shape in (
        (lambda: nn.LazyLinear(4), (2, 3)),
        (lambda: nn.LazyConv2d(4, 3, padding=1), (2, 3, 5, 5)),
        (lambda: nn.LazyConvTranspose1d(4, 3), (2, 3, 5)),
        (lambda: nn.LazyBatchNorm2d(), (2, 3, 4, 4)),
        (lambda: nn.LazyBatchNorm1d(), (5, 3)),
        (lambda: nn.LazyInstanceNorm2d(), (2, 3, 4, 4)),
    ):
        torch.manual_seed(1)
        net = make()
        before, parameters = repr(net), list(net.parameters())
        out = net(normal(torch, *shape))
        same = [p is q for p, q in zip(parameters, net.parameters())]
        yield before, (out, repr(net), same, dict(net.state_dict()))


def test_lazy_modules_as_torch():
    as_real(lambda torch: dict(lazy(torch)), rtol=1e-5, atol=1e-6)


def test_lazy_modules():
    net = ours.nn.Sequential(ours.nn.LazyConv2d(2, 3, groups=1), ours.nn.Flatten(), ours.nn.LazyLinear(5))
    assert net[2].has_uninitialized_params()
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized parameter"):
        list(net.parameters())[0].shape
    twin = copy.deepcopy(net)
    assert net(ours.ones(1, 3, 5, 5)).shape == (1, 5)
    assert type(net[2]) is ours.nn.Linear and net[2].in_features == 18
    twin.load_state_dict(net.state_dict())
    assert type(twin[0]) is ours.nn.Conv2d and twin[0].in_channels == 3
    assert ours.equal(twin(ours.ones(1, 3, 5, 5)), net(ours.ones(1, 3, 5, 5)))


def parametrized(torch):
    nn, parametrize, ready = torch.nn, torch.nn.utils.parametrize, torch.nn.utils.parametrizations

    class Symmetric(nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

    class Exponential(nn.Module):
        def forward(self, x):
            return x.exp()

        def right_inverse(self, x):
            return x.abs().log()

    def described(net):
        return repr(net), list(net.state_dict()), [name for name, _ in net.named_parameters()], type(net).__name__

    x = normal(torch, 2, 3)
    torch.manual_seed(2)
    net = parametrize.register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
    net(x).sum().backward()
    yield "symmetric", (net(x), described(net), net.parametrizations.weight.original.grad, parametrize.is_parametrized(net, "bias"))
    parametrize.register_parametrization(net, "bias", Exponential())
    net.bias = torch.ones(3) * 2
    yield "assigned", (net.bias, net.parametrizations.bias.original)
    parametrize.remove_parametrizations(net, "weight")
    yield "removed", (net.weight, described(net))
    parametrize.remove_parametrizations(net, "bias", leave_parametrized=False)
    yield "removed again", (net.bias, described(net))
    for name, options in (("weight_norm", {}), ("spectral_norm", {}), ("orthogonal", {}), ("orthogonal", {"orthogonal_map": "cayley"})):
        torch.manual_seed(3)
        net = getattr(ready, name)(nn.Linear(3, 3), **options)
        net(x).pow(2).sum().backward()
        yield f"{name} {options}", (net.weight, list(net.state_dict()))
        if name != "orthogonal":
            yield f"{name} gradients", [p.grad for p in net.parameters()]
    torch.manual_seed(4)
    conv, norm = nn.Conv2d(2, 3, 3).eval(), nn.BatchNorm2d(3).eval()
    norm.running_mean.copy_(torch.tensor([0.1, 0.2, 0.3]))
    yield "fused", torch.nn.utils.fuse_conv_bn_eval(conv, norm)(normal(torch, 1, 2, 4, 4))


def test_parametrizations_as_torch():
    as_real(lambda torch: dict(parametrized(torch)), rtol=1e-5, atol=1e-6)


def test_parametrizations():
    parametrize = ours.nn.utils.parametrize

    class Wider(ours.nn.Module):
        def forward(self, x):
            return ours.cat([x, x])

    net = ours.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="may not change the shape"):
        parametrize.register_parametrization(net, "weight", Wider())
    with pytest.raises(ValueError, match="does not have a parameter"):
        parametrize.register_parametrization(net, "weigth", Wider())
    assert type(net) is ours.nn.Linear
    ours.nn.utils.parametrizations.weight_norm(net)
    with parametrize.cached():
        assert net.weight is net.weight
    assert net.weight is not net.weight
    twin = copy.deepcopy(net)
    assert ours.equal(twin.weight, net.weight)


def test_a_module_compiles_itself():
    net = ours.nn.Linear(2, 1)
    x = ours.ones(3, 2)
    before = net(x)
    net.compile()
    assert ours.allclose(net(x), before)


def test_gradients_are_cut_by_a_norm_that_is_known():
    def run(torch):
        p = torch.nn.Parameter(torch.zeros(2))
        p.grad = torch.tensor([3.0, 4.0])
        total = torch.nn.utils.get_total_norm([p.grad])
        torch.nn.utils.clip_grads_with_norm_([p], 1.0, total)
        return total, p.grad

    as_real(run)
