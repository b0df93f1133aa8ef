"""Callbacks: in order, once, under every transform; values from plain Python; printing and the prompt."""

import bdb
import io

import numpy as np
import pytest

import tracejit as tj

wraps = pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])
log = []


@pytest.fixture(autouse=True)
def empty_log():
    log.clear()


def note(tag, *values):
    tj.debug.callback(lambda *given: log.append((tag, *[np.asarray(v).tolist() for v in given])), *values)


def straight(x):
    note("x", x)
    y = np.sin(x)
    note("y", y)
    note("y", y)  # an equal call is not the same call
    note("end")
    return 2 * y


def looped(x):
    def turn(c, row):
        note("turn", c, row)
        note("-")
        return c * row, c

    return tj.scan(turn, x, np.array([1.0, 2.0, 3.0]))[0]


def turned(x):
    def turn(c):
        note("turn", c)
        return 2 * c

    return tj.while_loop(lambda c: c < 5, turn, x)


def branched(x):
    def positive(x):
        note("positive", x)
        return 2 * x

    def negative(x):
        note("negative")
        return -x

    return tj.cond(x > 0, positive, negative, x)


def expected(x):
    return [("x", x), ("y", np.sin(x)), ("y", np.sin(x)), ("end",)]


@wraps
class TestOrder:
    @pytest.mark.parametrize(
        "transform",
        [lambda f: f, tj.grad, tj.jacfwd, tj.hessian, lambda f: lambda x: tj.jvp(f, (x,), (1.0,)), lambda f: tj.grad(tj.jit(f))],
        ids=["value", "grad", "jacfwd", "hessian", "jvp", "grad of jit"],
    )
    def test_once_in_the_forward_pass(self, wrap, transform):
        f = wrap(transform(straight))
        for x in (1.0, 2.0, 3.0):
            log.clear()
            f(x)
            assert [entry[0] for entry in log] == ["x", "y", "y", "end"]
            np.testing.assert_allclose([entry[1] for entry in log[:3]], [x, np.sin(x), np.sin(x)])

    def test_each_example(self, wrap):
        wrap(tj.vmap(tj.grad(straight)))(np.array([0.0, 1.0]))
        assert [entry[0] for entry in log] == ["x", "x", "y", "y", "y", "y", "end"]
        assert log[0] == ("x", 0.0) and log[1] == ("x", 1.0)
        log.clear()
        wrap(tj.vmap(tj.vmap(lambda x: note("x", x))))(np.array([[1.0, 2.0], [3.0, 4.0]]))
        assert log == [("x", 1.0), ("x", 2.0), ("x", 3.0), ("x", 4.0)]

    @pytest.mark.parametrize("transform", [lambda f: f, tj.grad, tj.jacfwd, tj.hessian])
    def test_each_turn(self, wrap, transform):
        wrap(transform(looped))(1.0)
        assert log == [("turn", 1.0, 1.0), ("-",), ("turn", 1.0, 2.0), ("-",), ("turn", 2.0, 3.0), ("-",)]
        log.clear()
        wrap(transform(turned))(1.0)
        assert log == [("turn", 1.0), ("turn", 2.0), ("turn", 4.0)]

    @pytest.mark.parametrize("transform", [lambda f: f, tj.grad, tj.jacfwd])
    def test_the_branch_taken(self, wrap, transform):
        wrap(transform(branched))(1.0)
        wrap(transform(branched))(-1.0)
        assert log == [("positive", 1.0), ("negative",)]

    def test_batched_loops(self, wrap):
        wrap(tj.vmap(tj.grad(looped)))(np.array([1.0, 2.0]))
        assert log[:3] == [("turn", 1.0, 1.0), ("turn", 2.0, 1.0), ("-",)] and len(log) == 9

    def test_backward_rules(self, wrap):
        def bwd(_, ct):
            note("ct", ct)
            return (ct,)

        def body(x):
            note("value", x)
            return x

        f = tj.custom(body, vjp=(lambda x: (x, None), bwd))
        wrap(tj.grad(lambda x: tj.scan(lambda c, _: (2 * f(c), None), x, None, 2)[0]))(1.0)
        assert log == [("value", 1.0), ("value", 2.0), ("ct", 2.0), ("ct", 4.0)]


