"""What plain Python reads of the things around a compiled function is never stale: it is read again, compared, or traced anew."""

from __future__ import annotations

import argparse
import collections
import functools
import threading
import types
from dataclasses import dataclass

import numpy as np
import pytest

import tracejit as tj

X = np.arange(1.0, 4.0)
TABLE = np.array([0, 1, 2])
SCALE, WEIGHTS = 2.0, np.ones(3)


def follows(f, change, *, traces: int | None = None, calls: int = 3):
    """`jit(f)` gives what `f` gives, before and after each of some changes; compiled at most `traces` times."""
    compiled = tj.jit(f)
    for step in range(4):
        for _ in range(calls):  # the third call goes to the native entry
            np.testing.assert_allclose(compiled(X), f(X), rtol=1e-14)
        change(step)
    if traces is not None:
        assert compiled.cache_info().misses == traces


def put(array, place=(0, 0)):
    def change(step):
        array[place] = step + 5.0

    return change


READS = {
    "element": (lambda w: lambda x: w @ x + w[0, 0], 1),
    "sum": (lambda w: lambda x: w @ x + w.sum(), 1),
    "row": (lambda w: lambda x: w @ x + w[0], 1),
    "inverse": (lambda w: lambda x: np.linalg.inv(w + 9 * np.eye(3)) @ x, 1),
    "only a number": (lambda w: lambda x: x * w[0, 0], 1),
    "float": (lambda w: lambda x: w @ x + float(w[0, 0]), 4),
    "another float": (lambda w: lambda x: w @ x + float(w[1, 1]), 1),
    "item": (lambda w: lambda x: x * w[0, 0].item() + w[0], 4),
    "tolist": (lambda w: lambda x: x * w.tolist()[0][0] + w[0], 4),
    "format": (lambda w: lambda x: x * float(f"{w[0, 0]:.3f}") + w[0], 4),
    "a branch": (lambda w: lambda x: w @ x if w[0, 0] > 6 else x - w[0], 2),
    "max of Python": (lambda w: lambda x: x * max(w[0]) + w[0], None),
    "a list": (lambda w: lambda x: sum([row * v for row, v in zip(w, x)]) + sum(list(w[0])), 1),
    "a helper": (lambda w: lambda x: (lambda a, b: a @ b + a[0, 0])(w, x), 1),
    "a plain library": (lambda w: lambda x: x * np.frombuffer(bytes(np.asarray(w)))[0] + w[0], 4),
    "grad": (lambda w: tj.grad(lambda x: (w[0] * x * x).sum() * w[0, 0]), 1),
    "vmap": (lambda w: tj.vmap(lambda x: w[0, 0] * x + w[1, 1] * x), 1),
    "cond": (lambda w: lambda x: tj.cond(x[0] > 0, lambda x: w @ x + w[0, 0], lambda x: x, x), 1),
    "scan": (lambda w: lambda x: tj.scan(lambda c, _: (w @ c + w[0, 0], None), x, None, length=3)[0], 1),
}


@pytest.mark.parametrize("read", READS)
def test_elements_of_an_array_that_is_read_and_passed(read):
    make, traces = READS[read]
    w = np.ones((3, 3))
    follows(make(w), put(w), traces=traces)
    strided = np.ones((6, 6))[::2, ::-2]
    follows(make(strided), put(strided))


@pytest.mark.parametrize("dtype", ["f4", "f2", "c16", ">f8", "i4", "?"])
def test_dtypes(dtype):
    w = np.ones((3, 3), dtype)
    follows(lambda x: w @ x + w[0, 0] + complex(w[0, 1]).real, lambda step: w.__setitem__((0, slice(2)), step % 2))


def test_large_arrays_are_read_at_each_call():
    w = np.ones(100_000)
    follows(lambda x: x * w.sum(), put(w, 0), traces=1)
    follows(lambda x: x * w[3] + (w * x[0]).sum(), put(w, 3), traces=1)
    follows(lambda x: x + w[:3], put(w, 1), traces=1)
    f = tj.jit(lambda x: x * float(w[3]))
    f(X)
    w[5] = 3.0  # has not been read
    f(X)
    assert f.cache_info().misses == 1
    table = np.arange(100_000) % 3
    follows(lambda x: x[table[0]] + (table * x[0]).sum(), lambda step: table.__setitem__(0, (step + 1) % 3))


