"""`vmap` keeps what it has recorded, and nobody notices: a function is recorded anew where what it reads has changed or it does more than compute."""

import functools
import random
import types

import numpy as np
import pytest

import tracejit.torch as torch
from tracejit.torch import repeated
from tracejit.torch.repeated import Repeated

F = torch.func
X = torch.arange(6.0).reshape(3, 2)
SCALE = 2.0


@pytest.fixture
def recordings(monkeypatch):
    """How often a function was traced."""
    made = []
    kept = Repeated.__init__

    def init(self, f, make):
        def counted(*args):
            made.append(f)
            return make(*args)

        kept(self, f, counted)

    monkeypatch.setattr(Repeated, "__init__", init)
    monkeypatch.setattr(repeated, "_programs", {})
    return made


def rows(f, x=X):
    return [f(row).tolist() for row in x]


def check(batched, f, x=X):
    """Several times: what is recorded, what is found by looking, what is watched."""
    for _ in range(6):
        assert batched(x).tolist() == rows(f, x)


def test_is_recorded_once(recordings):
    w = torch.tensor([3.0, 4.0])
    f = lambda x: (torch.sin(x) * w).sum()
    for transformed in (f, F.grad(f), F.jacrev(f), F.hessian(f)):
        recordings.clear()
        g = F.vmap(transformed)
        for _ in range(8):
            assert torch.allclose(g(X), torch.stack([transformed(row) for row in X]))
        assert len(recordings) == 1
    recordings.clear()
    for _ in range(5):
        check(F.vmap(lambda x: (x * w).sum()), lambda x: (x * w).sum())
    assert len(recordings) == 1  # one code, one program


def test_tensors_from_outside_are_read_at_each_call(recordings):
    w = torch.tensor([3.0, 4.0])
    g = F.vmap(lambda x: x * w)
    check(g, lambda x: x * w)
    w.mul_(2)
    check(g, lambda x: x * w)
    w = torch.tensor([1.0, -1.0])  # another object in the same variable
    check(g, lambda x: x * w)
    w.data = torch.tensor([5.0, 5.0])
    check(g, lambda x: x * w)
    assert len(recordings) == 1
    w = torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert g(X).dtype == torch.float64


def test_values_from_outside():
    global SCALE
    n, options, box = 2, {"shift": 1.0, "terms": [1.0, 2.0]}, types.SimpleNamespace(power=2)

    class Model:
        factor = 1.0

        def __init__(self):
            self.training = True

        def __call__(self, x):
            return x * self.factor if self.training else -x

    model, bias = Model(), 0.5
    f = lambda x: model(x) * n * SCALE + options["shift"] + sum(options["terms"]) + x**box.power + bias
    g = F.vmap(f)
    check(g, f)
    n = 3
    check(g, f)
    SCALE = 5.0
    check(g, f)
    options["shift"] = -1.0
    check(g, f)
    options["terms"].append(3.0)
    check(g, f)
    box.power = 3
    check(g, f)
    model.training = False
    check(g, f)
    model.training, Model.factor = True, 7.0
    check(g, f)
    Model.__call__ = lambda self, x: x - 1
    check(g, f)
    bias = torch.tensor(2.5)
    check(g, f)
    bias = torch.tensor(3, dtype=torch.int64)
    check(g, f)
    bias += 1
    check(g, f)


def test_default_arguments_and_functions_that_are_called():
    def inner(x, k=2.0):
        return x * k

    f = lambda x: inner(x) + 1
    g = F.vmap(f)
    check(g, f)
    inner.__defaults__ = (3.0,)
    check(g, f)
    inner.__code__ = (lambda x, k=2.0: x - k).__code__
    check(g, f)
    inner = torch.exp
    check(g, f)


def test_modes_and_dtypes():
    f = lambda x: x + torch.ones(2) * 1.5
    g = F.vmap(f)
    check(g, f)
    try:
        torch.set_default_dtype(torch.float64)
        assert g(X).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert g(X).dtype == torch.float32
    h = F.vmap(lambda x: x if torch.is_grad_enabled() else -x)
    for _ in range(5):
        assert h(X).tolist() == X.tolist()
        with torch.no_grad():
            assert h(X).tolist() == (-X).tolist()
    check(g, f, torch.ones(5, 2))
    check(g, f, torch.ones(5, 2, dtype=torch.int64))


