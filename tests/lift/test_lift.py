"""What `lift` leaves to Python, what it refuses, and how the rewritten function stays the user's own."""

import doctest
import functools
import linecache
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest

import tracejit as tj
from tracejit.lift.source import SourceError

ARRAY = np.arange(6.0)
scale = 2.0


def kinds(f, *args):
    """The names of the loops and branches in a traced function's graph, those inside of others too."""
    found, todo = set(), [tj.jit(f).graph(*args)]
    while todo:
        for node in todo.pop().nodes:
            found.add(node.op.name)
            for value in node.params.values():
                todo += [g for g in (value if isinstance(value, tuple) else (value,)) if hasattr(g, "nodes")]
    return found & {"scan", "while_loop", "switch"}


# -- what becomes what
def summed(x):
    s = 0
    for v in x:
        s += v
    return s


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


# -- the function stays what it is
def test_globals_and_closures_are_live(monkeypatch):
    offset = 1.0

    def f(x):
        nonlocal offset
        s = x * 0
        for i in range(6):
            s += scale * i + offset
        offset = offset + 1
        return s

    lifted = tj.lift(f)
    assert lifted(0.0) == f(0.0) - 6 and offset == 3.0
    monkeypatch.setitem(globals(), "scale", 3.0)
    assert lifted(0.0) == 45 + 18


def test_defaults_keywords_methods_and_recursion():
    class Model:
        def __init__(self, w):
            self.w = w
            self.__hidden = 2.0

        @tj.lift
        def __call__(self, x, *more, power=2, **options):
            for _ in range(5):
                x = x * self.w + self.__hidden
            return x**power + len(more) + options.get("c", 0)

        @classmethod
        def make(cls, w):
            return cls(w)

    class Sub(Model):
        @tj.lift
        def __call__(self, x):
            y = super().__call__(x, power=1)
            return y if y > 0 else -y

    m = Model.make(0.5)
    assert m(1.0) == m(1.0, power=2) != m(1.0, 7, c=1, power=1)
    assert tj.jit(lambda x: Sub(0.5)(x))(-9.0) == Sub(0.5)(-9.0)

    @tj.lift
    def factorial(n):
        if n <= 1:
            return 1.0
        return n * factorial(n - 1)

    assert tj.jit(factorial)(5.0) == 120.0


def test_attributes_of_objects_are_carried():
    class Cell:
        def __init__(self, u):
            self.u = u
            self.count = 0

        def step(self, v):
            self.u[1:] = 0.5 * self.u[:-1]
            self.u = self.u + v
            self.count += 1

    def f(x):
        cell = Cell(x.copy())
        for i in range(7):
            cell.step(x[i % 6])
        return cell.u, cell.count

    for a, b in zip(tj.jit(tj.lift(f))(ARRAY), f(ARRAY)):
        np.testing.assert_allclose(a, b)
    assert kinds(tj.lift(f), ARRAY) == {"scan"}


def test_known_writes_in_a_callee_are_done_in_every_turn():
    def count(c):
        c[0] += 1

    def f(x):
        c = np.zeros(1)
        s = 0.0
        for i in range(6):
            s += x[i]
            count(c)
        return s * c[0]

    assert tj.jit(tj.lift(f))(ARRAY) == f(ARRAY) == 90


def test_decorators_are_not_applied_again():
    calls = []

    def noted(f):
        calls.append(f)

        @functools.wraps(f)
        def wrapper(*args):
            return f(*args) + 1

        return wrapper

    @noted
    def g(x):
        for i in range(6):
            x = x + i
        return x

    assert tj.jit(tj.lift(g))(1.0) == 17.0 and len(calls) == 1
    assert kinds(tj.lift(g), 1.0) == {"scan"}


def test_lambdas_partials_and_transforms_are_lifted_through():
    assert kinds(tj.lift(lambda x: summed(x) if x[0] > 0 else x[0]), np.ones(9)) == {"scan", "switch"}
    assert kinds(tj.lift(functools.partial(summed)), np.ones(9)) == {"scan"}
    assert kinds(tj.lift(tj.grad(summed)), np.ones(9)) == {"scan"}
    assert kinds(tj.lift(lambda x: tj.vmap(summed)(x)), np.ones((2, 9))) == {"scan"}


def test_functions_that_look_at_their_own_variables_are_left():
    def f(x):
        for _ in range(6):
            x = x + 1
        return locals()["x"]

    assert tj.jit(tj.lift(f))(1.0) == 7.0


def test_vmap_and_forward_mode():
    def f(x):
        s = 0.0
        for i in range(6):
            if x[i] > 2:
                s += x[i] ** 2
            else:
                s -= x[i]
        while s > 10:
            s = s / 2
        return s

    xs = np.random.default_rng(0).normal(size=(5, 6)) * 3
    np.testing.assert_allclose(tj.jit(tj.vmap(tj.lift(f)))(xs), [f(x) for x in xs])
    tangent = np.ones(6)
    wanted = tj.jvp(f, (xs[0],), (tangent,))
    found = tj.jit(lambda x, t: tj.jvp(tj.lift(f), (x,), (t,)))(xs[0], tangent)
    np.testing.assert_allclose(found, wanted)


def halved(x):
    total = 0.0
    while (half := x * 0.5) > 0.1:
        total += half
        x = half
    return total + half


def halved_three_times(x):
    total, turns = 0.0, 0
    while (half := x * 0.5) > 0.1 and turns < 3:
        if half > 2:
            x = half
            continue
        total += half
        x = half
        turns += 1
    else:
        total += 100 * half
    return total + half


def stopped_inside(x):
    found = 0.0
    for i in range(6):
        while (rest := x - i) > 1.5:
            x = x - 1
            if rest < 2.0:
                break
        else:
            found += 1
        found += rest
    return found


@pytest.mark.parametrize("f", [halved, halved_three_times, stopped_inside])
def test_conditions_that_bind_a_variable(f):
    compiled, slope = tj.jit(tj.lift(f)), tj.jit(tj.grad(tj.lift(f)))
    for x in (5.0, 3.0, 9.5, 0.1, 0.3):
        np.testing.assert_allclose(compiled(x), f(x))
        np.testing.assert_allclose(slope(x), tj.grad(f)(x))


def test_variable_that_only_a_loop_with_a_traced_bound_gives_a_value():
    def last(n, x):
        for k in range(n):  # noqa: B007
            x = x * 1.5
        return x + k

    def until(n, x):
        for k in range(n):  # noqa: B007
            if x > 9:
                break
            x = x * 1.5
        return k

    for f in (last, until):
        compiled = tj.jit(tj.lift(f))
        for n in (9, 1, 3, 12):
            assert compiled(n, 2.0) == f(n, 2.0)
        assert compiled.cache_info().misses == 1
        with pytest.raises(UnboundLocalError, match="'k'"):
            compiled(0, 2.0)


def test_no_warnings_where_all_is_compiled():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tj.jit(tj.lift(summed))(np.ones(1000))


def test_the_page_about_lifting():
    page = Path(__file__).resolve().parents[2] / "docs" / "lifting.md"
    assert doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0
