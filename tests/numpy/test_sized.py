"""`nonzero` and its kin with `size=`, and `unique` of traced values."""

import numpy as np
import pytest

import tracejit as tj
import tracejit.numpy as tnp

X = np.array([[3.0, 0.0, 3.0], [1.0, 0.0, 2.0]])
HOLES = np.array([2.0, np.nan, 1.0, np.nan, 2.0])
SIZED = {
    "nonzero": lambda x: tnp.nonzero(x, size=3), "nonzero filled": lambda x: tnp.nonzero(x, size=7, fill_value=(-1, -2)),
    "flatnonzero": lambda x: tnp.flatnonzero(x, size=5, fill_value=9), "argwhere": lambda x: tnp.argwhere(x, size=2),
    "unique": lambda x: tnp.unique(x, size=6), "unique filled": lambda x: tnp.unique(x, size=6, fill_value=-1),
    "unique cut": lambda x: tnp.unique(x, True, True, True, size=2), "unique all": lambda x: tnp.unique(x, True, True, True, size=5),
    "none": lambda x: tnp.nonzero(x, size=0),
}  # fmt: skip


def leaves(result):
    return list(map(np.asarray, result)) if isinstance(result, tuple) else [np.asarray(result)]


def same(got, want):
    for x, y in zip(leaves(got), leaves(want), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", SIZED)
def test_traced_as_on_plain_arrays(name):
    f = SIZED[name]
    same(tj.jit(f)(X), f(X))
    same(tj.vmap(f)(np.stack([X, X])), tuple(np.stack([y, y]) for y in leaves(f(X))) if isinstance(f(X), tuple) else np.stack([f(X), f(X)]))


def test_values_on_plain_arrays():
    same(tnp.nonzero(X, size=2), tuple(i[:2] for i in np.nonzero(X)))
    same(tnp.nonzero(X), np.nonzero(X))
    same(tnp.flatnonzero(X, size=6, fill_value=-1), np.array([0, 2, 3, 5, -1, -1]))
    same(tnp.argwhere(X, size=4), np.argwhere(X))
    values, index, inverse, counts = np.unique(X, True, True, True)
    same(tnp.unique(X, True, True, True, size=4), (values, index, inverse, counts))
    same(tnp.unique(X, True, True, True, size=2), (values[:2], index[:2], inverse, counts[:2]))
    same(tnp.unique(X, return_counts=True, size=5), (np.array([0.0, 1, 2, 3, 0]), np.array([2, 1, 1, 2, 0])))
    same(tnp.unique(HOLES, size=3), np.array([1.0, 2.0, np.nan]))


def test_errors():
    for call, kind, said in (
        (lambda x: tnp.nonzero(x, size=-1), ValueError, "negative"),
        (lambda x: tnp.nonzero(x, size=2, fill_value=(1, 2, 3)), ValueError, "3 numbers"),
        (lambda x: tnp.unique(x, axis=0, size=2), TypeError, "axis"), (lambda x: tnp.nonzero(x[0, 0], size=2), ValueError, "0d"),
    ):  # fmt: skip
        with pytest.raises(kind, match=said):
            tj.jit(call)(X)
    for f in (np.nonzero, np.flatnonzero, np.argwhere, np.unique):
        with pytest.raises(TypeError, match="`size=` of the functions"):
            tj.vmap(f)(np.stack([X, X]))


@pytest.mark.parametrize("x", [X, HOLES, np.array([3, 1, 3]), np.array([True, False, True]), np.zeros((0, 2))], ids=str)
def test_unique_under_jit_asks_for_the_number(x):
    same(tj.jit(lambda x: np.unique(x, True, True, True))(x), np.unique(x, True, True, True))
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        same(tj.jit(lambda x, name=name: tuple(getattr(np, name)(x)))(x), tuple(getattr(np, name)(x)))
    same(tj.jit(lambda x: np.unique_values(x))(x), np.sort(np.unique_values(x)))


def test_unique_is_traced_again_when_the_number_changes():
    f = tj.jit(lambda x: np.unique(x))
    for x in (np.array([1.0, 1.0, 2.0]), np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 2.0])):
        same(f(x), np.unique(x))


def test_derivatives_go_to_the_first_of_equal_elements():
    x, weights = np.array([10.0, 20.0, 30.0, 20.0]), np.array([1.0, 2.0, 3.0])
    for f in (lambda x: np.sum(np.unique(x) * weights), lambda x: np.sum(tnp.unique(x, size=3) * weights)):
        for gradient in (tj.grad(f), tj.jit(tj.grad(f))):
            np.testing.assert_array_equal(gradient(x), [1, 2, 3, 0])