def test_gradients_of_what_is_kept():
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    g = F.vmap(lambda x: (torch.sin(x) * w).sum())
    for _ in range(6):
        x = X.clone().requires_grad_()
        w.grad = None
        (gx,) = torch.autograd.grad(g(x).sum(), x, create_graph=True)
        assert torch.allclose(gx, torch.cos(X) * w)
        gx.sum().backward()
        assert torch.allclose(w.grad, torch.cos(X).sum(0))
        assert torch.allclose(F.jvp(g, (X,), (torch.ones(3, 2),))[1], (torch.cos(X) * w).sum(1))
        assert F.vmap(F.vmap(lambda a: a * w[0]))(X).tolist() == (X * w[0]).tolist()


def test_what_acts_is_run_at_each_call(capsys):
    seen, numbers, table = [], iter(range(100)), np.array([1.0, 2.0], np.float32)

    class Counter:
        calls = 0

    counter = Counter()

    def prints(x):
        print("here")
        return x

    def appends(x):
        seen.append(1)
        return x

    def counts(x):
        counter.calls += 1
        return x * counter.calls

    for f in (prints, appends, counts):
        g = F.vmap(f)
        for _ in range(6):
            g(X)
    assert capsys.readouterr().out == "here\n" * 6
    assert len(seen) >= 6 and counter.calls == 6
    g = F.vmap(lambda x: x * next(numbers))
    assert [g(X)[0, 1].item() for _ in range(6)] == [0, 1, 2, 3, 4, 5]
    g = F.vmap(lambda x: x * random.random())
    assert len({g(X)[0, 1].item() for _ in range(6)}) == 6
    g = F.vmap(lambda x: x * torch.from_numpy(table))
    for i in range(6):
        table[1] = i
        assert g(X)[0, 1].item() == i
    mask = torch.from_numpy(np.array([0, 1]))
    g = F.vmap(lambda x: x[mask])
    for i in range(6):
        mask.numpy()[0] = i % 2
        assert g(X).tolist() == X[:, mask].tolist()


def test_each_result_has_memory_of_its_own():
    c = torch.ones(2)
    g = F.vmap(lambda x, y: (x, x + y, x + y, c, torch.zeros(2), {"same": x}))
    for _ in range(6):
        x, y = X.clone(), X.clone()
        made = g(x, y)
        tensors = [*made[:5], made[5]["same"]]
        for t in tensors:
            before = [u.tolist() for u in tensors if u is not t] + [x.tolist(), y.tolist(), c.tolist()]
            t.add_(1)
            assert before == [u.tolist() for u in tensors if u is not t] + [x.tolist(), y.tolist(), c.tolist()]


def test_arguments_that_are_no_tensors():
    g = F.vmap(lambda x, k, how: x * k if how == "times" else x + k, in_dims=(0, None, None))
    for k, how in [(2, "times"), (2.0, "times"), (3, "times"), (3, "plus")] * 3:
        assert g(X, k, how).tolist() == (X * k if how == "times" else X + k).tolist()
    g = F.vmap(lambda x: x, out_dims=1)
    for _ in range(5):
        assert g(X).shape == (2, 3)
    g = F.vmap(lambda p: p["a"] @ p["b"], in_dims=({"a": 0, "b": 1},))
    for _ in range(5):
        assert g({"a": X, "b": X.T}).tolist() == (X * X).sum(1).tolist()


def test_a_number_that_always_changes_is_no_reason_to_keep_programs(recordings):
    for i in range(30):
        assert F.vmap(lambda x: x * i)(X)[0, 1].item() == i
    assert len(repeated._programs) <= 8


