"""`where` with a branch outside its domain: every derivative is that of the branch taken, never NaN."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.interpret import replay
from tracejit.ir import spec
from tracejit.transforms.guard_select import guard_select

# name, function, where its derivative is infinite or undefined, a point inside its domain
SINGULAR = [
    ("log", np.log, 0.0, 0.5),
    ("log1p", np.log1p, -1.0, 0.5),
    ("sqrt", np.sqrt, 0.0, 0.5),
    ("cbrt", np.cbrt, 0.0, 0.5),
    ("divide", lambda x: 1 / x, 0.0, 0.5),
    ("quotient", lambda x: x / (x - 1), 1.0, 2.0),
    ("root power", lambda x: x**0.5, 0.0, 0.5),
    ("negative power", lambda x: x**-1.5, 0.0, 0.5),
    ("power", lambda x: np.power(x, x), 0.0, 0.5),
    ("arccos", np.arccos, 1.0, 0.5),
    ("arcsin", np.arcsin, -1.0, 0.5),
    ("arccosh", np.arccosh, 1.0, 2.0),
    ("arctanh", np.arctanh, 1.0, 0.5),
    ("hypot", lambda x: np.hypot(x, x), 0.0, 0.5),
    ("entropy", lambda x: x * np.log(x), 0.0, 0.5),
    ("norm", lambda x: np.sqrt(x * x), 0.0, 0.5),
    ("exp", lambda x: np.exp(x * 1000.0), 1.0, 0.5),
    ("out of domain", np.log, -1.0, 0.5),
]
# A branch f at x, beside one whose derivative is known: the derivative at the bad point, and for the next orders 0.
FORMS = [
    ("first", lambda f, bad: lambda x: np.where(x != bad, f(x), 2 * x), 2.0),
    ("second", lambda f, bad: lambda x: np.where(x == bad, 2 * x, f(x)), 2.0),
    ("negated", lambda f, bad: lambda x: np.where(np.logical_not(x != bad), 2 * x, f(x)), 2.0),
    ("nested", lambda f, bad: lambda x: np.where(x != bad, np.where(x < 100, np.sin(f(x) * x), 3.0), 0.5 * x), 0.5),
    ("nested outside", lambda f, bad: lambda x: np.where(x > 100, x, np.where(x != bad, np.exp(np.tanh(f(x))), 0.5 * x)), 0.5),
    ("both branches", lambda f, bad: lambda x: np.where(x != bad, f(x) + x, np.where(x == bad, x * 2, f(x) * f(x))), 2.0),
    ("in a list", lambda f, bad: lambda x: np.select([x > 50, x == bad, x > bad], [f(x), 2 * x, f(x) * x], f(x) / x), 2.0),
    ("shared", lambda f, bad: lambda x: (lambda y: np.where(x != bad, y * x, 0.0) + np.where(x != bad, y**2, 2 * x))(f(x)), 2.0),
    ("compiled inside", lambda f, bad: lambda x: np.where(x != bad, tj.jit(lambda v: f(v) * tj.jit(f)(v))(x), 2 * x), 2.0),
]
FIRST = [
    ("grad", lambda f: tj.grad(f)),
    ("jvp", lambda f: lambda x: tj.jvp(f, (x,), (1.0,))[1]),
    ("linearize", lambda f: lambda x: tj.linearize(f, x)[1](1.0)),
    ("jit of grad", lambda f: tj.jit(tj.grad(f))),
    ("jit of jvp", lambda f: tj.jit(lambda x: tj.jvp(f, (x,), (1.0,))[1])),
    ("grad of jit", lambda f: tj.grad(tj.jit(f))),
    ("jvp of jit", lambda f: lambda x: tj.jvp(tj.jit(f), (x,), (1.0,))[1]),
    ("vmap of grad", lambda f: lambda x: tj.vmap(tj.grad(f))(np.array([x, 0.6]))[0]),
    ("grad of vmap", lambda f: lambda x: tj.grad(lambda v: np.sum(tj.vmap(f)(v)))(np.array([x, 0.6]))[0]),
    ("jit of vmap of grad", lambda f: lambda x: tj.jit(tj.vmap(tj.grad(f)))(np.array([x, 0.6]))[0]),
]
SECOND = [
    ("grad of grad", lambda f: tj.grad(tj.grad(f))),
    ("jvp of grad", lambda f: lambda x: tj.jvp(tj.grad(f), (x,), (1.0,))[1]),
    ("grad of jvp", lambda f: tj.grad(lambda x: tj.jvp(f, (x,), (1.0,))[1])),
    ("jit of grad of grad", lambda f: tj.jit(tj.grad(tj.grad(f)))),
    ("grad of jit of grad", lambda f: tj.grad(tj.jit(tj.grad(f)))),
    ("third", lambda f: tj.grad(tj.grad(tj.grad(f)))),
]


@pytest.fixture(autouse=True)
def quiet():
    """The functions compute their undefined branches, as `where` does."""
    with np.errstate(all="ignore"):
        yield


def names(rows) -> list[str]:
    return [row[0] for row in rows]


@pytest.mark.parametrize("kind, derivative", FIRST + SECOND, ids=names(FIRST + SECOND))
@pytest.mark.parametrize("form, where, want", FORMS, ids=names(FORMS))
def test_logarithm_not_taken(form, where, want, kind, derivative):
    assert derivative(where(np.log, 0.0))(0.0) == (want if (kind, derivative) in FIRST else 0.0)


@pytest.mark.parametrize("name, f, bad, good", SINGULAR, ids=names(SINGULAR))
def test_every_function_not_taken(name, f, bad, good):
    for _, where, want in (FORMS[0], FORMS[3], FORMS[5]):
        g = where(f, bad)
        assert tj.grad(g)(bad) == want and tj.jvp(g, (bad,), (1.0,))[1] == want
        assert tj.grad(tj.grad(g))(bad) == 0.0 and tj.jvp(tj.grad(g), (bad,), (1.0,))[1] == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name, f, bad, good", SINGULAR, ids=names(SINGULAR))
@pytest.mark.parametrize("form, where, want", FORMS, ids=names(FORMS))
def test_everything_not_taken(name, f, bad, good, form, where, want):
    for kind, derivative in FIRST:
        assert derivative(where(f, bad))(bad) == want, kind
    for kind, derivative in SECOND:
        assert derivative(where(f, bad))(bad) == 0.0, kind


@pytest.mark.parametrize("name, f, bad, good", SINGULAR, ids=names(SINGULAR))
def test_branch_taken(name, f, bad, good):
    g, h = FORMS[3][1](f, bad), lambda x: np.sin(f(x) * x)
    for derivative in (tj.grad, lambda f: tj.jit(tj.grad(tj.grad(f)))):
        np.testing.assert_allclose(derivative(g)(good), derivative(h)(good), rtol=1e-9)


def test_numbers_beside_arrays():
    x = np.ones(3)
    for f in (lambda s: np.sum(np.where(s > 0, x / s, x)), lambda s: np.sum(np.where((s > 0) & (x > 0), x / s, x))):
        for derivative in (tj.grad, lambda f: tj.jit(tj.grad(f))):
            assert derivative(f)(0.0) == 0.0 and derivative(f)(2.0) == -0.75


def test_values_that_are_spread_inside_the_branch():
    x, s = np.ones(3), np.array([0.0, 2.0])
    f = lambda s: np.sum(np.where((s > 0)[:, None], x / s[:, None], 1.0))
    np.testing.assert_array_equal(tj.grad(f)(s), [0.0, -0.75])
    np.testing.assert_array_equal(tj.jit(tj.grad(f))(s), [0.0, -0.75])


def test_elements_that_move_inside_the_branch_keep_their_own_condition():
    """log(x).T under a condition: what is masked is an element's own place, not the place it moves to."""
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    mask = np.array([[True, True], [False, True]])
    for move in (lambda v: v.T, lambda v: v[::-1], lambda v: np.roll(v, 1, axis=0), lambda v: np.concatenate([v[1:], v[:1]]), lambda v: v[[1, 0]]):
        f = lambda x: np.sum(np.where(mask, move(np.log(x)), 0.0))
        want = tj.grad(lambda x: np.sum(mask * move(np.log(x))))(x)
        np.testing.assert_allclose(tj.grad(f)(x), want)
        np.testing.assert_allclose(tj.jit(tj.grad(f))(x), want)


