"""What `vmap` cannot do with a user's own way back is refused."""

import pytest

import tracejit.torch as torch


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1.0

    @staticmethod
    def backward(ctx, g):
        return 2.0 * g


def test_a_function_with_its_own_backward_is_refused_inside_vmap():
    x = torch.ones(3, requires_grad=True)
    Doubled.apply(x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(RuntimeError, match="Doubled is applied inside of it, where its backward would not be used"):
        torch.func.vmap(Doubled.apply)(torch.ones(3))
