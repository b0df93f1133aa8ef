"""Blocks lie inside or are an error; those that tracing knows are slices."""
from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.ir import ArrayType, Builder, Literal, array_type
from tracejit.ops import blocks
from tracejit.ops.movement import slice_

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5, 6))
FLOAT = np.dtype(float)


@pytest.mark.parametrize("start, first", [(0, 0), (1, 1), (3, 3), (-1, None), (-2, 3), (-5, 0), (4, None), (-6, None), (5, None)])
def test_a_block_lies_inside_or_is_an_error(start, first):
    """Of two elements out of five; eagerly, compiled, and mapped over starts, which makes a gather of it."""
    x = RNG.standard_normal(5)
    runs = [lambda s: blocks.dynamic_slice(x, s, sizes=(2,)), lambda s: tj.jit(lambda x, s: blocks.dynamic_slice(x, s, sizes=(2,)))(x, s),
            lambda s: tj.vmap(lambda s: blocks.dynamic_slice(x, s, sizes=(2,)))(np.array([s]))[0]]
    for run in runs:
        if first is None:
            with pytest.raises(IndexError, match="out of bounds"):
                run(np.int64(start))
        else:
            np.testing.assert_array_equal(run(np.int64(start)), x[first:first + 2])
    for write in (blocks.dynamic_update_slice, blocks.dynamic_slice_add):
        if first is None:
            with pytest.raises(IndexError, match="out of bounds"):
                write(x, np.ones(2), np.int64(start))
        else:
            want = x.copy()
            want[first:first + 2] = 1 + (x[first:first + 2] if write is blocks.dynamic_slice_add else 0)
            np.testing.assert_array_equal(write(x, np.ones(2), np.int64(start)), want)


def test_a_block_with_literal_starts_is_a_slice():
    b = Builder()
    x = b.input(ArrayType((5, 4), FLOAT))
    (y,) = b.emit(blocks.dynamic_slice, (x, Literal(np.int64(-2)), Literal(np.int64(0))), {"sizes": (2, 4)})
    assert b.produced_by(y, slice_).params == {"start": (3, 0), "stop": (5, 4), "step": (1, 1)}


def test_block_type_rules():
    x, s = array_type(X), ArrayType((), np.dtype(np.int64))
    with pytest.raises(TypeError, match="needs 3 starts that are 0-d int64"):
        blocks.dynamic_slice.infer(x, s, s, sizes=(1, 1, 1))
    with pytest.raises(TypeError, match="needs 3 starts that are 0-d int64"):
        blocks.dynamic_slice.infer(x, s, s, ArrayType((), FLOAT), sizes=(1, 1, 1))
    with pytest.raises(ValueError, match="does not fit"):
        blocks.dynamic_slice.infer(x, s, s, s, sizes=(1, 6, 1))
    with pytest.raises(TypeError, match="equal dtypes"):
        blocks.dynamic_update_slice.infer(x, ArrayType((1, 1, 1), np.dtype(np.float32)), s, s, s)
    with pytest.raises(ValueError, match="cannot be written"):
        blocks.slice_update.infer(x, ArrayType((2, 5, 6), FLOAT), start=(1, 0, 0), step=(3, 1, 1))


def test_arguments_are_not_written_to():
    x, before = X.copy(), X.copy()
    blocks.dynamic_update_slice(x, np.ones((1, 5, 6)), *np.zeros(3, np.int64))
    blocks.slice_update(x, np.ones((1, 5, 6)), start=(0, 0, 0), step=(1, 1, 1))
    np.testing.assert_array_equal(x, before)
