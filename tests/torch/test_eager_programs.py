"""What eager code runs again and again: graphs by NumPy and as native code give the same bits, and nothing else changes either."""

import copy
import gc
import pickle
import warnings

import numpy as np
import pytest

from tracejit import torch
from tracejit.ops.core import by_name
from tracejit.torch import running
from tracejit.torch.optim import native_step
from tracejit.torch.plan import forward_graph
from tracejit.trace.trace import type_of

SPECIAL = [0.0, -0.0, 1.0, -1.5, 2.5, 3.0, np.inf, -np.inf, np.nan, 1e-42, -1e-42, 3.4e38, 7e-9, 0.1, 1 / 3]

FUNCTIONS = {
    "absolute": np.absolute, "add": np.add, "ceil": np.ceil, "copysign": np.copysign, "divide": np.true_divide, "equal": np.equal, "floor": np.floor,
    "greater": np.greater, "greater_equal": np.greater_equal, "less": np.less, "less_equal": np.less_equal, "multiply": np.multiply,
    "negative": np.negative, "not_equal": np.not_equal, "rint": np.rint, "sign": np.sign, "sqrt": np.sqrt, "square": np.square,
    "subtract": np.subtract, "trunc": np.trunc, "broadcast_to": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "concatenate": lambda x, y: np.concatenate([x, y]), "convert": lambda x: (x > 0).astype(np.float32),
    "gather": lambda x: np.take(x, np.array([3, 1, 1])), "logical_and": lambda x, y: (x > 0) & (y > 0), "logical_not": lambda x: ~(x > 0),
    "logical_or": lambda x, y: (x > 0) | (y > 0), "pad": lambda x: np.pad(x, 2), "reshape": lambda x: x.reshape(-1, 1),
    "reverse": lambda x: x[::-1], "select": lambda x, y: np.where(x > y, x, y), "slice": lambda x: x[2:7:2],
    "transpose": lambda x: x.reshape(1, -1).T,
}  # fmt: skip


def test_the_names_of_exact_operations_are_names_of_operations():
    torch.nn.functional.max_pool2d(torch.ones(1, 1, 2, 2, requires_grad=True), 2)  # brings the operations on windows
    assert {*running.EXACT, *running._SHORT} <= set(by_name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_exact_operations_have_the_same_bits_natively(name, dtype):
    function = FUNCTIONS[name]
    two = isinstance(function, np.ufunc) and function.nin == 2 or not isinstance(function, np.ufunc) and function.__code__.co_argcount == 2
    x, y = (a.ravel().astype(dtype) for a in np.meshgrid(SPECIAL, SPECIAL))
    arguments = [x, y] if two else [x]
    graph, constants, _ = forward_graph(name, function, [type_of(a) for a in arguments], {})
    with np.errstate(all="ignore"):
        expected = running.written(graph)(*arguments, *constants)[0]
    found = running.native(name, graph, constants, True)(*arguments)[0]
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert np.array_equal(bits(found), bits(expected))


def bits(array):
    """The bits of numbers, of NaN that it is one."""
    return np.where(array != array, 1, np.ascontiguousarray(array).view(f"u{array.itemsize}"))


@pytest.fixture
def soon(monkeypatch):
    """What pays is compiled after a few runs."""
    monkeypatch.setattr(running, "WORTH", 2.0)
    monkeypatch.setattr(native_step, "WORTH", 0.0)
    monkeypatch.setattr(native_step, "TRACED_AT", 3)


def trained(width, steps, make_optimizer, native=True, during=lambda i, model, optimizer: None):
    torch.manual_seed(3)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 3))
    x, y = torch.randn(6, 5), torch.tensor([0, 1, 2, 0, 1, 2])
    optimizer = make_optimizer(model.parameters())
    optimizer._native.fits &= native
    losses = []
    for i in range(steps):
        during(i, model, optimizer)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x) * 2 + 1, y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [p.detach().numpy().copy() for p in model.parameters()], optimizer


