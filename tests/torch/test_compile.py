"""Compiled functions and training steps do what they do without `compile`, and leave behind what they leave behind."""

import math

import numpy as np
import pytest

from tracejit import torch
from tracejit.errors import TracejitError, TracerConversionError
from tracejit.torch.optim import lr_scheduler


class Net:
    """A multilayer perceptron, by hand."""

    def __init__(self, sizes=(6, 8, 3), seed=0):
        torch.manual_seed(seed)
        self.weights = [(torch.randn(n, m) / n**0.5).requires_grad_() for n, m in zip(sizes, sizes[1:])]
        self.biases = [torch.zeros(m, requires_grad=True) for m in sizes[1:]]
        self.training = True
        self.mean = torch.zeros(sizes[0])
        self.batches = torch.tensor(0)

    def parameters(self):
        return [*self.weights, *self.biases]

    def __call__(self, x):
        if self.training:
            with torch.no_grad():
                self.mean.mul_(0.9).add_(x.mean(0) * 0.1)
                self.batches += 1
        x = x - self.mean
        for i, (w, b) in enumerate(zip(self.weights, self.biases)):
            x = x @ w + b
            if i + 1 < len(self.weights):
                x = torch.relu(x)
        return x


def data(n=5, seed=1):
    rng = np.random.default_rng(seed)
    return [tuple(torch.tensor(rng.normal(size=(4, k)), dtype=torch.float32) for k in (6, 3)) for _ in range(n)]


def same(a, b, tolerance=2e-6):
    assert type(a) is type(b)
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=tolerance)
    assert a.dtype == b.dtype and a.requires_grad == b.requires_grad and a.is_leaf == b.is_leaf


def trained(compiled, make, schedule=None, zero="after", none=True, steps=6):
    """The network, optimizer and losses after some steps."""
    net = Net()
    optimizer = make(net.parameters())
    scheduler = None if schedule is None else schedule(optimizer)

    def step(x, y):
        if zero == "before":
            optimizer.zero_grad(set_to_none=none)
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        if zero == "after":
            optimizer.zero_grad(set_to_none=none)
        return loss.detach()

    run = torch.compile(step) if compiled else step
    losses = []
    for x, y in data(steps):
        losses.append(run(x, y).item())
        if scheduler is not None:
            scheduler.step()
    return net, optimizer, losses, run


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-2),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5),
    "asgd": lambda p: torch.optim.ASGD(p, lr=0.01, t0=2),
    "rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
}
SCHEDULES = {
    "none": None,
    "step": lambda o: lr_scheduler.StepLR(o, 2, 0.5),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 5),
}


def check_equal(eager, compiled):
    (net, optimizer, losses, _), (net2, optimizer2, losses2, _) = eager, compiled
    np.testing.assert_allclose(losses, losses2, rtol=1e-4)
    for p, q in zip([*net.parameters(), net.mean, net.batches], [*net2.parameters(), net2.mean, net2.batches], strict=True):
        same(p, q)
        assert p._version == q._version
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            same(p.grad, q.grad)
        state, state2 = optimizer.state.get(p, {}), optimizer2.state.get(q, {})
        assert state.keys() == state2.keys()
        for name, value in state.items():
            same(value, state2[name])


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_steps_equal_eager(name, schedule):
    eager = trained(False, OPTIMIZERS[name], SCHEDULES[schedule])
    compiled = trained(True, OPTIMIZERS[name], SCHEDULES[schedule])
    check_equal(eager, compiled)
    info = compiled[3].cache_info()
    assert info.currsize == 1 and info.misses <= 2 + (schedule != "none")  # the first step makes the state; rates that change become inputs


@pytest.mark.parametrize("zero", ["before", "after", "never"])
@pytest.mark.parametrize("none", [True, False])
def test_gradients_that_stay(zero, none):
    check_equal(*[trained(c, OPTIMIZERS["momentum"], None, zero, none) for c in (False, True)])


