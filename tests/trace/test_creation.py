"""Arrays that a traced function makes itself: they act as the arrays that they are, and take traced values."""

from __future__ import annotations

import functools
import math
import subprocess
import sys
import threading

import numpy as np
import pytest
import scipy.linalg
import scipy.special
from numpy import arange, array, zeros

import tracejit as tj
from tracejit.trace import Tracer
from tracejit.trace.creation import NAMES

X = np.array([0.5, -1.0, 2.0])
TRANSFORMS = [tj.jit, tj.vmap, lambda f: lambda x: tj.jvp(f, (x,), (x,))[0]]


def inside(f):
    """What f gives while it is traced."""
    found = []
    tj.trace(lambda x: (found.append(f()), x)[1])(1.0)
    return found[0]


CALLS = {
    "zeros": lambda: np.zeros((2, 3), "f4"),
    "ones": lambda: np.ones(3, int),
    "empty": lambda: np.empty(2) * 0,
    "full": lambda: np.full((2, 2), 7),
    "zeros_like": lambda: np.zeros_like(X),
    "ones_like": lambda: np.ones_like([1, 2]),
    "empty_like": lambda: np.empty_like(X) * 0,
    "full_like": lambda: np.full_like(X, 3),
    "array": lambda: np.array([[1, 2], [3, 4]], float),
    "asarray": lambda: np.asarray([1, 2]),
    "asanyarray": lambda: np.asanyarray((1.0, 2.0)),
    "ascontiguousarray": lambda: np.ascontiguousarray(X),
    "asfortranarray": lambda: np.asfortranarray([[1, 2]]),
    "copy": lambda: np.copy(X),
    "fromiter": lambda: np.fromiter(range(3), float),
    "fromfunction": lambda: np.fromfunction(lambda i, j: i + j, (2, 3)),
    "frombuffer": lambda: np.frombuffer(b"1234", np.uint8),
    "arange": lambda: np.arange(2, 10, 3),
    "linspace": lambda: np.linspace(0, 1, 5),
    "logspace": lambda: np.logspace(0, 1, 4),
    "geomspace": lambda: np.geomspace(1, 8, 4),
    "meshgrid": lambda: np.meshgrid([1, 2], [3, 4])[0],
    "indices": lambda: np.indices((2, 2)),
    "eye": lambda: np.eye(2, 3, 1),
    "identity": lambda: np.identity(2),
    "diag": lambda: np.diag([1, 2]),
    "diagflat": lambda: np.diagflat([1, 2]),
    "tri": lambda: np.tri(3),
    "tril": lambda: np.tril(np.ones((2, 2))),
    "triu": lambda: np.triu([[1, 2], [3, 4]]),
    "vander": lambda: np.vander([1, 2, 3]),
    **{name: functools.partial(lambda name: getattr(np, name)(*([5, 2.0] if name == "kaiser" else [5])), name)
       for name in ("bartlett", "blackman", "hamming", "hanning", "kaiser")},
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_function_makes_a_proxy_of_the_same_value(name):
    expected, got = CALLS[name](), inside(CALLS[name])
    assert type(got) is Tracer and (got.dtype, got.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(np.asarray(got), expected)


def test_names_that_are_bound_elsewhere():
    from numpy import ones as uns

    def f(x):
        out, local = zeros(3), np.ones(2)
        out[0], local[1] = x, 2 * x
        return out.sum() + local.sum() + array([x, 1.0])[0] + arange(3)[2]

    assert tj.grad(f)(2.0) == 4.0 and type(uns(2)) is np.ndarray


def test_everything_is_put_back():
    originals = {name: getattr(np, name) for name in NAMES}

    def fail(x):
        assert np.zeros is not originals["zeros"] and zeros is np.zeros
        raise KeyError("from inside")

    for transform in (tj.jit, tj.grad, tj.vmap, lambda f: tj.jit(tj.grad(f))):
        with pytest.raises(KeyError):
            transform(fail)(np.ones(2) if transform is tj.vmap else 1.0)
        assert {name: getattr(np, name) for name in NAMES} == originals and zeros is originals["zeros"]
    assert type(np.zeros(3)) is np.ndarray


def test_switched_off(monkeypatch):
    monkeypatch.setattr(tj.config, "trace_creation", False)
    assert type(inside(lambda: np.zeros(2))) is np.ndarray

    def f(x):
        out = np.zeros(2)
        out[0] = x
        return out.sum()

    with pytest.raises(tj.TracerConversionError):
        tj.grad(f)(1.0)


def test_libraries_and_other_threads_get_arrays():
    def f(x):
        a = scipy.linalg.hilbert(3)
        b = np.linalg.inv(np.diag([1.0, 2.0, 4.0]))
        c = scipy.special.roots_legendre(3)[0]
        assert type(a) is np.ndarray and type(c) is np.ndarray
        return np.sum(a @ b @ c * x)

    assert tj.grad(f)(2.0) == pytest.approx(f(1.0))

    seen = []

    def g(x):
        thread = threading.Thread(target=lambda: seen.append(type(np.zeros(3))))
        thread.start()
        thread.join()
        return x

    tj.jit(g)(1.0)
    assert seen == [np.ndarray]


def test_traces_in_several_threads():
    def f(x):
        out = np.zeros(20)
        for i in range(20):
            out[i] = x * i
        return out.sum()

    results = []
    threads = [threading.Thread(target=lambda: results.extend(tj.grad(f)(1.0) for _ in range(10))) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [190.0] * 40 and type(np.zeros(1)) is np.ndarray


# ------------------------------------------------------------------------------------------------------------------ a known value acts as itself
def known_values(x):
    a = np.arange(6).reshape(2, 3)
    w = np.array([0.5, 0.25])
    assert int(a[1, 2]) == 5 and float(w[0]) == 0.5 and math.exp(w[1]) == math.exp(0.25) and bool(a[0, 1]) and a[1, 1].item() == 4
    assert a.tolist() == [[0, 1, 2], [3, 4, 5]] and list(w) == [0.5, 0.25] and len(a) == 2 and (a == a).all() and 4 in a
    assert {a[0, 1]: "one"}[1] == "one" and f"{w[0]:.2f}" == "0.50" and repr(w) == "array([0.5 , 0.25])" and isinstance(w[0], float)
    assert type(np.sum(a)) is np.int64 and a.sum() == 15 and max(w) == 0.5 and sorted(w)[0] == 0.25 and w.flags.c_contiguous
    assert a.strides == (24, 8) and a.tobytes() == np.asarray(a).tobytes() and scipy.special.erf(w)[0] == math.erf(0.5)
    if a[0, 0] == 0 and np.any(w > 0.3):
        x = x * a[1, 0]
    for i in np.nonzero(a.ravel() > 3)[0]:
        x = x + i
    for n in a[0]:
        x = x + n
    table = [10.0, 20.0, 30.0]
    y, z = np.array([1.0, 2.0])
    np.testing.assert_allclose(w, [0.5, 0.25])
    index = np.array([2, 0])
    return x + table[a[0, 2]] + np.polyfit([0, 1], [0, 1], 1)[0] * z + y + np.array([1.0, 2.0, 3.0])[index][0] + np.stack([w, w])[1, 0]


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_known_values(transform):
    np.testing.assert_allclose(transform(known_values)(X), known_values(X))


def test_traced_into_nested_lists():
    def f(x, y):
        m = np.array([[x, 1.0], [0.0, y * y]])
        v = np.asarray([x, y], dtype=np.float64)
        return (m @ v).sum() + np.array((x, [y][0]))[1] + np.asarray(x) + np.array(x) + np.full(3, y)[1] + np.diag([x, y])[1, 1]

    x, y = 2.0, 3.0
    assert tj.grad(f, (0, 1))(x, y) == (2 * x + 2, 3 * y * y + 1 + 1 + 1 + 1)
    assert tj.jit(f)(x, y) == f(x, y)


def test_copies_and_the_same_object():
    def f(x):
        a = np.zeros(3)
        b, c, d = np.asarray(a), np.array(a), np.array(x)
        a[0] = 1
        b[1] = x[0]
        d[0] = 7
        return np.stack([a, b, c, d, x])

    np.testing.assert_array_equal(tj.jit(f)(X), f(X.copy()))
    np.testing.assert_array_equal(tj.vmap(f)(X[None])[0], f(X.copy()))


def test_buffers():
    def simulate(x):
        n = 6
        history = np.empty((n, 3))
        velocity = np.zeros_like(x)
        energy = np.zeros(n)
        for t in range(n):
            velocity += -0.1 * x
            x = x + 0.1 * velocity
            history[t] = x
            energy[t] = 0.5 * np.sum(velocity**2)
        return history.mean() + energy[-1]

    h = 1e-6
    expected = [(simulate(X + h * e) - simulate(X - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(tj.grad(simulate)(X), expected, rtol=1e-7)
    np.testing.assert_allclose(tj.jit(tj.grad(simulate))(X), expected, rtol=1e-7)
    np.testing.assert_allclose(tj.jit(simulate)(X), simulate(X))


# ------------------------------------------------------------------------------------------------------------------ results
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_results_are_arrays_of_their_own(transform):
    def f(x):
        a = np.zeros(2)
        return a, np.arange(3), np.array([1.0, 2.0]), a + 1, np.ones((2, 2))[:, 0], x * 2

    g = transform(f)
    first, second = g(X), g(X)
    for r, s in zip(first, second):
        assert type(r) is np.ndarray and r.flags.writeable
        kept = s.copy()
        r[...] = 9
        np.testing.assert_array_equal(s, kept)
    np.testing.assert_array_equal(g(X)[0], np.zeros_like(first[0]))


def test_auxiliary_results_are_arrays():
    def f(x):
        trace = np.zeros(3)
        trace[1] = 5.0
        return x * 2, {"trace": trace, "also": np.arange(2)}

    gradient, aux = tj.grad(f, has_aux=True)(1.0)
    assert gradient == 2.0 and type(aux["trace"]) is np.ndarray
    np.testing.assert_array_equal(aux["trace"], [0, 5, 0])


def test_a_constant_that_stays_after_the_trace():
    kept = inside(lambda: np.arange(3.0))
    assert type(kept * 2) is np.ndarray and np.asarray(kept).sum() == 3.0


def test_methods_and_classes():
    class Model:
        def __init__(self):
            self.table = np.linspace(0, 1, 4)

        def __call__(self, x):
            buffer = np.zeros(4)
            buffer[:] = self.table * x
            return buffer.sum()

    assert tj.grad(Model())(3.0) == 2.0 and tj.jit(Model())(3.0) == 6.0


def test_code_without_a_module():
    space = {}
    exec("from numpy import zeros\ndef f(x):\n    out = zeros(2)\n    out[0] = x\n    return out.sum()\n", space)
    assert tj.grad(space["f"])(1.0) == 1.0


SOURCE = """
from numpy import zeros

def fill(x):
    out = zeros(3)
    for i in range(3):
        out[i] = x * i
    return out

class Filler:
    def __call__(self, x):
        return fill(x).sum()
"""


@pytest.mark.parametrize(
    "reach",
    [
        lambda space: lambda x: space["fill"](x).sum(),
        lambda space: space["Filler"](),
        lambda space: lambda x: (lambda y: space["Filler"]()(y))(x),
        lambda space: lambda x, f=space["fill"]: f(x).sum(),
        lambda space: functools.partial(lambda f, x: f(x).sum(), space["fill"]),
        lambda space: (lambda f: lambda x: f(x).sum())(functools.partial(space["fill"])),
        lambda space: (lambda f: lambda x: f(x).sum())(tj.jit(space["fill"])),
    ],
)
def test_code_without_a_module_that_is_called_from_elsewhere(reach):
    space = {"__name__": "nowhere"}
    exec(SOURCE, space)
    assert tj.grad(reach(space))(2.0) == 3.0
    assert tj.jit(reach(space))(2.0) == 6.0
    assert space["zeros"] is np.zeros


def test_arrays_made_by_indexing():
    def f(x):
        grid = np.mgrid[0:3, 0:2] * 1.0
        grid[0, 0, 0] = x[0]
        line = np.ogrid[0:3] * 1.0
        line[0] = x[1]
        frequencies = np.fft.fftfreq(4)
        frequencies[1] = x[2]
        known = np.r_[1:4, 2]
        known[0] = 5
        joined = np.r_[x, 0, 1.5, 0:3], np.c_[np.ones(3), x], np.r_["1,2,0", x, x], np.c_[x, x, x], np.c_[x[None], 1.0]
        stacked = [np.r_[f"0,3,{k}", x[:, None], np.ones((3, 1))] for k in (-2, -1, 0, 1)]
        return grid, line, frequencies, known, *joined, *stacked

    x = np.array([1.0, 2.0, 3.0])
    for found, expected in zip(tj.jit(f)(x), f(x), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    gradient = tj.grad(lambda x: sum([part.sum() for part in f(x)]))(x)
    np.testing.assert_array_equal(gradient, 13.0)
    with pytest.raises(ValueError, match="directive 'r'"):
        tj.grad(lambda x: np.r_["r", x].sum())(x)


def test_an_element_of_one_array_into_an_array_of_known_numbers():
    def f(x):
        out = np.zeros(2)
        out[1] = x[0]
        return out

    np.testing.assert_array_equal(tj.jit(f)(np.array([3.0, 4.0])), [0, 3])
    np.testing.assert_array_equal(tj.jacfwd(f)(np.array([3.0, 4.0])), [[0, 0], [1, 0]])


def test_compiled_code_of_libraries_gets_arrays():
    """What Cython compiled has no frame of its own."""

    def f(x):
        noise = np.random.default_rng(0).standard_normal(4)
        legacy = np.random.RandomState(1).randn(4)
        return x * noise + legacy + np.random.default_rng(2).permutation(4)

    x = np.arange(4.0)
    np.testing.assert_allclose(tj.jit(f)(x), f(x))
    np.testing.assert_allclose(tj.grad(lambda x: f(x).sum())(x), np.random.default_rng(0).standard_normal(4))
    assert vars(np.random._generator)["np"] is np


# -- sizes that are arguments of a compiled function
def buffer(make):
    def f(n, v):
        made = make(n) * 0.0
        made[(0,) * made.ndim] = v
        return made

    return f


@pytest.mark.parametrize(
    "make",
    [
        lambda n: np.zeros(n), lambda n: np.zeros((n, n)), lambda n: np.ones(shape=[n + 1, 2]), lambda n: np.full(n, 7.0),
        lambda n: np.full((n, 2), 7.0),
        lambda n: np.eye(n), lambda n: np.eye(n, M=n + 1), lambda n: np.identity(n), lambda n: np.tri(n), lambda n: np.linspace(0.0, 1.0, n),
        lambda n: np.indices((n, 2))[0], lambda n: np.mgrid[0:n], lambda n: np.r_[0:n, 1.0], lambda n: np.hanning(n), lambda n: np.fft.fftfreq(n),
        lambda n: np.repeat(0.0, n), lambda n: np.tile([0.0, 1.0], n), lambda n: np.zeros_like(np.ones(2), shape=n),
        lambda n: np.fromfunction(lambda i: 1.0 * i, (n,)), lambda n: np.array([0.0, 1.0] * n), lambda n: np.array(n * [0.0]),
    ],
)  # fmt: skip
def test_sizes_from_arguments(make):
    f = buffer(make)
    compiled = tj.jit(f)
    for n in (3, 2, 3):
        np.testing.assert_array_equal(compiled(n, 2.0), f(n, 2.0))
    assert tj.grad(lambda v: np.sum(f(3, v)))(2.0) == tj.jit(tj.grad(lambda v, n: np.sum(f(n, v))))(2.0, 3) == 1.0
    with pytest.raises(TypeError, match=r"test_creation.py:\d+"):
        tj.vmap(f, in_axes=(0, None))(np.array([2, 2]), 1.0)


def test_repeated_lists_keep_what_is_in_them():
    def f(n, x):
        items = [x, 2.0] * n
        items *= 2
        return len(items), np.stack(items[:3]), np.array([1.0, 2.0]) * n

    for got, want in zip(tj.jit(f)(3, 5.0), (12, np.array([5.0, 2.0, 5.0]), np.array([3.0, 6.0]))):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, n: np.split(x, n)[0], lambda x, n: np.array_split(x, [n])[1], lambda x, n: np.pad(x, (n, 1)), lambda x, n: x.repeat(n),
        lambda x, n: np.trace(np.outer(x, x), n), lambda x, n: np.round(x * 1.2345, n), lambda x, n: np.fft.fft(x, n).real,
        lambda x, n: np.delete(x, n),
        lambda x, n: np.insert(x, n, 5.0), lambda x, n: np.partition(x, n)[n], lambda x, n: np.histogram(x, n)[0],
        lambda x, n: x[np.triu_indices(n)[0]],
        lambda x, n: np.outer(x, x)[np.ix_([0, n], [n, 1])], lambda x, n: np.outer(x, x)[np.diag_indices(n)], lambda x, n: np.stack([x] * n),
    ],
)  # fmt: skip
def test_sizes_and_places_of_functions(f):
    x, compiled = np.arange(6.0), tj.jit(f)
    for n in (2, 3):
        np.testing.assert_array_equal(compiled(x, n), f(x, n))


def test_numbers_of_a_generator_that_is_made_inside_can_be_written():
    def f(x):
        rng = np.random.default_rng(3)
        noise = rng.normal(size=4)
        noise[0] = x[1]
        noise += x
        order = rng.permutation(4)
        return noise[order], rng.choice(order, 2), rng.integers(0, 9, 3), rng.random()

    x = np.arange(4.0)
    for a, b in zip(tj.jit(f)(x), f(x), strict=True):
        np.testing.assert_array_equal(a, b)
    assert tj.grad(lambda x: f(x)[0] @ np.arange(4.0))(x).shape == (4,)


def test_nditer():
    def f(x):
        total, y = 0.0, x.copy()
        for v in np.nditer(x):
            total = total + v * v
        for v in np.nditer(y, op_flags=["readwrite"]):
            v[...] = 2 * v + 1
        return total, y

    x = np.arange(6.0).reshape(2, 3)
    for a, b in zip(tj.jit(f)(x), f(x), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(tj.grad(lambda x: f(x)[0])(x), 2 * x)
    with pytest.raises(TypeError, match="np.ndindex"):
        tj.jit(lambda x: [v for v, _ in np.nditer(x, flags=["multi_index"])])(x)


@pytest.mark.parametrize("body", [
    "from scipy.spatial import cKDTree; return x + float(cKDTree(points).query(points[:5], k=2)[0].sum())",
    "import numpy.random; return x * 0 + numpy.random.RandomState(0).rand(3).sum() * 0",
    "drawn = np.random.default_rng(0).normal(size=3); drawn[0] = x[0]; return drawn",
], ids=["scipy.spatial", "RandomState", "default_rng"])  # fmt: skip
def test_a_traced_function_that_is_the_first_to_import_compiled_code(body):
    """Cython's functions have no frame: what they make is not for the function that calls them."""
    code = f"import numpy as np, tracejit as tj\npoints = np.arange(100.0).reshape(50, 2) % 7\ndef f(x): {body}\n"
    code += "print(np.isfinite(tj.jit(f)(np.ones(3))).all(), np.isfinite(tj.grad(lambda x: np.sum(f(x) * x))(np.ones(3))).all())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "True True", done.stderr