def test_python_decisions_do_not_repeat_what_happens():
    @tj.jit
    def f(x):
        note("x", x)
        return x if x > 0 else -x

    for x in (1.0, -1.0, 2.0, 3.0, -3.0):
        f(x)
    assert log == [("x", 1.0), ("x", -1.0), ("x", 2.0), ("x", 3.0), ("x", -3.0)]


def test_functions_that_only_do():
    f = tj.jit(lambda: note("nothing"))
    f()
    f()
    g = tj.jit(lambda x: note("x", x))
    assert g(1.0) is None
    assert log == [("nothing",), ("nothing",), ("x", 1.0)]


def test_the_function_gets_arrays_of_its_own():
    kept = []
    f = tj.jit(lambda x: (tj.debug.callback(kept.append, 2 * x), np.sum(x))[1])
    x = np.ones(3)
    for i in range(3):
        f(i * x)
        kept[-1] += 100
    assert [k[0] for k in kept] == [100, 102, 104] and x[0] == 1


@wraps
def test_errors_are_those_of_the_function(wrap):
    def fail(x):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        wrap(lambda x: (tj.debug.callback(fail, x), x)[1])(1.0)
    with pytest.raises(LookupError, match="mine"):
        wrap(lambda x: tj.pure_callback(fail, x, x))(1.0)


class TestPureCallback:
    @staticmethod
    def sine(x, method=None):
        return tj.pure_callback(lambda x: np.asarray(np.sin(x)), tj.ShapeDtype(np.shape(x), float), x, vmap_method=method)

    @wraps
    def test_values_and_trees(self, wrap):
        def callback(x, *, scale):
            assert type(x["a"]) is np.ndarray
            return {"sum": np.sum(x["a"]) * scale, "n": np.int64(3)}

        def f(x, scale):
            return tj.pure_callback(callback, {"sum": tj.ShapeDtype((), float), "n": tj.ShapeDtype((), int)}, {"a": x}, scale=scale)

        assert wrap(f)(np.ones(3), 2.0) == {"sum": 6.0, "n": 3}
        assert wrap(lambda x: tj.scan(lambda c, r: (c + self.sine(r), None), 0.0, x)[0])(np.ones(2)) == 2 * np.sin(1.0)

    @wraps
    @pytest.mark.parametrize("method, shapes", [("sequential", [(), ()] * 3), ("expand_dims", [(3,), (1,)]), ("broadcast_all", [(3,), (3,)])])
    def test_batches(self, wrap, method, shapes):
        seen = []

        def callback(x, y):
            seen.extend([np.shape(x), np.shape(y)])
            return np.asarray(x * y)

        f = tj.vmap(lambda x, y: tj.pure_callback(callback, tj.ShapeDtype((), float), x, y, vmap_method=method), in_axes=(0, None))
        np.testing.assert_array_equal(wrap(f)(np.arange(3.0), 2.0), [0, 2, 4])
        assert seen == shapes

    def test_with_a_derivative(self):
        f = tj.custom(lambda x: self.sine(x, "sequential"), jvp=lambda p, t: (self.sine(*p, "sequential"), np.cos(p[0]) * t[0]))
        np.testing.assert_allclose(tj.jit(tj.grad(f))(1.0), np.cos(1.0))
        np.testing.assert_allclose(tj.vmap(tj.grad(f))(np.ones(2)), np.cos(np.ones(2)))

    def test_refused(self):
        with pytest.raises(TypeError, match=r"test_callbacks.py.*has no derivative.*tj.custom"):
            tj.grad(self.sine)(1.0)
        with pytest.raises(ValueError, match="vmap_method"):
            tj.vmap(self.sine)(np.ones(2))
        with pytest.raises(ValueError, match="vmap_method is one of"):
            self.sine(1.0, "parallel")
        for result in (np.ones(2), np.float32(1.0), (1.0, 1.0)):
            with pytest.raises(TypeError, match=r"test_callbacks.py:\d+\) returned .* was announced"):
                tj.jit(lambda x, result=result: tj.pure_callback(lambda x: result, x, x))(1.0)


