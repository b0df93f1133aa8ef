"""What becomes one kernel, what is kept in registers and rows, and that merged loops compute what separate ones do."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.lowering.fuse import MAX_BODY, Loop, Nest
from tracejit.lowering.program import Program
from tracejit.lowering.steps import Host, Library, Stage

rng = np.random.default_rng(0)
x = rng.standard_normal((5, 7))


def built(f, *args) -> Program:
    return Program(tj.trace(f)(*args))


def kinds(f, *args) -> list[str]:
    return [type(item).__name__ for item in built(f, *args).items]


def nest_of(f, *args) -> Nest:
    (nest,) = built(f, *args).items
    assert isinstance(nest, Nest)
    return nest


def loops(body) -> list:
    """The loops of a nest as nested lists."""
    return [[item.counter.extent, loops(item.body)] for item in body if isinstance(item, Loop)]


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def layer_norm(x, scale, shift):
    centred = x - np.mean(x, axis=-1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5) * scale + shift


def log_sum_exp(x):
    top = np.max(x, axis=-1, keepdims=True)
    return np.log(np.sum(np.exp(x - top), axis=-1)) + top[..., 0]


ROWS = [
    ("softmax", softmax, (x,)),
    ("layer norm", layer_norm, (x, np.ones(7), np.zeros(7))),
    ("log sum exp", log_sum_exp, (x,)),
    ("softmax of three axes", softmax, (rng.standard_normal((2, 3, 7)),)),
    ("normal rows", lambda x: x / np.linalg.norm(x, axis=1, keepdims=True), (x,)),
    ("variance", lambda x: np.var(x, axis=1), (x,)),
    ("gradient of softmax", lambda x, ct: tj.vjp(softmax, x)[1](ct)[0], (x, x)),
    ("gradient of layer norm", lambda x, s, ct: tj.vjp(lambda x: layer_norm(x, s, 0.0), x)[1](ct)[0], (x, np.ones(7), x)),
]


@pytest.mark.parametrize("name, f, args", ROWS, ids=[r[0] for r in ROWS])
def test_rows_are_one_kernel(name, f, args):
    program = built(f, *args)
    assert [type(i) for i in program.items] == [Nest]
    outer = [item for item in program.items[0].body if isinstance(item, Loop)]
    assert len(outer) == 1  # one loop over rows, in which everything happens
    memory = sum(how.kept != () and how.private for s in program.storages.values() for how in s.values())
    assert program.plan.arena_bytes <= 64 * max(memory, 1)  # a row at most, not a matrix
    np.testing.assert_allclose(program.run(args)[0], f(*args), rtol=1e-12, atol=1e-14)


def test_elementwise_chains_are_one_stage():
    nest = nest_of(lambda x: np.sin(x) * 2 + np.tanh(x * 3) - x.T.T[::-1][::-1], x)
    assert len(list(nest.stages())) == 1 and loops(nest.body) == [[35, []]]


def test_values_that_every_turn_needs_are_registers():
    program = built(lambda x: np.sum(np.exp(x) ** 2 + np.exp(x)), x)
    (nest,) = program.items
    assert all(how.register or not how.kept or not how.private for how in program.storages[nest].values())
    assert program.plan.arena_bytes == 0


def test_siblings_share_their_loop():
    program = built(lambda x: (np.sin(x), np.cos(x), np.sum(x), np.max(x, axis=1)), x)
    assert len(program.items) == 1
    for got, want in zip(program.run([x]), (np.sin(x), np.cos(x), np.sum(x), np.max(x, axis=1))):
        np.testing.assert_allclose(got, want, rtol=1e-14)


def test_what_needs_a_whole_array_does_not_share_its_loop():
    program = built(lambda x: x / np.sum(x), x)
    assert sum(isinstance(i, Loop) for nest in program.items for i in nest.body) == 2
    np.testing.assert_allclose(program.run([x])[0], x / np.sum(x), rtol=1e-13)

    def folded(x):
        y = np.exp(np.sin(x)) * np.sqrt(np.abs(x))
        return y + y[::-1]

    np.testing.assert_allclose(built(folded, x).run([x])[0], folded(x), rtol=1e-14)


def test_library_and_host_steps_stand_between():
    assert kinds(lambda x: np.sin(np.sin(x) @ x.T), x) == ["Nest", "Library", "Nest"]
    assert kinds(lambda x: x.T @ x, x) == ["Library"]  # a transposed operand is read where it is
    steps = built(lambda x: np.sort(np.sin(x), axis=1) * 2, x).items
    assert any(isinstance(i, (Host, Nest)) for i in steps) and not any(isinstance(i, Library) for i in steps)


def test_bodies_are_bounded():
    def f(x):
        outs = []
        for k in range(60):
            y = x + k
            for _ in range(5):
                y = (y * x + 1) * (y - k)
            outs.append(y)
        return tuple(outs)

    program = built(f, np.ones(9))
    assert len(program.items) > 1 and all(i.size <= MAX_BODY + 60 for i in program.items)
    for got, want in zip(program.run([np.ones(9)]), f(np.ones(9))):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_every_value_is_made_before_it_is_read():
    def f(x):
        a = np.exp(x)
        b = np.sum(a, axis=0)
        c = np.max(a, axis=1, keepdims=True)
        d = (a - c) * b
        return np.sum(d, axis=1) + np.mean(x), np.cumsum(d, axis=0), d / np.sum(d)

    program = built(f, x)
    made = set(program.partition.inputs)
    for item in program.items:
        if isinstance(item, Nest):
            _in_order(item.body, made)
        else:
            made.update([item.result] if isinstance(item, Library) else item.results)
    assert set(program.outputs) <= made
    for got, want in zip(program.run([x]), f(x)):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def _in_order(body, made: set) -> None:
    from tracejit.lowering.fuse import reads

    for item in body:
        if isinstance(item, Stage):
            assert all(e.data[0] in made or e.data[0] is item.buffer for e in reads(item))
            made.add(item.buffer)
        else:
            _in_order(item.body, made)


def test_parts_of_a_short_axis_are_computed_one_by_one():
    def f(x):
        a, b = x[:, 0], x[:, 1]
        return np.stack([np.sin(a) * b, a + b, b], axis=1)

    x = np.random.default_rng(0).random((40, 2))
    stages = [s for item in Program(tj.jit(f).graph(x)).items for s in item.stages()]
    assert not any("guard" in repr(s.expression) for s in stages)
    np.testing.assert_allclose(tj.jit(f)(x), f(x), rtol=1e-14)


def test_vector_functions_are_not_computed_in_outer_loops():
    def f(x, w):
        return np.exp(x)[:, None] * w + np.exp(x)[:, None]

    x, w = np.random.default_rng(0).random(64), np.random.default_rng(1).random((64, 20))
    (nest, *_), *_ = [item.body for item in Program(tj.jit(f).graph(x, w)).items]
    assert [type(i).__name__ for i in nest.body] == ["Stage"]
    np.testing.assert_allclose(tj.jit(f)(x, w), f(x, w), rtol=1e-14)


def test_lanes_of_a_loop_have_memory_of_their_own():
    f = lambda x: np.stack([np.exp(x), np.exp(x) * x], axis=1)[:, ::-1] * np.stack([x, x + 1], axis=1)
    x = np.random.default_rng(0).random(20)
    np.testing.assert_allclose(tj.jit(f)(x), f(x), rtol=1e-14)
