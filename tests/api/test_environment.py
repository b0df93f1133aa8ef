"""What a compiled function reads besides its arguments is as it is at each call: closures, globals, attributes, helper functions."""

import array
import collections
import dataclasses
import functools
import gc
import operator
import types
import weakref

import numpy as np
import pytest

import tracejit as tj

SCALE = 2.0
TABLE = np.arange(3.0)
SETTINGS = {"power": 2, "names": ["sin"]}


def helper(x):
    return x * SCALE


def test_globals_and_those_of_functions_that_are_called(monkeypatch):
    direct, through = tj.jit(lambda x: x * SCALE), tj.jit(lambda x: helper(x) + 1.0)
    for scale in (2.0, 3.0, 3, 2.0, np.float32(0.5)):
        monkeypatch.setitem(globals(), "SCALE", scale)
        for _ in range(3):
            assert direct(2.0) == 2.0 * scale and through(2.0) == 2.0 * scale + 1.0
    assert direct.cache_info().misses == 4  # 2.0 was known when it came again


def test_functions_that_are_defined_anew(monkeypatch):
    f = tj.jit(lambda x: helper(x))
    assert f(1.0) == 2.0
    monkeypatch.setitem(globals(), "helper", lambda x: x - 1.0)
    assert f(1.0) == 0.0
    monkeypatch.setitem(globals(), "helper", np.sin)
    assert f(1.0) == np.sin(1.0)


def test_containers_are_looked_into(monkeypatch):
    @tj.jit
    def f(x):
        for name in SETTINGS["names"]:
            x = getattr(np, name)(x)
        return x ** SETTINGS["power"]

    for names, power in ((["sin"], 2), (["sin", "exp"], 2), (["sin", "exp"], 3), ([], 3)):
        SETTINGS["names"][:] = names
        SETTINGS["power"] = power
        for _ in range(3):
            np.testing.assert_allclose(f(0.5), functools.reduce(lambda x, n: getattr(np, n)(x), names, 0.5) ** power)


def test_containers_of_the_standard_library():
    base = {"a": 1.0}
    holders = [
        collections.deque([1.0, 2.0]), collections.UserList([1.0, 2.0]), array.array("d", [1.0, 2.0]), bytearray(b"12"),
        collections.UserDict(a=1.0), collections.OrderedDict(a=1.0), collections.ChainMap({}, base), types.MappingProxyType(base),
    ]  # fmt: skip
    for held in holders:
        first = "a" if hasattr(held, "keys") else 0
        f = tj.jit(lambda x, held=held, first=first: x + held[first] + len(held))
        for _ in range(3):
            assert f(1.0) == 1.0 + held[first] + len(held)
        (base if isinstance(held, types.MappingProxyType) else held)[first] = 7
        assert f(1.0) == 8.0 + len(held)
        if hasattr(held, "append"):
            held.append(3)
            assert f(1.0) == 8.0 + len(held)


@pytest.mark.parametrize(
    "read",
    [
        lambda settings: getattr(settings, "rate"),  # noqa: B009
        lambda settings: sum(getattr(settings, name) for name in ["rate"]),
        lambda settings: vars(settings)["rate"],
        lambda settings: settings.__dict__["rate"],
        lambda settings: dataclasses.asdict(settings)["rate"],
        lambda settings: dataclasses.replace(settings, steps=2).rate,
        operator.attrgetter("rate"),
    ],
)
def test_attributes_by_name(read):
    @dataclasses.dataclass
    class Settings:
        rate: float = 2.0
        steps: int = 1

    settings = Settings()
    f = tj.jit(lambda x: x * read(settings))
    assert f(1.0) == f(1.0) == f(1.0) == 2.0
    settings.rate = 3.0
    assert f(1.0) == 3.0


def test_globals_by_name(monkeypatch):
    f = tj.jit(lambda x: x * globals()["SCALE"])
    assert f(1.0) == 2.0
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    assert f(1.0) == 5.0


def test_arrays_are_read_where_they_are_now(monkeypatch):
    f = tj.jit(lambda x: x + TABLE)
    for table in (TABLE, np.ones(3), np.zeros(3)):
        monkeypatch.setitem(globals(), "TABLE", table)
        for _ in range(3):
            np.testing.assert_array_equal(f(1.0), 1.0 + table)
        table += 5.0
        np.testing.assert_array_equal(f(1.0), 1.0 + table)
    assert f.cache_info().misses == 1
    monkeypatch.setitem(globals(), "TABLE", np.ones(4, np.float32))
    assert f(np.float32(1.0)).dtype == np.float32 and f(np.float32(1.0)).shape == (4,)


def test_arrays_that_python_has_read():
    order = np.array([2, 0, 1])
    f = tj.jit(lambda x: [x[int(i)] for i in order])
    for new in ([2, 0, 1], [0, 0, 1], [2, 0, 1]):
        order[:] = new
        for _ in range(3):
            assert f(np.arange(3.0) * 10.0) == [10.0 * i for i in new]


def test_one_array_under_two_names():
    a = b = np.ones(2)

    def f(x):
        return x * a + b

    compiled = tj.jit(f)
    np.testing.assert_array_equal(compiled(2.0), [3.0, 3.0])
    b = np.zeros(2)
    np.testing.assert_array_equal(compiled(2.0), [2.0, 2.0])


def test_closures():
    scale, shift = 2.0, 1

    def change(to):
        nonlocal scale
        scale = to

    f = tj.jit(lambda x: x * scale + shift)
    for value in (2.0, -1.0, 2.0, 7):
        change(value)
        for _ in range(3):
            assert f(3.0) == 3.0 * value + 1
    shift = 10
    assert f(3.0) == 31.0


