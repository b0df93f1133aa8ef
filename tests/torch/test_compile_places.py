"""Indices that are tensors, in compiled functions: programs go where eager code goes, and refuse what that refuses."""

import pytest

from tracejit import torch

F = torch.nn.functional
X = torch.arange(12.0).reshape(3, 4)

FUNCTIONS = {
    "take": lambda i: X.take(i),
    "take_along_dim": lambda i: X.take_along_dim(i[:1, None], 1),
    "put": lambda i: X.clone().put_(i, torch.zeros(2)),
    "gather": lambda i: X.gather(1, i[:, None]),
    "index_select": lambda i: X.index_select(0, i),
    "index_fill": lambda i: X.index_fill(0, i, 7.0),
    "index_add": lambda i: X.index_add(0, i, torch.ones(2, 4)),
    "index_copy": lambda i: X.index_copy(0, i, torch.ones(2, 4)),
    "scatter": lambda i: X.scatter(0, i[None], 9.0),
    "scatter_add": lambda i: X.scatter_add(0, i[None], torch.ones(1, 2)),
    "sums": lambda i: X.scatter_reduce(0, i[None], torch.ones(1, 2), "sum"),
    "means without their own": lambda i: X.scatter_reduce(0, i[None], torch.ones(1, 2), "mean", include_self=False),
    "products": lambda i: X.scatter_reduce(0, i[None], torch.full((1, 2), 3.0), "prod"),
    "largest": lambda i: X.scatter_reduce(0, i[None], torch.full((1, 2), 3.0), "amax", include_self=False),
    "smallest slices": lambda i: X.index_reduce(0, i, torch.ones(2, 4), "amin"),
    "index": lambda i: X[i],
    "embedding": lambda i: F.embedding(i, X),
    "embedding by frequency": lambda i: F.embedding(i, X, scale_grad_by_freq=True),
    "nll_loss": lambda i: F.nll_loss(X[:2], i),
    "cross_entropy": lambda i: F.cross_entropy(X[:2], i, ignore_index=-2),
    "one_hot": lambda i: F.one_hot(i, 3),
}


def outcome(f, places):
    try:
        return f(torch.tensor(places)).tolist()
    except (IndexError, RuntimeError) as error:
        return IndexError if "bounds" in str(error) or "range" in str(error) or "Class values" in str(error) else error


@pytest.mark.parametrize("name", FUNCTIONS)
def test_programs_go_where_eager_code_goes(name):
    f = FUNCTIONS[name]
    compiled = torch.compile(f)
    for places in ([0, 1], [-1, 0], [2, -2], [1, 1], [1, 70], [2, 0], [-5, 0]):
        expected, found = outcome(f, places), outcome(compiled, places)
        assert found == (pytest.approx(expected) if isinstance(expected, float) else expected), places


def test_a_program_that_was_recorded_with_negative_places_takes_others():
    take = torch.compile(lambda i: X.take(i))
    assert [take(torch.tensor([i])).tolist() for i in (-1, 0, 5, -3)] == [[11.0], [0.0], [5.0], [9.0]]


def test_classes_that_are_not_there_have_no_row():
    for wrong in ([0, 3], [-1, 0]):
        with pytest.raises(RuntimeError, match="Class values must be"):
            F.one_hot(torch.tensor(wrong), 3)
