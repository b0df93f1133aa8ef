"""Optimizers: step by step torch's own values, groups, states, closures, and what is refused."""

import copy
import io
import warnings

import numpy as np
import pytest

import tracejit as tj
from tracejit import torch

from .parameters import TOLERANCE, parameter, sample

CASES = [
    ("SGD", {}), ("SGD", {"lr": 0.1, "momentum": 0.9}), ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3, "maximize": True}), ("Adam", {}), ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"maximize": True, "betas": (0.8, 0.9)}), ("Adam", {"decoupled_weight_decay": True, "weight_decay": 0.1}), ("AdamW", {}),
    ("AdamW", {"amsgrad": True, "lr": 0.1}), ("Adamax", {"weight_decay": 0.1}), ("RMSprop", {}), ("RMSprop", {"momentum": 0.5, "maximize": True}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "weight_decay": 0.1}), ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("Adadelta", {"weight_decay": 0.1}), ("NAdam", {"weight_decay": 0.1}), ("NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("RAdam", {"weight_decay": 0.1}), ("RAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("Rprop", {}), ("Rprop", {"etas": (0.3, 1.5), "maximize": True}), ("ASGD", {"weight_decay": 0.1}), ("ASGD", {"t0": 3, "lambd": 0.1}),
]  # fmt: skip
NAMES = [f"{name} {options}" for name, options in CASES]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("name, options", CASES, ids=NAMES)
def test_ten_steps_are_torchs(name, options, dtype):
    real = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    starts = [sample(rng, shape, dtype) for shape in ((3, 4), (), (2, 0))]
    ours = [torch.from_numpy(x.copy()).requires_grad_() for x in starts]
    theirs = [real.from_numpy(x.copy()).requires_grad_() for x in starts]
    a, b = getattr(torch.optim, name)(ours, **options), getattr(real.optim, name)(theirs, **options)
    for _ in range(10):
        for x, y in zip(ours, theirs):
            gradient = sample(rng, tuple(x.shape), dtype)
            x.grad, y.grad = torch.from_numpy(gradient.copy()), real.from_numpy(gradient.copy())
        a.step()
        b.step()
        for x, y in zip(ours, theirs):
            np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    for x, y in zip(ours, theirs):
        assert list(a.state[x]) == list(b.state[y])
        for key, value in b.state[y].items():
            np.testing.assert_allclose(a.state[x][key].numpy(), value.numpy(), rtol=1e-5, atol=1e-6)


def descend(make, steps, dtype=torch.float64):
    """`steps` steps on the sum of x**2 / 2 + x, from (1, -2)."""
    x = torch.tensor([1.0, -2.0], dtype=dtype, requires_grad=True)
    optimizer = make([x])
    for _ in range(steps):
        optimizer.zero_grad()
        (x * x / 2 + x).sum().backward()
        optimizer.step()
    return x.tolist()


def test_values_by_hand():
    # Every gradient is x + 1.
    assert descend(lambda p: torch.optim.SGD(p, lr=0.5), 3) == [-0.75, -1.125]
    assert descend(lambda p: torch.optim.SGD(p, lr=0.5, momentum=0.5), 2) == [-1.0, -1.0]
    assert descend(lambda p: torch.optim.SGD(p, lr=0.5, weight_decay=1.0), 1) == [-0.5, -0.5]
    for name in ("Adam", "Adamax", "Adagrad"):  # the first step is lr in the direction of the sign
        assert descend(lambda p, name=name: getattr(torch.optim, name)(p, lr=0.1), 1) == pytest.approx([0.9, -1.9], rel=1e-7)
    assert descend(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.5), 1) == pytest.approx([0.85, -1.8], rel=1e-7)
    assert descend(lambda p: torch.optim.RMSprop(p, lr=0.1), 1) == pytest.approx([0.0, -1.0], abs=1e-6)
    assert descend(lambda p: torch.optim.RAdam(p, lr=0.1), 1) == pytest.approx([0.8, -1.9])  # the gradient itself
    # mu = 0.45 at the first step: lr * ((1 - mu) + mu_next * (1 - beta1) / (1 - mu * mu_next)) over |g| for g, m = (1 - beta1) * g
    mu, after = (0.9 * (1 - 0.5 * 0.96 ** (t * 0.004)) for t in (1, 2))
    move = 0.1 * ((1 - mu) / (1 - np.float32(mu)) + after * 0.1 / (1 - mu * after))
    assert descend(lambda p: torch.optim.NAdam(p, lr=0.1), 1) == pytest.approx([1 - move, -2 + move], rel=1e-6)
    delta = [np.sqrt(1e-6) / np.sqrt(0.1 * g * g + 1e-6) * g for g in (2.0, -1.0)]
    assert descend(lambda p: torch.optim.Adadelta(p), 1) == pytest.approx([1 - delta[0], -2 - delta[1]], rel=1e-12)