def test_gradients_are_new_tensors_where_eager_makes_new_ones():
    w = torch.ones(3, requires_grad=True)

    @torch.compile
    def f(x):
        w.grad = None
        (w * x).sum().backward()

    f(torch.ones(3))
    first = w.grad
    f(torch.ones(3) * 2)
    f(torch.ones(3) * 3)
    assert first.tolist() == [1, 1, 1] and w.grad.tolist() == [3, 3, 3] and w.grad is not first


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_loaded_state_is_compiled_at_its_first_step(name):
    """So a training that goes on from a checkpoint computes the same bits as one that was never stopped."""
    _, saved, _, _ = trained(False, OPTIMIZERS[name], steps=2)
    net = Net()
    optimizer = OPTIMIZERS[name](net.parameters())
    optimizer.load_state_dict(saved.state_dict())
    for p in net.parameters():
        p.grad = torch.zeros_like(p)

    @torch.compile
    def step(x, y):
        optimizer.zero_grad()
        ((net(x) - y) ** 2).mean().backward()
        optimizer.step()

    step(*data(1)[0])
    assert step.cache_info().currsize == 1


def test_what_constructors_read_is_not_what_a_step_reads():
    class Run:
        def __init__(self, options):
            self.options = {name: getattr(options, name) for name in ("real", "imag")}
            self.weight, self.losses = torch.ones(3), []

    run = Run(1 + 2j)
    f = torch.compile(lambda x: run.weight * x)
    for i in range(3):
        run.losses.append(i)
        assert f(torch.ones(3)).tolist() == [1, 1, 1]
    assert f.cache_info().misses == 1


def test_gradients_accumulate_in_place():
    w = torch.ones(3, requires_grad=True)
    f = torch.compile(lambda x: (w * x).sum().backward())
    f(torch.ones(3))
    grad = w.grad
    for _ in range(3):
        f(torch.ones(3))
    assert w.grad is grad and grad.tolist() == [4, 4, 4] and f.cache_info().misses == 2


def test_train_and_eval_are_a_program_each():
    net = Net()
    f = torch.compile(lambda x: net(x))
    (x, _), *_ = data()
    for training in (True, False, True, False, True):
        net.training = training
        f(x)
    assert f.cache_info().misses == 2
    assert net.batches.item() == 3


def test_branches_are_guards():
    @torch.compile
    def f(x):
        if x.sum() > 0:
            return x * 2
        return -x

    for value in (1.0, -1.0, 3.0, -4.0):
        assert f(torch.tensor([value])).item() == (2 * value if value > 0 else -value)
    assert f.cache_info().misses == 2


def test_a_guard_that_fails_leaves_nothing_changed():
    w = torch.zeros(2)

    @torch.compile
    def f(x):
        w.add_(1)
        if x.sum() > 0:
            w.add_(10)
        return torch.rand(1)

    torch.manual_seed(3)
    expected = torch.rand(4).tolist()
    torch.manual_seed(3)
    found = [f(torch.tensor([s])).item() for s in (1.0, 1.0, -1.0, 1.0)]
    assert found == expected and w.tolist() == [34, 34]


def test_an_exception_leaves_nothing_changed():
    w = torch.zeros(2, requires_grad=True)
    notes = []

    @torch.compile
    def f(x):
        with torch.no_grad():
            w.add_(1)
        notes.append(w.detach() * 2)
        (w * x).sum().backward()
        torch.rand(3)
        raise KeyError("stop")

    torch.manual_seed(0)
    before = torch.get_rng_state().tolist()
    with pytest.raises(KeyError):
        f(torch.ones(2))
    assert w.tolist() == [0, 0] and w._version == 0 and w.grad is None and notes == [] and torch.get_rng_state().tolist() == before


def test_random_numbers_are_torchs_stream():
    def f(x):
        mask = torch.rand(4) < 0.5
        return x * mask + torch.randn(4)

    x = torch.ones(4)
    torch.manual_seed(5)
    expected = [f(x).tolist() for _ in range(4)]
    torch.manual_seed(5)
    g = torch.compile(f)
    assert np.allclose([g(x).tolist() for _ in range(4)], expected) and g.cache_info().misses == 1