def test_special_numbers_that_were_read():
    w = np.ones(3)

    def f(x):
        return np.copysign(x, float(w[0])) + w.item(1)

    compiled = tj.jit(f)
    for value in (1.0, np.nan, np.nan, 0.0, -0.0, 0.0, -np.inf):
        w[:2] = value
        for _ in range(3):
            np.testing.assert_array_equal(compiled(X), f(X))
    assert compiled.cache_info().misses == 5


def test_what_is_read_of_arguments_still_leaves_the_trace():
    w = np.ones(3)
    with pytest.raises(tj.errors.TracerConversionError, match=r"test_stale.py.*float\(\)"):
        tj.jit(lambda x: x * float((w * x).sum()))(X)


def test_zero_dimensional_arrays():
    a = np.array(2.0)
    follows(lambda x: x * a, put(a, ()), traces=1)
    follows(lambda x: x * a + float(a), put(a, ()))

    class State:
        t, n = np.array(1.0), np.array(3)

    state = State()
    state.t, state.n = np.array(1.0), np.array(3)
    t, n = state.t, state.n

    @tj.jit
    def step(x):
        state.t += 0.5
        state.n += 1
        return x * state.t * state.n

    for k in range(4):
        np.testing.assert_array_equal(step(X), X * (1.5 + 0.5 * k) * (4 + k))
    assert state.t is t and state.n is n and (t, n) == (3.0, 7)


def test_integers():
    table = np.array([0, 1, 2])
    follows(lambda x: x[table[0]] + table * x, lambda step: table.__setitem__(0, step % 3))
    follows(lambda x: sum([x[i] for i in table]) + table.sum(), lambda step: table.__setitem__(0, step % 3))
    follows(lambda x: x[table], lambda step: table.__setitem__(0, step % 3))
    mask = np.array([True, False, True])
    follows(lambda x: x[mask].sum() + mask.sum(), lambda step: mask.__setitem__(step % 3, not mask[step % 3]))


class Plain:
    def __init__(self):
        self.w, self.scale, self.items = np.ones(3), 2.0, [1.0, np.ones(3)]

    def __call__(self, x):
        return self.w * x * self.scale + self.w[0] + self.items[0] + self.items[1] * self.items[1][2]


def change_plain(holder):
    def change(step):
        if step % 2:
            holder.w = np.full(3, step + 0.5)
            holder.items[1] = np.full(3, step + 1.5)
        else:
            holder.w[0], holder.scale, holder.items[0] = step + 5, step + 2.0, step - 7.0
            holder.items[1][2] = step + 9

    return change


@dataclass
class Data:
    w: np.ndarray
    scale: float
    items: list

    __call__ = Plain.__call__


class Slots:
    __slots__ = ("items", "scale", "w")
    __init__, __call__ = Plain.__init__, Plain.__call__


@pytest.mark.parametrize("make", [
    Plain, Slots, lambda: Data(np.ones(3), 2.0, [1.0, np.ones(3)]), lambda: types.SimpleNamespace(**vars(Plain())),
    lambda: argparse.Namespace(**vars(Plain())),
], ids=["class", "slots", "dataclass", "SimpleNamespace", "argparse"])  # fmt: skip
def test_attributes(make):
    holder = make()
    follows(lambda x: Plain.__call__(holder, x), change_plain(holder))


@pytest.mark.parametrize("kind", [dict, collections.OrderedDict, collections.UserDict, collections.Counter, collections.defaultdict])
def test_mappings(kind):
    held = kind() if kind is not collections.defaultdict else kind(float)
    held.update({"a": 1.0, "w": np.ones(3)})
    follows(lambda x: held["w"] * x * held["a"] + held["w"][0] * len(held), lambda step: (
        held.update(a=step + 5.0), held["w"].__setitem__(0, step + 7.0), held.update({step: 1.0})))  # fmt: skip


@pytest.mark.parametrize("kind", [list, collections.deque, collections.UserList])
def test_sequences(kind):
    held = kind([1.0, np.ones(3)])

    def change(step):
        held[0] = step + 5.0
        held[1][0] = step + 7.0
        held.append(1.0)

    follows(lambda x: held[1] * x * held[0] + held[1][0] * len(held), change)


