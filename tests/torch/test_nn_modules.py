"""Every module of `torch.nn` against the real one: text, state, initial values, values, gradients, buffers."""

from __future__ import annotations

import pytest

from .nn_cases import CASES, Case, compare


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_module_is_as_in_torch(case: Case):
    compare(case, pytest.importorskip("torch"))


def test_hardsigmoid_whose_slope_torch_rounds_to_single_precision():
    compare(Case("Hardsigmoid", lambda nn, torch: nn.Hardsigmoid(), ((3, 4),)), pytest.importorskip("torch"), rtol=1e-7)
