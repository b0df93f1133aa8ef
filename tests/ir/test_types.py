"""What can be traced, and what it is called."""
from __future__ import annotations

import numpy as np
import pytest

from tracejit.ir import ArrayType, array_type, is_inexact, supported


def test_text():
    assert str(ArrayType((3, 4), np.dtype("float32"))) == "float32[3,4]"
    assert str(array_type(2)) == "int64[]*"


def test_python_numbers_are_weak():
    for x, dtype in ((True, bool), (2, np.int64), (2.0, np.float64), (2j, np.complex128)):
        assert array_type(x) == ArrayType((), np.dtype(dtype), weak=True)
        assert array_type(x).strong == ArrayType((), np.dtype(dtype))
    assert array_type(np.float64(2)) == ArrayType((), np.dtype(float))

    class Meters(float):
        pass
    assert array_type(Meters(2)).weak


def test_sizes():
    t = ArrayType((3, 4), np.dtype(np.float32))
    assert (t.ndim, t.size, t.nbytes) == (2, 12, 48)
    assert ArrayType((), np.dtype(bool)).size == 1 and ArrayType((0, 5), np.dtype(bool)).size == 0


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "float64", "complex64", "complex128"])
def test_supported(dtype):
    assert supported(np.dtype(dtype))
    assert is_inexact(np.dtype(dtype)) == (np.dtype(dtype).kind in "fc")


@pytest.mark.parametrize("dtype", ["U1", object, "M8[s]", np.longdouble, "f4,i4"])
def test_arrays_that_cannot_be_traced(dtype):
    with pytest.raises(TypeError, match=r"test_types.py.*dtype.*traced"):
        array_type(np.zeros(2, dtype))


@pytest.mark.parametrize("x", ["text", None, [1, 2], object()])
def test_things_that_are_no_arrays(x):
    with pytest.raises(TypeError, match="expected an array or a number"):
        array_type(x)
