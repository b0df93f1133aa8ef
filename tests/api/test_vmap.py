"""`vmap` against a Python loop: axes of arguments and results, nesting, trees, and every other transform inside and outside."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tracejit as tj

rng = np.random.default_rng(0)
a = rng.standard_normal((3, 4, 5))
b = rng.standard_normal((4, 5))


def close(got, want, rtol=1e-13):
    assert tj.tree.structure(got) == tj.tree.structure(want)
    for x, y in zip(tj.tree.leaves(got), tj.tree.leaves(want)):
        assert np.asarray(x).dtype == np.asarray(y).dtype and np.shape(x) == np.shape(y)
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)


def loop(f, in_axes, out_axis, *args):
    """What `vmap` means for functions of arrays to an array."""
    n = next(x.shape[i] for x, i in zip(args, in_axes) if i is not None)
    results = [f(*[x if i is None else np.take(x, k, axis=i) for x, i in zip(args, in_axes)]) for k in range(n)]
    return np.stack(results, axis=out_axis)


def functions():
    return [
        lambda x: np.sin(x) * 2,
        lambda x: x.sum(axis=0),
        lambda x: np.sum(x),
        lambda x: x.T,
        lambda x: x[1:, ::-1],
        lambda x: x.reshape(-1),
        lambda x: np.concatenate([x, 2 * x], axis=1),
        lambda x: np.cumsum(x, axis=0),
        lambda x: x @ x.T,
        lambda x: np.where(x > 0, x, 0.0),
        lambda x: np.pad(x, 1),
        lambda x: x[[1, 0, 1]],
        lambda x: np.sort(x, axis=1),
        lambda x: np.argmax(x, axis=0),
        lambda x: np.max(x, axis=1, keepdims=True),
        lambda x: x[:, None] * x,
        lambda x: np.einsum("ij,kj->ik", x, x),
        lambda x: np.rot90(x),
        lambda x: np.take_along_axis(x, np.argsort(x, axis=1), axis=1),
        lambda x: np.exp(x - np.max(x)) / np.sum(np.exp(x - np.max(x))),
    ]


@pytest.mark.parametrize("f", functions())
def test_one_argument(f):
    for axis in (0, 1, 2, -1, -3):
        rank = f(np.take(a, 0, axis=axis)).ndim
        for out_axis in {0, rank, -1}:
            want = loop(f, (axis,), out_axis, a)
            close(tj.vmap(f, in_axes=axis, out_axes=out_axis)(a), want)
    close(tj.jit(tj.vmap(f, in_axes=1))(a), loop(f, (1,), 0, a))
    close(tj.vmap(tj.jit(f))(a), loop(f, (0,), 0, a))


@pytest.mark.parametrize("in_axes", [(0, None), (None, 0), (0, 0), (1, 0), (2, -1), (-2, 0), (None, 1)])
@pytest.mark.parametrize("out_axes", [0, 1, -1])
def test_two_arguments(in_axes, out_axes):
    f = lambda x, y: np.tensordot(x, y, axes=0) + np.sum(y)
    sizes = {0: 3, 1: 4, 2: 5}
    x = a
    y = b if in_axes[0] is None else np.moveaxis(rng.standard_normal((sizes[in_axes[0] % 3], 2)), 0, in_axes[1]) if in_axes[1] is not None else b
    close(tj.vmap(f, in_axes, out_axes)(x, y), loop(f, in_axes, out_axes, x, y))
    close(tj.jit(tj.vmap(f, in_axes, out_axes))(x, y), loop(f, in_axes, out_axes, x, y))
    close(tj.vmap(tj.jit(f), list(in_axes), out_axes)(x, y), loop(f, in_axes, out_axes, x, y))


def test_updates():
    got = tj.vmap(lambda x, i: x.at[i].add(1.0), in_axes=(0, 0))(b, np.array([0, 4, 2, 2]))
    close(got, b + np.eye(5)[[0, 4, 2, 2]])


def test_nested():
    f = lambda x, y: x @ y
    x, y = rng.standard_normal((3, 6, 4)), rng.standard_normal((3, 5, 4))
    pairs = tj.vmap(tj.vmap(tj.vmap(f, (None, 0)), (0, None)))
    close(pairs(x, y), np.einsum("nik,njk->nij", x, y))
    close(tj.jit(pairs)(x, y), np.einsum("nik,njk->nij", x, y))
    assert tj.vmap(lambda v: tj.vmap(lambda s: s * v.sum())(v))(b).shape == (4, 5)
    for axes in itertools.permutations((0, 1, 2), 2):
        inner = tj.vmap(lambda v: v * 2, in_axes=axes[1] - (axes[1] > axes[0]))
        assert tj.vmap(inner, in_axes=axes[0])(a).shape[:2] == (a.shape[axes[0]], a.shape[axes[1]])


def test_trees_of_axes():
    def f(p, y, k):
        return {"s": p["w"] * y, "t": (p["b"][0] + k, k)}

    p = {"w": b, "b": [np.arange(4.0)]}
    out = tj.vmap(f, in_axes=({"w": 0, "b": [0]}, None, None), out_axes={"s": 1, "t": (0, None)})(p, 2.0, 5)
    close(out, {"s": (b * 2).T, "t": (np.arange(4.0) + 5, out["t"][1])})
    assert out["t"][1] == 5
    close(tj.vmap(f, in_axes=({"w": 1, "b": None}, 0, None))(p, np.arange(5.0), 1)["s"], b.T * np.arange(5.0)[:, None])
    close(tj.vmap(lambda p: p["w"].sum(), in_axes=({"w": 0, "b": None},))(p), b.sum(1))
    close(tj.vmap(lambda q: q["w"].sum() + q["b"][0])(p), b.sum(1) + np.arange(4.0))  # one axis for a whole tree


def test_axis_size_and_what_all_examples_share():
    close(tj.vmap(lambda x: x, in_axes=None, axis_size=3)(2.0), np.full(3, 2.0))
    close(tj.vmap(lambda: np.arange(2.0), axis_size=3)(), np.tile(np.arange(2.0), (3, 1)))
    close(tj.vmap(lambda x: (x, 1.5, b), out_axes=(0, 0, None))(np.arange(3.0)), (np.arange(3.0), np.full(3, 1.5), b))
    close(tj.vmap(lambda x, y: y, in_axes=(0, None), out_axes=None)(np.arange(3.0), b), b)
    close(tj.vmap(lambda x, y: y, in_axes=(0, None), out_axes=-1)(np.arange(3.0), b), np.stack([b] * 3, -1))
    close(tj.vmap(lambda x, *, y: x * y)(np.arange(3.0), y=np.arange(3.0)), np.arange(3.0) ** 2)
    assert tj.vmap(lambda x: x)(np.zeros((0, 3))).shape == (0, 3)
    assert tj.vmap(np.sum)(np.zeros((0, 3))).shape == (0,)


def test_dtypes_and_numbers():
    for dtype in (np.float32, np.int8, bool, np.complex64):
        x = rng.integers(0, 2, (3, 4)).astype(dtype)
        close(tj.vmap(lambda v: v + v)(x), x + x)
        close(tj.vmap(lambda v, s: v * s, in_axes=(0, None))(x, 2), x * 2)
    assert tj.vmap(lambda v: v.shape[0] * v.ndim * v)(b).shape == b.shape  # shapes are those of one example
    close(tj.vmap(lambda v: v)(np.arange(3)), np.arange(3))


def test_closures():
    close(tj.vmap(lambda b, i: b[i], in_axes=(None, 0))(b, np.array([2, 0, 2])), b[[2, 0, 2]])
    close(tj.vmap(lambda x: tj.vmap(lambda y: x - y)(b[0]))(b[0]), b[0][:, None] - b[0])
    close(tj.grad(lambda s: np.sum(tj.vmap(lambda x: x * s)(b[0])))(2.0), np.sum(b[0]))


@pytest.mark.parametrize(
    "transform",
    [
        tj.grad,
        tj.jacfwd,
        tj.hessian,
        lambda f: lambda x: tj.jvp(f, (x,), (np.ones_like(x),))[1],
        lambda f: lambda x: tj.vjp(f, x)[1](2.0)[0],
        lambda f: lambda x: tj.linearize(f, x)[1](x),
        lambda f: tj.hvp(f) and (lambda x: tj.hvp(f)(x, x)),
    ],
)
def test_derivatives_inside(transform):
    f = lambda x: np.sum(np.tanh(x) * x[::-1] ** 2)
    want = np.stack([transform(f)(row) for row in b])
    close(tj.vmap(transform(f))(b), want)
    close(tj.jit(tj.vmap(transform(f)))(b), want)
    close(tj.vmap(tj.jit(transform(tj.jit(f))))(b), want)


def test_derivatives_outside():
    f = lambda x: np.sum(np.tanh(x) * x[::-1] ** 2)
    g = lambda x: np.sum(tj.vmap(f)(x) ** 2)
    want = 2 * tj.vmap(f)(b)[:, None] * np.stack([tj.grad(f)(row) for row in b])
    for transform in (tj.grad, lambda h: tj.jit(tj.grad(h)), lambda h: tj.grad(tj.jit(h))):
        close(transform(g)(b), want)
    from tracejit.tools import check_grads

    check_grads(tj.vmap(f, in_axes=1), (b[:3, :3],), order=2)


def test_messages_name_the_function_only_once_a_shape_is_wrong():
    with pytest.raises(ValueError, match="do not match|broadcast"):
        tj.vmap(lambda x: x @ np.zeros(7))(a)
