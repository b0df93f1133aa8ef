"""Tensors of tracejit.torch on a device: where they live, gradients, writes, layers and optimizers, beside the same on the CPU."""

import copy

import numpy as np
import pytest

from tracejit import torch
from tracejit.cuda.backend import backend
from tracejit.torch import nn


def equal(there, here, digits=1e-5):
    assert there.is_cuda and not here.is_cuda and there.shape == here.shape and there.dtype == here.dtype
    np.testing.assert_allclose(there.detach().cpu().numpy(), here.detach().numpy(), rtol=digits, atol=digits)


def test_devices():
    assert torch.cuda.is_available() and torch.cuda.device_count() >= 1 and torch.cuda.current_device() == 0
    assert torch.device("cuda:1") == torch.device("cuda", 1) != torch.device("cuda") and str(torch.device("cuda", 1)) == "cuda:1"
    assert repr(torch.device("cuda:0")) == "device(type='cuda', index=0)" and torch.device(torch.device("cpu")).type == "cpu"
    with pytest.raises(RuntimeError, match="not available"):
        torch.device("tpu")
    assert len(torch.cuda.get_device_capability()) == 2 and torch.cuda.get_device_name()
    torch.cuda.synchronize()
    with torch.cuda.device(0), torch.cuda.stream(torch.cuda.Stream()):
        assert torch.zeros(2, device="cuda").device == torch.device("cuda:0")


def test_there_and_back():
    x = torch.tensor([1.0, 2.0, 3.0])
    y = x.cuda()
    assert y.is_cuda and not y.is_cpu and y.device == torch.device("cuda:0") and y.cuda() is y and x.cpu() is x and x.to("cpu") is x
    assert repr(y) == "tensor([1., 2., 3.], device='cuda:0')"
    assert repr(y.requires_grad_()) == "tensor([1., 2., 3.], device='cuda:0', requires_grad=True)"
    assert y.tolist() == [1.0, 2.0, 3.0] and y.sum().item() == 6.0 and bool(y[0] > 0) and float(y[2]) == 3.0
    assert x.to("cuda", torch.float64).dtype is torch.float64 and x.to(y).is_cuda and y.to(x).is_cpu
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu"):
        y.detach().numpy()
    np.testing.assert_array_equal(y.detach().cpu().numpy(), x.numpy())


def test_new_tensors():
    like = torch.ones(2, 3, device="cuda")
    for made in (
        torch.tensor([1, 2], device="cuda"), torch.zeros(2, device=like.device), torch.full((2,), 3.0, device="cuda:0"),
        torch.arange(4, device="cuda"), torch.randn(3, device="cuda"), torch.zeros_like(like), torch.rand_like(like), like.new_zeros(3),
        like.new_tensor([1.0]),
    ):  # fmt: skip
        assert made.is_cuda
    assert torch.zeros_like(like, device="cpu").is_cpu and torch.ones(2, device="cuda", requires_grad=True).is_leaf
    torch.manual_seed(3)
    there = torch.randn(4, device="cuda")
    torch.manual_seed(3)
    equal(there, torch.randn(4), 0)


def loss(a, w):
    h = nn.functional.softmax(torch.tanh(a @ w), dim=1)
    return (h[:, 0] * h.sum(1) - h.t()[1]).pow(2).mean() + h.view(-1)[3] + torch.cat([h, a], 1).max()


def test_gradients():
    torch.manual_seed(0)
    a, w = torch.randn(4, 3), torch.randn(3, 2, requires_grad=True)
    here = loss(a, w)
    here.backward()
    there_w = w.detach().cuda().requires_grad_()
    there = loss(a.cuda(), there_w)
    there.backward()
    equal(there, here)
    equal(there_w.grad, w.grad)
    there = loss(a.cuda(), there_w)
    there.backward()
    equal(there_w.grad, 2 * w.grad)
    moved = w.detach().clone().requires_grad_()  # a leaf on the CPU
    loss(a.cuda(), moved.cuda()).backward()
    assert moved.grad.is_cpu
    np.testing.assert_allclose(moved.grad.numpy(), w.grad.numpy(), rtol=1e-5, atol=1e-6)
    (slope,) = torch.autograd.grad(loss(a.cuda(), there_w), there_w, create_graph=True)
    (again,) = torch.autograd.grad((slope**2).sum(), there_w)
    (first,) = torch.autograd.grad(loss(a, w), w, create_graph=True)
    equal(again, torch.autograd.grad((first**2).sum(), w)[0], 1e-4)


def test_two_devices_do_not_meet():
    x = torch.ones(2, 2)
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device, but found at least two devices, cpu and cuda:0!"):
        x @ x.cuda()
    with pytest.raises(RuntimeError, match="same device"):
        x + x.cuda()
    equal(x.cuda() * torch.tensor(2.0), x * 2)


