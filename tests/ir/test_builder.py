"""The builder shares, folds, simplifies and drops."""
from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit import config
from tracejit.ir import ArrayType, Builder, Literal, Var
from tracejit.ops import elementwise as ew
from tracejit.ops import movement as mv
from tracejit.ops.core import Op

FLOAT = np.dtype(float)


def started(*shapes, dtype=FLOAT):
    b = Builder()
    return b, *(b.input(ArrayType(s, np.dtype(dtype))) for s in shapes)


def test_equal_nodes_are_shared():
    b, x = started((3,))
    assert b.emit(ew.sin, (x,), {}) == b.emit(ew.sin, (x,), {})
    assert len(b.nodes) == 1
    b.emit(ew.add, (x, Literal(np.float64(0.0))), {})
    b.emit(ew.add, (x, Literal(np.float64(-0.0))), {})
    assert len(b.nodes) == 3   # 0.0 and -0.0 are not the same literal


def test_effects_are_neither_shared_nor_dropped():
    op = Op("announce", infer=lambda x: x, run=lambda xp, x: x, effect=True)
    b, x = started((3,))
    b.emit(op, (x,), {})
    b.emit(op, (x,), {})
    b.emit(ew.sin, (x,), {})
    assert [n.op for n in b.finish((x,)).nodes] == [op, op]


def test_constants_are_folded():
    b = Builder()
    (y,) = b.emit(ew.add, (Literal(np.float32(1)), Literal(np.float32(2))), {})
    assert y == Literal(np.float32(3)) and not b.nodes
    (y,) = b.emit(ew.divide, (Literal(np.float64(1)), Literal(np.float64(0))), {})
    assert y == Literal(np.float64(np.inf))
    assert Literal(np.float64(np.nan)) == Literal(np.float64(np.nan)) != Literal(np.float32(np.nan))


def test_identities():
    b, x = started((2, 3))
    one, zero = Literal(np.float64(1)), Literal(np.float64(0))
    assert b.emit(ew.multiply, (x, one), {}) == (x,)
    assert b.emit(ew.divide, (x, one), {}) == (x,)
    assert b.emit(ew.subtract, (x, zero), {}) == (x,)
    assert b.emit(ew.add, (x, zero), {}) != (x,)   # -0.0 + 0.0 is 0.0
    assert b.emit(ew.negative, b.emit(ew.negative, (x,), {}), {}) == (x,)
    assert b.emit(mv.transpose, b.emit(mv.transpose, (x,), {"permutation": (1, 0)}), {"permutation": (1, 0)}) == (x,)
    assert b.emit(mv.reshape, b.emit(mv.reshape, (x,), {"shape": (6,)}), {"shape": (2, 3)}) == (x,)
    assert b.emit(ew.convert, (x,), {"dtype": FLOAT}) == (x,)
    spread = b.emit(mv.broadcast_to, b.emit(mv.reshape, (one,), {"shape": (1, 1)}), {"shape": (2, 3)})
    assert spread == b.emit(mv.broadcast_to, (one,), {"shape": (2, 3)})
    assert b.emit(ew.power, (x, Literal(np.float64(2))), {}) == b.emit(ew.square, (x,), {})


def test_what_no_output_needs_is_dropped():
    b, x = started((3,))
    (y,) = b.emit(ew.sin, (x,), {})
    b.emit(ew.cos, (y,), {})
    assert [n.op for n in b.finish((y,)).nodes] == [ew.sin]


def test_runaway_loop_is_an_error(monkeypatch):
    monkeypatch.setattr(config, "max_nodes", 10)
    b, x = started(())
    with pytest.raises(RuntimeError, match="Python loop is being unrolled"):
        for _ in range(20):
            (x,) = b.emit(ew.sin, (x,), {})


def test_type_errors_come_from_the_op():
    b, x, y = started((3,), (4,))
    with pytest.raises(ValueError, match=r"could not be broadcast together with shapes \(3,\) \(4,\)"):
        b.emit(ew.add, (x, y), {})
    with pytest.raises(TypeError, match="equal dtypes"):
        b.emit(ew.add, (x, Var(ArrayType((3,), np.dtype(np.float32)))), {})
    with pytest.raises(TypeError, match="invert is not defined for dtype float64"):
        b.emit(ew.invert, (x,), {})


@pytest.mark.parametrize("outer, inner, merged", [
    (100.0, 2.0, True), (-3.0, 0.5, False), (3.0, 3.0, False), (0.5, 2.0, False), (1e308, 4.0, False), (2.0, -1.0, True), (np.inf, 2.0, False),
])  # fmt: skip
def test_factors_that_are_powers_of_two_are_joined(outer, inner, merged):
    """Only where every result, also near overflow and underflow, has the same bits."""
    f = lambda x: outer * (inner * x)
    with np.errstate(all="ignore"):
        x = np.array([1.7, -5e-324, 4e-320, 1e308, 1.7e308, -8e307, 0.0, -0.0, np.inf, np.nan, 3e-308, 1 / 3])
        np.testing.assert_array_equal(tj.jit(f)(x).view(np.uint64)[:-3], f(x).view(np.uint64)[:-3])
        np.testing.assert_array_equal(tj.jit(f)(x), f(x))
    assert (len(tj.jit(f).graph(x).nodes) == 1) == merged
