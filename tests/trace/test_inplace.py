"""Each way to write in place, under every transformation: values and effects are NumPy's."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import tracejit as tj


# ------------------------------------------------------------------------------------------------------------------ each way to write
def _both(f, *args):
    """f with NumPy, concrete and symbolic: equal results and effects."""
    plain = [np.array(a)[()] for a in args]
    expected = f(*plain)
    held = [np.array(a)[()] for a in args]
    got = tj.jit(f)(*held)
    np.testing.assert_array_equal(got, expected)
    assert np.asarray(got).dtype == np.asarray(expected).dtype
    for a, b in zip(held, plain):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(tj.vmap(f)(*[a[None] for a in args])[0], expected)
    if all(a.dtype.kind == "f" for a in args):
        np.testing.assert_array_equal(tj.jvp(f, args, args)[0], expected)


def _write(function):
    def f(x):
        function(x)
        return x * 1

    f.__name__ = function.__name__
    return f


def augmented(x):
    x += 1
    x -= x[0]
    x *= 2
    x /= 4
    x **= 2
    x //= 0.5
    x %= 3


def matmul(x):
    m = np.outer(x, x)
    m @= m
    x[:] = m[0]


def copyto(x):
    np.copyto(x, 1)
    np.copyto(x[1:], x[:-1] * 2, where=[True, False, True])


def put(x):
    np.put(x, [0, -1], [7, 8])
    x.put([1, 2], 5)
    np.put(x, [9, -9], [1, 2], mode="clip")


def place(x):
    np.place(x, x > 0.1, [10, 20])


def putmask(x):
    np.putmask(x, x < 0.2, [1, 2, 3])


def put_along_axis(x):
    m = np.outer(x, [1, 2, 3])
    np.put_along_axis(m, np.argmax(m, axis=1, keepdims=True), 99, axis=1)
    x[:] = m.sum(axis=1)


def fill_diagonal(x):
    m = np.outer(x, x)
    np.fill_diagonal(m, [1, 2])
    x[:] = m[1]


def outputs(x):
    np.add(x, 1, out=x, where=x > 0.2)
    np.cumsum(x, out=x)
    np.clip(x, 0.5, 2, out=x)
    y = np.empty(2)
    np.sum(np.outer(x, [1.0, 2.0]), axis=0, out=y)
    x[:2] = y
    np.add.reduce(np.outer(x, x), axis=0, out=x)


def ufunc_at(x):
    np.add.at(x, [0, 0, 1], [1, 2, 3])
    np.subtract.at(x, 3, 1)
    np.multiply.at(x, [1, 1, 2], [2, 3, 4])
    np.maximum.at(x, [0, 0], [1, 9])


def flat(x):
    m = np.outer(x, x)
    m.flat[::3] = [1, 2]
    m.T.flat[1] = 100
    x[:] = m[:, 0]


def masks(x):
    x[x > 0.5] += 1
    x[x < 0] = [0]
    m = np.outer(x, x)
    m[x > 0.3] = 7
    m[:, x > 0.3] = 8
    x[...] = m[0]


def rows_of_a_mask(x):
    x[x > 0.1] = x[::-1][: np.count_nonzero(np.array([0.25, -1.0, 0.75, 2.0]) > 0.1)]


def sorts(x):
    x.sort()
    x[::-1].sort()
    x.partition(2)


def swap(x):
    x[0], x[1] = x[1], x[0]
    x[2:], x[:2] = x[:2].copy(), x[2:].copy()


def iterate(x):
    for row in np.stack([x, x]).T:
        row += 1  # rows of a copy
    for row in x.reshape(2, 2):
        row *= 2


@pytest.mark.parametrize(
    "function",
    [augmented, matmul, copyto, put, place, putmask, put_along_axis, fill_diagonal, outputs, ufunc_at, flat, masks, rows_of_a_mask, sorts, swap]
    + [iterate],
    ids=lambda f: f.__name__,
)
def test_ways_to_write(function):
    _both(_write(function), np.array([0.25, -1.0, 0.75, 2.0]))


def test_elements_do_not_change():
    def f(x):
        s, t = x[0], x[1]
        s += 10
        x[0], x[1] = 5, 6
        return np.stack([s, t, x[0]])

    _both(f, np.array([1.0, 2.0]))


def test_zero_dimensional_views():
    def f(x):
        v = x[0, ...]
        v += 1
        np.sum(x, out=x[1, ...])
        return x + v

    _both(f, np.array([1.0, 2.0]))


def test_complex_parts():
    def f(z):
        z.real[1:] += 1
        z.imag = 2
        z.real *= 3
        return z

    z = np.array([1 + 1j, 2 - 1j])
    held = z.copy()
    tj.jit(f)(held)
    np.testing.assert_array_equal(held, f(z.copy()))


def test_traced_positions():
    def f(x, i):
        row = x[i]
        row += 1
        x[i, 0] = 9
        x[i] *= 2
        x[[0, 1], i] = 3
        return x + row

    _both(f, np.arange(6.0).reshape(2, 3), np.array(1))


def test_integers_are_cast_as_in_numpy():
    def f(n):
        n[0] = 2.9
        n[1] = True
        n //= 2
        n += np.int8(3)
        return n

    _both(f, np.arange(4))


@pytest.mark.parametrize(
    "write, error",
    [
        (lambda n: n.__iadd__(1.5), np._core._exceptions.UFuncTypeError),
        (lambda n: n.__itruediv__(2), np._core._exceptions.UFuncTypeError),
        (lambda n: np.sqrt(n, out=n), TypeError),
        (lambda n: n.__iadd__(np.ones((2, 4), int)), ValueError),
        (lambda n: n.__setitem__(slice(2), [1, 2, 3]), ValueError),
        (lambda n: n.__setitem__(9, 1), IndexError),
        (lambda n: np.broadcast_to(n, (2, 4)).__setitem__(0, 1), ValueError),
        (lambda n: np.diagonal(n.reshape(2, 2)).__setitem__(0, 1), ValueError),
        (lambda n: np.copyto(n, 1.5), TypeError),
        (lambda n: np.put(n, [7], 1), IndexError),
    ],
)
def test_errors_are_numpys(write, error):
    with pytest.raises(error):
        write(np.arange(4))
    with pytest.raises(error):
        tj.jit(lambda n: write(n))(np.arange(4))


# ------------------------------------------------------------------------------------------------------------------ masks that are not known
def mandelbrot(x):
    c = x + 0.3j
    z, steps, alive = np.zeros_like(c), np.zeros(c.shape, int), np.ones(c.shape, bool)
    for _ in range(12):
        z[alive] = z[alive] ** 2 + c[alive]
        alive[np.abs(z) > 2] = False
        steps[alive] += 1
    return steps


def leaky(x):
    y = x - 0.5
    y[y < 0] *= 0.01
    return y


def roots(x):
    y = np.zeros_like(x)
    y[x > 0] = np.sqrt(x[x > 0])
    return y


def statistics(x):
    held = x[x > -0.6]
    return np.stack([held.sum(), held.mean(), np.max(held), np.min(held), held.std(), np.prod(held), held.size, (held > 0).any()])


def centres(x):
    nearest = np.abs(x[:, None] - np.array([-1.0, 1.0])).argmin(1)
    return np.stack([np.mean(x[nearest == k], axis=0) for k in range(2)])


def columns(x):
    m = np.outer(x, x + 1)
    m[:, x > 0] = 2
    m[0, x < 0] -= 1
    m[x > 0.2] = x
    return m


def moved(x):
    y = np.zeros(x.size)
    y[::-1][x < 0] = x[::-1][x[::-1] < 0]
    return y


@pytest.mark.parametrize("f", [mandelbrot, leaky, roots, statistics, centres, columns, moved], ids=lambda f: f.__name__)
def test_masks(f):
    x = np.array([0.25, -1.5, 0.75, -0.5, 1.25])
    _close(tj.jit(f)(x), f(x))
    _close(tj.vmap(f)(np.stack([x, x[::-1]])), [f(x), f(x[::-1])])
    if f is not mandelbrot:
        weights = np.cos(np.arange(f(x).size)).reshape(f(x).shape)
        h = 1e-6
        expected = [(np.sum(f(x + h * u) * weights) - np.sum(f(x - h * u) * weights)) / (2 * h) for u in np.eye(5)]
        for gradient in (tj.grad, lambda g: tj.jit(tj.grad(g))):
            np.testing.assert_allclose(gradient(lambda x: np.sum(f(x) * weights))(x), expected, atol=1e-7)


def _close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_what_the_number_of_elements_decides_is_refused():
    for use in (len, list, np.sort, np.asarray, lambda y: y[0], lambda y: y.shape, lambda y: y + np.ones(2), lambda y: np.concatenate([y, y])):
        with pytest.raises(TypeError, match=r"np\.where"):
            tj.jit(tj.vmap(lambda x: use(x[x > 0])))(np.ones((2, 3)))


# ------------------------------------------------------------------------------------------------------------------ arguments of jit
def test_a_returned_argument_is_the_callers_array():
    @tj.jit
    def f(state, v):
        state["x"] += v
        return state["x"], v

    x, v = np.ones(3), np.arange(3.0)
    for _ in range(3):
        out, same = f({"x": x}, v)
        assert out is x and same is v
    np.testing.assert_array_equal(x, 1 + 3 * np.arange(3.0))


def test_arguments_that_cannot_be_written():
    @tj.jit
    def f(a, b):
        a[:1] = b[:1]

    fixed = np.ones(3)
    fixed.flags.writeable = False
    x = np.arange(3.0)
    for _ in range(3):
        f(x, fixed)
        with pytest.raises(ValueError, match="assignment destination is read-only"):
            f(fixed, x)
        with pytest.raises(ValueError, match="shares memory with another argument"):
            f(x[:2], x[1:])
    g = tj.jit(lambda s: s.fill(1.0))
    with pytest.raises(TypeError, match="does not support item assignment"):
        g(np.float64(2.0))


def test_strided_arguments():
    f = tj.jit(_write(augmented))
    x, y = np.arange(8.0), np.arange(8.0)
    for _ in range(3):
        f(x[::-2])
        _write(augmented)(y[::-2])
        np.testing.assert_array_equal(x, y)


def test_jit_inside_of_a_trace_writes():
    @tj.jit
    def step(a):
        a *= 2

    def f(x):
        y = x * 1
        step(y)
        step(y[1:])
        return np.sum(y)

    np.testing.assert_array_equal(tj.grad(f)(np.ones(3)), [2, 4, 4])
    x = np.ones(2)
    tj.jit(lambda x: step(x))(x)
    np.testing.assert_array_equal(x, [2, 2])


def test_fixed_arguments_are_copied_on_write():
    def loss(w, buffer):
        buffer[0] = w
        buffer[1:] += 1
        return np.sum(buffer)

    buffer = np.zeros(3)
    assert tj.value_and_grad(loss)(2.0, buffer) == (4.0, 1.0)
    np.testing.assert_array_equal(buffer, 0)


# ------------------------------------------------------------------------------------------------------------------ leaks
def test_values_do_not_leave_their_trace_in_an_array():
    def outer(x, transform):
        buffer = x * 0

        def inner(y):
            buffer[0] = y
            return y * 2

        transform(inner)(x[0] if transform is tj.grad else x)
        return buffer

    for transform in (tj.grad, tj.vmap):
        with pytest.raises(tj.errors.LeakedTracerError, match="written into an array from outside"):
            tj.jit(functools.partial(outer, transform=transform))(np.ones(3))
    with pytest.raises(tj.errors.LeakedTracerError):
        outer(np.ones(3), tj.vmap)
    np.testing.assert_array_equal(outer(np.ones(3), tj.grad), np.zeros(3))  # a plain array: what is written goes into a copy


def test_an_array_of_outer_values_that_was_made_inside_takes_inner_values():
    def outer(c):
        def inner(y):
            buffer = c * 2  # hoisted out of the inner trace
            view = buffer[1:]
            view[0] = y
            return np.sum(buffer) * y

        return tj.grad(inner)(3.0) + np.sum(tj.vmap(inner)(c))

    c = np.array([1.0, 2.0])
    np.testing.assert_allclose(tj.jit(outer)(c), 8 + (2 + 1) * 1 + (2 + 2) * 2)


def test_elements_that_nothing_traced_was_written_into_stay_known():
    def f(x):
        state = np.zeros(3)
        state[1] = x
        while state[2] < 2:
            state[2] += 1
        if state[0] == 0:
            state[0] = int(state[2]) * x
        return state

    np.testing.assert_array_equal(tj.jit(f)(1.5), [3.0, 1.5, 2.0])


def test_loops_carry_buffers():
    def f(x):
        def step(i, buffer):
            buffer[i] = x * i
            return buffer

        return tj.fori_loop(0, 3, step, np.zeros(3))

    np.testing.assert_array_equal(tj.jit(f)(2.0), [0.0, 2.0, 4.0])
    assert tj.grad(lambda x: np.sum(f(x)))(2.0) == 3.0


def test_a_pullback_keeps_the_values_that_it_needs():
    def f(x):
        y = x * 1
        _, pull = tj.vjp(lambda v: v**3, y)
        y += 100
        return pull(np.ones(2))[0]

    np.testing.assert_array_equal(tj.jit(f)(np.ones(2)), [3.0, 3.0])
