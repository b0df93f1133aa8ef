"""`trace` and `eval_shape`: graphs from functions and types, and what graphs say."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.interpret import last_uses, replay
from tracejit.ir import spec


def test_trace():
    w = np.ones((3, 2))

    def f(x, *, scale=2.0):
        return {"y": np.tanh(x @ w) * scale, "n": x.shape[0]}

    graph = tj.trace(f)(np.ones((4, 3)), scale=3.0)
    spec.check(graph)
    assert [str(t) for t in graph.in_types] == ["float64[4,3]", "float64[]*", "float64[3,2]"]  # the array closed over comes last
    assert [str(t) for t in graph.out_types] == ["int64[]", "float64[4,2]"]
    assert all(node.source.filename == __file__ and node.source.function.endswith("f") for node in graph.nodes)
    x = np.random.default_rng(0).standard_normal((4, 3))
    n, y = replay(graph, [x, 3.0, w])
    np.testing.assert_allclose(y, f(x, scale=3.0)["y"])
    assert n == 4


def test_trace_of_types():
    graph = tj.trace(lambda d: d["a"] + d["b"][0])({"a": tj.ShapeDtype((2, 1), np.float32), "b": [np.ones(3, np.float32)]})
    assert [str(t) for t in graph.out_types] == ["float32[2,3]"]
    assert "np.float32" not in str(tj.trace(lambda x: x + 1.0)(tj.ShapeDtype((2,), "float32")))


def test_eval_shape():
    def f(p, x):
        return [x @ p["w"], (np.sum(x) > 0, np.argmax(x)), None]

    got = tj.eval_shape(f, {"w": tj.ShapeDtype((3, 2), np.float32)}, np.ones((5, 3), np.float32))
    assert got == [tj.ShapeDtype((5, 2), np.dtype(np.float32)), (tj.ShapeDtype((), np.dtype(bool)), tj.ShapeDtype((), np.dtype(int))), None]
    assert tj.eval_shape(lambda x, k=1: x * k, 2, k=2.5) == tj.ShapeDtype((), np.dtype(float))
    assert tj.eval_shape(tj.grad(np.sum), tj.ShapeDtype((10**6, 10**6), np.float64)).shape == (10**6, 10**6)  # nothing is computed


def test_eval_shape_agrees_with_the_result():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4))
    for f in (
        lambda x: x[1:].T,
        lambda x: x.mean(0),
        lambda x: np.linalg.norm(x),
        lambda x: np.stack([x, x]),
        lambda x: x.astype(np.int8),
        lambda x: x > 0,
    ):
        said, got = tj.eval_shape(f, x), np.asarray(f(x))
        assert (said.shape, said.dtype) == (got.shape, got.dtype)


def test_equal_work_is_recorded_once():
    graph = tj.trace(lambda x: np.sin(x) * np.sin(x) + np.sin(x * 1.0))(1.0)
    assert [n.op.name for n in graph.nodes].count("sin") == 1
    assert len(tj.trace(lambda x: (np.exp(x), x)[1])(1.0).nodes) == 0  # and what no result needs is left out


def test_constants_are_folded():
    graph = tj.trace(lambda x: x + np.sin(0.5) * 2.0 + np.float64(1.0) ** 2)(np.ones(3))
    assert len(graph.nodes) == 2 and len(graph.inputs) == 1


def test_replay():
    graph = tj.trace(lambda x, y: (x * y, x + y, 3))(1.0, 2.0)
    assert replay(graph, [2.0, 5.0]) == [10.0, 7.0, 3]
    with pytest.raises(ValueError, match="the graph has 2 inputs, got 1"):
        replay(graph, [1.0])
    inlined = tj.trace(lambda x: tuple(replay(graph, [x, x])))(1.0)
    assert [n.op.name for n in inlined.nodes] == ["multiply", "add"]


def test_values_are_dropped_after_their_last_use():
    graph = tj.trace(lambda x: np.sin(np.cos(np.tanh(x))))(np.ones(3))
    dead = last_uses(graph)
    assert [len(d) for d in dead] == [1, 1, 1] and graph.outputs[0] not in dead[-1]


def test_captures():
    w, big = np.ones(3), np.zeros((200, 1000))
    graph = tj.trace(lambda x: x * w + w + np.sum(big))(np.ones(3))
    assert [str(t) for t in graph.in_types] == ["float64[3]", "float64[3]"]  # an array once; what depends on no argument is computed already
    scalars = tj.trace(lambda x: x * np.float64(2.0) + np.array(3.0) + 1)(np.ones(3))
    assert len(scalars.inputs) == 1  # numbers are constants, and so is an array made here
