"""Numbers that a program reads from tensors, by `item()`, as parameters of functions: they are not those of the first call."""

import pytest

from tracejit import torch

F = torch.nn.functional
X = torch.tensor([[-2.0, 0.5, 1.5], [0.25, -0.75, 4.0]])

FUNCTIONS = {
    "huber_loss": lambda x, n: F.huber_loss(x, 2 * x, delta=n),
    "smooth_l1_loss": lambda x, n: F.smooth_l1_loss(x, 2 * x, beta=n),
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "celu": F.celu,
    "softplus": F.softplus,
    "hardtanh": lambda x, n: F.hardtanh(x, -n, n),
    "threshold": lambda x, n: F.threshold(x, n, 3 * n),
    "layer_norm": lambda x, n: F.layer_norm(x, (3,), eps=n),
    "rms_norm": lambda x, n: F.rms_norm(x, (3,), eps=n),
    "group_norm": lambda x, n: F.group_norm(x[..., None], 1, eps=n),
    "batch_norm": lambda x, n: F.batch_norm(x, None, None, training=True, eps=n),
    "linspace": lambda x, n: x * torch.linspace(0, n, 3),
    "one number of linspace": lambda x, n: x * torch.linspace(n, 1, 1),
    "scalar_tensor": lambda x, n: x * torch.scalar_tensor(n),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numbers_that_are_read(name):
    def step(x, n):
        x = x.detach().requires_grad_()
        made = FUNCTIONS[name](x, n.item())
        (slope,) = torch.autograd.grad((made * made).sum(), x)
        return made, slope

    compiled = torch.compile(step)
    for n in (0.5, 0.125, 2.0):
        for found, expected in zip(compiled(X, torch.tensor(n)), step(X, torch.tensor(n))):
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", [2.0, 3.0])
def test_a_leaf_of_the_functions_own(n):
    """Its gradient is taken inside, and nobody outside sees it: a backward through the result goes nowhere."""

    def f(x, n):
        x = x.detach().requires_grad_()
        y = x + n
        (g,) = torch.autograd.grad((y * y).sum(), x)
        return y, g

    x = torch.ones(3, requires_grad=True)
    y, g = torch.compile(f)(x, n)
    expected = f(x, n)
    assert torch.equal(y, expected[0]) and torch.equal(g, expected[1])
    assert y.requires_grad and not y.is_leaf and not g.requires_grad
    y.sum().backward()
    assert x.grad is None
