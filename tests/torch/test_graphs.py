"""What graphs show and tensors are, beside torch: names of nodes and their edges, contexts of functions, views of inference, pickles."""

from __future__ import annotations

import copy
import pickle

import pytest

import tracejit.torch as ours

from .semantics import as_real

EXPRESSIONS = """
x[0]
x[torch.tensor([0])]
x[x > 0]
2 / x
1 / (1 + (-x).exp())
2 ** x
1 - x
x.clamp(0)
x.clamp(0, 1)
x.clamp(max=1)
x.clamp_min(0)
x.clamp_max(x.detach())
x.squeeze()
x.squeeze(0)
x.squeeze((0, 1))
x.prod()
x.prod(0)
x.fmod(x)
x.remainder(x)
x.div(2, rounding_mode="trunc")
x.gather(0, torch.zeros(1, 3, dtype=torch.int64))
x.index_select(0, torch.tensor([0]))
x.index_add(0, torch.tensor([0]), x[:1])
x.index_copy(0, torch.tensor([0]), x[:1])
x.scatter_add(0, torch.zeros(1, 3, dtype=torch.int64), x)
torch.where(x > 0, x, 2 * x)
torch.lerp(x, x, 0.5)
torch.addcmul(x, x, x)
torch.nn.functional.nll_loss(x, torch.tensor([0, 1]))
torch.nn.functional.embedding(torch.tensor([0]), x)
""".strip().split("\n")


def _shown(torch, expression):
    x = torch.ones(2, 3, requires_grad=True)
    node = eval(expression, {"torch": torch, "x": x}).grad_fn
    return node.name(), [None if n is None else n.name() for n, _ in node.next_functions]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_nodes_as_torch(expression):
    assert _shown(ours, expression) == _shown(pytest.importorskip("torch"), expression)


def _functions(torch):
    class Sorted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale):
            places = x.argsort()
            ctx.mark_non_differentiable(places)
            ctx.save_for_backward(places)
            return x[places] * scale, places

        @staticmethod
        def backward(ctx, g, of_places):
            (places,) = ctx.saved_tensors
            seen.append((of_places.dtype == torch.int64, of_places.tolist()))
            return torch.zeros_like(g).index_copy(0, places, g), None

    seen: list = []
    x = torch.tensor([3.0, 1.0], requires_grad=True)
    made, places = Sorted.apply(x, 1.0)
    made[0].backward()
    shown = repr(made.grad_fn).partition(" object")[0]
    yield "a constant result", (x.grad, places, seen, len(made.grad_fn.next_functions), shown.replace("tracejit.", ""))
    with torch.inference_mode():
        view, own = x.view(2), x * 2
    yield "views of inference", (view.is_inference(), own.is_inference(), view._is_view(), (view.clone() * x).requires_grad)
    product = x * 2
    again = pickle.loads(pickle.dumps(product))
    yield "a pickled result", (again, again.is_leaf, again.requires_grad, copy.deepcopy(x).requires_grad)
    rows = torch.zeros(3)
    for row in rows.unbind():
        row.add_(1)
    for row in rows:
        row.mul_(2)
    yield "numbers of a vector are views", (rows, rows._version)


def test_functions_and_views_as_torch():
    as_real(lambda torch: dict(_functions(torch)))