class Model:
    bias = 1.0

    def __init__(self, scale):
        self.scale = scale
        self.inner = types.SimpleNamespace(gain=1.0)

    @property
    def doubled(self):
        return self.scale * 2.0

    def shifted(self, x):
        return x + self.bias

    @tj.jit
    def __call__(self, x):
        return self.shifted(x * self.doubled) * self.inner.gain


def test_attributes_of_the_instance_its_class_and_what_it_holds():
    m, other = Model(1.0), Model(5.0)
    for _ in range(3):
        assert m(3.0) == 7.0 and other(3.0) == 31.0
    m.scale = 2.0
    assert m(3.0) == 13.0 and other(3.0) == 31.0
    m.bias = 0.0
    assert m(3.0) == 12.0
    m.inner.gain = 10.0
    assert m(3.0) == 120.0
    Model.bias = 2.0
    try:
        assert other(3.0) == 32.0
    finally:
        Model.bias = 1.0
    m.scale = np.ones(2)
    for _ in range(3):
        np.testing.assert_array_equal(m(3.0), [60.0, 60.0])


def test_a_method_that_is_compiled_from_outside():
    m = Model(1.0)
    f = tj.jit(m.shifted)
    assert [f(1.0) for _ in range(3)] == [2.0] * 3
    m.bias = 4.0
    assert f(1.0) == 5.0
    g = tj.jit(functools.partial(lambda m, x: m.scale * x, m))
    assert g(2.0) == 2.0
    m.scale = 3.0
    assert g(2.0) == 6.0


def test_static_objects_may_change():
    @dataclasses.dataclass(eq=False)
    class Options:
        gain: float

    f = tj.jit(lambda options, x: options.gain * x, static_argnums=0)
    options = Options(2.0)
    assert [f(options, 3.0) for _ in range(3)] == [6.0] * 3
    options.gain = 3.0
    assert [f(options, 3.0) for _ in range(3)] == [9.0] * 3
    assert f(Options(3.0), 3.0) == 9.0


def test_slots_and_defaults():
    class Slotted:
        __slots__ = ("gain",)

    s = Slotted()
    s.gain = 2.0

    def plain(x, k=1.0):
        return x * s.gain * k

    f = tj.jit(lambda x: plain(x))
    assert [f(1.0) for _ in range(3)] == [2.0] * 3
    s.gain = 3.0
    assert f(1.0) == 3.0
    plain.__defaults__ = (10.0,)
    assert f(1.0) == 30.0


def test_what_the_function_changes_itself_is_no_reason_to_trace_again():
    traces, count = [], 0

    class Counter:
        calls = 0

    counter = Counter()

    @tj.jit
    def f(x):
        nonlocal count
        count += 1
        traces.append("traced")
        counter.calls += 1
        return x * 2.0

    for _ in range(4):
        assert f(1.0) == 2.0
    assert counter.calls == 4  # an attribute is a state, which each run advances
    traced = count
    assert traced == len(traces) and traced < 4
    for _ in range(3):
        f(1.0)
    assert count == traced and counter.calls == 7


def test_the_same_function_defined_in_a_loop_is_compiled_once():
    count = 0
    for k in range(6):

        def f(x, k=k % 2):
            nonlocal count
            count += 1
            return x * (k + 1)

        assert tj.jit(f)(2.0) == 2.0 * (k % 2 + 1)
    assert count == 2
    mats = [np.full((2, 2), float(i)) for i in range(4)]
    for m in mats:
        traced = []
        np.testing.assert_array_equal(tj.jit(lambda x: (traced.append(1), m @ x)[1])(np.ones(2)), m @ np.ones(2))
    assert not traced


def test_bounds_and_clearing(monkeypatch):
    import tracejit.api.cache as cache

    monkeypatch.setattr(cache, "SIGNATURES", 3)
    f = tj.jit(lambda x: x.sum() * 1.0)
    for n in range(1, 6):
        f(np.ones(n))
    assert f.cache_info().currsize == 3 and f.cache_info().misses == 5
    f(np.ones(5))
    f(np.ones(1))
    assert f.cache_info().misses == 6
    f.clear_cache()
    assert f.cache_info()[:2] == (0, 0) and f.cache_info().currsize == 0
    assert f(np.ones(5)) == 5.0


def test_environments_keep_nothing_alive():
    class Big:
        def __init__(self):
            self.table = np.ones(1000)

        @tj.jit
        def total(self, x):
            return np.sum(self.table) * x

    big = Big()
    assert [big.total(2.0) for _ in range(4)] == [2000.0] * 4
    dead = weakref.ref(big), weakref.ref(big.table)
    del big
    gc.collect()
    assert dead[0]() is None and dead[1]() is None


@pytest.mark.parametrize("transform", [tj.grad, tj.vmap, lambda f: tj.jit(tj.grad(f))])
def test_inside_transformations(transform, monkeypatch):
    f = transform(tj.jit(lambda x: x * x * SCALE))
    x = np.ones(2) if transform is tj.vmap else 1.0
    for scale in (2.0, 3.0, 2.0):
        monkeypatch.setitem(globals(), "SCALE", scale)
        np.testing.assert_allclose(f(x), scale * (1.0 if transform is tj.vmap else 2.0))


def test_defaults_of_functions_that_a_library_makes():
    """Two functions of one code in a library, which differ in their defaults, are two programs."""
    space = {}
    exec(compile("def made(n):\n    return lambda x, n=n: x * n", tj.__file__, "exec"), space)
    assert [float(tj.jit(space["made"](n))(1.0)) for n in (2.0, 3.0)] == [2.0, 3.0]
