"""Traces: which one an operation belongs to, what becomes a capture, what is known of a value, and how a trace ends."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.interpret import replay
from tracejit.ir import ArrayType, Literal, spec
from tracejit.ops.elementwise import add, multiply, sin
from tracejit.trace import Trace, Tracer, bind, constant_beside, type_of
from tracejit.trace.trace import COMPARED

x3 = np.arange(3.0)
F3 = ArrayType((3,), np.dtype(float))


def test_plain_arrays_are_computed_at_once():
    np.testing.assert_array_equal(bind(add, [x3, 1.0], {}), x3 + 1)
    assert isinstance(bind(sin, [np.float64(0.0)], {}), np.float64)


def test_an_operation_belongs_to_the_innermost_trace_of_its_arguments():
    outer, inner = Trace("outer"), Trace("inner")
    x, y = outer.input(F3), inner.input(F3)
    assert bind(sin, [x], {}).owner is outer  # hoisted: nothing inner is needed
    product = bind(multiply, [x, y], {})
    assert product.owner is inner
    graph, outside = inner.finish([product])
    spec.check(graph)
    assert len(outside) == 1 and outside[0].atom is x.atom and graph.in_types == (F3, F3)


def test_a_symbolic_trace_knows_types_only():
    trace = Trace("symbolic")
    x = trace.input(F3)
    y = np.sin(x) * 2.0
    assert (y.shape, y.dtype, y.ndim, y.size, len(y), y.nbytes, y.itemsize) == ((3,), np.dtype(float), 1, 3, 3, 24, 8)
    assert not trace.knows(y.atom) and "traced float64[3] in symbolic" in repr(y)


def test_a_concrete_trace_also_holds_values():
    trace = Trace("concrete", concrete=True)
    x = trace.input_value(x3)
    y = np.sin(x) * 2.0
    np.testing.assert_array_equal(trace.ambient(y.atom), np.sin(x3) * 2)
    assert "= [0." in repr(y)
    assert trace.ambient((y * 0 + np.float64(1)).atom).shape == (3,)
    inner = Trace("inner", concrete=True)  # inside another trace the values are that one's proxies
    z = inner.input_value(y)
    assert type(inner.ambient((z + 1.0).atom)) is Tracer and inner.ambient((z + 1.0).atom).owner is trace
    assert bool(z[1] > 0) and int(z[1]) == 1


def test_errors_come_from_the_line_that_made_them():
    trace = Trace("concrete", concrete=True)
    x = trace.input_value(x3)
    with pytest.raises(IndexError, match="out of bounds"):
        x[np.array([5])]
    with pytest.raises(ValueError, match="broadcast"):
        x + np.ones(4)
    np.testing.assert_array_equal(trace.ambient((x + 1).atom), x3 + 1)


def test_captures_are_passed_by_reference_once():
    trace, w = Trace("f"), np.ones(3)
    x = trace.input(F3)
    graph, outside = trace.finish([x * w + w, w])
    assert len(graph.inputs) == 2 and outside[0] is w
    w[:] = 5.0
    np.testing.assert_array_equal(replay(graph, [x3, *outside])[0], x3 * 5 + 5)


def test_numbers_are_literals():
    trace = Trace("f")
    x = trace.input(F3)
    graph, outside = trace.finish([x * np.float64(2.0) + 1, np.float32(3.0), 4, np.broadcast_to(np.float64(7.0), (3,))])
    assert outside == [] and isinstance(graph.outputs[1], Literal) and graph.outputs[1].value == 3.0
    np.testing.assert_array_equal(replay(graph, [x3])[3], [7.0, 7.0, 7.0])


@pytest.mark.parametrize("size", [3, COMPARED // 8])
def test_buffers_that_are_written_while_tracing(size):
    trace, w = Trace("f"), np.zeros(size)
    x = trace.input(ArrayType((size,), np.dtype(float)))
    parts = []
    for k in range(3):
        w[:] = k
        parts.append(x * w)
        parts.append(x + w)
    w[:] = -1.0
    graph, outside = trace.finish(parts)
    assert len(outside) == 3
    results = replay(graph, [np.full(size, 2.0), *outside])
    assert [r[0] for r in results] == [0.0, 2.0, 2.0, 3.0, 4.0, 4.0]


def test_a_buffer_that_is_written_and_restored():
    trace, w = Trace("f"), np.zeros(3)
    x = trace.input(F3)
    first = x + w
    w[:] = 1.0
    second = x + w
    w[:] = 0.0
    graph, outside = trace.finish([first, second])
    np.testing.assert_array_equal(replay(graph, [x3, *outside]), [x3, x3 + 1])


def test_values_of_a_concrete_trace_survive_writing():
    w = np.ones(3)

    def f(x):
        y = np.sum(x * w)
        w[:] = 100.0
        return y

    for _ in range(2):
        np.testing.assert_array_equal(tj.grad(f)(x3), [1.0, 1.0, 1.0])
    np.testing.assert_array_equal(w, np.ones(3))


def test_the_end_of_a_trace():
    trace = Trace("f")
    x = trace.input(F3)
    y = x + 1
    trace.finish([y])
    for use in (lambda: y + 1, lambda: bind(sin, [x], {}), lambda: Trace("other").atom(y)):
        with pytest.raises(tj.LeakedTracerError, match="after the f that made it has ended"):
            use()
    other = Trace("g")
    z = other.input(F3)
    other.abandon()
    with pytest.raises(tj.LeakedTracerError):
        z + 1


def test_constants_beside_a_traced_value():
    trace = Trace("f")
    x = trace.input(F3)
    one = constant_beside(x, np.float64(1.0))
    assert type(one) is Tracer and isinstance((one * 2.0).atom, Literal)
    assert constant_beside(x3, np.float64(1.0)) == 1.0 and type(constant_beside(x3, np.float64(1.0))) is np.float64


def test_types():
    assert type_of(2) == ArrayType((), np.dtype(int), weak=True) and type_of(np.int64(2)) == ArrayType((), np.dtype(int))
    assert type_of(x3.astype(">f4")).dtype == np.float32  # converted before it is used
    for thing in ("a", None, [1.0], object()):
        with pytest.raises(TypeError, match="expected an array or a number"):
            type_of(thing)


def test_many_traces_nest_and_interleave():
    def f(x, depth):
        return np.sum(np.sin(x)) if depth == 0 else np.sum(tj.grad(lambda y: f(y * x, depth - 1))(x)) + np.sum(x)

    got = tj.grad(lambda x: f(x, 4))(0.3)
    h = 1e-6
    np.testing.assert_allclose(got, (f(0.3 + h, 4) - f(0.3 - h, 4)) / (2 * h), rtol=1e-7)
