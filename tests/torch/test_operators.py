"""Values, gradients and second gradients of the functions, beside those of torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import tracejit.torch as ours

_spec = importlib.util.spec_from_file_location("operator_cases", Path(__file__).with_name("operator_cases.py"))
_cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_cases)


def _results(torch, case, arrays, weights):
    """The value, the gradients of a weighted sum of it, and those of a weighted sum of the gradients."""
    inputs = [torch.from_numpy(a.copy() if a.flags.c_contiguous else a) for a in arrays]
    moving = [x.requires_grad_() for x in inputs if x.is_floating_point() or x.is_complex()]
    out = case.f(torch, *inputs)
    found = [out.detach().numpy()]
    if not out.requires_grad:
        return found

    def weighted(t, seed):
        w = torch.from_numpy(np.asarray(np.random.default_rng(seed).normal(size=tuple(t.shape)))).to(t.dtype)
        total = (t * w).sum()
        return total.real if total.is_complex() else total

    def arrays_of(gradients):
        return [None if g is None else g.detach().resolve_conj().numpy(force=True) for g in gradients]

    firsts = torch.autograd.grad(weighted(out, 7), moving, create_graph=case.second, allow_unused=True)
    found += arrays_of(firsts)
    again = [weighted(g, i) for i, g in enumerate(firsts) if g is not None and g.requires_grad]
    if case.second:
        found += arrays_of(torch.autograd.grad(sum(again), moving, allow_unused=True)) if again else [None] * len(moving)
    return found


@pytest.mark.parametrize("case", _cases.CASES, ids=lambda c: c.name)
def test_as_torch(case):
    theirs = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    arrays = [np.asarray(_cases.sample(s, rng)) for s in case.inputs]
    a, b = _results(ours, case, arrays, rng), _results(theirs, case, arrays, rng)
    for x, y in zip(a, b):
        if x is None or y is None:  # torch gives zeros in some places, and None in others
            np.testing.assert_allclose(x if y is None else y, 0, atol=1e-12) if x is not y else None
            continue
        assert x.shape == y.shape and x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-8)
