"""Scalar expressions: equal ones are one object, tests that ranges decide vanish, and `lower` rules mean what `run` computes."""

from __future__ import annotations

import gc
import itertools
import math

import numpy as np
import pytest

import tracejit as tj
from tracejit.ir import ArrayType, Var
from tracejit.lowering import index as ix
from tracejit.lowering.index import Computed, Counter, Index, Quotient
from tracejit.lowering.kernel import Buffer, Expressions, Reader, children, constant, decided, load, loads, make, size, substitute
from tracejit.ops.core import by_name

F = np.dtype(float)


def buffer(*shape: int) -> Buffer:
    return Buffer(ArrayType(shape, F), "input")


def test_equal_expressions_are_one_object():
    b, i = buffer(4), ix.of(Counter(4))
    x = load(b, (i,))
    assert load(b, (i,)) is x and load(buffer(4), (i,)) is not x and load(b, (i * 0 + 1,)) is not x
    assert Expressions.apply("sin", x) is Expressions.apply("sin", x)
    assert constant(1.0, F) is constant(1.0, F) and constant(0.0, F) is not constant(-0.0, F) and constant(np.nan, F) is constant(np.nan, F)
    assert constant(1, F) is not constant(1, np.dtype(np.float32))
    assert Expressions.convert(x, F) is x


def test_expressions_that_nobody_holds_are_dropped():
    from tracejit.lowering import kernel

    gc.collect()
    before = len(kernel._interned)
    made = [Expressions.apply("sin", load(buffer(k), (Index(constant=0),))) for k in range(1, 50)]
    assert len(kernel._interned) >= before + 49
    del made
    gc.collect()
    assert len(kernel._interned) <= before


def test_counters_loads_and_sizes():
    b, c = buffer(4, 5), buffer(5)
    i, j = Counter(4), Counter(5)
    x, y = load(b, (ix.of(i), ix.of(j))), load(c, (ix.of(j),))
    e = Expressions.apply("add", Expressions.apply("sin", x), Expressions.apply("multiply", x, y))
    assert e.counters == {i, j} and y.counters == {j}
    assert set(loads(e)) == {x, y} and size(e) == 5
    k = Counter(5)
    moved = substitute(e, {j: k})
    assert moved.counters == {i, k} and substitute(e, {k: j}) is e and substitute(moved, {k: j}) is e


def test_a_computed_position_belongs_to_the_expression():
    positions, table = Buffer(ArrayType((4,), np.dtype(int)), "input"), buffer(10)
    i = Counter(4)
    at = load(positions, (ix.of(i),))
    e = Reader(table.type, lambda index: load(table, index)).gather((at,))
    assert set(x.data[0] for x in loads(e)) == {positions, table}
    assert e.counters == {i}
    (checked,) = children(e)
    assert checked.op == "checked" and checked.data == 10
    other = Counter(4)
    assert substitute(e, {i: other}).counters == {other}


def test_tests_that_ranges_decide():
    i = ix.of(Counter(4))
    assert decided(("ge", i, 0)) is True and decided(("ge", i, 4)) is False and decided(("ge", i, 2)) is None
    assert (
        decided(("lt", i, 4)) is True and decided(("lt", i - 4, 0)) is True and decided(("lt", i + 4, 4)) is False and decided(("lt", i, 3)) is None
    )
    assert decided(("divisible", i * 6, 3)) is True and decided(("divisible", i * 6 + 1, 3)) is False and decided(("divisible", i, 2)) is None
    inside, outside = constant(1.0, F), constant(0.0, F)
    k = Expressions
    assert k.guard([k.index_at_least(i, 0)], lambda: inside, outside) is inside
    assert k.guard([k.index_less(i, 0)], lambda: pytest.fail("not needed"), outside) is outside
    guarded = k.guard([k.index_at_least(i, 0), k.index_less(i, 2)], lambda: inside, outside)
    assert guarded.op == "guard" and guarded.data == (("lt", i, 2),)


