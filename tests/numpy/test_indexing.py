"""`x[index]` and `x.at[index]` against NumPy, for every kind of index and their mixtures."""

import numpy as np
import pytest
from numpy import s_

import tracejit as tj
import tracejit.numpy
from tracejit.interpret import replay
from tracejit.ir import array_type
from tracejit.trace import Trace

X = np.random.default_rng(0).standard_normal((4, 5, 3))
I = np.array([0, 2, -1])
M = np.array([True, False, True, True])

STATIC = [
    s_[0],
    s_[-1],
    s_[3],
    s_[()],
    s_[...],
    s_[1:3],
    s_[::-1],
    s_[..., 0],
    s_[None],
    s_[None, 1],
    s_[1, None, :, None, 2],
    s_[::2, 4:0:-2],
    s_[3:1],
    s_[-100:100],
    s_[0, 1, 2],
    s_[0, ..., 2],
    s_[:, ::3, ::-2],
    s_[np.int64(1)],
    s_[np.array(1)],
    s_[np.array(-2), :, None],
    s_[2:3, 1:2],
    s_[I],
    s_[:, I],
    s_[..., I],
    s_[I, I],
    s_[I, :, I],
    s_[:, I, I],
    s_[I[:, None], I],
    s_[0, :, I],
    s_[:, 0, I],
    s_[0, I],
    s_[I, 0],
    s_[I, ..., I],
    s_[I, None, I],
    s_[None, I, None, I],
    s_[:, None, I],
    s_[I, 2:0:-1, 1],
    s_[[0, 1]],
    s_[[]],
    s_[[[0], [1]], [0, 1]],
    s_[I.astype(np.int8)],
    s_[np.zeros((2, 0), int)],
    s_[I, I, ...],
    s_[..., I, I],
    s_[I, ..., 0, I],
    s_[1:, I, ::-1],
    s_[M],
    s_[M, 0],
    s_[M, :, I],
    s_[X > 0],
    s_[:, X[0] > 0],
    s_[~M & M],
    s_[M, None, :2],
]
ERRORS = [
    s_[4],
    s_[-5],
    s_[0, 0, 0, 0],
    s_[0, 5],
    s_[[0, 4]],
    s_[I, I[:2]],
    s_[M[:3]],
    s_[1.5],
    s_[np.array([1.5])],
    s_["a"],
    s_[..., 0, ...],
    s_[:, M],
]


@pytest.mark.parametrize("index", STATIC, ids=lambda i: str(i).replace("\n", "")[:40])
def test_known_index(agrees, index):
    assert agrees(lambda v: v[index], X) is None


@pytest.mark.parametrize("index", ERRORS, ids=lambda i: str(i).replace("\n", "")[:40])
def test_errors(agrees, index):
    assert isinstance(agrees(lambda v: v[index], X), IndexError)


@pytest.mark.parametrize(
    "index",
    [
        lambda i, j: s_[i],
        lambda i, j: s_[i, j],
        lambda i, j: s_[:, i],
        lambda i, j: s_[i, ::-1, j],
        lambda i, j: s_[1, i, ::2],
        lambda i, j: s_[None, i, None],
        lambda i, j: s_[i, I],
        lambda i, j: s_[i, :, I],
        lambda i, j: s_[:, None, i, 1],
        lambda i, j: s_[i, j, j],
        lambda i, j: s_[M, i],
    ],
)
@pytest.mark.parametrize("position", [0, 2, -1])
def test_traced_position(agrees, index, position):
    agrees(lambda v, i, j: v[index(i, j)], X, np.int64(position), np.int32(1))


@pytest.mark.parametrize(
    "index",
    [
        lambda i: s_[i],
        lambda i: s_[:, i],
        lambda i: s_[i, i],
        lambda i: s_[i, :, i],
        lambda i: s_[0, i],
        lambda i: s_[i, 1:, 2],
        lambda i: s_[i, I],
        lambda i: s_[i, None],
        lambda i: s_[i[:, None], I],
    ],
)
def test_traced_index_array(agrees, index):
    for dtype in (np.int64, np.int8):
        agrees(lambda v, i: v[index(i)], X, I.astype(dtype))


def test_out_of_range_when_it_runs():
    trace = Trace("test")
    x, i = trace.input(array_type(X)), trace.input(array_type(np.int64(0)))
    graph, _ = trace.finish([x[i]])
    np.testing.assert_array_equal(replay(graph, [X, np.int64(-4)])[0], X[-4])
    for wrong in (4, -5):
        with pytest.raises(IndexError, match="out of bounds for axis 0 with size 4"):
            replay(graph, [X, np.int64(wrong)])


