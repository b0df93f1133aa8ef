"""What depends on how many elements a traced mask holds: under `jit` the number is asked of the arguments, and a guard remembers it."""

import numpy as np
import pytest

import tracejit as tj


def write_reversed(x):
    x[x > 0] = x[x > 0][::-1]
    return x * 1.0


def write_counted(x):
    held = x > 0
    x[held] = np.arange(held.sum()) * 1.0
    return x * 1.0


def write_into_the_selection(x):
    y = x[x > 0]
    if len(y):
        y[0] = 99.0
        y += 1.0
    return y, np.sum(y), x


def rows_and_columns(x):
    y = np.outer(x, np.arange(1.0, 5.0))
    y[y[:, 0] > 3.0] = 0.0
    return y[:, x[:4] > 0], y[x > 0].sum(axis=0), y[x > 0, 1:], np.argwhere(y > 2.0), np.nonzero(y < 0)


LINES = [
    lambda x: x[x > 0],
    lambda x: len(x[x > 0]),
    lambda x: x[x > 0].shape[0],
    lambda x: np.sort(x[x > 0]),
    lambda x: x[x > 0].max() if len(x[x > 0]) else 0.0,
    lambda x: np.nonzero(x > 0),
    lambda x: np.flatnonzero(x),
    lambda x: np.where(x > 0)[0],
    lambda x: x[np.where(x > 0)] * 2,
    lambda x: np.compress(x > 0, x),
    lambda x: np.extract(x > 0, x),
    lambda x: np.argwhere(x > 0),
    lambda x: np.median(x[x > 0]) if (x > 0).any() else 0.0,
    lambda x: x[x > 0].reshape(-1, 1),
    lambda x: [v * 2 for v in x[x > 0]],
    lambda x: x[x > 0] + np.arange((x > 0).sum()),
    lambda x: x[x > 0][::-1],
    lambda x: np.concatenate([x[x > 0], x[x <= 0]]),
    lambda x: np.add.reduce(x[x > 0]) + np.add.outer(x[x > 0], x[x < 0]).sum(),
    lambda x: np.cumsum(x[x > 0]),
    lambda x: np.outer(x[x > 0], x[x > 0]),
    write_reversed,
    write_counted,
    write_into_the_selection,
    rows_and_columns,
]


@pytest.mark.parametrize("f", LINES, ids=range(len(LINES)))
def test_values_and_effects(f):
    rng = np.random.default_rng(0)
    compiled = tj.jit(f)
    for _ in range(4):
        x = rng.normal(size=6)
        plain, traced = x.copy(), x.copy()
        for _ in range(2):
            expected, result = f(plain), compiled(traced)
            pairs = zip(expected, result, strict=True) if isinstance(expected, (tuple, list)) else [(expected, result)]
            for want, got in pairs:
                np.testing.assert_allclose(got, want)
                assert np.asarray(got).dtype == np.asarray(want).dtype and np.shape(got) == np.shape(want)
            np.testing.assert_array_equal(traced, plain)


def test_gradients():
    def f(x):
        return np.sum(np.sort(x[x > 0]) ** 2 * np.arange(1, len(x[x > 0]) + 1))

    gradient = tj.jit(tj.grad(f))
    for x in (np.array([1.0, -2.0, 3.0]), np.array([3.0, 2.0, -1.0]), np.array([3.0, 2.0, 1.0])):
        np.testing.assert_allclose(gradient(x), tj.grad(f)(x))
        positive = np.sort(x[x > 0])
        np.testing.assert_allclose(np.sort(gradient(x)[x > 0] / x[x > 0] / 2), np.arange(1, len(positive) + 1.0))


def test_sums_and_masked_writes_need_no_number():
    def f(x):
        x = x * 1.0
        x[x > 0] = x[x > 0] ** 2
        return x, x[x < 0].sum()

    compiled = tj.jit(f)
    for x in (np.ones(3), -np.ones(3), np.array([1.0, -1.0, 2.0])):
        compiled(x)
    assert compiled.cache_info().misses == 1


def test_rows_that_do_not_match_the_mask():
    def f(x, rows):
        x = x * 1.0
        x[x > 0] = rows
        return x

    np.testing.assert_array_equal(tj.jit(f)(np.array([1.0, -1.0, 2.0]), np.array([5.0, 6.0])), [5.0, -1.0, 6.0])
    for rows in (np.ones(3), np.ones(0), np.array([1.0])[:0]):
        with pytest.raises(ValueError, match=f"cannot assign {len(rows)} input values to the 2 output values"):
            tj.jit(f)(np.array([1.0, -1.0, 2.0]), rows)


@pytest.mark.parametrize("use", [np.nonzero, np.flatnonzero, np.argwhere, lambda m: np.where(m), lambda m: np.compress(m, m)])
def test_where_there_is_no_answer(use):
    with pytest.raises(TypeError, match=r"depends on how many elements a traced mask holds.*np\.where"):
        tj.vmap(lambda x: use(x > 0))(np.ones((2, 3)))
