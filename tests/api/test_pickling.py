"""Graphs, compiled functions and linear maps are pickled, copied and returned from compiled functions; also across processes."""

import copy
import functools
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import tracejit as tj

X = np.array([0.5, 1.0, -2.0])


def model(params, x):
    return np.sum(np.tanh(x @ params["w"]) * params["b"])


@tj.jit
def compiled(params, x):
    return model(params, x) * 2.0


PARAMS = {"w": np.ones((3, 2)), "b": np.array([1.0, 2.0])}


def looping(x):
    return tj.fori_loop(0, 3, lambda i, c: np.sin(c) * x, x)


def test_graphs():
    from tracejit.interpret import replay

    for f, args in ((lambda x: np.sin(x) @ x, (X,)), (looping, (X,)), (tj.jit(lambda x: np.linalg.solve(np.eye(3) * x, x)), (X,))):
        graph = tj.trace(f)(*args)
        for other in (pickle.loads(pickle.dumps(graph)), copy.deepcopy(graph), copy.copy(graph)):
            assert str(other) == str(graph) and other.in_types == graph.in_types
            outside = [np.eye(3)] * (len(graph.inputs) - 1)
            np.testing.assert_allclose(replay(other, [*args, *outside])[0], f(*args), rtol=1e-14)


def test_compiled_functions():
    assert pickle.loads(pickle.dumps(compiled)) is compiled and copy.deepcopy(compiled) is compiled
    other = pickle.loads(pickle.dumps(tj.jit(model)))
    assert other(PARAMS, X) * 2.0 == compiled(PARAMS, X)


@pytest.mark.parametrize("through", [copy.copy, copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f)), lambda f: tj.tree.map(np.array, f)])
def test_linear_maps(through):
    out, pull = tj.vjp(model, PARAMS, X)
    expected = pull(2.0)
    got = through(pull)(2.0)
    tj.tree.map(np.testing.assert_array_equal, got, expected)
    out, push = tj.linearize(looping, X)
    np.testing.assert_array_equal(through(push)(np.ones(3)), push(np.ones(3)))


def test_linear_maps_leave_compiled_functions():
    forward = tj.jit(lambda params, x: tj.vjp(model, params, x))
    backward = tj.jit(lambda pull, ct: pull(ct))
    for scale in (1.0, 2.0, 3.0):
        params = {"w": PARAMS["w"] * scale, "b": PARAMS["b"]}
        out, pull = forward(params, X)
        expected_out, expected = tj.vjp(model, params, X)
        np.testing.assert_allclose(out, expected_out)
        tj.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), backward(pull, 1.5), expected(1.5))
    assert forward.cache_info().misses == backward.cache_info().misses == 1
    push = tj.jit(lambda x: tj.linearize(looping, x)[1])(X)
    np.testing.assert_allclose(push(np.ones(3)), tj.jvp(looping, (X,), (np.ones(3),))[1])


def test_another_process(tmp_path):
    _, pull = tj.vjp(np.multiply, X, X + 1.0)
    graph = tj.trace(lambda x: np.exp(x) * 2.0)(X)
    path = tmp_path / "kept.pickle"
    path.write_bytes(pickle.dumps((pull, graph)))
    code = (
        "import pickle, sys, numpy as np; pull, graph = pickle.load(open(sys.argv[1], 'rb'));"
        "from tracejit.interpret import replay; print(pull(np.ones(3))[0].tolist(), replay(graph, [np.zeros(3)])[0].tolist())"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout.strip() == f"{(X + 1.0).tolist()} [2.0, 2.0, 2.0]", done.stderr


def test_local_functions_with_cloudpickle():
    cloudpickle = pytest.importorskip("cloudpickle")
    scale = 3.0
    f = tj.jit(lambda x: x * scale)
    assert pickle.loads(cloudpickle.dumps(f))(2.0) == 6.0


@functools.partial(tj.jit, static_argnums=1, static_argnames="mode")
def scaled(params, n, *, mode):
    return params["w"] * n if mode == "times" else params["w"] + n


@tj.jit
def branching(x):
    return x * 2.0 if x.sum() > 0 else -x


def test_programs_compiled_ahead_of_time():
    made = [
        (scaled.lower(PARAMS, 3, mode="times"), (PARAMS,), PARAMS["w"] * 3),
        (branching.lower(X), (X,), -X),
        (compiled.lower(PARAMS, X), (PARAMS, X), compiled(PARAMS, X)),
    ]
    for lowered, args, want in made:
        program = lowered.compile()
        for other in (pickle.loads(pickle.dumps(lowered)).compile(), pickle.loads(pickle.dumps(program)), copy.deepcopy(program), copy.copy(program)):
            np.testing.assert_array_equal(other(*args), want)
