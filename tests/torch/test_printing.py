"""`repr` of tensors, beside torch's."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit.torch as ours


def _arrays():
    rng = np.random.default_rng(0)
    yield from (np.array([], np.float32), np.zeros((2, 0, 3), np.float32), np.zeros(0, np.int64), np.array(3.5, np.float32), np.array(1e-9))
    for dtype in (np.float32, np.float64, np.float16):
        for shape in ((), (3,), (2, 3), (2, 2, 2), (30,), (3, 12), (1500,), (40, 40), (4, 10, 40)):
            for scale in (1, 1e-3, 1e5, 1e9):
                with np.errstate(over="ignore"):
                    yield np.asarray(rng.normal(size=shape) * scale).astype(dtype)
            whole = np.round(rng.normal(size=shape) * 5000).astype(dtype)
            yield whole
            yield np.round(whole / 1000)
            if whole.size > 2:
                odd = rng.normal(size=shape).astype(dtype)
                odd.flat[1], odd.flat[2] = np.nan, np.inf
                yield from (odd, np.round(odd * 3), np.full(shape, np.nan, dtype), np.full(shape, -np.inf, dtype))
    for shape in ((), (3,), (2, 3), (30,), (1500,)):
        numbers = np.asarray(rng.integers(-5, 120, shape))
        yield from (numbers, numbers > 0, abs(numbers).astype(np.uint8), numbers.astype(np.int32))
        for scale in (1, 1e5, 1e-6):
            yield (rng.normal(size=shape) + 1j * rng.normal(size=shape)) * scale
        yield np.round(rng.normal(size=shape) * 3) + 1j * np.round(rng.normal(size=shape) * 3)


def _texts(torch, array):
    x = torch.from_numpy(np.array(array))
    texts = [repr(x)]
    if x.is_floating_point() or x.is_complex():
        x.requires_grad_()
        texts += [repr(x), repr(x * 1)]
    return texts


@pytest.mark.parametrize("number", range(5))
def test_as_torch_prints(number):
    theirs = pytest.importorskip("torch")
    for array in list(_arrays())[number::5]:
        assert _texts(ours, array) == _texts(theirs, array)


OPTIONS = [{"precision": 2}, {"threshold": 5, "edgeitems": 1}, {"linewidth": 40}, {"sci_mode": True}, {"profile": "full"}, {"profile": "short"}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options(options):
    theirs = pytest.importorskip("torch")
    try:
        ours.set_printoptions(**options)
        theirs.set_printoptions(**options)
        for array in (np.linspace(0, 1, 12, dtype=np.float32), np.arange(24.0).reshape(4, 6), np.arange(12)):
            assert _texts(ours, array) == _texts(theirs, array)
    finally:
        ours.set_printoptions(profile="default")
        theirs.set_printoptions(profile="default")


def test_fixed_texts():
    torch = ours
    assert repr(torch.tensor([1.0, 2.5])) == "tensor([1.0000, 2.5000])"
    assert repr(torch.tensor([27.0, 3.0])) == "tensor([27.,  3.])"
    assert repr(torch.tensor([1e-5, 1.0])) == "tensor([1.0000e-05, 1.0000e+00])"
    assert repr(torch.tensor([True, False])) == "tensor([ True, False])"
    assert repr(torch.tensor(1 + 2j)) == "tensor(1.+2.j)"
    assert repr(torch.zeros(2, 0)) == "tensor([], size=(2, 0))"
    assert f"{torch.tensor(1.5)}" == "1.5" and f"{torch.tensor(1.5):.3f}" == "1.500"


def test_named_results():
    x = ours.tensor([[3.0, 1.0], [2.0, 4.0]])
    assert repr(x.max(0)) == "torch.return_types.max(\nvalues=tensor([3., 4.]),\nindices=tensor([0, 1]))"
    real = pytest.importorskip("torch")
    y = real.tensor([[3.0, 1.0], [2.0, 4.0]])
    for f in (
        lambda t, x: x.min(1), lambda t, x: x.sort(), lambda t, x: x.topk(1), lambda t, x: x.kthvalue(1), lambda t, x: x.median(0),
        lambda t, x: x.mode(0), lambda t, x: t.cummax(x, 0), lambda t, x: t.cummin(x, 0), lambda t, x: t.aminmax(x), lambda t, x: t.frexp(x),
        lambda t, x: t.nanmedian(x, 0), lambda t, x: t.linalg.slogdet(x), lambda t, x: t.linalg.lu_factor(x), lambda t, x: t.linalg.inv_ex(x),
    ):  # fmt: skip
        assert repr(f(ours, x)) == repr(f(real, y))
