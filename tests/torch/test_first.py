"""The smallest programs of the imperative front end."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit.torch as torch


def test_gradient_of_a_square():
    x = torch.tensor([9.0], requires_grad=True)
    f = x**2
    assert repr(f) == "tensor([81.], grad_fn=<PowBackward0>)"
    assert f.backward() is None
    assert repr(x.grad) == "tensor([18.])"
    with pytest.raises(RuntimeError, match="backward through the graph a second time.*test_first.py"):
        f.backward()


def test_gradients_of_gradients():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x, create_graph=True)
    (k,) = torch.autograd.grad(h.sum(), x)
    assert g.tolist() == [3.0, 12.0, 27.0] and h.tolist() == [6.0, 12.0, 18.0] and k.tolist() == [6.0, 6.0, 6.0]


def test_write_through_a_view_changes_the_history_of_its_base():
    x = torch.ones(4, requires_grad=True)
    y = x * 1
    part = y[1:3]
    part.mul_(3)
    assert y.tolist() == [1.0, 3.0, 3.0, 1.0] and y.grad_fn.name() == "CopySlices" and part.grad_fn.name() == "AsStridedBackward0"
    (y * y).sum().backward()
    assert x.grad.tolist() == [2.0, 18.0, 18.0, 2.0]


def test_overwritten_saved_tensor_names_both_lines():
    x = torch.ones(4, requires_grad=True)
    y = x * 2
    z = y.sin()
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"is at version 1; expected version 0 instead.*test_first.py.*test_first.py"):
        z.sum().backward()


def test_tensor_and_array_share_memory():
    array = np.zeros(2, np.float32)
    t = torch.from_numpy(array)
    t.add_(1)
    assert array.tolist() == [1.0, 1.0] and t.numpy() is array
