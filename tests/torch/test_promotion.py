"""Result dtypes beside torch's: arrays, 0-d arrays and Python numbers of all dtypes."""

from __future__ import annotations

import itertools

import pytest

import tracejit.torch as ours

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128"]
OPERATORS = {
    "add": lambda t, a, b: a + b,
    "mul": lambda t, a, b: a * b,
    "div": lambda t, a, b: a / b,
    "eq": lambda t, a, b: a == b,
    "where": lambda t, a, b: t.where(t.tensor(True), a, b),
    "result_type": lambda t, a, b: t.zeros(1, dtype=t.result_type(a, b)),
}


def _found(torch, f, *make):
    try:
        made = f(torch, *[m(torch) for m in make])
    except NotImplementedError:  # half precision of complex numbers
        return None
    return (str(made.dtype), tuple(made.shape)) if str(made.dtype) != "torch.complex32" else None


@pytest.mark.parametrize("name", OPERATORS)
def test_as_torch(name):
    theirs = pytest.importorskip("torch")
    f = OPERATORS[name]
    tensors = [lambda t, n=n, s=s: t.ones(s, dtype=getattr(t, n)) for n in NAMES for s in ((2,), ())]
    numbers = [lambda t, v=v: v for v in (True, 2, 1.5, 1 + 0j)]
    for a, b in itertools.chain(itertools.product(tensors, tensors), itertools.product(tensors, numbers), itertools.product(numbers, tensors)):
        expected = _found(theirs, f, a, b)
        if expected is not None:
            assert _found(ours, f, a, b) == expected


def test_fixed():
    t = ours
    assert (t.ones(2, dtype=t.int64) + 1.5).dtype is t.float32
    assert (t.ones(2) + t.ones((), dtype=t.float64)).dtype is t.float32
    assert (t.ones(2, dtype=t.int8) / 2).dtype is t.float32
    assert t.tensor([1, 2.0]).dtype is t.float32 and t.tensor([1]).dtype is t.int64 and t.tensor(True).dtype is t.bool
    t.set_default_dtype(t.float64)
    try:
        assert t.tensor(1.0).dtype is t.float64 and t.zeros(1).dtype is t.float64
    finally:
        t.set_default_dtype(t.float32)
    with pytest.raises(TypeError, match="only floating-point types"):
        t.set_default_dtype(t.int64)
