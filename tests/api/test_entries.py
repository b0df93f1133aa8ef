"""Calls that stay in machine code: after three of them the entry itself gives the result."""

import dataclasses

import numpy as np
import pytest

import tracejit as tj
from tracejit.api.variant import MISS

X = np.arange(4.0)


@tj.tree.register_dataclass(meta_fields=["kind"])
@dataclasses.dataclass(frozen=True)
class Layer:
    weight: np.ndarray
    bias: np.ndarray
    kind: str = "dense"


def warm(f, *args, **kwargs):
    for _ in range(3):
        out = f(*args, **kwargs)
    misses = f.cache_info().misses
    native = f._entry(*args, **kwargs)
    assert native is not MISS and f.cache_info().misses == misses
    return out, native


@pytest.mark.parametrize("x", [np.arange(8.0)[::2], np.asfortranarray(np.arange(12.0).reshape(3, 4)), np.arange(12.0).reshape(3, 4).T[1:]])
def test_strided_arrays(x):
    f = tj.jit(lambda x: x * 2.0 + 1.0)
    for out in warm(f, x):
        np.testing.assert_array_equal(out, x * 2.0 + 1.0)


def test_strided_arrays_that_are_returned_or_written():
    f = tj.jit(lambda x, y: (x, y + 1.0))
    strided = np.arange(8.0)[::2]
    for _ in range(4):
        x, y = f(strided, X)
        assert x is strided
    assert f(X, strided)[0] is X and f._entry(X, strided) is not MISS

    @tj.jit
    def write(x):
        x[1:] *= 2.0
        return x.sum()

    for _ in range(4):
        rows = np.ones((4, 2))
        assert write(rows[:, 0]) == 7.0
        np.testing.assert_array_equal(rows, [[1, 1], [2, 1], [2, 1], [2, 1]])
    assert write._entry(np.ones((4, 2))[:, 0]) is not MISS


def test_keywords():
    f = tj.jit(lambda a, b, *, c=1.0, power=1: (a - b * c) ** power, static_argnames="power")
    for out in warm(f, X, b=2.0, c=X):
        np.testing.assert_array_equal(out, X - 2.0 * X)
    for out in warm(f, X, c=X, b=2.0):  # in another order
        np.testing.assert_array_equal(out, X - 2.0 * X)
    for out in warm(f, c=3.0, a=X, b=X + 1, power=2):
        np.testing.assert_array_equal(out, (X - (X + 1) * 3.0) ** 2)
    np.testing.assert_array_equal(f(c=3.0, a=X, b=X + 1, power=3), (X - (X + 1) * 3.0) ** 3)
    np.testing.assert_array_equal(f(X, 1.0), X - 1.0)
    with pytest.raises(TypeError, match="unexpected keyword"):
        f(X, b=2.0, d=3.0)


def test_keywords_with_states_and_writes():
    class Counter:
        def __init__(self):
            self.total = np.zeros(4)

        @tj.jit
        def add(self, x, *, b, a):
            self.total = self.total + a * x - b
            x[0] = 5.0
            return self.total.sum()

    counter, expected = Counter(), np.zeros(4)
    for turn in range(6):
        x = X.copy()
        expected = expected + 2.0 * x - turn
        assert counter.add(x, a=2.0, b=float(turn)) == expected.sum()
        np.testing.assert_array_equal(counter.total, expected)
        assert x[0] == 5.0
    assert counter.add.cache_info().misses <= 2


def test_registered_containers():
    f = tj.jit(lambda layer, x: Layer(layer.weight * x, layer.bias + x, layer.kind + "!"))
    for out in warm(f, Layer(X, X + 1), X):
        assert type(out) is Layer and out.kind == "dense!"
        np.testing.assert_array_equal(out.weight, X * X)
        np.testing.assert_array_equal(out.bias, 2 * X + 1)
    assert f(Layer(X, X, "other"), X).kind == "other!"


def test_guards_without_python():
    f = tj.jit(lambda x: x * 2.0 if x.sum() > 0 else x - 1.0)
    for out in warm(f, X):
        np.testing.assert_array_equal(out, X * 2.0)
    assert type(f._entry).__name__ == "builtin_function_or_method"
    np.testing.assert_array_equal(f(-X), -X - 1.0)
    for _ in range(3):
        np.testing.assert_array_equal(f(X), X * 2.0)
        np.testing.assert_array_equal(f(-X), -X - 1.0)


SCALE = 2.0


class Settings:
    shift = 1.0
    __slots__ = ("factor", "parts", "table")

    def __init__(self):
        self.factor, self.parts, self.table = 3.0, [1.0, 2.0], {"a": 4.0}


def test_every_change_outside_is_seen_by_the_entry():
    global SCALE
    settings, offset = Settings(), 10.0

    def plain(x, extra=0.5):
        return x * SCALE * settings.factor + settings.shift + offset + sum(settings.parts) + settings.table["a"] + extra + len(settings.table)

    f = tj.jit(plain)

    def check():
        for _ in range(3):
            np.testing.assert_allclose(f(X), plain(X), rtol=1e-14)
        assert type(f._entry).__name__ == "builtin_function_or_method" and f._entry(X) is not MISS

    check()
    SCALE = 5.0
    assert f._entry(X) is MISS
    check()
    settings.factor = 7.0
    assert f._entry(X) is MISS
    check()
    Settings.shift = -1.0
    assert f._entry(X) is MISS
    check()
    offset = 20.0
    assert f._entry(X) is MISS
    check()
    settings.parts[1] = 9.0
    assert f._entry(X) is MISS
    check()
    settings.parts.append(1.0)
    assert f._entry(X) is MISS
    check()
    settings.table["a"] = 8.0
    assert f._entry(X) is MISS
    check()
    settings.table["b"] = 8.0
    assert f._entry(X) is MISS
    check()
    plain.__defaults__ = (0.75,)
    assert f._entry(X) is MISS
    check()
    SCALE, Settings.shift = 2.0, 1.0
