"""What a traced function adds to lists and dicts outside of itself: done in each run, or an error that names the line; never a dead proxy."""

from __future__ import annotations

import collections
import types

import numpy as np
import pytest

import tracejit as tj
from tracejit.errors import LeakedTracerError, TracejitError

X = np.arange(3.0)


def alike(make, *, traces: int | None = None, transform=tj.jit):
    """A traced function does to what it closes over what the function itself does. `make` gives the function and what it changes."""
    f, held = make()
    g, expected = make()
    tj.clear_caches()
    compiled = transform(f)
    for k in range(4):
        compiled(k * X)
        g(k * X)
    assert_equal(held, expected)
    if traces is not None:
        assert compiled.cache_info().misses == traces


def assert_equal(a, b):
    if isinstance(b, types.SimpleNamespace):
        a, b = vars(a), vars(b)
    if isinstance(b, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(b, (list, tuple, collections.deque)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_equal(x, y)
        return
    assert isinstance(a, (np.ndarray, np.generic, float, int, str))
    np.testing.assert_array_equal(a, b)


def appends():
    history = []

    def f(x):
        history.append(2 * x)
        return x.sum()

    return f, history






def appends_in_dict():
    log = collections.defaultdict(list)

    def f(x):
        log["loss"].append(x.sum())
        return x.sum()

    return f, log


def new_keys():
    cache = {"a": 1.0}

    def f(x):
        cache["h"] = 2 * x
        cache.setdefault("s", x.sum())
        return x.sum()

    return f, cache


def appends_argument():
    history = []

    def f(x):
        history.append(x)
        return x.sum()

    return f, history


class Recorder:
    def __init__(self):
        self.history = []

    def __call__(self, x):
        y = np.tanh(x)
        self.history.append(y)
        return y.sum()


def in_an_object():
    recorder = Recorder()
    return recorder, recorder.history


MAKERS = [appends, appends_in_dict, new_keys, appends_argument, in_an_object]


@pytest.mark.parametrize("make", MAKERS)
def test_compiled(make):
    alike(make)


def test_a_list_that_grows_is_no_reason_to_trace_again():
    alike(appends, traces=1)
    alike(in_an_object, traces=1)


@pytest.mark.parametrize("make", MAKERS)
def test_grad(make):
    alike(make, transform=tj.grad)
    alike(make, transform=lambda f: tj.jit(tj.grad(f)))


def test_items_of_many_kinds():
    history = [np.ones(3), "begin"]

    @tj.jit
    def f(x):
        history.append(("loss", x.sum(), 3, None))
        history.extend([x + 1, {"mean": x.mean(), "name": "step"}])
        history.append(1.5)
        return x

    for k in range(3):
        f(k * X)
    assert len(history) == 14 and f.cache_info().misses == 1
    assert history[2] == ("loss", 0.0, 3, None) and history[6] == ("loss", 3.0, 3, None) and history[-1] == 1.5
    np.testing.assert_array_equal(history[7], X + 1)
    assert history[8] == {"mean": 1.0, "name": "step"}


def test_plain_items_are_added_once_a_trace():
    traces = []

    @tj.jit
    def f(x):
        traces.append(1)
        return x

    f(X), f(X), f(X)
    assert traces == [1]


def test_inside_another_compiled_function():
    history = []

    @tj.jit
    def inner(x):
        history.append(2 * x)
        return x + 1

    @tj.jit
    def outer(x):
        return inner(inner(x))

    for k in range(3):
        outer(k * X)
    np.testing.assert_array_equal(history, [v for k in range(3) for v in (2 * k * X, 2 * (k * X + 1))])
    inner(X)
    np.testing.assert_array_equal(history[-1], 2 * X)


@pytest.mark.parametrize("change", [
    lambda history, x: history.insert(0, x),
    lambda history, x: history.append(x) or history.append(len(history)),
    lambda history, x: history.append(x) or history.pop(0),
    lambda history, x: history.append(history[-1] + x),
], ids=["insert", "len", "pop", "item"])  # fmt: skip
def test_what_cannot_be_done_in_each_run(change):
    history = [1.0, 2.0]

    def f(x):
        change(history, x.sum())
        return x

    with pytest.raises(LeakedTracerError, match=r"test_growth.py:\d+ .*`history`.*return it"):
        tj.jit(f)(X)
    assert history == [1.0, 2.0]


def test_deques():
    recent = collections.deque(maxlen=2)

    def f(x):
        recent.append(x.sum())
        return x.sum()

    with pytest.raises(LeakedTracerError, match="`recent`"):
        tj.jit(f)(X)
    assert not recent
    for k in range(3):
        tj.grad(f)(k * X)
    assert list(recent) == [3.0, 6.0]


@pytest.mark.parametrize("transform", [
    lambda body: tj.vmap(body), lambda body: lambda x: tj.scan(lambda c, v: (c, body(v)), 0.0, x),
    lambda body: tj.jit(lambda x: tj.cond(x[0] > 0, body, lambda x: x, x)),
], ids=["vmap", "scan", "cond"])  # fmt: skip
@pytest.mark.parametrize("outer", [lambda f: f, tj.jit, lambda f: tj.jit(lambda x: f(x))], ids=["alone", "jit", "jit of a function"])
def test_bodies_cannot_add(transform, outer):
    history = []

    def body(x):
        history.append(x)
        return x

    with pytest.raises(LeakedTracerError, match=r"test_growth.py:\d+"):
        outer(transform(body))(X)
    assert history == []


@pytest.mark.parametrize("transform", [tj.jit, tj.grad])
def test_errors_leave_nothing_behind(transform):
    history, cache = [], {}

    def f(x):
        history.append(2 * x)
        cache["x"] = x
        raise ValueError("of the user")

    with pytest.raises(ValueError, match="of the user"):
        transform(f)(1.0)
    assert history == [] and cache == {}


@pytest.mark.parametrize("change, place", [
    (lambda d: d["l"].append(1.0), 'd["l"]'), (lambda d: d.update(new=1.0), "d"), (lambda d: d.pop("w"), "d"),
    (lambda d: d.__setitem__("w", 2 * d["w"]), 'd["w"]'), (lambda d: d["l"].__setitem__(0, 5.0), 'd["l"][0]'),
])  # fmt: skip
def test_containers_among_the_arguments(change, place):
    def f(x, d):
        change(d)
        return x

    given = {"w": X.copy(), "l": [1.0]}
    with pytest.raises(TracejitError, match=r"test_growth.py.*copies") as raised:
        tj.jit(f)(X, given)
    assert f"(`{place}`)" in str(raised.value)
    np.testing.assert_array_equal(given["w"], X)
    assert given["l"] == [1.0] and len(given) == 2

    def copies(x, d):
        d = dict(d)
        d["w"] = 2 * x
        return d

    np.testing.assert_array_equal(tj.jit(copies)(X, given)["w"], 2 * X)
