"""What a compiled function keeps: one trace for each signature, the arrays that it reads, shares and lets go of, copies and pickles."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import pickle
import weakref

import numpy as np
import pytest

import tracejit as tj

from .agreement import affine, agrees, misaligned, read_only, same, x23


def test_traced_once_for_each_signature():
    count = 0

    @tj.jit
    def f(tree):
        nonlocal count
        count += 1
        return tj.tree.map(lambda v: v * 2, tree)

    for expected, tree in enumerate(
        [x23, x23[0], x23.astype(np.float32), 1.0, 1, True, np.float64(1), (x23,), [x23], {"a": x23}, {"b": x23}, (x23, x23), None, x23.astype(int)],
        1,
    ):
        for _ in range(3):
            f(tree)
        assert count == expected, tree
    assert f"{count} compiled" in repr(f)


def test_layout_and_place_in_memory_are_no_part_of_the_signature():
    count = 0

    def f(x):
        nonlocal count
        count += 1
        return x * 2

    compiled = tj.jit(f)
    for x in (x23, x23.copy(), np.asfortranarray(x23), x23[::-1], read_only, misaligned, x23.astype(">f8")):
        compiled(x)
    assert count == 1


def test_an_error_is_not_remembered():
    fail = True

    @tj.jit
    def f(x):
        if fail:
            raise KeyError("mine")
        return x * 2

    for _ in range(2):
        with pytest.raises(KeyError):
            f(x23)
    fail = False
    same(f(x23), x23 * 2)


def test_jit_in_jit_and_recursion():
    @tj.jit
    def inner(x, y):
        return x * 2 + y

    agrees(lambda x: inner(inner(x, 1.0), x) + inner(x[0], 2), x23)

    @functools.partial(tj.jit, static_argnums=1)
    def down(x, n):
        return x if n == 0 else down(x, n - 1) * 2

    same(down(x23, 5), x23 * 32)
    same(tj.jit(tj.jit(tj.jit(affine)))(x23), affine(x23))


def test_closures_over_values_of_an_outer_trace():
    def f(x):
        inner = tj.jit(lambda y: y * x + np.sum(x))
        return inner(x) + inner(2.0 * x)

    agrees(f, x23)
    for transform in (tj.grad, lambda g: tj.jit(tj.grad(g)), lambda g: tj.grad(tj.jit(g))):
        np.testing.assert_allclose(transform(lambda x: np.sum(f(x)))(np.ones(2)), [10.0, 10.0])

    held = None
    g = tj.jit(lambda y: y * held)  # a compiled function that outlives the trace it closes over
    for value in (2.0, 3.0):

        def outer(x):
            nonlocal held
            held = x
            return g(x)

        assert tj.grad(outer)(value) == 2 * value


# ------------------------------------------------------------------------------------------------------------------- memory
def test_closed_over_arrays_are_read_at_each_call():
    w, s = np.ones(3), np.array(2.0)
    f = tj.jit(lambda x: x * w + s)
    g = tj.jit(tj.grad(lambda x: np.sum(np.sin(x) * w)))
    strided = np.ones((3, 2))[:, 0]
    h = tj.jit(lambda x: x * strided)
    for k in range(4):
        w[:], s[...], strided[:] = k, 2 * k, k
        same(f(np.ones(3)), np.ones(3) * w + s)
        np.testing.assert_allclose(g(np.zeros(3)), w)
        same(h(np.ones(3)), strided)


def test_buffers_that_the_function_itself_writes():
    def f(x):
        w, out = np.zeros(3), 0.0
        for i in range(3):
            w[:] = 0
            w[i] = i + 1.0
            out = out + np.dot(x, w)
        return out

    for transform in (lambda f: f, tj.jit, tj.grad, lambda f: tj.jit(tj.grad(f))):
        with_grad = transform not in (tj.jit,) and transform(f)(np.ones(3)).shape == (3,)
        np.testing.assert_array_equal(transform(f)(np.ones(3)), [1.0, 2.0, 3.0] if with_grad else 6.0)
    np.testing.assert_array_equal(tj.vmap(f)(np.ones((2, 3))), [6.0, 6.0])


def test_results_that_are_the_argument():
    f = tj.jit(lambda x, y: (x, {"a": y, "b": x}, y * 2))
    y = np.array(3.0)
    for _ in range(3):
        a, d, _ = f(x23, y)
        assert a is x23 and d["b"] is x23 and d["a"] is y
    g = tj.jit(lambda x: tj.jit(lambda v: (v, v + 1))(x)[0])
    for _ in range(3):
        assert g(x23) is x23
    w = np.ones(3)
    h = tj.jit(lambda x: (w, x))
    for _ in range(3):
        assert h(x23)[0] is w


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * 1,
        lambda x: x / 1,
        lambda x: x - 0,
        lambda x: x**1,
        lambda x: +x,
        lambda x: x.copy(),
        lambda x: np.copy(x),
        lambda x: x[:],
        lambda x: x[0],
        lambda x: x[...],
        lambda x: x.T,
        lambda x: x.T.T,
        lambda x: x.reshape(-1),
        lambda x: x.reshape(x.shape),
        lambda x: x.ravel(),
        lambda x: x.astype(float),
        lambda x: np.broadcast_to(x, (4, *x.shape)),
        lambda x: np.clip(x, None, None),
        lambda x: x.sum(axis=()),
        lambda x: np.where(True, x, x),
        lambda x: (x, x * 1),
        lambda x: tj.jit(lambda v: v * 1)(x),
        lambda x: (x + 1, x + 1),
        lambda x: (lambda y: (y, y[:], y * 1))(x + 1),
        lambda x: tj.grad(lambda a: np.dot(a.ravel(), x.ravel()))(x),
        lambda x: tj.grad(lambda a, b: np.dot(a.ravel(), b.ravel()), argnums=(0, 1))(x, x),
        lambda x: tj.grad(lambda a, b: np.sum((a + b) ** 2), argnums=(0, 1))(x, x),
        lambda x: tj.vjp(lambda a, b: a + b, x, x)[1](x),
        lambda x: tj.jvp(lambda a: a, (x,), (x,))[1],
        lambda x: tj.linearize(lambda a: a, x)[1](x),
        lambda x: tj.vmap(lambda v: v[::-1], in_axes=1, out_axes=1)(x),
        lambda x: tj.linear_transpose(lambda a: (a, a), x)((x, x * 0)),
    ],
)
@pytest.mark.parametrize("compiled", [False, True], ids=["bare", "jit"])
def test_results_share_memory_with_nothing(f, compiled):
    if not compiled and "tj." not in inspect.getsource(f):
        return  # NumPy's own views
    x = x23.copy()
    function = tj.jit(f) if compiled else f
    for _ in range(3):
        first, second = tj.tree.leaves(function(x)), tj.tree.leaves(function(x))
        arrays = [r for r in (*first, *second) if r is not x]
        for i, a in enumerate(arrays):
            assert a.flags.writeable and not np.shares_memory(a, x)
            assert not any(np.shares_memory(a, b) for b in arrays[i + 1 :])
            a[...] = -1.0
        np.testing.assert_array_equal(x, x23)


def test_one_object_twice_stays_one_object():
    f = tj.jit(lambda x: (lambda y: (y, {"again": y}))(x + 1))
    for _ in range(3):
        a, d = f(x23)
        assert a is d["again"]


def test_closed_over_arrays_are_not_changed_by_writing_into_a_gradient():
    c = np.arange(3.0)
    for f in (tj.grad(lambda a: np.dot(a, c)), tj.jit(tj.grad(lambda a: np.dot(a, c))), tj.grad(tj.jit(lambda a: np.dot(a, c)))):
        for _ in range(3):
            g = f(np.ones(3))
            g *= -1.0
            np.testing.assert_array_equal(c, [0.0, 1.0, 2.0])


def test_graphs_and_programs_are_freed():
    def make():
        f = tj.jit(lambda x: np.sum(np.sin(x)))
        f(x23), f(x23), tj.grad(f)(x23), tj.vmap(f)(x23)
        return weakref.ref(f.graph(x23))

    graphs = [make() for _ in range(3)]
    assert len({id(g()) for g in graphs}) == 1  # the same code closes over the same: it is traced once
    tj.clear_caches()
    gc.collect()
    assert sum(g() is not None for g in graphs) == 0


def test_functions_and_what_they_close_over_are_freed():
    def make():
        table = np.arange(1000.0)
        f = tj.jit(lambda x: np.sum(x * table))
        for _ in range(3):
            f(1.0)
        return weakref.ref(f), weakref.ref(f.f), weakref.ref(table)

    found = make()
    gc.collect()
    assert [r() for r in found] == [None] * 3


@tj.jit
def module_level(x):
    return x * 2


def test_copies_and_pickles():
    f = tj.jit(np.square)
    assert copy.copy(f) is f and copy.deepcopy({"f": f})["f"] is f
    for function in (module_level, f, tj.jit(np.add, static_argnums=1)):
        for _ in range(3):
            function(*[2.0] * (1 + ("add" in function.__name__)))
        again = pickle.loads(pickle.dumps(function))
        assert again(*[2.0] * (1 + ("add" in function.__name__))) == 4.0
    assert pickle.loads(pickle.dumps(module_level)) is module_level
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(tj.jit(lambda x: x))


def test_signatures_are_those_of_the_function():
    assert str(inspect.signature(tj.jit(affine))) == "(x)" and str(inspect.signature(tj.grad(affine))) == "(x)"
    assert tj.jit(np.sin)(x23).shape == (2, 3)
