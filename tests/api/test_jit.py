"""`jit`: results are NumPy's in type, dtype, shape and value, for every kind of argument and every way to call."""

from __future__ import annotations

import collections
import dataclasses
import functools
import gc
import weakref

import numpy as np
import pytest

import tracejit as tj

from .agreement import affine, agrees, misaligned, read_only, same, x23

Pair = collections.namedtuple("Pair", "first second")


@tj.tree.register_dataclass
@dataclasses.dataclass
class Layer:
    weight: object
    bias: object = None

    @tj.jit
    def apply(self, x):
        return x @ self.weight + self.bias


# ------------------------------------------------------------------------------------------------------------------- arguments
memory_map_like = np.frombuffer(x23.tobytes()).reshape(2, 3)


@pytest.mark.parametrize(
    "x",
    [
        x23,
        x23[::-1, ::-1],
        np.arange(20.0).reshape(4, 5)[::2, 1::2],
        np.asfortranarray(x23),
        x23.T,
        np.broadcast_to(np.arange(3.0), (2, 3)),
        read_only,
        misaligned,
        memory_map_like,
        x23.astype(">f8"),
        x23.astype(">f4"),
        np.zeros((0, 3)),
        np.zeros((3, 0, 2)),
        np.zeros(0),
        np.array(2.0),
        np.float32(2.0),
        np.float64(2.0),
        np.int8(2),
        np.complex64(1 + 2j),
        x23[1, 1:2],
        np.zeros((1, 1, 1, 1, 1, 1)),
    ],
    ids=lambda x: f"{type(x).__name__}-{x.dtype.str}-{x.shape}-{np.asarray(x).strides}",
)
def test_layouts_of_arguments(x):
    before = np.array(x)
    agrees(affine, x)
    agrees(lambda a, b: (a + b, a.sum(), b.T * 2), x, x)
    np.testing.assert_array_equal(x, before)


def test_alternating_layouts_and_signatures():
    f = tj.jit(affine)
    kinds = [
        x23,
        1.5,
        x23[::-1],
        2,
        np.float32(3),
        x23.astype(np.float32),
        x23[0],
        np.asfortranarray(x23),
        x23.astype(">f8"),
        True,
        1j,
        np.array(3.0),
        x23[:0],
    ]
    for _ in range(3):
        for x in kinds:
            same(f(x), affine(np.asarray(x)[()] if not isinstance(x, np.ndarray) else x))


@pytest.mark.parametrize("x", [1.5, 3, True, 1 - 2j])
def test_python_numbers(x):
    same(tj.jit(lambda v: v * v)(x), np.asarray(x * x)[()])
    assert tj.jit(lambda v: v)(x) is x
    agrees(lambda v, w: v + w, np.ones(3), x)


@pytest.mark.parametrize("dtype", ["float32", "float16", "complex64", "int8", "uint16", "int32"])
def test_python_numbers_are_weak(dtype):
    """A Python number takes the dtype of the array beside it, a NumPy scalar does not."""
    x = np.arange(3).astype(dtype)
    agrees(lambda v, s: v * s, x, 2)
    agrees(lambda v, s: (v * s + s, s * 2, s - v), x, 2)
    agrees(lambda v, s: v * s, x, np.float64(2.0))
    agrees(lambda v, s: v * s, x, np.int64(2))
    agrees(lambda v, s: v * s, x[1], 2)
    agrees(lambda v, s: v * s, x[1], np.float64(2.0))
    agrees(lambda v: v * 3 + 1, x)
    if np.dtype(dtype).kind in "fc":
        agrees(lambda v, s: v * s, x, 2.5)
        agrees(lambda v, s: (v * (s * 2.0), (s + 1) * v), x, 2.5)