def test_gradient_penalty():
    def run(compiled):
        torch.manual_seed(0)
        w = torch.randn(3, 3, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.01)

        def step(x):
            x = x.detach().requires_grad_()
            out = torch.tanh(x @ w).sum()
            (g,) = torch.autograd.grad(out, x, create_graph=True)
            loss = out**2 + (g.norm(dim=1) - 1).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.detach()

        f = torch.compile(step) if compiled else step
        losses = [f(torch.randn(4, 3)).item() for _ in range(5)]
        return losses, w

    (a, w), (b, v) = run(False), run(True)
    np.testing.assert_allclose(a, b, rtol=1e-4)
    same(w, v, 1e-5)


def test_views_and_writes_in_place():
    buffer = torch.zeros(4, 3)

    def f(x, i):
        row = buffer[i]
        row += x
        buffer[:, 0] = 7
        y = x.clone()
        y[0] = 5
        return buffer.t(), y

    g = torch.compile(f)
    for _ in range(3):
        t, y = g(torch.ones(3), 1)
    assert buffer.tolist() == [[7, 0, 0], [7, 3, 3], [7, 0, 0], [7, 0, 0]]
    assert np.shares_memory(t.numpy(), buffer.numpy()) and y.tolist() == [5, 1, 1]


def test_slices_of_a_data_set_are_one_program():
    x = torch.arange(12.0)
    f = torch.compile(lambda part: part * 2)
    assert [f(x[i : i + 3]).tolist() for i in (0, 3, 6)] == [[0, 2, 4], [6, 8, 10], [12, 14, 16]] and f.cache_info().misses == 1


def test_an_argument_that_is_written_and_returned():
    def f(x):
        x.mul_(2)
        return x

    g = torch.compile(f)
    x = torch.ones(2)
    for _ in range(3):
        assert g(x) is x
    assert x.tolist() == [8, 8] and x._version == 3
    y = torch.ones(2)
    assert g(y) is y and y.tolist() == [2, 2] and x.tolist() == [8, 8]


def test_results_are_differentiated_outside():
    net = Net()
    f = torch.compile(lambda x: net(x))
    net.training = False
    for (x, y), _ in zip(data(), range(3)):
        x.requires_grad_()
        expected = torch.autograd.grad(((net(x) - y) ** 2).mean(), [x, *net.parameters()])
        out = f(x)
        assert out.grad_fn.name() == "CompiledBackward"
        for a, b in zip(expected, torch.autograd.grad(((out - y) ** 2).mean(), [x, *net.parameters()]), strict=True):
            same(a, b)
    assert f.cache_info().misses == 1


def test_results_are_differentiated_twice_outside():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    f = torch.compile(lambda x: (w * x).sin().sum())
    x = torch.tensor([0.3, 0.4], requires_grad=True)

    def second(f):
        (g,) = torch.autograd.grad(f(x), x, create_graph=True)
        return torch.autograd.grad(g.pow(2).sum(), [x, w])

    for a, b in zip(second(f.f), second(f), strict=True):
        same(a, b)


def test_a_loss_whose_graph_was_used_inside():
    w = torch.ones(2, requires_grad=True)

    def step(x):
        loss = (w * x).sum().exp()
        loss.backward()
        return loss

    loss = torch.compile(step)(torch.ones(2))
    loss = torch.compile(step)(torch.ones(2))
    assert loss.requires_grad
    with pytest.raises(RuntimeError, match="a second time"):
        loss.backward()


def test_arguments_with_a_history():
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    f = torch.compile(lambda x: x * x)
    f(w * 1.0).sum().backward()
    assert w.grad.tolist() == [4, 6]

    @torch.compile
    def g(x):
        (x * x).sum().backward()

    with pytest.raises(TracejitError, match="history"):
        g(w * 1.0)


def test_numbers_that_change_are_inputs():
    f = torch.compile(lambda x, scale: x * scale)
    assert [f(torch.ones(2), s).tolist()[0] for s in (0.5, 1.5, 2.5, 3.5)] == [0.5, 1.5, 2.5, 3.5]
    assert f.cache_info().misses == 2