REPRS = {
    "SGD": "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n    lr: 0.001\n"
    "    maximize: False\n    momentum: 0\n    nesterov: False\n    weight_decay: 0\n)",
    "Adam": "Adam (\nParameter Group 0\n    amsgrad: False\n    betas: (0.9, 0.999)\n    capturable: False\n    decoupled_weight_decay: False\n"
    "    differentiable: False\n    eps: 1e-08\n    foreach: None\n    fused: None\n    lr: 0.001\n    maximize: False\n    weight_decay: 0\n)",
}


def test_repr():
    for name, text in REPRS.items():
        assert repr(getattr(torch.optim, name)([parameter()])) == text


def test_repr_is_torchs():
    real = pytest.importorskip("torch")
    for name in ("SGD", "Adam", "AdamW", "Adamax", "RMSprop", "Adagrad", "Adadelta", "NAdam", "RAdam", "LBFGS"):
        assert repr(getattr(torch.optim, name)([parameter()])) == repr(getattr(real.optim, name)([real.zeros(1, requires_grad=True)]))


# -- gradients
def test_zero_grad_zeroes_in_place():
    x = parameter()
    optimizer = torch.optim.SGD([x], lr=0.1)
    optimizer.zero_grad()
    assert x.grad is None
    (x * x).sum().backward()
    grad = x.grad
    optimizer.zero_grad()
    assert x.grad is grad and grad.tolist() == [0.0, 0.0]
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]
    optimizer.zero_grad(set_to_none=True)
    assert x.grad is None


def test_zero_grad_lets_go_of_the_graph():
    x = parameter()
    (x**3).sum().backward(create_graph=True)
    assert x.grad.grad_fn is not None
    torch.optim.SGD([x]).zero_grad()
    assert x.grad.grad_fn is None and not x.grad.requires_grad and x.grad.tolist() == [0.0, 0.0]


def test_parameters_without_gradient_stay():
    x, y = parameter(), parameter()
    optimizer = torch.optim.Adam([x, y])
    (x * x).sum().backward()
    optimizer.step()
    assert y.tolist() == [1.0, 2.0] and y not in optimizer.state and x.tolist() != [1.0, 2.0]