def test_traced_mask_is_refused_where_its_values_are_not_known():
    x = Trace("jit of f").input(array_type(X))
    with pytest.raises(TypeError, match=r"np\.where"):
        len(x[x > 0])
    with pytest.raises(TypeError, match="boolean scalar"):
        x[True]


def test_known_mask_of_a_concrete_trace():
    trace = Trace("grad", concrete=True)
    x = trace.input_value(X)
    y = x[x > 0]
    np.testing.assert_array_equal(trace.ambient(y.atom), X[X > 0])


def test_rows_of_a_loop_are_two_operations():
    trace = Trace("test")
    x = trace.input(array_type(X))
    graph, _ = trace.finish([row for row in x])
    assert len(graph.nodes) == 2 * len(X)


# -- at
def _copied(x, index, value, write):
    x = np.array(x)
    write(x, index, value)
    return x


def _set(x, index, value):
    x[index] = value


UPDATES = {
    "set": _set,
    "add": np.add.at,
    "subtract": np.subtract.at,
    "max": np.maximum.at,
    "min": np.minimum.at,
    "multiply": np.multiply.at,
    "divide": np.divide.at,
}
WRITTEN = [
    s_[0],
    s_[...],
    s_[1:3],
    s_[::-2, 1],
    s_[:, ::2, None, 0],
    s_[I],
    s_[:, I],
    s_[I, ::-1, I],
    s_[M],
    s_[X > 0],
    s_[[]],
    s_[0, 1, 2],
    s_[I[:2, None], I],
    s_[2:2],
]


@pytest.mark.parametrize("name", UPDATES)
@pytest.mark.parametrize("index", WRITTEN, ids=lambda i: str(i).replace("\n", "")[:40])
def test_update(agrees, name, index):
    shape = X[index].shape
    values = [2.0, np.random.default_rng(1).standard_normal(shape)]
    if name == "set" and shape and not (isinstance(index, np.ndarray) and index.dtype == bool):
        values.append(np.ones((1, 1, *shape)))  # an assignment takes leading axes of size one
    for value in values:

        def f(v, value=value):
            return getattr(v.at[index], name)(value) if hasattr(v, "at") else _copied(v, index, value, UPDATES[name])

        agrees(f, X)


@pytest.mark.parametrize("name", ["set", "add", "max", "min"])
def test_update_at_traced_places(agrees, name):
    def f(v, i, value, index):
        return getattr(v.at[index(i)], name)(value) if hasattr(v, "at") else _copied(v, index(i), value, UPDATES[name])

    for index in (lambda i: s_[i], lambda i: s_[:, i], lambda i: s_[i, ::-1], lambda i: s_[::2, i, 1]):
        agrees(lambda v, i, index=index: f(v, i, 3.0, index), X, np.int64(-2))
    for index in (lambda i: s_[i], lambda i: s_[:, i], lambda i: s_[i, ::-1, 1]):
        agrees(lambda v, i, index=index: f(v, i, 3.0, index), X, np.array([1, 0, 1]))
    agrees(lambda v, i: f(v, i, v[0] * 2, lambda i: s_[i]), X, np.int64(1))


def test_update_casts_and_refusals():
    trace = Trace("test")
    n = trace.input(array_type(np.arange(3)))
    assert n.at[0].set(1.5).dtype == np.int64
    with pytest.raises(TypeError, match="same_kind"):
        n.at[0].add(1.5)
    with pytest.raises(ValueError, match="could not broadcast input array from shape"):
        n.at[:2].set(np.ones(3))
    with pytest.raises(TypeError, match="twice"):
        n.at[np.array([0, 0])].multiply(2)
    with pytest.raises(IndexError):
        n.at[3].set(0)
    np.testing.assert_equal(n.at[1:].get().shape, (2,))


@pytest.mark.parametrize("jit", [False, True])
def test_what_a_mask_leaves_out_does_not_reach_the_gradient(jit):
    """Distances of points to themselves are zero, where the root has no derivative."""

    def energy(x):
        r = np.sqrt((x[:, None] - x) ** 2)
        r[r > 0] = 1.0 / r[r > 0]
        return np.sum(np.triu(r, 1))

    gradient = tj.grad(energy)
    x = np.array([0.0, 1.0, 3.0])
    np.testing.assert_allclose((tj.jit(gradient) if jit else gradient)(x), [1 + 1 / 9, -1 + 1 / 4, -1 / 9 - 1 / 4])
