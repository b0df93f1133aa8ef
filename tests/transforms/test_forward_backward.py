"""Forward mode, linearization, transposition and batching of graphs, below the public functions."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.interpret import replay
from tracejit.ir import spec
from tracejit.trace import Trace
from tracejit.transforms import backward
from tracejit.transforms.backward import MAX_PADDED
from tracejit.transforms.batch import batch
from tracejit.transforms.forward import differentiable, linearize, push_forward

x3 = np.array([0.3, -0.7, 1.1])


def graph_of(f, *args):
    return tj.trace(f)(*args)


def ops(graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def test_push_forward():
    graph = graph_of(lambda x, y: (np.sin(x) * y, y + 1.0, np.floor(x)), x3, 2.0)
    values = dict(zip(graph.inputs, [x3, np.float64(2.0)]))
    outputs, tangents = push_forward(graph, values, [np.ones(3), None])
    np.testing.assert_allclose(outputs[0], np.sin(x3) * 2)
    np.testing.assert_allclose(tangents[0], np.cos(x3) * 2)
    assert tangents[1] is None and tangents[2] is None  # zeros never become arrays
    assert values[graph.outputs[0]] is outputs[0]


def test_values_that_are_known_are_not_computed_again():
    graph = graph_of(lambda x: np.exp(x) * 2.0, x3)
    (exp,) = graph.nodes[0].outputs
    known = np.full(3, 100.0)
    outputs, _ = push_forward(graph, {graph.inputs[0]: x3, exp: known}, [np.ones(3)])
    np.testing.assert_array_equal(outputs[0], known * 2)


def test_linearize_splits_the_program():
    graph = graph_of(lambda x, n: (np.sum(np.sin(x) * np.exp(0.5)) * n, n * 2), x3, 3)
    assert differentiable(graph.in_types) == (0,)
    outputs, linear = linearize(graph, dict(zip(graph.inputs, [x3, np.int64(3)])), (0,), "f")
    spec.check(linear.graph)
    assert linear.active == (0,) and linear.reached == (0,)
    assert not {"sin", "cos", "exp"} & set(ops(linear.graph))  # what needs no tangent is computed
    (moved,) = replay(linear.graph, [np.ones(3), *linear.residuals])
    np.testing.assert_allclose(moved, np.sum(np.cos(x3)) * np.exp(0.5) * 3)
    (back,) = backward.transpose(linear.graph, 1, linear.residuals, [np.float64(1.0)])
    np.testing.assert_allclose(back, np.cos(x3) * np.exp(0.5) * 3)


def test_linearize_inside_a_trace():
    """In a symbolic context the primal part is staged, and the residuals are proxies of that trace."""
    graph = graph_of(lambda x: np.tanh(x) ** 2, x3)
    outer = Trace("outer")
    x = outer.input(graph.in_types[0])
    outputs, linear = linearize(graph, {graph.inputs[0]: x}, (0,), "f")
    staged, _ = outer.finish([*outputs, *linear.residuals])
    assert "tanh" in ops(staged) and "tanh" not in ops(linear.graph)
    y, *residuals = replay(staged, [x3])
    np.testing.assert_allclose(y, np.tanh(x3) ** 2)
    np.testing.assert_allclose(replay(linear.graph, [np.ones(3), *residuals])[0], 2 * np.tanh(x3) * (1 - np.tanh(x3) ** 2))


def test_transpose_adds_contributions():
    graph = graph_of(lambda x: (x * 2.0, x[1:], np.sum(x), -x), x3)
    (total,) = backward.transpose(graph, 1, [], [np.ones(3), np.array([10.0, 20.0]), np.float64(100.0), None])
    np.testing.assert_array_equal(total, [102.0, 112.0, 122.0])
    assert backward.transpose(graph, 1, [], [None] * 4) == [None]


def test_transpose_computes_what_is_fixed_first():
    graph = graph_of(lambda t, a: np.dot(t, np.sin(a) * 2), x3, x3)
    (ct,) = backward.transpose(graph, 1, [x3], [np.float64(1.0)])
    np.testing.assert_allclose(ct, np.sin(x3) * 2)


@pytest.mark.parametrize("parts", [1, MAX_PADDED, MAX_PADDED + 1, 40])
def test_slices_are_padded_or_added_in_place(parts):
    n = 50
    graph = graph_of(lambda x: tuple(x[k : k + 3] * (k + 1.0) for k in range(parts)), np.zeros(n))
    cts = [np.full(3, k + 1.0) for k in range(parts)]
    want = np.zeros(n)
    for k in range(parts):
        want[k : k + 3] += (k + 1.0) ** 2
    (ct,) = backward.transpose(graph, 1, [], cts)
    np.testing.assert_array_equal(ct, want)
    turned = tj.trace(lambda *cts: backward.transpose(graph, 1, [], cts)[0])(*cts)
    assert ("slice_add" in ops(turned)) == (parts > MAX_PADDED)


def test_slices_cost_their_own_size():
    """A loop over n slices makes n nodes of the slices' size, not of the array's."""
    n = 300

    def f(x):
        total = 0.0
        for i in range(n):
            total = total + np.sin(x[i])
        return total

    graph = tj.trace(tj.grad(f))(np.zeros(n))
    large = [node for node in graph.nodes if node.outputs[0].type.size == n and node.op.name != "slice_add"]
    assert len(large) <= 2
    np.testing.assert_allclose(tj.jit(tj.grad(f))(np.arange(n) / n), np.cos(np.arange(n) / n), rtol=1e-13)


def test_batch():
    graph = graph_of(lambda x, y: (x * y, y + 1.0, x.sum()), x3, 2.0)
    xs = np.stack([x3, 2 * x3])
    results, marks = batch(graph, [xs, np.float64(3.0)], [True, False])
    assert marks == [True, False, True]  # what does not depend on the batch is computed once
    np.testing.assert_allclose(results[0], xs * 3)
    assert results[1] == 4.0
    np.testing.assert_allclose(results[2], xs.sum(1))


def test_calls_are_transformed_once():
    inner = tj.jit(lambda x: np.sin(x) * x)
    f = lambda x: np.sum(inner(x) + inner(2 * x))
    graph = inner.graph(x3)
    for _ in range(3):
        tj.grad(f)(x3)
    made = dict(graph._derived)
    tj.grad(f)(x3 + 1)
    assert {k: v for k, v in graph._derived.items()} == made and any("linearize" in str(k) for k in made)


def test_calls_with_integer_and_unused_inputs():
    @tj.jit
    def f(x, n, unused):
        return x**2 * n, n + 1

    (y, m), pull = tj.vjp(lambda x, n, u: f(x, n, u), x3, 3, 5.0)
    gx, gn, gu = pull((np.ones(3), 0))
    np.testing.assert_allclose(gx, 6 * x3)
    assert gn == 0 and gn.dtype == np.int64 and gu == 0.0
    assert tj.jvp(f, (x3, 3, 5.0), (np.ones(3), 0, 1.0))[1][1] == 0
    rows = tj.vmap(f, in_axes=(None, 0, None))(x3, np.arange(2), 5.0)
    np.testing.assert_allclose(rows[0], np.stack([0 * x3, x3**2]))
    np.testing.assert_array_equal(rows[1], [1, 2])


def test_ops_without_rules_say_so():
    from tracejit.ops.core import Op
    from tracejit.trace import bind

    opaque = Op("opaque", infer=lambda x: x, run=lambda xp, x: x * 2)
    f = lambda x: np.sum(bind(opaque, [x], {}))
    assert tj.jit(f)(x3) == np.sum(x3 * 2)
    for transform, said in ((tj.grad, "opaque has no derivative"), (tj.vmap, "opaque has no batching rule")):
        with pytest.raises(TypeError, match=said) as info:
            transform(f)(x3[None] if transform is tj.vmap else x3)
        assert __file__ in str(info.value)