def test_a_step_is_seen_by_backward():
    x = parameter()
    y = (x * x).sum()
    x.grad = torch.ones(2)
    torch.optim.SGD([x], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_memory_stays():
    x = parameter()
    optimizer = torch.optim.Adam([x], amsgrad=True)
    memory, states = x.detach().numpy(), None
    for _ in range(3):
        x.grad = torch.ones(2)
        optimizer.step()
        now = {name: id(t) for name, t in optimizer.state[x].items()}
        states = states or now
        assert now == states
    assert np.shares_memory(memory, x.detach().numpy()) and x.detach().numpy()[0] == memory[0]
    assert optimizer.state[x]["step"].item() == 3.0


@pytest.mark.parametrize("shape", [(3,), ()])
@pytest.mark.parametrize("name, options", [("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True}), ("NAdam", {}), ("RAdam", {}), ("Adadelta", {})])
def test_steps_in_a_compiled_function(name, options, shape):
    rng = np.random.default_rng(0)
    start = rng.normal(size=shape)
    eager, compiled = (torch.tensor(start.tolist(), dtype=torch.float64, requires_grad=True) for _ in range(2))
    first, second = (getattr(torch.optim, name)([p], **options) for p in (eager, compiled))
    compiled.grad = torch.zeros_like(compiled)

    def step(gradient):
        compiled.grad._array[...] = gradient
        second.step()
        return gradient.sum()

    run = tj.jit(step)
    for i in range(8):
        gradient = np.asarray(rng.normal(size=shape))
        eager.grad = torch.from_numpy(gradient)
        first.step()
        (run if i else step)(gradient)  # the first one makes the state
        np.testing.assert_allclose(compiled.detach().numpy(), eager.detach().numpy(), rtol=1e-12, atol=1e-14)
    for key, value in first.state[eager].items():
        np.testing.assert_allclose(second.state[compiled][key].numpy(), value.numpy(), rtol=1e-6)


@pytest.mark.parametrize("name, options", [("SGD", {"momentum": 0.9, "maximize": True}), ("Adam", {}), ("NAdam", {})])
def test_blocks_are_the_whole(name, options, monkeypatch):
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(5, 7)), rng.normal(size=(3, 5, 7))

    def run(block):
        monkeypatch.setattr(torch.optim.pieces, "BLOCK", block)
        x = torch.from_numpy(start.copy()).requires_grad_()
        optimizer = getattr(torch.optim, name)([x], **options)
        for gradient in gradients:
            x.grad = torch.from_numpy(gradient)
            optimizer.step()
        return x.detach().numpy()

    np.testing.assert_array_equal(run(4), run(1000))


def test_parameters_that_are_views():
    base = torch.zeros(3, 2)
    column = base[:, 0].detach().requires_grad_()
    column.grad = torch.ones(3)
    torch.optim.SGD([column], lr=1.0).step()
    assert base.tolist() == [[-1.0, 0.0]] * 3


# -- groups
def test_groups_have_options_of_their_own():
    x, y = parameter(), parameter()
    optimizer = torch.optim.SGD([{"params": [x]}, {"params": y, "lr": 1.0}], lr=0.5)
    optimizer.add_param_group({"params": [z := parameter()], "momentum": 0.9})
    for p in (x, y, z):
        p.grad = torch.ones(2)
    optimizer.step()
    assert (x.tolist(), y.tolist()) == ([0.5, 1.5], [0.0, 1.0])
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 1.0, 0.5] and optimizer.param_groups[2]["momentum"] == 0.9
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.step()
    assert x.tolist() == [0.25, 1.25]


def test_names_and_generators():
    pairs = [("a", parameter()), ("b", parameter())]
    optimizer = torch.optim.SGD(iter(pairs))
    assert optimizer.param_groups[0]["param_names"] == ["a", "b"] and optimizer.param_groups[0]["params"][1] is pairs[1][1]


def test_learning_rate_as_a_tensor():
    x, rate = parameter(), torch.tensor(0.5)
    optimizer = torch.optim.SGD([x], lr=rate)
    x.grad = torch.ones(2)
    optimizer.step()
    rate.fill_(1.0)
    optimizer.step()
    assert x.tolist() == [-0.5, 0.5]


def test_misuse():
    x = parameter()
    with pytest.raises(ValueError, match="empty parameter list"):
        torch.optim.SGD([])
    with pytest.raises(TypeError, match="iterable of Tensors"):
        torch.optim.SGD(x)
    with pytest.raises(TypeError, match="one of the params is float"):
        torch.optim.SGD([x, 1.0])
    with pytest.raises(TypeError, match="ordered collections"):
        torch.optim.SGD([{"params": {x}}])
    with pytest.raises(ValueError, match="non-leaf"):
        torch.optim.SGD([x * 2])
    with pytest.raises(ValueError, match="more than one parameter group"):
        torch.optim.SGD([{"params": [x]}, {"params": [x]}])
    with pytest.warns(UserWarning, match="duplicate"):
        torch.optim.SGD([x, x])
    for name, options, text in [
        ("SGD", {"lr": -1.0}, "Invalid learning rate: -1.0"), ("SGD", {"momentum": -1.0}, "Invalid momentum"),
        ("SGD", {"nesterov": True}, "Nesterov"), ("Adam", {"betas": (1.0, 0.9)}, "beta parameter at index 0: 1.0"),
        ("Adam", {"eps": -1.0}, "epsilon"), ("RMSprop", {"alpha": -1.0}, "alpha"), ("Adadelta", {"rho": 2.0}, "rho"),
        ("Adam", {"differentiable": True}, "differentiable"), ("LBFGS", {"line_search_fn": "armijo"}, "strong_wolfe"),
        ("Adagrad", {"lr_decay": -1.0}, "lr_decay"), ("NAdam", {"momentum_decay": -1.0}, "momentum_decay"),
        ("SGD", {"lr": torch.ones(2)}, "1-element"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=text):
            getattr(torch.optim, name)([x], **options)


# -- closures, hooks, subclasses
def test_closures():
    x = parameter()
    optimizer = torch.optim.SGD([x], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 5.0
    assert x.tolist() == [0.0, 0.0]


def test_hooks():
    x, seen = parameter(), []
    x.grad = torch.ones(2)
    optimizer = torch.optim.SGD([x], lr=0.5)
    before = optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("before", x[0].item())))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(("after", x[0].item())))
    optimizer.step()
    before.remove()
    optimizer.step()
    assert seen == [("before", 1.0), ("after", 0.5), ("after", 0.0)]


def test_hooks_of_a_step_that_calls_its_base():
    class Clipped(torch.optim.SGD):
        def step(self, closure=None):
            for p in self.param_groups[0]["params"]:
                p.grad.clamp_(-1.0, 1.0)
            return super().step(closure)

    x, seen = parameter(), []
    x.grad = torch.tensor([5.0, -5.0])
    optimizer = Clipped([x], lr=0.5)
    optimizer.register_step_post_hook(lambda *_: seen.append(1))
    optimizer.step()
    assert x.tolist() == [0.5, 2.5] and seen == [1]


def test_a_users_optimizer():
    class Signs(torch.optim.Optimizer):
        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.sub_(torch.sign(p.grad) * group["lr"])

    x = parameter()
    optimizer = Signs([x], {"lr": 0.5})
    x.grad = torch.tensor([3.0, -3.0])
    optimizer.step()
    assert x.tolist() == [0.5, 2.5]
    with pytest.raises(NotImplementedError, match="neither"):
        broken = torch.optim.Optimizer([x], {})
        broken.step()


# -- states
def steps(optimizer, x, n):
    for i in range(n):
        x.grad = torch.tensor([1.0 + i, -2.0], dtype=x.dtype)
        optimizer.step()


@pytest.mark.parametrize("name, options", CASES, ids=NAMES)
def test_a_state_goes_on(name, options):
    x = parameter()
    first = getattr(torch.optim, name)([x], **options)
    steps(first, x, 3)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    y = x.detach().clone().requires_grad_()
    second = getattr(torch.optim, name)([y], lr=123.0)
    second.load_state_dict(torch.load(file))
    assert second.param_groups[0]["lr"] == first.param_groups[0]["lr"]
    steps(first, x, 3)
    steps(second, y, 3)
    assert x.tolist() == y.tolist()


@pytest.mark.parametrize("name, options", [c for c in CASES if c[0] != "SGD" or "momentum" in c[1]], ids=str)
def test_states_are_exchanged_with_torch(name, options):
    real = pytest.importorskip("torch")
    x, y = parameter(), real.tensor([1.0, 2.0], requires_grad=True)
    ours, theirs = getattr(torch.optim, name)([x], **options), getattr(real.optim, name)([y], **options)
    steps(ours, x, 2)
    for i in range(2):
        y.grad = real.tensor([1.0 + i, -2.0])
        theirs.step()
    file, back = io.BytesIO(), io.BytesIO()
    real.save(theirs.state_dict(), file)
    torch.save(ours.state_dict(), back)
    ours.load_state_dict(torch.load(file))
    back.seek(0)
    theirs.load_state_dict(real.load(back, weights_only=True))
    steps(ours, x, 1)
    y.grad = real.tensor([1.0, -2.0])
    theirs.step()
    np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol=1e-6)