def test_training_twice_gives_the_same_bits(soon):
    first, second = (trained(11, 12, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)) for _ in range(2))
    assert first[0] == second[0]
    assert all(np.array_equal(a, b) for a, b in zip(first[1], second[1]))


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adam amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.1, maximize=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "radam": lambda p: torch.optim.RAdam(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01, lr_decay=0.1),
    "adadelta": lambda p: torch.optim.Adadelta(p),
    "adamax": lambda p: torch.optim.Adamax(p),
    "asgd": lambda p: torch.optim.ASGD(p),
    "rprop": lambda p: torch.optim.Rprop(p),
}


def assert_close(found, expected):
    """To the last bit but for numbers like beta ** step, which are computed in float64 by another routine."""
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_program_of_an_optimizer_is_its_rule(soon, name):
    found, expected = trained(4, 12, OPTIMIZERS[name]), trained(4, 12, OPTIMIZERS[name], native=False)
    assert found[2]._native.entry is not None and expected[2]._native.entry is None
    assert_close(found[1], expected[1])
    for a, b in zip(found[2].state.values(), expected[2].state.values()):
        assert_close([t.numpy() for t in a.values()], [t.numpy() for t in b.values()])


def lower_rate(i, model, optimizer):
    optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)


def rate_as_a_tensor(i, model, optimizer):
    optimizer.param_groups[0]["lr"] = torch.tensor(0.1 / (i + 1))


def other_decay(i, model, optimizer):
    optimizer.param_groups[0]["weight_decay"] = 0.0 if i < 7 else 0.3


def no_gradient(i, model, optimizer):
    model[0].weight.requires_grad_(i % 4 != 3)
    if i % 4 == 3:
        model[0].weight.grad = None


def other_memory(i, model, optimizer):
    if i == 7:
        model[2].weight.data = model[2].weight.data * 0.5


def strided_gradient(i, model, optimizer):
    if i == 7:
        model[0].weight.grad = torch.zeros(5, 4).t()


def loaded(i, model, optimizer):
    if i == 7:
        optimizer.load_state_dict(optimizer.state_dict())
    if i == 9:
        optimizer.state[model[0].bias]["exp_avg"] = torch.ones(4)


def another_group(i, model, optimizer):
    if i == 7:
        extra = torch.nn.Parameter(torch.ones(3))
        extra.grad = torch.ones(3)
        optimizer.add_param_group({"params": [extra], "lr": 0.5})


CHANGES = [lower_rate, rate_as_a_tensor, other_decay, no_gradient, other_memory, strided_gradient, loaded, another_group]


@pytest.mark.parametrize("during", CHANGES, ids=lambda f: f.__name__)
def test_what_changes_between_steps_is_noticed(soon, during):
    def adam(p):
        return torch.optim.Adam(p, lr=0.05)

    found, expected = trained(4, 14, adam, during=during), trained(4, 14, adam, native=False, during=during)
    assert_close(found[1], expected[1])


def test_a_copy_of_an_optimizer_leaves_the_parameters_alone(soon):
    w = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([w], lr=0.1)
    for _ in range(8):
        w.grad = torch.ones(3)
        optimizer.step()
    assert optimizer._native.entry is not None
    before = w.tolist()
    v, other = copy.deepcopy((w, optimizer))
    v.grad = torch.ones(3)
    other.step()
    assert w.tolist() == before and v.tolist() != before
    assert pickle.loads(pickle.dumps(optimizer)).state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]


def test_rules_of_users_are_left_to_numpy(soon):
    class Descent(torch.optim.Optimizer):
        def update(self, x, gradient, state, group, step):
            if float(np.sum(gradient)) > -1e9:  # decides by values
                x -= group["lr"] * gradient

    found = trained(4, 8, lambda p: Descent(p, {"lr": 0.1}))
    assert found[2]._native.entry is None
    assert_close(found[1], trained(4, 8, lambda p: torch.optim.SGD(p, lr=0.1))[1])


