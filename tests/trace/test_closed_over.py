"""Arrays that a function closes over: their methods take traced values, and copies of them can be written into."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import tracejit as tj
from tracejit.errors import TracerConversionError

MATRIX = np.random.default_rng(0).standard_normal((4, 4))
LINE = np.linspace(0.0, 1.0, 4)
BUFFER = np.ones(4)
DATA = {"y": np.arange(4.0), "layers": [MATRIX.T.copy(), 2 * MATRIX]}
X = np.array([0.5, 1.2, -0.7, 2.0])


class Model:
    def __init__(self):
        self.design = np.random.default_rng(1).standard_normal((6, 4))
        self.start = np.zeros(4)

    def loss(self, w):
        residual = self.design.dot(w)
        return np.sum(residual**2)

    def __call__(self, w):
        state = self.start.copy()
        state += w
        state[0] *= 2
        return np.sum(state**2)


def loss(w):
    return np.mean((MATRIX.dot(w) - DATA["y"]) ** 2) + sum(layer.dot(w).sum() for layer in DATA["layers"])


def copies(w):
    u = LINE.copy()
    u[1:-1] += w[1:-1]
    v = LINE * 2
    v[0] = w[0]
    return np.sum(u**2) + np.sum(v**3)


def positions(w):
    return MATRIX[np.argsort(w)].dot(w).sum()


def closure():
    matrix = MATRIX + 1.0

    def f(w):
        return np.sum(matrix.dot(w) ** 2)

    return f


def default(w, matrix=MATRIX):
    return np.sum(matrix.dot(w))


MODEL = Model()
FUNCTIONS = {
    "loss": loss,
    "copies": copies,
    "positions": positions,
    "closure": closure(),
    "default": default,
    "bound": MODEL.loss,
    "object": MODEL,
    "reached": lambda w: MODEL.loss(w) + MODEL(w) + loss(w),
    "partial": functools.partial(lambda w, matrix: matrix.dot(w).sum(), matrix=MATRIX),
    "jitted inside": lambda w: inner(w) * 2.0,
}
inner = tj.jit(lambda w: MATRIX.dot(w).sum())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_traced_as_they_are(name):
    f = FUNCTIONS[name]
    np.testing.assert_allclose(tj.jit(f)(X), f(X))
    gradient = tj.grad(f)(X)
    np.testing.assert_allclose(tj.jit(tj.grad(f))(X), gradient)
    v = np.array([0.3, -0.2, 0.5, 0.1])
    np.testing.assert_allclose(gradient @ v, (f(X + 1e-6 * v) - f(X - 1e-6 * v)) / 2e-6, rtol=1e-6)
    for array in (MATRIX, LINE, MODEL.design, MODEL.start, DATA["layers"][0], default.__defaults__[0]):
        assert type(array) is np.ndarray


def test_vmap():
    np.testing.assert_allclose(tj.vmap(copies)(np.stack([X, 2 * X])), [copies(X), copies(2 * X)])


def test_contents_are_read_at_each_call(monkeypatch):
    compiled, gradient = tj.jit(copies), tj.jit(tj.grad(copies))
    compiled(X), gradient(X)
    monkeypatch.setitem(globals(), "LINE", np.array([3.0, 1.0, 4.0, 1.0]))
    np.testing.assert_allclose(compiled(X), copies(X))
    np.testing.assert_allclose(gradient(X), tj.grad(copies)(X))
    LINE[2] = 7.0
    np.testing.assert_allclose(compiled(X), copies(X))
    np.testing.assert_allclose(gradient(X), tj.grad(copies)(X))


def test_known_numbers_are_written_into_a_copy_under_grad():
    def f(w):
        BUFFER[:] = 0
        BUFFER[0] = 3
        part = BUFFER[:2]
        part[1] = 5
        copied = BUFFER.copy()
        copied[2] = w[0]
        BUFFER[3] = 1
        return copied.sum()

    before = BUFFER.copy()
    np.testing.assert_array_equal(tj.grad(f)(X), [1, 0, 0, 0])
    np.testing.assert_array_equal(BUFFER, before)


def test_other_conversions_are_refused_as_before():
    calls = []

    def f(w):
        calls.append(1)
        return float(w[0])

    for transform in (tj.jit, tj.grad):
        with pytest.raises(TracerConversionError):
            transform(f)(X)
    assert len(calls) == 2