def test_select_and_piecewise():
    x = np.array([0.0, 0.25, 2.0])
    f = lambda v: np.sum(np.select([v > 1, v > 0], [np.log(v), np.sqrt(v)], v))
    np.testing.assert_allclose(tj.grad(f)(x), [1.0, 1.0, 0.5])
    g = lambda v: np.sum(np.piecewise(v, [v > 1, v <= 1], [np.log, lambda w: 3 * w]))
    np.testing.assert_allclose(tj.jit(tj.grad(g))(x), [3.0, 3.0, 0.5])


@pytest.mark.parametrize(
    "f, x, want",
    [
        (lambda s: np.where(s == 0, 1.0, np.sin(s) / s), 0.0, 0.0),
        (lambda s: np.where(abs(s) < 1e-8, 1.0 + s / 2, np.expm1(s) / s), 0.0, 0.5),
        (lambda s: np.where(s > 20, s, np.log1p(np.exp(s))), 1000.0, 1.0),
        (lambda s: np.where(s > 0, s, np.exp(s) - 1), 1000.0, 1.0),
        (lambda s: np.where(s >= 0, 1 / (1 + np.exp(-s)), np.exp(s) / (1 + np.exp(s))), -1000.0, 0.0),
        (lambda s: np.where(s > 0, np.log(np.where(s > 0, s, 1.0)), s), 0.0, 1.0),
        (lambda s: np.where(s > 0, np.log(s), 0), np.float32(0), np.float32(0)),
        (lambda s: (lambda r: np.where(r > 0, np.sqrt(r), 0.0))(np.sum(s**2)), np.zeros(2), np.zeros(2)),
    ],
    ids=["sinc", "expm1(x)/x", "softplus", "elu", "logistic", "two wheres", "float32", "norm"],
)
def test_functions_as_people_write_them(f, x, want):
    for derivative in (tj.grad, lambda f: tj.jit(tj.grad(f)), lambda f: tj.grad(tj.jit(f))):
        got = derivative(f)(x)
        np.testing.assert_array_equal(got, want)
        assert got.dtype == np.asarray(want).dtype