def test_a_module(recordings):
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Dropout(), torch.nn.Linear(3, 1)).eval()
    params = {k: v.detach() for k, v in net.named_parameters()}
    g = F.vmap(F.grad(lambda p, x: F.functional_call(net, p, (x,)).sum()), in_dims=(None, 0))
    for _ in range(6):
        params["0.weight"].mul_(1.1)
        made = g(params, X)
        for i, row in enumerate(X):
            given = {k: v.clone().requires_grad_() for k, v in params.items()}
            F.functional_call(net, given, (row,)).sum().backward()
            assert all(torch.allclose(made[k][i], given[k].grad) for k in params)
    assert len(recordings) == 1
    net.train()
    with pytest.raises(RuntimeError, match="randomness"):
        g(params, X)


def test_attributes_of_functions():
    def inner(x):
        return x * inner.factor

    inner.factor = 2.0
    g = F.vmap(inner)
    check(g, inner)
    inner.factor = 3.0
    check(g, inner)
    inner.factor = torch.tensor(4.0)
    check(g, inner)
    inner.__defaults__ = (X[0],)
    check(g, inner)


def test_within_a_compiled_function():
    w = torch.tensor([1.0, 2.0])
    g = F.vmap(lambda x: x * w)
    f = torch.compile(lambda x: g(x).sum(0))
    for _ in range(4):
        assert g(X).tolist() == (X * w).tolist()
        assert f(X).tolist() == (X * w).sum(0).tolist()
        w = w + 1
        assert f(X).tolist() == (X * w).sum(0).tolist()


def test_histories_are_not_kept():
    basis = torch.eye(3)
    for i in range(6):
        x = torch.arange(3.0) + i
        _, pull = F.vjp(torch.exp, x)
        assert F.vmap(pull)(basis)[0].tolist() == torch.diag(torch.exp(x)).tolist()
        leaf = x.clone().requires_grad_()
        y = leaf * leaf
        assert F.vmap(lambda g: torch.autograd.grad(y, leaf, g, retain_graph=True)[0])(basis).tolist() == torch.diag(2 * x).tolist()
        node = y.grad_fn
        assert F.vmap(lambda g: node.name() and g * y.detach())(basis).tolist() == torch.diag(x * x).tolist()


def test_learning_rates_and_builtins():
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.5)
    g = F.vmap(lambda x: x * optimizer.param_groups[0]["lr"])
    for lr in (0.5, 0.5, 0.5, 0.5, 0.5, 2.0):
        optimizer.param_groups[0]["lr"] = lr
        assert g(X).tolist() == (X * lr).tolist()
    f = lambda x: x * max(2.0, 1.0)
    g, h = F.vmap(f), torch.compile(f)
    check(g, f)
    assert h(X).tolist() == h(X).tolist() == f(X).tolist()
    try:
        globals()["max"] = lambda a, b: 5.0
        check(g, f)
        assert h(X).tolist() == (X * 5).tolist()
    finally:
        del globals()["max"]
    check(g, f)


def test_modules_and_partial_functions(recordings):
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh())
    for f in (net, functools.partial(lambda k, x: x * k, 2.0), net.forward, torch.sin):
        recordings.clear()
        g = F.vmap(f)
        for _ in range(6):
            assert torch.allclose(g(X), torch.stack([f(row) for row in X]))
        assert len(recordings) == 1


def test_parameters_in_training(recordings):
    net = torch.nn.Linear(2, 2)
    g = F.vmap(lambda x: net(x).sum())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(8):
        optimizer.zero_grad(set_to_none=True)
        made = g(X)
        assert torch.allclose(made, net(X).sum(1))
        made.square().sum().backward()
        optimizer.step()
    assert len(recordings) <= 2  # with gradients, and without


def test_what_changes_a_tensor_from_outside_is_run_at_each_call():
    t = torch.arange(2.0)

    def grows(x):
        t.unsqueeze_(0)
        return x + t.sum()

    g = F.vmap(grows)
    for i in range(4):
        try:
            g(X)
        except RuntimeError:
            return  # refused
        assert t.ndim == i + 2


def test_singular_matrices():
    for f in (torch.linalg.inv, lambda a: torch.linalg.cholesky(a) * 2):
        g = F.vmap(f)
        for _ in range(2):
            with pytest.raises(torch.linalg.LinAlgError, match="vmap of"):
                g(torch.zeros(3, 2, 2))
