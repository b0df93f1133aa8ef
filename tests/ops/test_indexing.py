"""Gather and scatters against NumPy's indexing, their errors, and how gradients accumulate through them."""
from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.ir import ArrayType, array_type
from tracejit.ops import blocks
from tracejit.ops import indexing as ix
from tracejit.ops.movement import slice_
from tracejit.tools import check_grads
from tracejit.transforms.backward import MAX_PADDED

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5, 6))
FLOAT = np.dtype(float)
# (axes, index arrays, what NumPy writes with the indexed axes in front)
PLACES = [((0,), (np.array([3, 0, 3]),)), ((1,), (np.array([[0, -1], [2, -5]]),)), ((2, 0), (np.array([5, -6]), np.array([[1], [-2]]))),
          ((1,), (np.int64(-1),))]
places = pytest.mark.parametrize("axes, indices", PLACES)


def in_front(x, axes):
    return np.moveaxis(x, axes, range(len(axes)))


@places
def test_gather_is_advanced_indexing(axes, indices):
    np.testing.assert_array_equal(ix.gather(X, *indices, axes=axes, mode="raise"), in_front(X, axes)[indices])


@pytest.mark.parametrize("mode", ["clip", "wrap"])
def test_modes_are_those_of_take(mode):
    at = np.array([-12, -5, -1, 0, 4, 5, 17])
    np.testing.assert_array_equal(ix.gather(X, at, axes=(1,), mode=mode), np.moveaxis(np.take(X, at, 1, mode=mode), 1, 0))
    np.testing.assert_array_equal(tj.jit(lambda x, i: ix.gather(x, i, axes=(1,), mode=mode))(X, at), np.moveaxis(np.take(X, at, 1, mode=mode), 1, 0))


@places
def test_scatters_are_ufunc_at(axes, indices):
    updates = RNG.standard_normal(in_front(X, axes)[indices].shape)
    for op, ufunc in ((ix.scatter_add, np.add), (ix.scatter_max, np.maximum), (ix.scatter_min, np.minimum)):
        want = X.copy()
        ufunc.at(in_front(want, axes), indices, updates)
        np.testing.assert_allclose(op(X, updates, *indices, axes=axes, mode="raise"), want)
    want = X.copy()
    in_front(want, axes)[indices] = updates
    np.testing.assert_array_equal(ix.scatter_set(X, updates, *indices, axes=axes, mode="raise"), want)


def test_the_last_of_equal_indices_is_written_and_differentiated():
    at = np.array([2, 0, 2, 2, 1])
    x, v = RNG.standard_normal(4), RNG.standard_normal(5)
    to_x, to_v = tj.grad(lambda x, v: np.sum(ix.scatter_set(x, v, at, axes=(0,), mode="raise") * np.arange(1.0, 5.0)), argnums=(0, 1))(x, v)
    assert to_x.tolist() == [0, 0, 0, 4]
    assert to_v.tolist() == [0, 1, 0, 3, 2]


@pytest.mark.parametrize("wrong, axis, size", [(5, 1, 5), (-6, 1, 5), (4, 0, 4), (99, 2, 6)])
def test_an_index_out_of_bounds_is_named(wrong, axis, size):
    at = np.array([0, wrong])
    updates = np.zeros((2, *np.delete(X.shape, axis)))
    for run in (lambda: ix.gather(X, at, axes=(axis,), mode="raise"), lambda: ix.scatter_add(X, updates, at, axes=(axis,), mode="raise"),
                lambda: ix.scatter_set(X, updates, at, axes=(axis,), mode="raise")):
        with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for axis {axis} with size {size}"):
            run()


def test_type_rules_name_what_is_wrong():
    x, i, v = array_type(X), ArrayType((2,), np.dtype(np.int64)), ArrayType((2, 5, 6), FLOAT)
    with pytest.raises(TypeError, match="indices must be int64"):
        ix.gather.infer(x, ArrayType((2,), np.dtype(np.int32)), axes=(0,), mode="raise")
    with pytest.raises(ValueError, match="mode must be one of raise, clip, wrap"):
        ix.gather.infer(x, i, axes=(0,), mode="drop")
    with pytest.raises(IndexError, match="could not be broadcast together"):
        ix.gather.infer(x, i, ArrayType((3,), np.dtype(np.int64)), axes=(0, 1), mode="raise")
    for axes in ((0, 0), (3, 1), (0,)):
        with pytest.raises(IndexError, match="2 index arrays for the axes"):
            ix.gather.infer(x, i, i, axes=axes, mode="raise")
    with pytest.raises(IndexError, match="empty axes"):
        ix.gather.infer(ArrayType((0,), FLOAT), i, axes=(0,), mode="clip")
    assert ix.scatter_add.infer(x, v, i, axes=(0,), mode="raise") == x
    with pytest.raises(ValueError, match="need updates"):
        ix.scatter_add.infer(x, ArrayType((2, 5, 5), FLOAT), i, axes=(0,), mode="raise")
    with pytest.raises(ValueError, match="need updates"):
        ix.scatter_add.infer(x, ArrayType((2, 5, 6), np.dtype(np.float32)), i, axes=(0,), mode="raise")


@pytest.mark.parametrize("reads", [2, MAX_PADDED + 3])
def test_contributions_accumulate(reads):
    """Few are padded and summed, many are added into one array: both ways are the sum."""
    rows = [RNG.integers(-4, 4, 3) for _ in range(reads)]
    starts = [np.int64(s) for s in RNG.integers(0, 3, reads)]

    def read(x, r, s):
        block = blocks.dynamic_slice(x, s, np.int64(1), np.int64(0), sizes=(2, 3, 6))
        part = slice_(x, start=(0, 1, 2), stop=(4, 5, 6), step=(1, 2, 3))
        return np.sum(ix.gather(x, r, axes=(0,), mode="raise") ** 2) + np.sum(block ** 3) + np.sum(part ** 2)

    def f(x):
        return sum(read(x, r, s) for r, s in zip(rows, starts))
    want = np.zeros_like(X)
    for r, s in zip(rows, starts):
        np.add.at(want, r, 2 * X[r])
        want[s:s + 2, 1:4] += 3 * X[s:s + 2, 1:4] ** 2
        want[:, 1::2, 2::3] += 2 * X[:, 1::2, 2::3]
    np.testing.assert_allclose(tj.grad(f)(X), want)
    np.testing.assert_allclose(tj.jit(tj.grad(f))(X), want)


def test_take_along_axis():
    order = np.argsort(X, axis=1)
    np.testing.assert_array_equal(ix.take_along_axis(X, order, 1), np.take_along_axis(X, order, 1))
    check_grads(lambda x: ix.take_along_axis(x, order, 1) ** 2, (X,))