def test_integers_wrap():
    agrees(lambda x: x * 100, np.arange(5, dtype=np.int8))
    agrees(lambda x: x - np.uint8(3), np.arange(5, dtype=np.uint8))
    agrees(lambda x: -x, np.arange(5, dtype=np.uint8))
    agrees(lambda x: x * x, np.array([2**62, 3, -(2**63)]))
    agrees(lambda x: abs(x), np.array([-128, 127], np.int8))
    agrees(lambda x: (x // np.int32(-1), x % np.int32(-1)), np.array([-(2**31), 5], np.int32))
    agrees(lambda x: (x // np.array([0, 1, -2]), x % np.array([0, 1, -2])), np.array([7, 7, 7]))


@pytest.mark.parametrize("other", ["bool", "int8", "uint8", "int32", "int64", "uint64", "float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("dtype", ["bool", "int16", "int64", "uint64", "float32"])
def test_mixed_dtypes(dtype, other):
    a, b = np.arange(4).astype(dtype), np.arange(1, 5).astype(other)
    agrees(lambda a, b: (a + b, a * b, a / b, a == b, a < b if np.iscomplexobj(b) is False else a != b), a, b)
    agrees(lambda a, b: a + b, a, b[2])


def test_booleans():
    agrees(lambda x: (x > 1, (x > 1) & (x < 4), ~(x > 2), (x > 1).sum(), (x > 1).any(), x[0, 0] > 1), x23)
    agrees(lambda b: np.where(b, 1.0, -1.0), x23 > 2)


def test_large_results():
    x = np.arange(1e6).reshape(1000, 1000)
    f = tj.jit(lambda x: (x + 1, x.sum(axis=0)))
    kept = [f(x + k) for k in range(5)]
    rows = [f(x + k)[0][3] for k in range(5)]  # a row keeps its array, which is not used again
    for _ in range(3):
        f(x * 0)
    for k in range(5):
        np.testing.assert_array_equal(kept[k][0], x + k + 1)
        np.testing.assert_allclose(kept[k][1], (x + k).sum(axis=0), rtol=1e-13)
        np.testing.assert_array_equal(rows[k], x[3] + k + 1)


# ----------------------------------------------------------------------------------------------------------- containers and results
@pytest.mark.parametrize(
    "f, args",
    [
        (lambda d: {"z": d["a"] + 1, "b": [d["c"][0] * 2, (d["c"][1],)]}, ({"a": x23, "c": (x23, 3.0)},)),
        (lambda p: Pair(p.second, p.first + 1), (Pair(x23, 2.0),)),
        (lambda p: [p[0], *p[1]], ([x23, [x23 * 2, (1.0,)]],)),
        (lambda x: ({}, [], (), None), (x23,)),
        (lambda x: None, (x23,)),
        (lambda x, y: (x * 2, y), (x23, None)),
        (lambda d: collections.OrderedDict(b=d["a"], a=d["b"]), (collections.OrderedDict(b=x23, a=2.0),)),
        (lambda d: d, (collections.defaultdict(list, a=x23),)),
        (lambda d: d, (collections.deque([x23, 2.0]),)),
        (lambda x: {"nested": {"deeply": [({"x": x},)]}}, (x23,)),
        (lambda d: d["b"] - d["a"], ({"b": 5.0, "a": x23},)),
        (lambda d: {3: d[1], 1: d[2]}, ({2: x23, 1: 1.0},)),
    ],
)
def test_containers(f, args):
    agrees(f, *args)


def test_dataclasses():
    layer = Layer(np.ones((3, 2)), [1.0])
    out = tj.jit(lambda p: Layer(p.weight * 2, (p.bias[0], None)))(layer)
    np.testing.assert_array_equal(out.weight, 2 * layer.weight)
    assert out.bias == (1.0, None)


def test_the_order_of_keys_does_not_matter():
    f = tj.jit(lambda d: d["a"] - d["b"])
    for d in ({"a": 3.0, "b": 1.0}, {"b": 1.0, "a": 3.0}) * 3:
        assert f(d) == 2.0


def test_constant_results():
    agrees(lambda x: (x + 1, 1, 2.5, True, 1j, np.float32(2), np.arange(3), None), x23)
    agrees(lambda x: (np.zeros(2), np.ones((2, 2)) * 3), x23)
    agrees(lambda: (1.5, np.zeros(2)))


def test_zero_dimensional_results_are_scalars():
    f = tj.jit(lambda x: (x.sum(), x[0, 0], np.argmax(x), x[0, 0] > 0, x.sum().astype(np.float32)))
    for _ in range(3):
        assert [type(r) for r in f(x23)] == [np.float64, np.float64, np.int64, np.bool, np.float32]


# ------------------------------------------------------------------------------------------------------------------- calling
def test_keyword_arguments_and_defaults():
    agrees(lambda x, *, s=2.0: x * s, x23, s=3.0)
    agrees(lambda x, s=2.0: x * s, x23)
    agrees(lambda x, s=2.0: x * s, s=np.float32(2), x=x23)
    agrees(lambda **k: k["a"] - k["b"], b=x23, a=1.0)
    agrees(lambda *a, **k: a[0] + a[1] * k["s"], 1.0, x23, s=2)
    agrees(functools.partial(lambda a, b, c=1: a * b + c, 2.0, c=x23), x23)
    agrees(np.add, x23, x23)
    agrees(np.sum, x23)
    agrees(max, [2.0])


class Model:
    """Methods: arrays of the instance are closed over."""

    def __init__(self, k):
        self.k = k

    @tj.jit
    def times(self, x):
        return x * self.k

    @functools.partial(tj.jit, static_argnums=2)
    def power(self, x, n):
        return x**n * self.k

    @functools.partial(tj.jit, static_argnames="flip")
    def signed(self, x, flip=False):
        return -x if flip else x

    @tj.jit
    @staticmethod
    def double(x):
        return x * 2

    @classmethod
    @tj.jit
    def name_length(cls, x):
        return x * len(cls.__name__)

    @tj.jit
    @classmethod
    def name_length_too(cls, x):
        return x * len(cls.__name__)

    def __call__(self, x):
        return x * self.k


class Slotted:
    """No weak references to instances."""

    __slots__ = ("k",)

    def __init__(self, k):
        self.k = k

    @tj.jit
    def times(self, x):
        return x * self.k


def test_methods():
    a, b = Model(2.0), Model(np.full(3, 3.0))
    for _ in range(3):
        same(a.times(x23), x23 * 2)
        same(b.times(x23), x23 * 3)
        same(a.power(x23, 2), x23**2 * 2)
        same(a.power(x23, n=3), x23**3 * 2)
        same(a.power(x=x23, n=3), x23**3 * 2)
        same(a.signed(x23), x23)
        same(a.signed(x23, True), -x23)
        same(b.signed(x23, flip=True), -x23)
        same(Model(4.0).times(x23), x23 * 4)  # the instance lives for this call alone
        same(Slotted(5.0).times(x23), x23 * 5)
        for holder in (Model, a):
            same(holder.double(x23), x23 * 2)
            same(holder.name_length(x23), x23 * 5)
            same(holder.name_length_too(x23), x23 * 5)
    agrees(a, x23)
    b.k[:] = 7.0  # arrays are read at each call
    same(b.times(x23), x23 * 7)
    assert "Model.times" in repr(a.times) and "return" in str(a.times.graph(x23))


def test_methods_of_containers_take_them_as_arguments():
    layer = Layer(np.ones((3, 2)), np.zeros(2))
    for k in range(1, 4):
        layer.weight = np.full((3, 2), float(k))  # a new array, and no new trace
        same(layer.apply(x23), x23 @ layer.weight)


def test_methods_do_not_keep_their_instance():
    model = Model(2.0)
    model.times(x23), model.times(x23)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_static_arguments():
    seen = []

    @functools.partial(tj.jit, static_argnums=(0, 2), static_argnames="mode")
    def f(n, x, shift, mode="up", scale=1.0):
        seen.append((n, shift, mode))
        return (x * n + shift if mode == "up" else x * n - shift) * scale

    for _ in range(3):
        same(f(2, x23, 3), x23 * 2 + 3)
        same(f(2, x23, shift=3), x23 * 2 + 3)
        same(f(n=2, x=x23, shift=3), x23 * 2 + 3)
        same(f(2, x23, 3, "down"), x23 * 2 - 3)
        same(f(2, x23, 3, mode="down", scale=2.0), (x23 * 2 - 3) * 2)
    assert len(seen) == 5  # one trace for each way of calling
    g = tj.jit(lambda x, n: x * n, static_argnums=-1)
    same(g(x23, 3), x23 * 3)


@pytest.mark.parametrize(
    "values, f",
    [
        ([2, 2.0, True, np.int8(2), np.float32(2)], lambda x, s: x * s),
        ([(2,), (2.0,), (True,)], lambda x, s: x * s[0]),
        ([((1, 2), 3), ((1, 2.0), 3)], lambda x, s: x * s[0][1]),
        ([0.0, -0.0], lambda x, s: np.copysign(x, s)),
        ([Pair(1, 2), (1, 2), Pair(1, 2.0)], lambda x, s: x * s[1] + isinstance(s, Pair)),
        ([float("nan"), 1.0], lambda x, s: x * 0 + s),
        (["a", "b", b"a"], lambda x, s: x * len(s) + (s == "a")),
        ([np.float64, np.float32], lambda x, s: x.astype(s)),
        ([None, 1], lambda x, s: x if s is None else x * 2),
        ([frozenset({1}), frozenset({1, 2})], lambda x, s: x * len(s)),
        ([slice(0, 2), slice(0, 1), slice(None, None, -1)], lambda x, s: x[s]),
        ([(slice(0, 2), None), (slice(1, 2), None), (..., slice(0, 1))], lambda x, s: x[s]),
    ],
)
def test_static_values_are_told_apart(values, f):
    traces = []

    def counted(x, s):
        traces.append(s)
        return f(x, s)

    compiled = tj.jit(counted, static_argnums=1)
    for x in (np.arange(3), np.arange(3.0)):
        for _ in range(3):
            for s in values:
                same(compiled(x, s), f(x, s))
    assert len(traces) == 2 * len(values)


def test_a_decorator_with_arguments():
    @tj.jit(static_argnames="n")
    def f(x, n):
        """Documentation."""
        return x * n

    assert f.__name__ == "f" and f.__doc__ == "Documentation." and "test_jit.py" in repr(f)
    same(f(x23, n=2), x23 * 2)


# ------------------------------------------------------------------------------------------------------------------- what was built
def test_what_was_built_can_be_looked_at():
    f = tj.jit(lambda x, n: np.sum(np.exp(x) * n), static_argnums=1)
    graph = f.graph(x23, 3)
    assert [str(t) for t in graph.in_types] == ["float64[2,3]"] and [str(t) for t in graph.out_types] == ["float64[]"]
    assert "np.exp" in str(graph) and "test_jit.py" in str(graph)
    assert "exp" in f.kernels(x23, 3) and "test_jit.py" in f.kernels(x23, 3)
    assert "define" in f.llvm(x23, 3) and "double" in f.llvm(x23, 3)
    assert f.graph(x23, 3) is graph
    space = {}
    exec(str(graph), space)
    np.testing.assert_allclose(space["f"](x23), f(x23, 3), rtol=1e-14)


@pytest.mark.parametrize(
    "transform", [tj.grad, lambda f: tj.vmap(f), lambda f: tj.grad(lambda x: np.sum(tj.vmap(f)(x))), lambda f: lambda x: tj.jvp(f, (x,), (x,))[1]]
)
def test_transforms_go_through_and_around(transform):
    def f(x):
        return np.sum(np.tanh(x) * x)

    want = transform(f)(x23)
    for compiled in (tj.jit(transform(f)), transform(tj.jit(f)), tj.jit(transform(tj.jit(f)))):
        for _ in range(3):
            np.testing.assert_allclose(compiled(x23), want, rtol=1e-13)
