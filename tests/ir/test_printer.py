"""The printed source is what a person would write, runs, and keeps every dtype."""
from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.interpret import replay
from tracejit.ir import ArrayType, Builder, Graph, Literal, Var
from tracejit.ir.printer import literal, parameter, to_source
from tracejit.ops import elementwise, movement
from tracejit.ops.call import call
from tracejit.ops.core import Op

FLOAT = np.dtype(float)


def run(source: str, *args, name: str = "f"):
    space = {}
    exec(source, space)
    return space[name](*args)


def test_reads_like_numpy():
    graph = tj.trace(lambda x, y: np.sin(x) * y - 2.0)(np.ones(3), 1.0)
    lines = to_source(graph, "model").splitlines()
    assert lines[:4] == ["import numpy as np", "", "", "def model(a, b):  # float64[3], float64[]*"]
    assert [line.split("  #")[0] for line in lines[4:]] == ["    c = np.sin(a)", "    d = c * b", "    e = d - 2.0", "    return e"]
    assert all("# float64[3]  test_printer.py:" in line for line in lines[4:7])
    assert str(graph) == to_source(graph)


def test_gradient_of_a_network_runs():
    def loss(params, x, target):
        hidden = np.tanh(x @ params["w"] + params["b"])
        return np.mean((np.sum(hidden, axis=1) - target) ** 2) + np.max(params["b"])

    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        params = {"b": rng.standard_normal(3).astype(dtype), "w": rng.standard_normal((4, 3)).astype(dtype)}
        x, target = rng.standard_normal((5, 4)).astype(dtype), rng.standard_normal(5).astype(dtype)
        graph = tj.trace(tj.grad(loss))(params, x, target)
        b, w = run(str(graph), params["b"], params["w"], x, target)
        want = tj.grad(loss)(params, x, target)
        assert b.dtype == w.dtype == dtype
        np.testing.assert_allclose(b, want["b"], rtol=1e-5)
        np.testing.assert_allclose(w, want["w"], rtol=1e-5)


def test_indexing_is_numpys():
    source = str(tj.trace(tj.grad(lambda x, i: np.sum(x[i] ** 2) + np.sum(x.at[i].set(0.0))))(np.ones((3, 2)), np.array([0, 0])))
    assert "a[b]" in source and "np.add.at(" in source and "tracejit" not in source
    x, i = np.arange(6.0).reshape(3, 2), np.array([2, 2])
    np.testing.assert_array_equal(run(source, x, i), tj.grad(lambda x, i: np.sum(x[i] ** 2) + np.sum(x.at[i].set(0.0)))(x, i))


VALUES = [*map(np.float64, (2.5, np.nan, np.inf, -np.inf, -0.0, 5e-324)), *map(np.float32, (0.1, np.nan)), np.float16(-0.0), np.complex64(1 + 2j),
          *map(np.complex128, (complex(0.0, -0.0), complex(-0.0, np.inf))), np.int64(-3), np.int32(7), np.uint8(200), np.uint64(2**64 - 1), np.True_]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: f"{v.dtype}-{v}")
def test_literals_keep_dtype_and_bits(value):
    got = np.asarray(eval(literal(Literal(value)), {"np": np}))
    assert got.dtype == value.dtype
    assert got.tobytes() == value.tobytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.complex64, np.uint8, np.int32, np.bool_])
