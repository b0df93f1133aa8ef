"""Integers that are divided by zero: an error in programs too."""

import pytest

from tracejit import torch

A = torch.tensor([[7, -7, 8], [1, 2, -3]])

DIVISIONS = {
    "floor_divide": lambda x, y: x // y,
    "remainder": lambda x, y: x % y,
    "fmod": lambda x, y: torch.fmod(x, y),
    "truncated": lambda x, y: torch.div(x, y, rounding_mode="trunc"),
    "of a number": lambda x, y: 7 // y,
    "by a number that is read": lambda x, y: x // y[2].item(),
    "in place": lambda x, y: x.clone().remainder_(y),
    "in a branch that is chosen": lambda x, y: torch.where(y != 0, x // y, 0),
    "summed": lambda x, y: (x // y).sum() + x.sum(),
}


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
@pytest.mark.parametrize("name", DIVISIONS)
def test_programs_complain_of_a_division_by_zero(name, dtype):
    f = DIVISIONS[name]
    compiled = torch.compile(f)
    for divisor in ([2, -3, 5], [1, 1, -1], [2, 5, 3]):
        y = torch.tensor(divisor).to(dtype)
        assert compiled(A, y).tolist() == f(A, y).tolist()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            compiled(A, torch.tensor([2, 3, 0]).to(dtype))
    y = torch.tensor([4, 3, 2]).to(dtype)
    assert compiled(A, y).tolist() == f(A, y).tolist()


def test_floats_have_infinities():
    divide = torch.compile(lambda x, y: x // y)
    assert divide(A, torch.tensor([0.0, 1.0, 1.0])).isinf().any()


def test_mapped_divisions_complain_too():
    divide = torch.func.vmap(lambda x, y: x // y)
    assert divide(A, torch.tensor([2, 3])).tolist() == [[3, -4, 4], [0, 0, -1]]
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        divide(A, torch.tensor([2, 0]))