class TestPrint:
    def test_fields(self, capsys):
        tj.jit(lambda x: tj.debug.print("{0.shape} {name:.2f} {text!r}", x, name=x[0], text="t"))(np.ones(2))
        tj.jit(lambda x: tj.debug.print("{} and {}", x, "text"))(1.5)
        assert capsys.readouterr().out == "(2,) 1.00 't'\n1.5 and text\n"

    @pytest.mark.parametrize("text, error", [("{} {}", IndexError), ("{name}", KeyError), (3, TypeError)])
    def test_refused(self, text, error):
        with pytest.raises(error, match="test_callbacks.py.*debug.print"):
            tj.jit(lambda x: tj.debug.print(text, x))(1.0)


class TestBreakpoint:
    @staticmethod
    def at_prompt(commands):
        out = io.StringIO()

        def f(x):
            doubled, name = 2 * x, "text"
            tj.debug.breakpoint(stdin=io.StringIO(commands), stdout=out)
            return doubled if name else x

        assert tj.jit(f)(3.0) == 6.0
        return out.getvalue()

    def test_commands(self):
        out = self.at_prompt("v\np doubled + x\nname\n1 / 0\nw\nl\nc\n")
        for text in ("commands, doubled, name", "np.float64(9.0)", "'text'", "ZeroDivisionError", "test_callbacks.py", "-> "):
            assert text in out or text.startswith("commands")

    def test_end_of_input_goes_on(self):
        self.at_prompt("")

    def test_quit(self):
        with pytest.raises(bdb.BdbQuit):
            self.at_prompt("q\n")


class TestConstants:
    """What reads nothing of the function that is traced still happens at each of its runs, not once while it is traced."""

    def test_loops(self):
        f = tj.jit(lambda x: x + tj.fori_loop(0, 2, lambda i, s: (note("turn", i), s + 1)[1], 0))
        for _ in range(3):
            log.clear()
            f(1.0)
            assert log == [("turn", 0), ("turn", 1)]

    def test_while(self):
        f = tj.jit(lambda x: x + tj.while_loop(lambda s: s < 2, lambda s: (note("turn", s), s + 1)[1], 0))
        for _ in range(3):
            log.clear()
            f(1.0)
            assert log == [("turn", 0), ("turn", 1)]

    def test_compiled_functions(self):
        inner = tj.jit(straight)
        f = tj.jit(lambda x: x + inner(2.0))
        for _ in range(3):
            log.clear()
            f(1.0)
            assert [entry[0] for entry in log] == ["x", "y", "y", "end"]

    def test_of_an_outer_function(self):
        def f(x, flag):
            def turn(s, _):
                return s + tj.cond(flag, lambda: (note("branch"), 1.0)[1], lambda: 2.0), None

            return tj.scan(turn, x, None, 3)[0]

        assert tj.jit(f)(0.0, True) == 3.0
        assert log == [("branch",)] * 3
        log.clear()
        assert tj.grad(f)(0.0, True) == 1.0 and log == [("branch",)] * 3


def test_what_a_compiled_program_calls_runs_outside_of_traces():
    def host(v):
        assert type(np.zeros(2)) is np.ndarray
        return np.asarray(tj.jacfwd(np.sin)(v)).sum(axis=0)

    f = tj.jit(lambda x: tj.pure_callback(host, tj.ShapeDtype((2,), np.dtype(float)), x))
    x = np.array([0.5, 1.0])
    np.testing.assert_allclose(tj.grad(lambda y: np.sum(f(x)) * y)(1.0), np.sum(np.cos(x)))
    np.testing.assert_allclose(tj.jit(lambda y: f(x) * y)(2.0), 2 * np.cos(x))