def test_literals_beside_arrays_are_python_numbers(dtype):
    b = Builder()
    x = b.input(ArrayType((2,), np.dtype(dtype)))
    one = Literal(dtype(1))
    (same,) = b.emit(elementwise.equal, (x, one), {})
    (chosen,) = b.emit(elementwise.select, (same, one, x), {})
    (largest,) = b.emit(elementwise.maximum, (x, one), {"tie": 0.5}) if np.dtype(dtype).kind != "c" else (x,)
    graph = b.finish((same, chosen, largest))
    assert np.dtype(dtype).name not in "".join(line.split("#")[0] for line in str(graph).splitlines())
    array = np.array([0, 1], dtype)
    for got, want in zip(run(str(graph), array), replay(graph, [array]), strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


def test_no_operand_fixes_two_literals():
    b = Builder()
    c = b.input(ArrayType((2,), np.dtype(bool)))
    source = str(b.finish(b.emit(elementwise.select, (c, Literal(np.float32(1)), Literal(np.float32(2))), {})))
    assert "np.where(a, np.float32(1.0), np.float32(2.0))" in source
    assert run(source, np.array([True, False])).dtype == np.float32


def test_more_variables_than_letters():
    b = Builder()
    x = b.input(ArrayType((), FLOAT))
    y = x
    for _ in range(26 * 27 + 5):
        (y,) = b.emit(elementwise.sin, (y,), {})
        (y,) = b.emit(elementwise.negative, (y,), {})
    graph = b.finish((y,))
    np.testing.assert_allclose(run(str(graph), 1.0), replay(graph, [np.float64(1.0)])[0])
    names = {line.split(" = ")[0].strip() for line in str(graph).splitlines() if " = " in line}
    assert len(names) == len(graph.nodes) and not names & {"as", "if", "in", "is", "or", "np", "f"}


def test_sub_graphs_are_functions_printed_once():
    inner = Builder()
    v = inner.input(ArrayType((3,), FLOAT))
    (w,) = inner.emit(elementwise.sin, (v,), {})
    graph = inner.finish((w, v))
    middle = Builder()
    v = middle.input(ArrayType((3,), FLOAT))
    nested = middle.finish(tuple(middle.emit(call, (v,), {"graph": graph})))
    b = Builder()
    x = b.input(ArrayType((3,), FLOAT))
    p, q = b.emit(call, (x,), {"graph": graph})
    r, s = b.emit(call, (p,), {"graph": nested})
    (t,) = b.emit(elementwise.add, (r, q), {})
    source = to_source(b.finish((t, s)), "outer")
    assert source.count("def ") == 3 and source.count("np.sin") == 1
    assert source.rindex("def ") == source.index("def outer")
    x = np.arange(3.0)
    t, s = run(source, x, name="outer")
    np.testing.assert_allclose(t, np.sin(np.sin(x)) + x)
    np.testing.assert_allclose(s, np.sin(x))


def test_outputs_that_are_inputs_literals_or_nothing():
    x = Var(ArrayType((2,), FLOAT))
    assert run(to_source(Graph((x,), (), (x, Literal(np.float32(2))))), "anything") == ("anything", np.float32(2))
    assert run(to_source(Graph((), (), ()))) == ()


def test_imports_only_what_is_used():
    assert to_source(tj.trace(lambda x: x + 1.0)(1.0)).startswith("import numpy as np\n\n\ndef")
    b = Builder()
    x = b.input(ArrayType((2,), FLOAT))
    source = to_source(b.finish(b.emit(elementwise.erf, (x,), {})))
    assert source.startswith("import numpy as np\nimport scipy.special\n\n\ndef")
    assert run(source, np.zeros(2)).tolist() == [0, 0]


def test_statements_that_follow():
    b = Builder()
    x, v = b.input(ArrayType((5,), FLOAT)), b.input(ArrayType((2,), FLOAT))
    source = str(b.finish(b.emit(movement.slice_add, (x, v), {"start": (1,), "step": (2,)})))
    assert "c = np.array(a)" in source and "c[1:4:2] += b" in source
    x = np.zeros(5)
    assert run(source, x, np.ones(2)).tolist() == [0, 1, 0, 1, 0] and not x.any()


def test_an_op_without_show_is_called_by_name():
    op = Op("unprintable", infer=lambda x, n: x, run=lambda xp, x, n: x * n)
    b = Builder()
    source = str(b.finish(b.emit(op, (b.input(ArrayType((), FLOAT)),), {"n": (1.5, np.inf)})))
    assert "import tracejit\n" in source
    assert "tracejit.ops.core.by_name['unprintable'].run(np, a, n=(1.5, np.inf))" in source


def test_parameters():
    assert parameter(np.dtype("float32")) == "np.dtype('float32')"
    assert parameter((1, (2,), "a", None, np.int32(3))) == "(1, (2,), 'a', None, np.int32(3))"
    assert parameter(np.nan) == "np.nan"
