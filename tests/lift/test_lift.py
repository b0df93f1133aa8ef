"""What `lift` compiles, what it leaves to Python, and what it refuses."""

import linecache
import traceback

import numpy as np
import pytest

import tracejit as tj
from tracejit.lift.source import SourceError

from .graphs import ARRAY, kinds, summed


# -- what becomes what
def test_a_counted_loop_is_a_scan_whatever_its_trip_count():
    sizes = []
    for n in (10, 10_000):
        graph = tj.jit(tj.lift(summed)).graph(np.ones(n))
        sizes.append(len(graph.nodes))
    assert sizes[0] == sizes[1] and kinds(tj.lift(summed), np.ones(10)) == {"scan"}


def test_short_loops_unroll():
    assert kinds(tj.lift(summed), np.ones(3)) == set()


def test_a_break_and_a_traced_bound_make_a_while():
    def until(x, n):
        s = 0.0
        for i in range(n):
            s += x[i]
            if s > 3:
                break
        return s

    assert kinds(tj.lift(until), np.ones(9), 5) == {"while_loop", "switch"}
    assert tj.jit(tj.lift(until))(np.ones(9), 5) == 4
    assert tj.jit(tj.lift(until))(np.ones(9), 2) == 2


def test_a_long_while_on_known_numbers_is_compiled():
    def decay(x):
        k = 0
        while k < 1000:
            x = x * 0.99 + 1
            k += 1
        return x, k

    assert kinds(tj.lift(decay), 1.0) == {"while_loop"}
    np.testing.assert_allclose(tj.jit(tj.lift(decay))(1.0), decay(1.0))


