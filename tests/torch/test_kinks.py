"""Gradients where a function has a kink, a tie, an infinity or NaN, beside torch's."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit.torch as ours

EXPRESSIONS = """
F.logsigmoid(x)
F.binary_cross_entropy_with_logits(x, x.detach().clamp(0, 1))
F.binary_cross_entropy_with_logits(x, x.detach().clamp(0, 1), pos_weight=x.new_tensor(2.0))
F.multilabel_soft_margin_loss(x, (x.detach() > 0).to(x.dtype))
F.softplus(x)
F.relu(x)
F.multi_margin_loss(x.nan_to_num(2.0, 3.0), torch.tensor([0, 0]))
F.multilabel_margin_loss(x.nan_to_num(2.0, 3.0), torch.tensor([[0, -1, 0], [1, 0, -1]]))
F.softshrink(x)
F.hardshrink(x)
F.threshold(x, 0.1, 2.0)
x.fmax(0 * x)
x.fmin(0 * x)
x.maximum(0 * x)
x.minimum(0 * x)
x.clamp(0)
x.clamp(0, 1)
x.abs()
x.sign()
x.max()
x.min()
x.amax(1)
x.aminmax(dim=1)[0]
x.median()
x.nanmedian()
x.median(1)[0]
x.cummax(1)[0]
x.cummin(1)[0]
x.norm()
x.norm(1)
x.logsumexp(1)
x.prod(1)
""".strip().split("\n")
INPUTS = {
    "ties": [[0.0, 0.0, 1.0], [1.0, 1.0, -1.0]], "zeros": [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], "infinite": [[0.0, np.inf, 1.0], [-2.0, 3.0, 1.0]],
    "missing": [[0.0, np.nan, 1.0], [-2.0, 3.0, 1.0]],
}  # fmt: skip
APART = {  # the slopes where they are not torch's, for places of NaN: that of an operand that is NaN, or NaN where the slope is a sign
    ("x.clamp(0)", "missing"): [[0.75, 0.75, 0.75], [0.0, 0.75, 0.75]],
    ("x.clamp(0, 1)", "missing"): [[0.75, 0.75, 0.75], [0.0, 0.0, 0.75]],
    ("x.abs()", "missing"): [[0.0, np.nan, 0.75], [-0.75, 0.75, 0.75]],
    ("x.norm(1)", "missing"): [[0.0, np.nan, 0.75], [-0.75, 0.75, 0.75]],
    ("x.amax(1)", "missing"): [[0.0, 0.75, 0.0], [0.0, 0.75, 0.0]],
    ("x.aminmax(dim=1)[0]", "missing"): [[0.0, 0.75, 0.0], [0.75, 0.0, 0.0]],
    ("x.maximum(0 * x)", "infinite"): [[0.375, 0.0, 0.75], [0.0, 0.75, 0.75]],
    ("x.minimum(0 * x)", "infinite"): [[0.375, 0.0, 0.0], [0.75, 0.0, 0.0]],
}


def _gradient(torch, expression, values, weight):
    x = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    y = eval(expression, {"torch": torch, "x": x, "F": torch.nn.functional})
    (g,) = torch.autograd.grad(y, x, torch.full_like(y, weight))
    return y.detach().numpy(), g.numpy(force=True)


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_as_torch(expression, name):
    theirs = pytest.importorskip("torch")
    (value, slope), (their_value, their_slope) = (_gradient(torch, expression, INPUTS[name], 0.75) for torch in (ours, theirs))
    np.testing.assert_allclose(value, their_value, 1e-6, 1e-12)
    np.testing.assert_allclose(slope, APART.get((expression, name), their_slope), 1e-6, 1e-12)


@pytest.mark.parametrize("expression", ["x.relu()", "x.max()", "x.min()", "x.fmax(0 * x)", "x.masked_fill(x > 0, 0.0)"])
def test_infinite_gradients_reach_only_what_was_chosen(expression):
    theirs = pytest.importorskip("torch")
    a, b = (_gradient(torch, expression, [[-1.0, 0.5, 2.0]], np.inf)[1] for torch in (ours, theirs))
    np.testing.assert_array_equal(a, b)


def test_the_loss_of_logits_that_are_zero():
    x = ours.zeros(2, requires_grad=True)
    ours.nn.functional.binary_cross_entropy_with_logits(x, ours.tensor([0.0, 1.0]), reduction="sum").backward()
    assert x.grad.tolist() == [0.5, -0.5]