def masks(f, *args) -> int:
    return sum(map(len, guard_select(tj.trace(f)(*args))[1].values()))


def test_nothing_is_masked_where_nothing_can_be_nan():
    graph = tj.trace(lambda x: np.log(x) / x)(1.0)
    assert guard_select(graph)[0] is graph
    assert masks(lambda x: np.log(x) / x, 1.0) == 0
    assert masks(lambda x: np.where(x > 0, x * 2, -x / 3 + 1), 1.0) == 0
    assert masks(lambda x: np.where(x > 0, np.maximum(x, 1.0), np.sum(x.reshape(2, 2).T)), np.ones(4)) == 0
    assert masks(lambda x: np.where(x > 0, np.log(x), 0.0), 1.0) == 1
    assert masks(lambda x: np.where(x > 0, np.log(x) + x, 0.0), 1.0) == 1  # the sum brings no NaN to x
    assert masks(lambda x: np.where(x > 0, np.log(np.exp(x / 2)) / 2, 0.0), 1.0) == 1  # where the branch is entered
    assert masks(lambda x: (lambda y: (np.where(x > 0, y, 0.0), y))(np.log(x)), 1.0) == 0  # y is a result of its own


def test_the_same_masks_each_time():
    f = lambda x, y: np.where(x > y, np.log(x) * np.where(y > 0, np.sqrt(y) / x, y), np.where(x[::-1] > 2, x / y, np.sum(x / y)))
    printed = {str(tj.trace(tj.grad(lambda x, y: np.sum(f(x, y))))(np.ones(3), np.ones(3))) for _ in range(5)}
    assert len(printed) == 1


def test_a_guarded_graph_has_the_same_values():
    """Calls that are part of a branch are inlined."""
    f = lambda x, y: np.where(x > y, np.log(x) * np.where(y > 0, np.sqrt(y) / x, y), tj.jit(lambda v: v / (v - 1))(x)) * y
    graph = tj.trace(f)(np.ones(3), np.ones(3))
    guarded, _ = guard_select(graph)
    assert guarded is not graph
    spec.check(guarded)
    args = [np.array([0.5, 2.0, 3.0]), np.array([1.0, 0.5, -1.0])]
    np.testing.assert_array_equal(replay(guarded, args)[0], replay(graph, args)[0])


# -- what is not element by element
def both(f, x):
    """The gradient, bare and compiled, which are the same."""
    bare, compiled = tj.grad(f)(x), tj.jit(tj.grad(f))(x)
    np.testing.assert_array_equal(bare, compiled)
    return bare


def test_the_condition_is_made_of_the_branch():
    """r is computed before the condition that guards it."""
    f = lambda s: (lambda r: np.sum(np.where(r > 0, s / r, 0)))(np.sqrt(np.sum(s * s)))
    np.testing.assert_array_equal(both(f, np.zeros(3)), np.zeros(3))
    np.testing.assert_allclose(both(f, np.array([3.0, 4.0])), [16 / 125 - 12 / 125, 9 / 125 - 12 / 125])
    g = lambda x: (lambda y: np.sum(np.where(np.isfinite(y), y, x)))(1 / x)
    np.testing.assert_array_equal(both(g, np.array([0.0, 2.0])), [1.0, -0.25])


