"""`np.vectorize` objects, made anywhere, take traced values; so do `np.fromiter` and `np.ndenumerate`."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj


@np.vectorize
def rectified(a, slope=0.1):
    return a if a > 0 else slope * a


@np.vectorize
def smooth(a, b=2.0):
    """A smooth function."""
    return np.sin(a) * b


def filled(x):
    out = np.zeros((2, 2))
    for (i, j), value in np.ndenumerate(np.outer(x[:2], x[:2])):
        out[i, j] = value * (i + 1)
    return out


X = np.array([0.5, 1.2, -0.7, 2.0])
FUNCTIONS = {
    "smooth": lambda x: smooth(x) + smooth(x[:, None], b=x),
    "branches": rectified,
    "branches on rows": lambda x: rectified(np.outer(x, x), x),
    "of known values": lambda x: np.vectorize(lambda t: x[0] * t if t > 1 else x[1])(np.linspace(0.0, 2.0, 5)),
    "several results": lambda x: np.vectorize(lambda a: (a**2, 3 * a))(x),
    "types of results": lambda x: np.vectorize(lambda a: a**2, otypes=[np.float32])(x),
    "excluded": lambda x: np.vectorize(lambda a, p: p[0] * a + p[1], excluded={1})(x, [2.0, x[0]]),
    "excluded by name": lambda x: np.vectorize(lambda a, p: p[0] * a, excluded=["p"])(x, p=[2.0]),
    "signature": lambda x: np.vectorize(lambda a, b: a @ b, signature="(n),(n)->()")(np.stack([x, 2 * x]), x),
    "vectors": lambda x: np.vectorize(np.cumsum, signature="(n)->(n)")(np.outer(x, x)),
    "a number": lambda x: smooth(x[0]),
    "fromiter": lambda x: np.fromiter((v * v for v in x), dtype=float),
    "fromiter, counted": lambda x: np.fromiter((v * v for v in x), float, count=3),
    "ndenumerate": filled,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_as_numpy(name):
    f = FUNCTIONS[name]
    for found, expected in zip(tj.tree.leaves(tj.jit(f)(X)), tj.tree.leaves(f(X)), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6)

    def total(x):
        return sum([np.sum(part * np.cos(np.arange(part.size)).reshape(part.shape)) for part in tj.tree.leaves(f(x))])

    v = np.array([0.3, -0.2, 0.5, 0.1])
    tolerance = 1e-2 if name == "types of results" else 1e-6
    h = 1e-2 if name == "types of results" else 1e-6
    np.testing.assert_allclose(tj.grad(total)(X) @ v, (total(X + h * v) - total(X - h * v)) / (2 * h), rtol=tolerance)


def test_errors():
    with pytest.raises(ValueError, match="size 0"):
        tj.jit(smooth)(np.zeros(0))
    with pytest.raises(ValueError, match="broadcast"):
        tj.jit(lambda x: smooth(x, x[:3]))(X)
    with pytest.raises(TypeError, match="expected 2, got 1"):
        tj.jit(lambda x: np.vectorize(np.dot, signature="(n),(n)->()")(x))(X)
    with pytest.raises(ValueError, match="iterator too short"):
        tj.jit(lambda x: np.fromiter((v for v in x), float, count=9))(X)


def test_numpys_own_outside_of_traces():
    tj.jit(smooth)(X)
    assert np.vectorize.__call__.__qualname__ == "vectorize.__call__"
    assert type(smooth(X)) is np.ndarray
