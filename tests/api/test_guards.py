"""Python's control flow on traced values under `jit`: guards, variants, and what `explain` says."""

import math

import numpy as np
import pytest

import tracejit as tj


def relu(x):
    if x.sum() > 0.0:
        return np.sum(x * x)
    return -np.sum(x)


def halved(x):
    while np.sum(x * x) > 4.0:
        x = x * 0.5
    return np.sum(np.exp(x))


def newton(x):
    y = x[0]
    for _ in range(30):
        step = (y * y - 2.0) / (2.0 * y)
        y = y - step
        if abs(step) < 1e-9:
            break
    return y * np.sum(x)


def smallest(x):
    return min(x[0], x[1], x[2]) * max(x[0], 1.0)


def ordered(x):
    a, b, c = sorted([x[0], x[1], x[2]])
    return a + 10.0 * b + 100.0 * c


def early(x):
    if x[0] < 0.0:
        return x[0] * 0.0
    if x[1] < 0.0:
        return x[0] * x[1]
    return x[0] * x[1] * x[2]


def logic(x):
    if (x[0] > 0.0 and x[1] > 0.0) or not x[2] > 0.0:
        return np.sum(np.sin(x))
    return np.sum(np.cos(x))


def chained(x):
    return np.sum(x) * 2.0 if -1.0 < x[0] < 1.0 else np.sum(x)


def rows(x):
    total = 0.0
    for v in x:
        if v > 0.0:
            total = total + v
    return total * 1.0


def by_integer(x):
    n = int(x[0] * 0.0 + abs(x[1]) * 2.0)
    total = np.sum(x)
    for i in range(n):
        total = total + i * x[2]
    return total


def largest_place(x):
    names = ["first", "second", "third"]
    return x[0] * {"first": 1.0, "second": 2.0, "third": 3.0}[names[np.argmax(x)]]


def contained(x):
    return x[0] * 2.0 if 1.0 in x else x[0] * 3.0


def nested(x):
    if x[0] > 0.0:
        if x[1] > 0.0:
            y = x * 2.0
        else:
            y = x * 3.0
            for _ in range(2):
                if np.sum(y) < 10.0:
                    y = y + x
    else:
        y = -x
    return np.sum(y * y)


def all_positive(x):
    return np.prod(x) if (x > 0.0).all() else np.sum(x)


def counting(x):
    steps, y = 0, x
    while np.max(np.abs(y)) > 1.0:
        y, steps = y / 2.0, steps + 1
    return np.sum(y) * steps


def raising(x):
    try:
        assert np.sum(x) > 0.0, "negative"
        return np.sum(x)
    except AssertionError:
        return -2.0 * np.sum(x)


FUNCTIONS = [
    relu, halved, newton, smallest, ordered, early, logic, chained, rows, by_integer, largest_place, contained, nested, all_positive,
    counting, raising,
]  # fmt: skip
POINTS = [
    np.array(p) for p in ([1.0, 2.0, 3.0], [-1.0, -0.5, -0.2], [0.3, -1.2, 0.7], [3.0, 1.5, -2.5], [2.0, 1.2, 0.5], [-9.0, 8.0, 7.0], [0.1, 0.2, 0.3])
]  # fmt: skip


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_values_and_gradients_on_every_path(f):
    compiled, gradient = tj.jit(f), tj.jit(tj.grad(f))
    inside = tj.grad(compiled)
    for x in POINTS * 3:
        expected = f(x)
        result = compiled(x)
        assert np.dtype(type(result)) == np.dtype(type(expected))
        np.testing.assert_allclose(result, expected, rtol=1e-13)
        bare = tj.grad(f)(x)
        np.testing.assert_allclose(gradient(x), bare, rtol=1e-12)
        np.testing.assert_allclose(inside(x), bare, rtol=1e-12)
    info = compiled.cache_info()
    assert info.currsize == 1 and 1 < info.misses <= len(POINTS)


def test_inside_other_functions_the_outer_one_remembers():
    inner = tj.jit(relu)
    outer = tj.jit(lambda x: inner(x * 2.0) + halved(x))
    for x in POINTS * 2:
        np.testing.assert_allclose(outer(x), relu(x * 2.0) + halved(x), rtol=1e-13)
        np.testing.assert_allclose(tj.jit(tj.grad(outer))(x), tj.grad(lambda x: relu(x * 2.0) + halved(x))(x), rtol=1e-12)


def test_branches_on_integers_strings_and_plain_numbers():
    @tj.jit
    def power(x, n):
        result = 1.0
        for _ in range(n):
            result = result * x
        return result

    for n in (0, 1, 5, 1, 0, 3):
        for kind in (int, np.int64, np.int32):
            assert power(2.0, kind(n)) == 2.0**n
    assert tj.jit(lambda x, flag: x if flag else -x)(2.0, False) == -2.0
    assert tj.jit(lambda i: [10, 20, 30][i] + i * 0)(2) == 30
    assert tj.jit(lambda n: np.zeros(n).sum() + n)(3) == 3.0
    assert tj.jit(lambda b: bool(b))(True) is np.True_
    assert tj.jit(lambda n: n.item() + n)(np.int64(4)) == 8