def test_numbers_that_are_spread_inside_the_branch():
    v = np.ones(3)
    for root in (lambda s: np.sqrt(s[0]), lambda s: np.sqrt(s[:1]), lambda s: np.sqrt(s)[:1], lambda s: np.broadcast_to(np.sqrt(s[0]), 3)):
        f = lambda s: np.sum(np.where(v > 2, v / root(s), 0.0))  # holds for no element
        assert both(f, np.zeros(3))[0] == 0.0
        g = lambda s: np.sum(np.where(np.array([True, False, True]), v / root(s), 0.0))
        np.testing.assert_allclose(both(g, np.array([4.0, 1.0, 1.0]))[0], -2 * 0.5 / 8)
    singular_values = lambda a: (lambda s: np.sum(np.where(s[:, None] > 5, np.ones(3) / np.sqrt(s[:, None]), 0.0)))(np.linalg.svdvals(a))
    np.testing.assert_array_equal(both(singular_values, np.zeros((2, 2))), np.zeros((2, 2)))
    np.testing.assert_allclose(both(singular_values, np.diag([9.0, 0.0])), np.diag([-1.5 / 27, 0.0]))


def test_branches_that_are_reduced_moved_and_turned():
    x = np.array([0.0, 4.0, 9.0, 0.0])
    want = np.array([0.0, 0.25, 1 / 6, 0.0])
    for f in (
        lambda x: np.sum(np.where((x > 0)[::-1], np.sqrt(x)[::-1], 0.0)),
        lambda x: np.sum(np.where((x > 0).reshape(2, 2), np.sqrt(x).reshape(2, 2), 0.0)),
        lambda x: np.sum(np.where((x > 0).reshape(2, 2).T, np.sqrt(x.reshape(2, 2)).T, 0.0)),
        lambda x: np.sum(np.where(x > 0, np.max(np.sqrt(x).reshape(4, 1), axis=1), 0.0)),
        lambda x: np.sum(np.where(x > 0, np.sum(np.sqrt(x)[:, None] * np.ones((4, 3)), axis=1) / 3, 0.0)),
    ):
        np.testing.assert_allclose(both(f, x), want)


def test_whole_computations_under_one_condition():
    """A condition that is one number holds for everything that only the branch needs, whatever the operations."""
    for f in (
        lambda x: np.where(np.sum(x) > 0, np.linalg.norm(np.cumsum(np.log(x))), 1.0),
        lambda x: np.where(np.sum(x) > 0, np.log(np.linalg.det(np.outer(x, x) + 0 * np.eye(2))), 1.0),
        lambda x: np.where(np.any(x != 0), np.sum(np.linalg.solve(np.diag(x), np.ones(2))), 0.0) if np.all(x) else np.sum(x * 0),
        lambda x: np.where(np.sum(x) > 0, np.sum(np.sort(np.log(x))[::-1] @ np.ones((2, 2))), 0.0),
    ):
        np.testing.assert_array_equal(tj.grad(f)(np.zeros(2)), np.zeros(2))
    scanned = lambda x: np.where(x > 0, tj.scan(lambda c, a: (c / x + a, np.log(x)), 0.0, np.ones(3))[0], 2 * x)
    assert both(scanned, 0.0) == 2.0


def test_missing_data():
    """NaN in the data, or what only overflows, reaches no parameter either."""
    data = np.array([1.0, np.nan, 3.0])
    f = lambda mu: np.sum(np.where(np.isnan(data), 0.0, (data - mu) ** 2))
    assert both(f, 1.5) == -2.0
    g = lambda w: np.sum(np.where(np.isnan(data), 0.0, np.tanh(data * w[:3]) + data[:, None] @ w[3:]))
    assert np.all(np.isfinite(both(g, np.ones(4))[:1]))
    h = lambda x: np.sum(np.where(np.isnan(x), 0.0, x**2))
    np.testing.assert_array_equal(both(h, data), [2.0, 0.0, 6.0])


def test_deep_nests():
    """Many conditions, and many branches of one value, take time in proportion."""
    def nested(x):
        y = x
        for k in range(60):
            y = np.where(x > -k, y * np.sqrt(x + k), np.log(x + k))
        return y

    want = tj.grad(lambda x: np.prod(np.sqrt(x + np.arange(60.0))) * x / 1)(0.25)
    np.testing.assert_allclose(both(nested, 0.25), want, rtol=1e-10)
    many = lambda x: sum(np.where(x > k, np.log(x - k), 0.0) for k in range(60))
    np.testing.assert_allclose(both(many, 3.0), 1 / 3 + 1 / 2 + 1)
