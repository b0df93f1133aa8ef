"""A rewritten function stays the user's own: its variables, defaults, decorators, and whoever calls it."""

import functools
import warnings

import numpy as np
import pytest

import tracejit as tj

from .graphs import ARRAY, kinds, summed

scale = 2.0


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