def test_defaults_and_partial_applications():
    def f(x, w=np.ones(3), *, k=np.ones(3), items=[2.0]):  # noqa: B006, B008
        return w * x + w[0] + k * k[1] + items[0]

    follows(f, lambda step: (put(f.__defaults__[0], 0)(step), put(f.__kwdefaults__["k"], 1)(step), put(f.__kwdefaults__["items"], 0)(step)))
    part = functools.partial(lambda w, x: w * x + w[0], np.ones(3))
    follows(part, put(part.args[0], 0), traces=1)


def reads_globals(x):
    return x * SCALE + WEIGHTS[0] + WEIGHTS * x + x[TABLE[0]]


def test_globals(monkeypatch):
    def change(step):
        monkeypatch.setitem(globals(), "SCALE", step + 5.0)
        monkeypatch.setitem(globals(), "TABLE", TABLE[::-1].copy())
        if step % 2:
            monkeypatch.setitem(globals(), "WEIGHTS", np.full(3, step + 2.0, [np.float32, np.float64][step // 2]))
        else:
            WEIGHTS[0] = step + 3.0

    follows(reads_globals, change)


def test_views_of_one_array():
    w = np.ones(4)
    part, reverse = w[:3], w[::-1]
    follows(lambda x: part * x + reverse[0] + w[1] + part[2], lambda step: w.__setitem__(step, step + 5.0))


def test_compiled_functions_inside_compiled_functions():
    w, table, traces = np.ones((3, 3)), np.array([0, 1, 2]), []

    @tj.jit
    def layer(x):
        traces.append(1)
        return np.tanh(w @ x) + w[1]

    @tj.jit
    def reader(x):
        return x * float(w[0, 0]) + w[0] + x[table[0]] if w[0, 1] < 3 else x

    def outer(x):
        for _ in range(3):
            x = layer(x)
        return reader(x) + reader(2 * x) + w[0, 0] + table[0]

    def change(step):
        w[0, 0], w[0, 1], table[0] = step + 5, step, step % 3

    compiled = tj.jit(outer)
    for step in range(5):
        with_numpy = X
        for _ in range(3):
            with_numpy = np.tanh(w @ with_numpy) + w[1]
        reading = [x * w[0, 0] + w[0] + x[table[0]] if w[0, 1] < 3 else x for x in (with_numpy, 2 * with_numpy)]
        for _ in range(3):
            np.testing.assert_allclose(compiled(X), sum(reading) + w[0, 0] + table[0], rtol=1e-14)
            np.testing.assert_allclose(layer(X), np.tanh(w @ X) + w[1], rtol=1e-14)
        change(step)
    assert len(traces) == 1  # for all layers, and calls outside


def test_a_callback_keeps_the_array():
    holder = types.SimpleNamespace(w=np.ones(3))

    @tj.jit
    def f(x):
        w = holder.w
        return tj.pure_callback(lambda v: v * w, x, x) + w[0]

    for value in (1.0, 2.0, 3.0):
        holder.w[0] = value
        np.testing.assert_array_equal(f(X), X * holder.w + value)


def test_functions_that_take_nothing_but_arrays():
    w = np.ones(3)

    def strict(a):
        if type(a) is not np.ndarray:
            a.ctypes
        return a[0]

    follows(lambda x: w * x + strict(w), put(w, 0), traces=4)


def test_an_error_of_the_function_is_met_once():
    w, calls = np.ones(3), []

    def f(x):
        calls.append(1)
        if w.shape[0] == 3:
            raise ValueError("of the user")
        return x

    with pytest.raises(ValueError, match="of the user"):
        tj.jit(f)(X)
    assert len(calls) == 1


def test_other_threads_meanwhile_have_the_array():
    w, seen = np.arange(9.0).reshape(3, 3), []
    begin, end = threading.Event(), threading.Event()
    holder = types.SimpleNamespace(w=w)

    def other():
        begin.wait(20)
        seen.extend([holder.w @ X, holder.w[0, 1] + 1.0, X * holder.w, holder.w.T[0], float(holder.w[1, 1]), holder.w.sum()])
        end.set()

    def f(x):
        begin.set()
        end.wait(20)
        return holder.w @ x

    thread = threading.Thread(target=other)
    thread.start()
    np.testing.assert_array_equal(tj.jit(f)(X), w @ X)
    thread.join()
    for found, wanted in zip(seen, [w @ X, 2.0, X * w, w[:, 0], 4.0, 36.0], strict=True):
        np.testing.assert_array_equal(found, wanted)
        assert isinstance(found, (np.ndarray, np.generic, float))


def test_first_calls_in_several_threads():
    w = np.full((30, 30), 0.1)
    inner = tj.jit(lambda x: np.tanh(w @ x) + w[0, 0])
    outer = tj.jit(lambda x: inner(x) @ w)
    failed = []

    def work(f, wanted):
        for _ in range(5):
            if not np.allclose(f(np.ones(30)), wanted):
                failed.append(f)

    wanted = np.tanh(w @ np.ones(30)) + w[0, 0]
    threads = [threading.Thread(target=work, args=pair) for pair in [(inner, wanted), (outer, wanted @ w)] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert type(w) is np.ndarray


def test_compiled_ahead_of_time():
    w, table = np.ones(3), np.array([0, 1, 2])
    for given in (X, tj.ShapeDtype((3,), np.float64)):
        w[:], table[0] = 1.0, 0
        compiled = tj.jit(lambda x: w * x + w[0]).lower(given).compile()
        reader = tj.jit(lambda x: x * float(w[1])).lower(given).compile()
        brancher = tj.jit(lambda x: x if w[1] > 0 else -x).lower(given).compile()
        taker = tj.jit(lambda x: x[table[0]]).lower(given).compile()
        w[0] = 5.0
        for _ in range(3):
            np.testing.assert_array_equal(compiled(X), w * X + w[0])
            np.testing.assert_array_equal(reader(X), X)
            np.testing.assert_array_equal(brancher(X), X)
            assert taker(X) == 1.0
        w[1], table[0] = -2.0, 1
        for program in (reader, brancher, taker):
            for _ in range(3):
                with pytest.raises(ValueError, match="test_stale.py"):
                    program(X)


def test_arrays_of_objects():
    held = np.array([1.0, np.ones(3), [2.0]], dtype=object)

    def change(step):
        held[0] = step + 5.0
        held[1][0] = step + 6.0
        held[2][0] = step + 7.0

    follows(lambda x: x * held[0] + held[1] + held[2][0], change)
    records = np.array([(1.0, "a"), (2.0, "b")], dtype=[("number", float), ("name", object)])
    follows(lambda x: x * records["number"][0], put(records["number"], 0))


def test_long_containers():
    numbers, table, nested = [0.0] * 30_000, dict.fromkeys(range(30_000), 0.0), [[1.0]] * 30_000
    follows(lambda x: x + numbers[7] + len(numbers), lambda step: (put(numbers, 7)(step), numbers.append(1.0)))
    follows(lambda x: x + table[7] + len(table), lambda step: (put(table, 7)(step), put(table, -step)(step)))
    follows(lambda x: x + nested[7][0], put(nested[0], 0))
    f = tj.jit(lambda x: x + numbers[7])
    f(X), f(X), f(X)
    assert f.cache_info().misses == 1


def test_default_dicts_that_grow_by_being_read():
    held = collections.defaultdict(lambda: np.ones(3))
    follows(lambda x: x * held["w"] + held["b"][0], lambda step: (put(held["w"], 0)(step), held.update(b=np.full(3, step + 2.0))))


def test_objects_of_libraries():
    sparse = pytest.importorskip("scipy.sparse").csr_matrix(np.eye(3))
    follows(lambda x: sparse.toarray() @ x, put(sparse.data, 1))
    spline = pytest.importorskip("scipy.interpolate").CubicSpline(np.arange(5.0), np.arange(5.0) ** 2)
    follows(lambda x: x * float(spline(1.5)), lambda step: np.multiply(spline.c, 2.0, out=spline.c))


def test_what_changes_at_each_call_is_told():
    w = np.zeros(3)
    f = tj.jit(lambda x: x * float(w[0]))
    with pytest.raises(tj.errors.GuardLimitError, match=r"as they are .*not `float"):
        for k in range(100):
            w[0] = k
            np.testing.assert_array_equal(f(X), X * k)
    generator = tj.random.default_rng(0)
    with pytest.raises(tj.errors.TracerConversionError, match=r"float\(\)"):
        tj.jit(lambda x: x * float(generator.random()))(X)