def test_loading_keeps_the_memory_of_states_and_copies():
    x = parameter()
    optimizer = torch.optim.Adam([x])
    steps(optimizer, x, 1)
    saved = copy.deepcopy(optimizer.state_dict())
    mean = optimizer.state[x]["exp_avg"]
    steps(optimizer, x, 2)
    optimizer.load_state_dict(saved)
    assert optimizer.state[x]["exp_avg"] is mean and mean.tolist() == saved["state"][0]["exp_avg"].tolist()
    steps(optimizer, x, 1)
    assert mean.tolist() != saved["state"][0]["exp_avg"].tolist()


def test_loading_what_does_not_fit_changes_nothing():
    x = parameter()
    optimizer = torch.optim.Adam([x])
    steps(optimizer, x, 1)
    before = copy.deepcopy(optimizer.state_dict())
    other = torch.optim.Adam([parameter(), parameter()]).state_dict()
    with pytest.raises(ValueError, match="doesn't match the size"):
        optimizer.load_state_dict(other)
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optimizer.load_state_dict({"state": {}, "param_groups": []})
    bad = copy.deepcopy(before)
    bad["state"][0]["exp_avg_sq"] = torch.ones(3)
    with pytest.raises(ValueError, match="'exp_avg_sq' has the shape"):
        optimizer.load_state_dict(bad)
    for name, value in before["state"][0].items():
        assert optimizer.state[x][name].tolist() == value.tolist()


def test_deepcopy():
    x = parameter()
    optimizer = torch.optim.Adam([x])
    steps(optimizer, x, 2)
    y, twin = copy.deepcopy((x, optimizer))
    assert twin.param_groups[0]["params"][0] is y
    steps(optimizer, x, 2)
    steps(twin, y, 2)
    assert x.tolist() == y.tolist()


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = parameter(0.0)
        optimizer = torch.optim.RMSprop([x], centered=True)
        x.grad = torch.zeros(1)
        optimizer.step()


def test_a_state_dict_has_no_entries_of_parameters_of_which_nothing_is_remembered():
    x = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=0.1)
    x.sum().backward()
    optimizer.step()
    assert optimizer.state_dict()["state"] == {}