def test_a_native_step_counts_as_a_write(soon):
    w = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([w], lr=0.1)
    for _ in range(8):
        loss = (w * w).sum()
        before = w._version
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        assert w._version == before + 1
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()
    assert optimizer._native.entry is not None


def test_a_parameter_whose_memory_is_another_s_is_left_to_numpy(soon):
    whole = torch.ones(6)
    halves = [torch.nn.Parameter(whole[:4]), torch.nn.Parameter(whole[2:])]
    optimizer = torch.optim.SGD(halves, lr=0.1)
    for _ in range(8):
        for p in halves:
            p.grad = torch.ones(4)
        optimizer.step()
    assert optimizer._native.entry is None
    np.testing.assert_allclose(whole.numpy(), [0.2, 0.2, -0.6, -0.6, 0.2, 0.2], atol=1e-6)


# -- nodes
def test_parts_by_many_indices():
    x = torch.arange(600.0).reshape(300, 2).requires_grad_()
    total = sum((x[i] * (i + 1)).sum() for i in range(300)) + x[3:9].sum() + x[0, 1]
    (total * 1.0).backward()
    expected = np.repeat(np.arange(1.0, 301.0)[:, None], 2, 1)
    expected[3:9] += 1
    expected[0, 1] += 1
    assert np.array_equal(x.grad.numpy(), expected)


def test_a_part_is_differentiated_twice_and_shows_its_name():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x[1]
    assert y.grad_fn.name() == "SelectBackward0" and y.grad_fn.next_functions[0][0].variable is x
    (g,) = torch.autograd.grad(y**3, x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    assert g.tolist() == [0.0, 12.0, 0.0] and h.tolist() == [0.0, 12.0, 0.0]


def test_parts_of_vectors():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x.select(0, 1) * 5.0).backward()
    x.narrow(0, 1, 2).sum().backward()
    assert x.grad.tolist() == [0.0, 6.0, 1.0]
    y = torch.zeros(3)
    y.select(0, 2).add_(4.0)
    assert y.tolist() == [0.0, 0.0, 4.0]


def test_contiguous_puts_elements_in_order():
    x = torch.arange(24.0).reshape(2, 3, 4).requires_grad_()
    y = x.transpose(1, 2).contiguous()
    assert y.is_contiguous() and y.stride() == (12, 3, 1) and not x.transpose(1, 2).clone().is_contiguous()
    (y.view(2, 12) * torch.arange(12.0)).sum().backward()
    assert np.array_equal(x.grad.numpy(), np.broadcast_to(np.arange(12.0).reshape(4, 3).T, (2, 3, 4)))


def test_saved_results_show_through_the_node():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp() * x
    left, right = (f for f, _ in y.grad_fn.next_functions)
    assert y.grad_fn._saved_other is x
    assert left._saved_result.tolist() == x.exp().tolist()
    assert right.variable is x
    y.sum().backward()
    with pytest.raises(RuntimeError, match="a second time"):
        _ = y.grad_fn._saved_self


def test_numbers_beside_tensors_keep_their_signs():
    x = torch.tensor([0.0, -0.0, 2.0])
    assert np.signbit((x * -0.0).numpy()).tolist() == [True, False, True]
    assert np.signbit((x * 0.0).numpy()).tolist() == [False, True, False]
    assert (x + float("nan")).isnan().all() and (x * True).dtype == torch.float32
    assert (torch.tensor(2.0, dtype=torch.float64) * 0.1).item() == 0.2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (torch.ones(1) * 1e300).item() == np.inf


def test_training_holds_on_to_nothing(soon):
    w = torch.ones(3, requires_grad=True)

    def step():
        loss = ((w * 2.0 + 1.0) ** 2)[1:].sum()
        loss.backward()
        with torch.no_grad():
            w.sub_(0.001 * w.grad)
            w.grad = None

    for _ in range(20):
        step()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(200):
        step()
    assert len(gc.get_objects()) <= before + 20  # collected without the collector
