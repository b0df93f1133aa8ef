"""Writes in place: what NumPy's aliasing makes of random programs of views, copies and writes, under every transformation."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import tracejit as tj

X = np.random.default_rng(7).uniform(-1, 1, (3, 4))


def _broadcasts(b, a) -> bool:
    try:
        return np.broadcast_shapes(np.shape(b), a.shape) == a.shape
    except ValueError:
        return False


def _part(a, k):
    """A basic index that keeps at least one axis."""
    n = a.shape[0]
    choices = [slice(None, None, -1), slice(k % n, None), slice(None, None, 2), (Ellipsis, slice(0, 2)), (None, slice(None)), slice(-1, None, -2)]
    if a.ndim > 1:
        choices += [k % n, (slice(None), k % a.shape[1]), (Ellipsis, -1), (slice(1, None), slice(None, None, -1))]
    return choices[k % len(choices)]


VIEWS = [
    lambda a, k: a[_part(a, k)],
    lambda a, k: a.T,
    lambda a, k: a.reshape(-1),
    lambda a, k: a.ravel(),
    lambda a, k: np.swapaxes(a, 0, -1),
    lambda a, k: a.reshape((2, -1)) if a.size % 2 == 0 else a,
    lambda a, k: np.expand_dims(a, k % (a.ndim + 1)),
    lambda a, k: a.squeeze(),
    lambda a, k: np.flip(a),
    lambda a, k: np.moveaxis(a, 0, -1),
    lambda a, k: np.split(a, [1])[0],
    lambda a, k: a.real,
]
# What NumPy computes from a transposed array is in its order, and traced arrays are C-ordered: `copy` makes NumPy's so, too.
COPIES = [
    lambda a, k: a.copy(),
    lambda a, k: (a + 0.5).copy(),
    lambda a, k: a[[0, -1]].copy(),
    lambda a, k: a.flatten(),
    lambda a, k: a.astype(float).copy(),
]


def _augment(a, b, k):
    if _broadcasts(b, a):
        a += b


def _assign(a, b, k):
    if _broadcasts(b, a):
        a[...] = b


def _assign_part(a, b, k):
    a[_part(a, k)] = 0.25 * k


def _augment_part(a, b, k):
    a[_part(a, k)] *= 0.5


def _copy_to(a, b, k):
    if _broadcasts(b, a):
        np.copyto(a, b, where=a > 0)


def _assign_rows(a, b, k):
    a[[0, -1, 0]] = a[-1] * 2


def _shift(a, b, k):
    a[1:] += a[:-1]


def _masked(a, b, k):
    a[a > 0.3] = 0.125


def _masked_part(a, b, k):
    a[a < 0] *= -1


def _into(a, b, k):
    np.multiply(a, 0.5, out=a)


def _add_at(a, b, k):
    np.add.at(a, [0, 0, k % a.shape[0]], 0.25)


def _fill(a, b, k):
    a.fill(0.1 * k)


def _flat(a, b, k):
    a.flat[k % a.size] = 1.5


def _element(a, b, k):
    a[(0,) * a.ndim] = a[(-1,) * a.ndim] * 3


def _sort(a, b, k):
    a.sort()


WRITES = [_augment, _assign, _assign_part, _augment_part, _copy_to, _assign_rows, _shift, _masked, _into, _add_at, _fill, _flat, _element, _sort]
SMOOTH = [_augment, _assign, _assign_part, _augment_part, _assign_rows, _shift, _into, _add_at, _fill, _flat, _element]

view_steps = st.tuples(st.just("view"), st.integers(0, len(VIEWS) - 1), st.integers(0, 20), st.integers(0, 20))
copy_steps = st.tuples(st.just("copy"), st.integers(0, len(COPIES) - 1), st.integers(0, 20), st.integers(0, 20))
write_steps = st.tuples(st.just("write"), st.integers(0, len(WRITES) - 1), st.integers(0, 20), st.integers(0, 20))
programs = st.lists(st.one_of(view_steps, view_steps, copy_steps, write_steps, write_steps), min_size=1, max_size=9)


def run(steps, x, writes=WRITES):
    """A program that makes views and copies of x and writes into them; all of them, in one line."""
    arrays = [x]
    for kind, which, i, k in steps:
        a = arrays[i % len(arrays)]
        if kind == "view":
            arrays.append(VIEWS[which](a, k))
        elif kind == "copy":
            arrays.append(COPIES[which](a, k))
        else:
            writes[which % len(writes)](a, arrays[k % len(arrays)], k)
        if arrays[-1].ndim == 0 or arrays[-1].ndim > 4:
            arrays.pop()
    return np.concatenate([np.ravel(a) for a in arrays])


@given(programs)
@settings(max_examples=150, deadline=None)
def test_aliasing_is_numpys(steps):
    expected_x = X.copy()
    expected = run(steps, expected_x)
    x = X.copy()
    np.testing.assert_array_equal(tj.jvp(lambda x: run(steps, x), (x,), (np.ones_like(x),))[0], expected)
    np.testing.assert_array_equal(x, X)  # copied on write


@given(programs)
@settings(max_examples=25, deadline=None)
def test_jit_keeps_effects(steps):
    expected_x = X.copy()
    expected = run(steps, expected_x)
    f = tj.jit(lambda x: run(steps, x))
    for _ in range(3):
        x = X.copy()
        np.testing.assert_array_equal(f(x), expected)
        np.testing.assert_array_equal(x, expected_x)


@given(programs)
@settings(max_examples=40, deadline=None)
def test_vmap(steps):
    xs = np.stack([X, X[::-1] * 0.5])
    np.testing.assert_array_equal(tj.vmap(lambda x: run(steps, x))(xs), [run(steps, x.copy()) for x in xs])


@given(programs)
@settings(max_examples=60, deadline=None)
def test_gradient(steps):
    def loss(x):
        out = run(steps, x, SMOOTH)
        return np.sum(out * np.cos(np.arange(out.size)))

    h = 1e-6
    units = np.eye(X.size).reshape(-1, *X.shape)
    expected = np.reshape([(loss(X + h * u) - loss(X - h * u)) / (2 * h) for u in units], X.shape)
    np.testing.assert_allclose(tj.grad(loss)(X), expected, atol=1e-6 * (1 + np.abs(expected).max()))


@given(programs)
@settings(max_examples=40, deadline=None)
def test_constants(steps):
    """A buffer that nothing traced is written into acts as the array that it is."""

    def f(s):
        return run(steps, np.array(X)) * s

    np.testing.assert_array_equal(tj.jvp(f, (1.0,), (1.0,))[1], run(steps, X.copy()))
