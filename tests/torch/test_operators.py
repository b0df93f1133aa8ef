"""Values, gradients and second gradients of the functions, beside those of torch."""

from __future__ import annotations

import importlib.util
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import tracejit.torch as ours

_spec = importlib.util.spec_from_file_location("operator_cases", Path(__file__).with_name("operator_cases.py"))
_cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_cases)


def _results(torch, case, arrays):
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


def _shape(spec):
    return spec[1] if spec and isinstance(spec[0], str) else spec


def _apart(array):
    """The same entries, in memory by columns or with gaps."""
    if array.ndim > 1:
        return np.asfortranarray(array)
    room = np.zeros(2 * array.size, array.dtype)
    room[::2] = array.reshape(-1)
    return room[::2] if array.ndim else array


def _compare(case, arrays, theirs):
    a, b = _results(ours, case, arrays), _results(theirs, case, arrays)
    assert len(a) == len(b)
    for x, y in zip(a, b):
        if x is None or y is None:  # torch gives zeros in some places, and None in others
            np.testing.assert_allclose(x if y is None else y, 0, atol=1e-12) if x is not y else None
            continue
        assert x.shape == y.shape and x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("case", _cases.CASES, ids=lambda c: c.name)
def test_as_torch(case):
    theirs = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    _compare(case, [np.asarray(_cases.sample(s, rng)) for s in case.inputs], theirs)


STRIDED = [c for c in _cases.CASES if "as_strided" not in c.name and any(np.prod(_shape(s), initial=1) > 1 for s in c.inputs)]


@pytest.mark.parametrize("case", STRIDED, ids=lambda c: c.name)
def test_strided_inputs(case):
    """Matrices by columns, and vectors whose entries stand apart: `view`, which wants memory without gaps, is refused by both."""
    theirs = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    arrays = [_apart(np.asarray(_cases.sample(s, rng))) for s in case.inputs]
    try:
        _results(theirs, case, arrays)
    except RuntimeError as error:
        with pytest.raises(RuntimeError, match=re.escape(str(error)[:20])):
            _results(ours, case, arrays)
    else:
        _compare(case, arrays, theirs)


@pytest.mark.parametrize("case", _cases.ARRANGED, ids=lambda c: c.name)
def test_inputs_that_are_empty_broadcast_or_0d(case):
    """Where torch refuses them, so it is here, by the same type of exception."""
    theirs = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    arrays = [np.asarray(_cases.sample(s, rng)) for s in case.inputs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of degrees of freedom
        try:
            _results(theirs, case, arrays)
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            with pytest.raises(type(error)):
                _results(ours, case, arrays)
        else:
            _compare(case, arrays, theirs)