def test_writes_happen_only_when_the_guards_hold():
    @tj.jit
    def f(a, x):
        if x > 0.0:
            a[0] = x
        else:
            a[1] += x
        return np.sum(a)

    plain, compiled = np.zeros(3), np.zeros(3)
    for x in (1.0, 2.0, -1.0, -2.0, 3.0, -4.0, 5.0, 6.0):
        if x > 0.0:
            plain[0] = x
        else:
            plain[1] += x
        assert f(compiled, x) == plain.sum()
        np.testing.assert_array_equal(compiled, plain)


def test_an_index_that_is_out_of_range_on_the_other_path():
    @tj.jit
    def f(x, i):
        return x[i] if i < 3 else x[0] * 0.0

    x = np.arange(3.0)
    for i in (2, 1, 7, 0, 5, 2, 9):
        for _ in range(3):
            assert f(x, i) == (x[i] if i < 3 else 0.0)


def test_assert_raises_at_the_call_that_breaks_it():
    @tj.jit
    def f(x):
        assert x > 0.0, "positive only"
        return np.sqrt(x)

    for _ in range(3):
        assert f(4.0) == 2.0
    for _ in range(2):
        with pytest.raises(AssertionError, match="positive only"):
            f(-4.0)
    assert f(9.0) == 3.0 and f.cache_info().misses == 3


def test_a_loop_that_does_not_end_names_its_line(monkeypatch):
    monkeypatch.setattr(tj.config, "max_nodes", 500)
    with pytest.raises(RuntimeError, match=r"test_guards.py:\d+ in .*forever"):

        @tj.jit
        def forever(x):
            while x > 0.0:
                x = x * 0.999
            return x

        forever(1.0)
    assert forever.cache_info().currsize == 0


def test_nan_takes_the_path_that_python_takes():
    f = tj.jit(lambda x: 1.0 * x if x > 0.0 else 2.0 + 0.0 * x)
    for x in (1.0, math.nan, -1.0, math.nan):
        np.testing.assert_equal(f(x), x if x > 0.0 else 2.0 + 0.0 * x)


def test_too_many_variants(monkeypatch):
    monkeypatch.setattr(tj.config, "max_variants", 4)

    @tj.jit
    def f(x, n):
        for _ in range(n):
            x = x * 2.0
        return x

    for n in range(4):
        assert f(1.0, n) == 2.0**n
    with pytest.raises(tj.GuardLimitError, match=r"test_guards.py.*the integer at .*test_guards.py:\d+ in .* was 3 last time.*fori_loop"):
        f(1.0, 9)
    assert f(1.0, 2) == 4.0

    @tj.jit
    def g(x):
        while x > 1.0:
            x = x / 2.0
        return x

    for k in range(4):
        g(2.0**k)
    with pytest.raises(tj.GuardLimitError, match=r"the condition at .*tracejit.while_loop.*tracejit.lift"):
        g(2.0**20)


def test_what_jit_cannot_know():
    with pytest.raises(tj.TracerBoolError, match="not known while scan of"):
        tj.jit(lambda x: tj.scan(lambda c, r: (c + r if r > 0.0 else c, None), 0.0, x)[0])(np.ones(3))
    with pytest.raises(ValueError, match="truth value of an array with more than one element is ambiguous"):
        tj.jit(lambda x: 1.0 if x > 0 else 0.0)(np.ones(3))
    with pytest.raises(ValueError, match="truth value of an empty array is ambiguous"):
        tj.jit(lambda x: 1.0 if x > 0 else 0.0)(np.ones(0))
    with pytest.raises(tj.TracerConversionError):
        tj.jit(lambda x: float(x))(1.0)
    with pytest.raises(TypeError, match="only 0-dimensional arrays"):
        tj.jit(lambda x: int(x))(np.ones(2, int))


def test_explain():
    f = tj.jit(lambda params, scale=1.0: np.sum(params["w"]) * scale if np.sum(params["w"]) > 0.0 else 0.0)
    w = np.ones(3)
    assert f.explain({"w": w}) == "compiles: nothing is compiled for this function"
    f({"w": w})
    assert f.explain({"w": w}).startswith("is compiled; the condition at ") and "test_guards.py" in f.explain({"w": w})
    assert f.explain({"w": np.ones(4)}) == 'compiles anew: argument `params["w"]`: shape (4,) was (3,)'
    assert f.explain({"w": np.ones(3, np.float32)}) == 'compiles anew: argument `params["w"]`: dtype float32 was float64'
    assert "was True" in f.explain({"w": -w}), f.explain({"w": -w})
    assert f.explain({"w": -w}).startswith("compiles anew: the condition at ")
    assert f.explain({"v": w}) == "compiles anew: argument `params`: dict with keys 'v' was dict with keys 'w'"
    assert f.explain({"w": (w, w)}) == 'compiles anew: argument `params["w"]`: tuple of length 2 was a leaf (float64[3])'
    assert f.explain({"w": w}, 1.0) == "compiles anew: 2 positional arguments were 1"
    assert f.explain(params={"w": w}) == "compiles anew: 0 positional arguments were 1"
    g = tj.jit(lambda x, n: x * n, static_argnums=1)
    g(1.0, 2)
    assert g.explain(1.0, 3) == "compiles anew: static argument 1: 3 was 2"
    assert f.cache_info().misses == 1
