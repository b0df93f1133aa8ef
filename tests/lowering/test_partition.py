"""Which values are stored: outputs, reductions, operands of library and host steps, and what would be dear to compute again."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.lowering.partition import MAX_DEPTH, REPEATED_WORK, is_matrix, partition
from tracejit.lowering.prepare import prepare
from tracejit.lowering.program import native
from tracejit.lowering.steps import Host, Library, Stage

x = np.arange(1.0, 13.0).reshape(3, 4)


def parted(f, *args, own=()):
    return partition(prepare(tj.trace(f)(*args)), native, own)


def steps(f, *args) -> list[str]:
    """Each step: the name of the op that it stores, or the kind of step."""
    return [s.node.op.name for s in parted(f, *args).steps]


def test_cheap_values_are_composed_into_their_readers():
    assert steps(lambda x: np.sin(x * 2 + 1)[::-1].T - 1, x) == ["subtract"]
    assert steps(lambda x: (x + 1) * (x + 1) + (x + 1), x) == ["add"]  # cheap enough to repeat


def test_dear_values_with_several_readers_are_stored():
    assert steps(lambda x: np.exp(x) + np.exp(x)[::-1], x) == ["exp", "add"]
    assert steps(lambda x: np.exp(x) + 1, x) == ["add"]

    def long(x):
        for k in range(REPEATED_WORK + 1):
            x = x * (k + 1.5)
        return x + x[::-1]

    assert steps(long, x) == ["multiply", "add"]


def test_what_is_spread_over_a_larger_array_is_stored_if_it_is_dear():
    assert steps(lambda x, y: np.sin(y) + x, x, np.ones(4)) == ["sin", "add"]
    assert steps(lambda x, y: y * 2 + x, x, np.ones(4)) == ["add"]


def test_outputs_and_reductions_are_stored():
    assert steps(lambda x: (x * 2, np.sum(x * 2)), x) == ["multiply", "reduce_sum"]
    found = parted(lambda x: (x * 2, x, 3.0, x), x)
    assert [b.role if hasattr(b, "role") else b.value for b in found.outputs] == ["output", "input", 3.0, "input"]
    assert found.outputs[1] is found.outputs[3] is found.inputs[0]


def test_outputs_of_their_own():
    found = parted(lambda x: (x, x * 2, x * 2), x, own={0, 1, 2})
    assert [b.role for b in found.outputs] == ["output"] * 3 and len(set(found.outputs)) == 3
    assert len(parted(lambda x: (x, x * 2, x * 2), x, own={1}).steps) == 1


def test_library_steps_read_strided_views():
    (step,) = parted(lambda x: x[:, 1:3].T @ x, x).steps
    assert isinstance(step, Library)
    a, b = step.operands
    assert (a.offset, a.strides) == (1, (1, 4)) and (b.offset, b.strides) == (0, (4, 1))
    assert steps(lambda x: x[:, ::2] @ x[:2], x) == ["slice", "dot_general"]  # no matrix for BLAS
    assert steps(lambda x: (x + 1) @ x.T, x) == ["add", "dot_general"]


@pytest.mark.parametrize(
    "shape, strides, good",
    [
        ((3, 4), (4, 1), True),
        ((3, 4), (1, 3), True),
        ((3, 4), (8, 1), True),
        ((3, 4), (4, 2), False),
        ((3, 4), (-4, 1), False),
        ((3, 4), (0, 1), False),
        ((3, 4), (2, 1), False),
        ((1, 4), (0, 1), True),
        ((3, 1), (1, 7), True),
        ((2, 3, 4), (0, 4, 1), True),
        ((4,), (2,), True),
        ((), (), True),
    ],
)
def test_what_is_a_matrix(shape, strides, good):
    assert is_matrix(shape, strides) is good


def test_host_steps_get_stored_operands():
    found = parted(lambda x: np.argsort(np.sin(x), axis=1) + 1, x)
    kinds = [type(s) for s in found.steps]
    if Host in kinds:
        host = found.steps[kinds.index(Host)]
        assert all(b.role in ("temporary", "output", "input") for b in (*host.operands, *host.results))


def test_deep_chains_are_cut():
    def chain(x):
        for _ in range(5 * MAX_DEPTH):
            x = x * 1.5 - x.T.T[::-1]
        return x

    found = parted(chain, x)
    assert len(found.steps) >= 5
    assert all(isinstance(s, Stage) for s in found.steps)


def test_calls_are_inlined_and_products_are_of_matrices():
    inner = tj.jit(lambda x: np.sin(x) + 1)
    graph = prepare(tj.trace(lambda x: inner(inner(x)) + inner(x))(x))
    assert not {"call"} & {n.op.name for n in graph.nodes} and sum(n.op.name == "sin" for n in graph.nodes) == 2  # equal calls are one
    graph = prepare(tj.trace(lambda a, b: np.einsum("bijk,bkjl->bil", a, b))(np.ones((2, 3, 4, 5)), np.ones((2, 5, 4, 6))))
    (product,) = [n for n in graph.nodes if n.op.name == "dot_general"]
    assert [a.type.shape for a in product.inputs] == [(2, 3, 20), (2, 20, 6)]


def test_writes_change_temporaries_in_place():
    def chain(x, i):
        for k in range(4):
            x = x.at[i + k].add(1.0)
        return x

    traced = tj.trace(lambda x, i: chain(x * 2, i))(np.zeros(10), 0)
    found = partition(prepare(traced), native)
    copies = [s for s in found.steps if isinstance(s, Stage) and not s.into]
    assert len(copies) <= 2  # the product, and at most one copy of it


def test_dear_functions_run_along_the_long_axis():
    few = np.linspace(0.1, 1.0, 3 * 500).reshape(500, 3)
    (stage,) = parted(lambda x: np.exp(x), few).steps
    assert [c.extent for c in stage.counters] == [3, 500]
    assert [c.extent for c in parted(lambda x: 2.0 * x, few).steps[0].counters] == [500, 3]
    np.testing.assert_array_equal(tj.jit(lambda x: np.exp(x))(few), tj.jit(lambda x: np.exp(x))(few.T).T)


def test_the_identity_is_no_factor():
    """Unit tangents are a comparison of positions: products with them are the other factor, and what they are multiplied with reads no array."""
    graph = prepare(tj.trace(tj.jacfwd(lambda x, m: m @ x))(np.ones(4), np.ones((3, 4))))
    assert [n.op.name for n in graph.nodes if n.op.name == "dot_general"] == []
    matrix = np.arange(12.0).reshape(3, 4)
    for jacobian in (tj.jacfwd, tj.jacrev):
        np.testing.assert_array_equal(tj.jit(jacobian(lambda x, m: m @ x))(np.ones(4), matrix), matrix)
        by_matrix = tj.jit(jacobian(lambda m, x: m @ x))(matrix, np.arange(4.0))
        np.testing.assert_array_equal(by_matrix, np.einsum("ij,k->ijk", np.eye(3), np.arange(4.0)))


def test_constants_that_turns_multiply_by_transposed_are_transposed_once():
    weights, states = np.linspace(-1.0, 1.0, 64 * 64).reshape(64, 64) / 8.0, np.linspace(-1.0, 1.0, 4 * 64).reshape(4, 64)

    def loop(state, weights):
        return tj.fori_loop(0, 10, lambda _, s: np.tanh(s @ weights.T + s @ weights), state)

    (scan,) = [n for n in prepare(tj.trace(loop)(states, weights)).nodes if n.op.name == "scan"]
    assert "transpose" not in {n.op.name for n in scan.params["body"].nodes} and scan.params["consts"] == 2
    want = states
    for _ in range(10):
        want = np.tanh(want @ weights.T + want @ weights)
    np.testing.assert_allclose(tj.jit(loop)(states, weights), want, rtol=1e-12)


def test_medium_products_in_loops_are_cut_along_their_longer_side():
    for m, n in ((256, 24), (24, 256)):
        x, y = np.sin(np.arange(float(m * 200))).reshape(m, 200), np.cos(np.arange(200.0 * n)).reshape(200, n)
        total = tj.jit(lambda x, y: tj.fori_loop(0, 3, lambda i, s: s + (x * (i + 1.0)) @ y, np.zeros((x.shape[0], y.shape[1]))))
        np.testing.assert_allclose(total(x, y), 6.0 * (x @ y), rtol=1e-12, atol=1e-10)
        np.testing.assert_allclose(total(x, np.asfortranarray(y)), 6.0 * (x @ y), rtol=1e-12, atol=1e-10)


def test_large_arrays_are_transposed_in_tiles():
    """Where their lines share sets of the cache; what is left beside whole tiles is done too, and axes in between stay loops."""
    for shape in ((512, 1024), (515, 1024), (300, 256)):
        square = np.arange(float(np.prod(shape))).reshape(shape)
        stages = parted(lambda x: x.T + 1.0, square).steps
        assert all(s.counters[-1].extent <= 8 and s.counters[-2].extent <= 128 for s in stages)
        np.testing.assert_array_equal(tj.jit(lambda x: x.T + 1.0)(square), square.T + 1.0)
    stack = np.arange(3.0 * 256 * 300).reshape(3, 300, 256).astype(np.float32)
    np.testing.assert_array_equal(tj.jit(lambda x: x.transpose(2, 0, 1) * 2)(stack), stack.transpose(2, 0, 1) * 2)
    assert [c.extent for c in parted(lambda x: x.T + 1.0, np.ones((300, 1001))).steps[0].counters] == [1001, 300]