# --------------------------------------------------------------------------------------------------------- what expressions mean
def evaluate(e, arrays: dict[Buffer, np.ndarray], at: dict[Counter, int]):
    """An expression computed with plain Python."""

    def position(index: Index) -> int:
        return index.constant + sum(c * atom(a) for a, c in index.terms)

    def atom(a) -> int:
        if isinstance(a, Counter):
            return at[a]
        if isinstance(a, Computed):
            return int(of(a.expression))
        inner = position(a.index)
        return inner // a.divisor if isinstance(a, Quotient) else inner % a.divisor

    def holds(test) -> bool:
        kind, index, n = test
        at_ = position(index)
        return at_ >= n if kind == "ge" else at_ < n if kind == "lt" else at_ % n == 0

    def of(x):
        if x.op == "const":
            return np.frombuffer(x.data, x.dtype)[0]
        if x.op == "load":
            b, index = x.data
            where = tuple(map(position, index))
            assert all(0 <= p < n for p, n in zip(where, b.shape)), "a load outside its array"
            return arrays[b][where]
        if x.op == "index":
            return position(x.data)
        if x.op == "convert":
            return np.asarray(of(x.args[0])).astype(x.dtype)[()]
        if x.op == "guard":
            return of(x.args[0]) if all(map(holds, x.data)) else of(x.args[1])
        if x.op == "checked":
            at_, n = int(of(x.args[0])), x.data
            assert -n <= at_ < n
            return at_ % n
        return (np.where if x.data == "select" else getattr(np, x.data))(*map(of, x.args))

    return of(e)


MOVES = [
    ("broadcast_to", [(3, 1)], {"shape": (2, 3, 4)}),
    ("broadcast_to", [()], {"shape": (2, 2)}),
    ("reshape", [(3, 4)], {"shape": (2, 6)}),
    ("reshape", [(2, 3, 2)], {"shape": (4, 3)}),
    ("transpose", [(2, 3, 4)], {"permutation": (2, 0, 1)}),
    ("reverse", [(3, 4)], {"axes": (0, 1)}),
    ("slice", [(7, 5)], {"start": (1, 0), "stop": (7, 5), "step": (2, 3)}),
    ("pad", [(3,)], {"low": (2,), "high": (1,), "interior": (2,), "value": 7.0}),
    ("pad", [(2, 3)], {"low": (0, 1), "high": (2, 0), "interior": (1, 0), "value": 0.0}),
    ("concatenate", [(2, 3), (4, 3), (1, 3)], {"axis": 0}),
    ("concatenate", [(2, 1), (2, 3), (2, 0)], {"axis": 1}),
    ("iota", [], {"shape": (3, 4), "axis": 1, "dtype": np.dtype(np.int64)}),
    ("select", [(3,), (3,), ()], {}),
    ("add", [(3, 1), (1, 4)], {}),
    ("mask_gradient", [(3,), (3,)], {}),
]


@pytest.mark.parametrize("name, shapes, params", MOVES, ids=[f"{m[0]}-{i}" for i, m in enumerate(MOVES)])
def test_lower_rules_mean_what_run_computes(name, shapes, params):
    op = by_name[name]
    rng = np.random.default_rng(0)
    args = [rng.standard_normal(s) for s in shapes]
    if name in ("select", "mask_gradient"):
        args[0] = args[0] > 0
    buffers = [Buffer(ArrayType(a.shape, a.dtype), "input") for a in args]
    want = np.asarray(op.run(np, *args, **params))
    counters = [Counter(n) for n in want.shape]
    readers = [Reader(b.type, lambda index, b=b: load(b, index)) for b in buffers]
    e = op.lower(Expressions, readers, tuple(map(ix.of, counters)), **params)
    for where in itertools.product(*map(range, want.shape)):
        assert evaluate(e, dict(zip(buffers, args)), dict(zip(counters, where))) == want[where]


def test_composition_of_moves():
    """Fusing is composing index functions: a chain of moves read at one index is one load."""
    x = buffer(4, 6)
    graph = tj.trace(lambda x: x.T[::2].reshape(-1)[3:9].reshape(2, 3)[:, ::-1])(np.zeros((4, 6)))
    producer = {n.outputs[0]: n for n in graph.nodes}

    def read(v: Var, index):
        if v is graph.inputs[0]:
            return load(x, index)
        node = producer[v]
        return node.op.lower(Expressions, [Reader(a.type, lambda i, a=a: read(a, i)) for a in node.inputs], index, **node.params)

    counters = [Counter(2), Counter(3)]
    e = read(graph.outputs[0], tuple(map(ix.of, counters)))
    assert e.op == "load" and e.data[0] is x
    data = np.arange(24.0).reshape(4, 6)
    want = data.T[::2].reshape(-1)[3:9].reshape(2, 3)[:, ::-1]
    for where in itertools.product(range(2), range(3)):
        assert evaluate(e, {x: data}, dict(zip(counters, where))) == want[where]


def test_sharing_is_kept_in_deep_expressions():
    """x -> x * x, thirty times: thirty multiplications, not 2^30."""
    e = load(buffer(3), (ix.of(Counter(3)),))
    for _ in range(30):
        e = Expressions.apply("multiply", e, e)
    assert size(e) == 31 and math.isfinite(len(loads(e)))
    assert make("apply", F, (e.args[0], e.args[0]), "multiply") is e