def test_nothing_traced_is_python():
    def weights(x):
        w = 1
        for k in range(1, 10):
            w = w * k if k % 2 else w
        return np.zeros(w // 100) + x  # a size: must be a Python number

    lifted = tj.lift(weights)
    assert tj.jit(lifted)(1.0).shape == weights(1.0).shape == lifted(1.0).shape


def test_results_have_numpys_dtypes():
    def f(x):
        whole, real, small = 0, 0, np.float32(0)
        for i in range(10):
            whole += i
            real += x[i]
            small = small + np.float32(1)
        return whole, real, small, x.astype(np.float32) * whole

    x = np.arange(10.0)
    for a, b in zip(tj.jit(tj.lift(f))(x), f(x)):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


def test_a_side_that_is_not_taken_is_not_computed():
    def guarded(x, i):
        y = 0.0
        if i < 5:
            y = x[i]
        return y

    f = tj.jit(tj.lift(guarded))
    assert f(np.ones(5), 7) == 0 and f(np.ones(5), 4) == 1


def test_while_whose_body_never_runs_raises_nothing():
    def search(x, n, i):
        s = 0.0
        while n > 0:
            s += x[i]
            n -= 1
        return s

    assert tj.jit(tj.lift(search))(np.ones(3), 0, 99) == 0
    with pytest.raises(IndexError):
        tj.jit(tj.lift(search))(np.ones(3), 1, 99)


# -- what stays Python
def test_what_cannot_be_compiled_unrolls_and_long_loops_say_so():
    def losses(x):
        found = []
        for i in range(100):
            found.append(x * i)
        return np.stack(found)

    with pytest.warns(tj.LiftWarning, match="100 turns .* the list `found` grows") as caught:
        out = tj.jit(tj.lift(losses))(2.0)
    np.testing.assert_array_equal(out, np.arange(100) * 2.0)
    assert caught[0].filename == __file__ and caught[0].lineno == losses.__code__.co_firstlineno + 2


def test_a_while_that_grows_a_list_unrolls_where_the_condition_can_be_asked():
    def halves(x):
        found = []
        while x > 1e-6:
            x = x / 1.2
            found.append(x)
        return np.stack(found)

    with pytest.warns(tj.LiftWarning, match="the list `found` grows"):
        np.testing.assert_allclose(tj.jit(tj.lift(halves))(1.0), halves(1.0))
    with pytest.raises(tj.TracerConversionError, match=r"test_lift.py:\d+: this loop cannot be compiled.*the list `found` grows"):
        tj.vmap(tj.lift(halves))(np.ones(3))


def test_everything_is_put_back_before_a_loop_unrolls():
    log, table = [], {}

    def f(x):
        for i in range(6):
            log.append(i)
            table[i] = float(i)
            x = x + i
        return x

    assert tj.jit(tj.lift(f))(1.0) == 16.0
    assert log == [0, 1, 2, 3, 4, 5] and table == {i: float(i) for i in range(6)}


def test_shapes_that_change_unroll():
    def f(x):
        s = 0.0
        for i in range(5):
            s += x.sum() + x[:i].sum()
            x = x[1:]
        return s

    x = np.arange(8.0)
    assert tj.jit(tj.lift(f))(x) == f(x)


def test_generators_comprehensions_try_and_with_are_pythons():
    def f(x):
        def rows():
            for i in range(6):
                yield x[i]

        total = sum(rows()) + sum([v * v for v in x])
        for i in range(6):
            try:
                if i == 3:
                    continue
                with np.errstate(all="ignore"):
                    total = total + x[i] / 2
            finally:
                total = total + 1
        return total

    assert tj.jit(tj.lift(f))(ARRAY) == f(ARRAY)


def test_a_branch_that_raises_asks_for_the_condition():
    def root(x):
        if x < 0:
            raise ValueError("negative")
        return np.sqrt(x)

    f = tj.jit(tj.lift(root))
    assert f(4.0) == 2.0
    with pytest.raises(ValueError, match="negative"):
        f(-1.0)


def test_assert():
    def root(x):
        assert x >= 0, "negative"
        return np.sqrt(x)

    f = tj.jit(tj.lift(root))
    assert f(4.0) == 2.0
    with pytest.raises(AssertionError, match="negative"):
        f(-1.0)


# -- errors
def test_a_variable_of_one_side_only():
    def f(x):
        if x > 0:
            y = x
        return y

    with pytest.raises(UnboundLocalError, match="'y'.*only one side of the branch at line"):
        tj.jit(tj.lift(f))(1.0)


def test_a_variable_of_a_loop_that_may_not_turn():
    def f(x):
        while x > 1:
            y = x
            x = x / 2
        return y

    with pytest.raises(UnboundLocalError, match="'y'.*may turn not even once: assign it before the loop"):
        tj.jit(tj.lift(f))(4.0)


def test_a_state_that_changes_shape_names_the_variable():
    def f(x):
        s = x[0]
        while np.sum(s) < 10:
            s = s + x
        return s

    with pytest.raises(TypeError, match=r"test_lift.py:\d+: this loop cannot be compiled.*`s` begins as float64\[\] and becomes float64\[3\]"):
        tj.vmap(tj.lift(f))(np.ones((2, 3)))


def test_sides_of_different_shape():
    def f(x):
        total = 0.0
        for i in range(6):
            if x[i] > 2:
                y = x
            else:
                y = x[1:]
            total += y.sum()
        return total

    def batch(xs):
        return tj.vmap(tj.lift(g))(xs)

    def g(x):
        if x[0] > 2:
            y = x
        else:
            y = x[1:]
        return y.sum()

    assert tj.jit(tj.lift(f))(ARRAY) == f(ARRAY)  # unrolled: jit answers each condition
    with pytest.raises(TypeError, match=r"this branch on a traced condition cannot be compiled, `y` has shape \(6,\) .* and \(5,\)"):
        batch(np.ones((2, 6)))


def test_aliases_that_depend_on_a_condition_are_not_written():
    def f(x):
        v = x * 1.0
        u = v
        if x[0] > 0:
            u = u * 2
        u[0] = 1
        return v

    def copied(x):
        v = x * 1.0
        u = v
        if x[0] > 0:
            u = u * 2
        u = u.copy()
        u[0] = 1
        return v + u

    line = f.__code__.co_firstlineno + 3
    with pytest.raises(tj.TracejitError, match=f"whether `v` shares memory with `u` depends on a traced condition at line {line}"):
        tj.jit(tj.lift(f))(ARRAY)
    np.testing.assert_array_equal(tj.jit(tj.lift(copied))(ARRAY), copied(ARRAY))


def test_errors_are_at_the_users_lines():
    def f(x):
        s = 0.0
        for i in range(10):
            s += x[i]
            s = s + np.dot(x, np.ones(3))  # here
        return s

    with pytest.raises(ValueError, match="not aligned") as info:
        tj.jit(tj.lift(f))(np.ones(10))
    mine = [frame for frame in traceback.extract_tb(info.value.__traceback__) if frame.filename == __file__]
    assert "# here" in linecache.getline(__file__, mine[-1].lineno)
    assert mine[-1].name == "f"
    assert f"{__file__}:{mine[-1].lineno} in " in str(info.value)
    assert info.value.__context__ is None


def test_plain_arrays_from_outside_are_written():
    target = np.zeros(6)

    def f(x):
        for i in range(6):
            target[i] += x[i]
        return x

    compiled = tj.jit(tj.lift(f))
    for k in range(1, 4):
        compiled(ARRAY)
        np.testing.assert_array_equal(target, k * ARRAY)


def test_what_cannot_be_lifted():
    with pytest.raises(TypeError, match="lift expects a function"):
        tj.lift(3)
    with pytest.raises(TypeError, match="written in Python"):
        tj.lift(len)
    with pytest.raises(TypeError, match="lift comes first"):
        tj.lift(tj.jit(summed))
    space = {}
    exec("def f(x):\n    return x", space)
    with pytest.raises(SourceError, match="test_lift.py.*cannot be read"):
        tj.lift(space["f"])


def test_a_trace_that_grows_too_large_names_its_loops(monkeypatch):
    monkeypatch.setattr(tj.config, "max_nodes", 200)

    def f(x):
        out = []
        for i in range(30):
            for j in range(30):
                out.append(x * i * j)
        return np.stack(out)

    line = f.__code__.co_firstlineno + 2
    with pytest.raises(
        RuntimeError, match=rf"the loop at .*test_lift.py:{line}, with the loop in it at line {line + 1}\. `tracejit.lift`.*fori_loop"
    ):
        tj.jit(f)(1.0)
    with pytest.raises(RuntimeError, match="left the loop at .* to Python: the list `out` grows"):
        tj.jit(tj.lift(f))(1.0)