def test_attributes_and_lists_from_outside():
    class Meter:
        def __init__(self):
            self.total = torch.zeros(())
            self.seen = []
            self.count = 0

        @torch.compile
        def update(self, x):
            self.total = self.total + x.sum()
            self.seen.append(x * 2)
            self.count += 1

    meter = Meter()
    for i in range(6):
        meter.update(torch.full((2,), float(i)))
    assert meter.total.item() == 30 and [t.tolist()[0] for t in meter.seen] == [0, 2, 4, 6, 8, 10] and meter.count == 6


def test_a_float_that_leaves_the_program_is_refused():
    for f in (lambda x: math.sqrt(x.sum().item()), lambda x: float(x.sum()), lambda x: f"{x.sum().item():.3f}", lambda x: f"{x.sum():.3f}"):
        with pytest.raises(TracerConversionError, match="Return the tensor, or x.item"):
            torch.compile(f)(torch.ones(2))


def test_explain_and_options():
    f = torch.compile(lambda x: x * 2)
    assert "nothing is compiled" in f.explain(torch.ones(2))
    f(torch.ones(2))
    assert f.explain(torch.ones(2)) == "is compiled"
    assert "float32[3]" not in f.explain(torch.ones(2)) and "[3]" in f.explain(torch.ones(3))
    with pytest.raises(TypeError, match="unexpected"):
        torch.compile(lambda x: x, speed=1)
    assert torch.compile(mode="max-autotune")(lambda x: x + 1)(torch.ones(1)).item() == 2


def test_modules_with_batch_norm_and_dropout():
    nn = torch.nn

    def run(compiled):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        criterion = nn.CrossEntropyLoss()

        def step(x, y):
            optimizer.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        f = torch.compile(step) if compiled else step
        losses = []
        for i in range(8):
            net.train(i != 5)
            losses.append(f(torch.randn(16, 6), torch.randint(0, 3, (16,))).item())
        if compiled:
            assert f.cache_info().currsize == 2
        return losses, net.state_dict(), torch.rand(3).tolist()

    (losses, states, following), (losses2, states2, following2) = run(False), run(True)
    np.testing.assert_allclose(losses, losses2, rtol=1e-4)
    assert following == following2 and states.keys() == states2.keys()
    for name, value in states.items():
        same(value, states2[name], 1e-5)


def test_a_compiled_module_is_that_module():
    net = torch.nn.Linear(3, 2)
    compiled = torch.compile(net)
    x = torch.ones(1, 3)
    assert isinstance(compiled, torch.nn.Module) and compiled.weight is net.weight and compiled.state_dict().keys() == net.state_dict().keys()
    assert torch.equal(compiled(x), net(x))
    compiled(x).sum().backward()
    assert net.bias.grad.tolist() == [1, 1]


def test_memory_that_is_shared_unknown_to_tensors_is_refused():
    array = np.zeros(3, np.float32)
    a, b = torch.from_numpy(array), torch.from_numpy(array)

    @torch.compile
    def f():
        a.add_(1)
        return b * 2

    with pytest.raises(TracejitError, match="same memory"):
        f()
    assert array.tolist() == [0, 0, 0]


def test_the_default_dtype_is_part_of_what_tells_programs_apart():
    f = torch.compile(lambda x: x.sum() + torch.ones(2))
    try:
        for dtype in (torch.float32, torch.float64, torch.float32):
            torch.set_default_dtype(dtype)
            assert f(torch.ones(3, dtype=torch.float32)).dtype == dtype
    finally:
        torch.set_default_dtype(torch.float32)


def test_arguments_that_share_memory_in_one_call_and_not_in_the_next():
    x, w = torch.arange(4.0), torch.ones(4)
    y = x + 1
    both = torch.compile(lambda a, b: a + 2 * b)
    for a, b in ((x, x), (x, y), (y, x), (x, x), (x, x[:]), (x, y), (x.detach(), x), (y, x)):
        for _ in range(2):
            assert both(a, b).tolist() == (a + 2 * b).tolist()
    one = torch.compile(lambda a: a + 2 * w)
    for a in (w.detach(), y, w[:], x, w, y):
        assert one(a).tolist() == (a + 2 * w).tolist()
    same = torch.compile(torch.equal)
    assert [same(*pair) for pair in ((x, x), (x, y), (x, x.clone()), (y, x))] == [True, False, True, False]