def test_writes():
    x = torch.arange(4.0)
    for t in (x, x.cuda()):
        y = t.clone()
        y[1] = 5
        y += 1
        y.mul_(2)
        y[:2] = t[:2]
        y.t_() if y.ndim > 1 else None
        assert y.tolist() == [0.0, 1.0, 6.0, 8.0] and t.tolist() == [0.0, 1.0, 2.0, 3.0]
    w = torch.ones(3, device="cuda", requires_grad=True)
    y = w * 2
    y[0] = 0
    y.sum().backward()
    assert w.grad.tolist() == [0.0, 2.0, 2.0]


@pytest.mark.parametrize("kind, options", (("SGD", {"lr": 0.1, "momentum": 0.9}), ("AdamW", {}), ("RMSprop", {"lr": 0.01}), ("Adagrad", {})))
def test_training(kind, options):
    torch.manual_seed(1)
    here = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 2))
    there = copy.deepcopy(here).to("cuda")
    assert next(there.parameters()).is_cuda and there[0].weight.is_leaf
    data, labels = torch.randn(4, 3), torch.tensor([0, 1, 1, 0])
    optimizers = [getattr(torch.optim, kind)(m.parameters(), **options) for m in (here, there)]
    for _ in range(3):
        for model, optimizer, x, t in zip((here, there), optimizers, (data, data.cuda()), (labels, labels.cuda())):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), t).backward()
            optimizer.step()
    for p, q in zip(there.parameters(), here.parameters()):
        equal(p, q)
    assert next(there.cpu().parameters()).is_cpu


def test_compiled_steps():
    torch.manual_seed(2)
    here = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    there = copy.deepcopy(here).cuda()
    data, labels = torch.randn(4, 3), torch.tensor([0, 1, 1, 0])

    def stepping(model):
        optimizer = torch.optim.AdamW(model.parameters())

        @torch.compile
        def step(x, t):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), t)
            loss.backward()
            optimizer.step()
            return loss

        return step

    on_cpu, on_device = stepping(here), stepping(there)
    for _ in range(4):
        want = on_cpu(data, labels)
        equal(on_device(data.cuda(), labels.cuda()), want)
    for p, q in zip(there.parameters(), here.parameters()):
        equal(p, q)
    f = torch.compile(lambda x, w: (x @ w).tanh())
    w = torch.randn(3, 2, device="cuda", requires_grad=True)
    for _ in range(3):
        f(data.cuda(), w).sum().backward()
    v = w.detach().cpu().requires_grad_()
    for _ in range(3):
        f(data, v).sum().backward()
    equal(w.grad, v.grad)
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        f(data, w)


@pytest.mark.parametrize("optimizer", ["AdamW", "SGD"])
def test_compiled_steps_do_not_wait(optimizer, monkeypatch):
    """Counters of steps and the state of the generator live on the host, and are known there without a look at the device."""
    model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    data, waits = torch.randn(4, 3), []
    to_host, record, recorded = backend().to_host, backend().record, []
    monkeypatch.setattr(backend(), "to_host", lambda x: waits.append(x) or to_host(x))
    monkeypatch.setattr(backend(), "record", lambda queue: recorded.append(1) or record(queue))

    def trained(model, x):
        stepping = getattr(torch.optim, optimizer)(model.parameters(), lr=0.1)

        @torch.compile
        def step(x):
            stepping.zero_grad()
            nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 1, 0], device=x.device)).backward()
            stepping.step()

        torch.manual_seed(3)
        for turn in range(7):
            if turn == 2:
                waits.clear()
            step(x)
        return step, len(waits), torch.rand(2), [s["step"] for s in stepping.state.values() if "step" in s]

    there = copy.deepcopy(model).cuda()
    step, count, drawn, steps = trained(there, data.cuda())
    assert recorded or backend().simulated  # as a graph, although counters and draws change
    assert count == 0 and all(s.is_cpu and float(s) == 7 for s in steps)
    assert "def kernel" in step.kernels() and "# on the host" in step.kernels()
    _, _, want, _ = trained(model, data)
    assert drawn.tolist() == want.tolist()
    for p, q in zip(there.parameters(), model.parameters()):
        equal(p, q, 1e-4)


def test_numbers_that_are_drawn_by_the_elements():
    t = torch
    x = t.tensor([0.2, 0.7, 1.0])
    for draw in (
        t.bernoulli, lambda x: x.clone().bernoulli_(x), lambda x: t.multinomial(x, 2), lambda x: t.multinomial(x, 4, replacement=True),
        lambda x: t.nn.functional.rrelu(-x, training=True),
    ):  # fmt: skip
        t.manual_seed(0)
        expected = draw(x)
        t.manual_seed(0)
        made = draw(x.cuda())
        assert made.is_cuda and made.dtype == expected.dtype
        t.testing.assert_close(made.cpu(), expected)
