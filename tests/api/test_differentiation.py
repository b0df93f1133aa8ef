"""Derivatives: every transform against closed forms, differences and each other; nesting in every order; integers, branches, trees, residuals."""

from __future__ import annotations

import collections
import functools
import itertools

import numpy as np
import pytest

import tracejit as tj
from tracejit.tools import check_grads

x3 = np.array([0.3, -0.7, 1.1])
Pair = collections.namedtuple("Pair", "first second")


def wave(x):
    """A smooth function of any array to a number."""
    return np.sum(np.sin(x) * np.exp(0.3 * x) + x**3)


def slope(x):
    return np.cos(x) * np.exp(0.3 * x) + 0.3 * np.sin(x) * np.exp(0.3 * x) + 3 * x**2


def curvature(x):
    return (0.09 - 1) * np.sin(x) * np.exp(0.3 * x) + 0.6 * np.cos(x) * np.exp(0.3 * x) + 6 * x


def close(got, want, rtol=1e-12):
    assert tj.tree.structure(got) == tj.tree.structure(want)
    for a, b in zip(tj.tree.leaves(got), tj.tree.leaves(want)):
        assert np.asarray(a).dtype == np.asarray(b).dtype and np.shape(a) == np.shape(b), (a, b)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


# ------------------------------------------------------------------------------------------------------------------ one by one
def test_jvp():
    out, moved = tj.jvp(wave, (x3,), (np.ones(3),))
    close(out, wave(x3))
    close(moved, np.sum(slope(x3)))
    out, moved, aux = tj.jvp(lambda x: (wave(x), {"twice": 2 * x}), (x3,), (np.ones(3),), has_aux=True)
    close(moved, np.sum(slope(x3)))
    close(aux, {"twice": 2 * x3})


def test_jvp_of_trees():
    def f(d, y):
        return {"a": d["x"] * y, "b": (y,)}

    out, moved = tj.jvp(f, ({"x": x3}, 2.0), ({"x": np.ones(3)}, 10.0))
    close(out, {"a": 2 * x3, "b": (2.0,)})
    close(moved, {"a": 2.0 + 10.0 * x3, "b": (np.float64(10.0),)})


def test_jvp_takes_lists_and_converts_tangents():
    close(tj.jvp(wave, [x3], [np.ones(3, np.float32)])[1], np.sum(slope(x3)))
    close(tj.jvp(wave, (x3,), (np.ones(3, int),))[1], np.sum(slope(x3)))
    close(tj.jvp(lambda x: x * x, (np.float32(3),), (1.0,))[1], np.float32(6))


def test_linearize():
    out, push = tj.linearize(lambda x, y: (np.sin(x) * y, np.sum(x)), x3, 2.0)
    close(out, (np.sin(x3) * 2, np.sum(x3)))
    for t in (np.ones(3), x3):
        close(push(t, 0.5), (2 * np.cos(x3) * t + 0.5 * np.sin(x3), np.sum(t)))
    close(tj.vmap(lambda t: push(t, 0.0)[1])(np.eye(3)), np.ones(3))


def test_vjp():
    out, pull = tj.vjp(lambda x, y: x * y, x3, 2.0)
    close(out, 2 * x3)
    close(pull(np.ones(3)), (np.full(3, 2.0), np.sum(x3)))
    close(pull(x3), (2 * x3, np.sum(x3 * x3)))
    out, pull, aux = tj.vjp(lambda x: (wave(x), {"s": np.sin(x)}), x3, has_aux=True)
    close(pull(1.0), (slope(x3),))
    close(aux, {"s": np.sin(x3)})
    assert tj.vjp(lambda x: x, ())[1](()) == ((),)


def test_vjp_of_trees():
    def f(p, scale):
        return Pair(p["w"] @ p["b"][0] * scale, [p["b"][1]])

    p = {"w": np.arange(6.0).reshape(2, 3), "b": (x3, 4.0)}
    out, pull = tj.vjp(f, p, 3.0)
    close(out.first, p["w"] @ x3 * 3)
    gp, gs = pull(Pair(np.array([1.0, 2.0]), [5.0]))
    close(gp, {"w": 3 * np.outer([1.0, 2.0], x3), "b": (3 * np.array([1.0, 2.0]) @ p["w"], np.float64(5.0))})
    close(gs, np.dot([1.0, 2.0], p["w"] @ x3))


def test_grad_and_value():
    close(tj.grad(wave)(x3), slope(x3))
    value, gradient = tj.value_and_grad(wave)(x3)
    close(value, wave(x3))
    close(gradient, slope(x3))
    close(tj.grad(wave)(0.5), slope(0.5))
    close(tj.grad(wave)(np.float32(0.5)), np.float32(slope(0.5)), rtol=1e-6)
    close(tj.grad(wave)(x3.astype(np.float32)), slope(x3).astype(np.float32), rtol=1e-6)
    assert tj.grad(wave).__name__ == "wave" and type(tj.grad(wave)(0.5)) is np.float64


@pytest.mark.parametrize("argnums", [0, 1, 2, -1, -3, (0,), (0, 2), (2, 0), (-1, 0), [1, 2], ()])
def test_argnums(argnums):
    args = (2.0, x3, {"w": x3 + 1, "s": 0.5})

    def f(a, b, p):
        return a**2 * wave(b) * p["s"] + np.sum(p["w"] ** 2)

    expected = (np.float64(2 * 2.0 * wave(x3) * 0.5), 4.0 * slope(x3) * 0.5, {"w": 2 * (x3 + 1), "s": np.float64(4.0 * wave(x3))})
    want = tuple(expected[n] for n in argnums) if isinstance(argnums, (tuple, list)) else expected[argnums]
    close(tj.grad(f, argnums)(*args), want)
    close(tj.value_and_grad(f, argnums)(*args)[1], want)
    close(tj.jit(tj.grad(f, argnums))(*args), want)
    close(tj.jacrev(f, argnums)(*args), want)
    if argnums != ():
        close(tj.jacfwd(f, argnums)(*args), want)


def test_aux_and_keyword_arguments():
    def f(x, *, scale, offset=1):
        return wave(x) * scale + offset, {"x": 2 * x, "scale": scale, "text": "any object"}

    (value, aux), g = tj.value_and_grad(f, has_aux=True)(x3, scale=3.0)
    close(value, wave(x3) * 3 + 1)
    close(g, 3 * slope(x3))
    close(aux["x"], 2 * x3)
    assert type(aux["x"]) is np.ndarray and aux["text"] == "any object" and aux["scale"] == 3.0
    close(tj.grad(f, has_aux=True)(x3, scale=3, offset=0)[0], 3 * slope(x3))
    close(tj.jit(tj.grad(lambda x, s: f(x, scale=s)[0]))(x3, 2.0), 2 * slope(x3))


def quadratic_map(x):
    return np.array([[1.0, 2.0, 0.0], [0.0, 3.0, -1.0]]) @ (x * x)


def test_jacobians():
    want = np.array([[1.0, 2.0, 0.0], [0.0, 3.0, -1.0]]) * 2 * x3
    for jacobian in (
        tj.jacfwd,
        tj.jacrev,
        lambda f: tj.jit(tj.jacfwd(f)),
        lambda f: tj.jit(tj.jacrev(f)),
        lambda f: tj.jacfwd(tj.jit(f)),
        lambda f: tj.jacrev(tj.jit(f)),
    ):
        close(jacobian(quadratic_map)(x3), want)
        close(jacobian(np.sin)(x3), np.diag(np.cos(x3)))
        close(jacobian(np.sin)(0.5), np.cos(0.5))
        close(jacobian(lambda x: np.outer(x, x))(x3), np.einsum("ik,j->ijk", np.eye(3), x3) + np.einsum("i,jk->ijk", x3, np.eye(3)))
        close(jacobian(lambda x: np.ones(2))(x3), np.zeros((2, 3)))
        close(jacobian(lambda x: x.astype(np.float32))(x3), np.eye(3, dtype=jacobian(lambda x: x.astype(np.float32))(x3).dtype), rtol=1e-6)


def test_jacobians_of_trees():
    def f(p):
        return {"y": p["a"] * p["b"][0], "z": (np.sum(p["a"]),)}

    p = {"a": x3, "b": [2.0]}
    want = {"y": {"a": 2 * np.eye(3), "b": [x3]}, "z": ({"a": np.ones(3), "b": [np.float64(0.0)]},)}
    for jacobian in (tj.jacfwd, tj.jacrev):
        close(jacobian(f)(p), want)
        close(tj.jit(jacobian(f))(p), want)
        got, aux = jacobian(lambda q: (f(q), q["a"] * 2), has_aux=True)(p)
        close(got, want)
        close(aux, 2 * x3)


def test_hessians():
    def f(x, y=0.0):
        return np.sum(x[:, None] * x * np.arange(9.0).reshape(3, 3)) * 0.5 + np.sum(x**3) * y

    matrix = np.arange(9.0).reshape(3, 3)
    want = (matrix + matrix.T) / 2
    for hessian in (
        tj.hessian,
        lambda f: tj.jacrev(tj.jacrev(f)),
        lambda f: tj.jacrev(tj.jacfwd(f)),
        lambda f: tj.jacfwd(tj.jacfwd(f)),
        lambda f: tj.jacfwd(tj.grad(f)),
    ):
        close(hessian(f)(x3), want)
        close(tj.jit(hessian(f))(x3), want)
        close(hessian(tj.jit(f))(x3), want)
        close(hessian(f)(x3, 2.0), want + np.diag(12 * x3))
    blocks = tj.hessian(lambda a, b: np.sum(a * b**2), argnums=(0, 1))(x3, 2.0)
    close(blocks, ((np.zeros((3, 3)), np.full(3, 4.0)), (np.full(3, 4.0), np.float64(2 * np.sum(x3)))))


def test_hvp():
    v = np.array([1.0, -2.0, 0.5])
    close(tj.hvp(wave)(x3, v), curvature(x3) * v)
    close(tj.jit(tj.hvp(wave))(x3, v), curvature(x3) * v)
    close(tj.hvp(lambda x, s, *, t: wave(x) * s * t)(x3, v, 2.0, t=3.0), 6 * curvature(x3) * v)
    close(
        tj.hvp(lambda p: wave(p["a"]) * p["s"])({"a": x3, "s": 2.0}, {"a": v, "s": 1.0}),
        {"a": 2 * curvature(x3) * v + slope(x3), "s": np.dot(slope(x3), v)},
    )
    from scipy.optimize import minimize, rosen

    f = tj.jit(lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))
    found = minimize(f, np.zeros(4), jac=tj.jit(tj.grad(f)), hessp=tj.jit(tj.hvp(f)), method="trust-ncg")
    np.testing.assert_allclose(found.x, np.ones(4), rtol=1e-5)
    np.testing.assert_allclose(f(x3), rosen(x3))


def test_linear_transpose():
    a = np.arange(6.0).reshape(2, 3)
    f = lambda x, y: (a @ x + 0.0 * y, y[::-1] * 3)
    transposed = tj.linear_transpose(f, x3, tj.ShapeDtype((2,), np.float64))
    close(transposed((np.array([1.0, 2.0]), np.array([3.0, 4.0]))), (np.array([1.0, 2.0]) @ a, np.array([12.0, 9.0])))
    close(tj.jit(transposed)((np.array([1.0, 2.0]), np.array([3.0, 4.0]))), (np.array([1.0, 2.0]) @ a, np.array([12.0, 9.0])))
    close(tj.linear_transpose(transposed, (np.zeros(2), np.zeros(2)))((x3, np.ones(2))), (f(x3, np.ones(2)),))
    close(tj.linear_transpose(lambda d: {"s": d["x"].sum() * np.ones(2)}, {"x": x3})({"s": np.array([1.0, 2.0])}), ({"x": np.full(3, 3.0)},))
    close(tj.linear_transpose(tj.jit(lambda x: 2.0 * x[1:]), x3)(np.ones(2)), (np.array([0.0, 2.0, 2.0]),))
    close(tj.linear_transpose(lambda x: x * np.sum(np.sin(a)), x3)(x3), (x3 * np.sum(np.sin(a)),))


def test_stop_gradient():
    close(tj.grad(lambda x: x * tj.stop_gradient(x))(3.0), np.float64(3.0))
    close(tj.jit(tj.grad(lambda x: np.sum(x * tj.stop_gradient({"a": np.sin(x), "n": 3})["a"])))(x3), np.sin(x3))
    close(tj.grad(tj.grad(lambda x: x**2 * tj.stop_gradient(x)))(3.0), np.float64(6.0))
    close(tj.jvp(tj.stop_gradient, (x3,), (x3,))[1], np.zeros(3))
    assert tj.stop_gradient(x3) is x3
    close(tj.vmap(tj.grad(lambda x: x * tj.stop_gradient(x)))(x3), x3)


# -------------------------------------------------------------------------------------------------------------------- nesting
def by_forward(f):
    return lambda x: tj.jvp(f, (x,), (np.ones_like(x),))[1]


def by_linearize(f):
    return lambda x: tj.linearize(f, x)[1](np.ones_like(x))


def by_reverse(f):
    return lambda x: tj.vjp(f, x)[1](np.ones_like(x))[0]


def by_batched(f):
    return lambda x: tj.vmap(tj.grad(f))(x[None])[0]


def by_grad_of_batched(f):
    return lambda x: tj.grad(lambda v: np.sum(tj.vmap(f)(v)))(np.stack([x, x]))[1]


DERIVATIVES = [tj.grad, by_forward, by_linearize, by_reverse, tj.jacfwd, tj.jacrev, by_batched, by_grad_of_batched]


@pytest.mark.parametrize("outer", DERIVATIVES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("inner", DERIVATIVES, ids=lambda d: d.__name__)
def test_second_order_in_every_way(outer, inner):
    def f(x):
        return np.sin(x) * np.exp(0.5 * x)

    want = (0.25 - 1) * np.sin(0.7) * np.exp(0.35) + np.cos(0.7) * np.exp(0.35)
    x = np.float64(0.7)
    np.testing.assert_allclose(outer(inner(f))(x), want, rtol=1e-13)
    np.testing.assert_allclose(outer(inner(tj.jit(f)))(x), want, rtol=1e-13)
    np.testing.assert_allclose(outer(tj.jit(inner(f)))(x), want, rtol=1e-13)
    np.testing.assert_allclose(tj.jit(outer(inner(f)))(x), want, rtol=1e-13)


@pytest.mark.parametrize(
    "order", list(itertools.product([tj.grad, by_forward, tj.jacrev, by_batched], repeat=3)), ids=lambda o: "-".join(d.__name__ for d in o)
)
def test_third_order_in_many_ways(order):
    def f(x):
        return np.tanh(x) * x**2

    def chain(g, compiled):
        for derivative in order:
            g = derivative(g)
        return tj.jit(g) if compiled else g

    x, s = 0.4, np.tanh(0.4)
    d1, d2, d3 = 1 - s**2, -2 * s * (1 - s**2), (1 - s**2) * (6 * s**2 - 2)
    want = d3 * x**2 + 3 * d2 * 2 * x + 3 * d1 * 2
    for compiled in (False, True):
        np.testing.assert_allclose(chain(f, compiled)(np.float64(x)), want, rtol=1e-12)


def test_mixed_transforms_of_a_vector_function():
    """grad of vmap of jit of grad, against the same number by hand."""
    w = np.array([0.5, -1.0, 2.0])

    def f(w, x):
        return np.sin(np.dot(w, x))

    inner = tj.jit(tj.grad(f, 1))  # cos(w.x) w
    rows = tj.vmap(inner, in_axes=(None, 0))
    xs = np.linspace(-1, 1, 12).reshape(4, 3)

    def outer(w):
        return np.sum(rows(w, xs) ** 2)  # sum_i cos(w.x_i)^2 |w|^2

    phase = xs @ w
    want = 2 * w * np.sum(np.cos(phase) ** 2) - np.sum(np.sin(2 * phase)[:, None] * xs, 0) * np.dot(w, w)
    for g in (tj.grad(outer), tj.jit(tj.grad(outer)), tj.grad(tj.jit(outer)), lambda w: tj.vmap(tj.grad(outer))(w[None])[0]):
        close(g(w), want)
    check_grads(outer, (w,), order=2)


def test_perturbation_confusion():
    """d/dx (x * d/dy (x + y)) is 1, and the derivative of x -> x * (y -> x*y)'(1) is 2x."""
    for inner, outer in itertools.product([tj.grad, by_forward, by_linearize, by_reverse], repeat=2):
        assert outer(lambda x: x * inner(lambda y: x + y)(x * 0 + 1.0))(1.0) == 1.0
        assert outer(lambda x: x * inner(lambda y: x * y)(x * 0 + 1.0))(3.0) == 6.0
        assert tj.jit(outer(lambda x: x * inner(tj.jit(lambda y: x * y))(1.0)))(3.0) == 6.0
        assert outer(lambda x: inner(lambda y: inner(lambda z: x * y * z * z)(y))(x))(2.0) == 16.0  # 2xyz, 4xy, 8x


def test_closures_over_outer_values():
    def f(x):
        scale = np.sin(x)

        def inner(y):
            return np.sum(y * scale) ** 2

        return np.sum(tj.grad(inner)(x)) + np.sum(tj.vmap(lambda v: v * np.sum(scale))(x))

    check_grads(f, (x3,), order=2)
    check_grads(tj.jit(f), (x3,), order=2)
    close(tj.jit(f)(x3), f(x3))


def test_functions_that_are_made_inside():
    def f(x, n):
        g = wave
        for _ in range(n):
            g = functools.partial(lambda h, v: tj.grad(h)(v), g)
        return g(x)

    assert np.isclose(f(0.5, 2), curvature(0.5))
    assert np.isclose(tj.jit(f, static_argnums=1)(0.5, 2), curvature(0.5))


@pytest.mark.parametrize("n", [1, 3, 6])
def test_high_orders(n):
    f = np.sin
    for _ in range(n):
        f = tj.grad(f)
    np.testing.assert_allclose(f(0.3), np.sin(0.3 + n * np.pi / 2), rtol=1e-12)
    np.testing.assert_allclose(tj.jit(f)(0.3), np.sin(0.3 + n * np.pi / 2), rtol=1e-12)


# ------------------------------------------------------------------------------------------------------------ values and branches
def test_python_control_flow_on_values():
    def f(x):
        total = 0.0
        while total < 2.0:
            total = total + x if x > 0.5 else total + x**2
        for v in (total, x):
            if 0 < v < 10 and not v > 100:
                total = total * v
        return total

    for x in (0.4, 0.9):
        h = 1e-6
        np.testing.assert_allclose(tj.grad(f)(x), (f(x + h) - f(x - h)) / (2 * h), rtol=1e-7)
        np.testing.assert_allclose(tj.jvp(f, (x,), (1.0,))[1], tj.grad(f)(x), rtol=1e-14)
        np.testing.assert_allclose(tj.grad(tj.grad(f))(x), (tj.grad(f)(x + h) - tj.grad(f)(x - h)) / (2 * h), rtol=1e-6)


def test_values_choose_indices_and_lengths():
    def f(x):
        order = [int(i) for i in np.argsort(x)]
        return x[order[-1]] * len([v for v in x if v > 0]) + np.sum(x[: order[0]])

    close(tj.grad(f)(x3), np.array([1.0, 0.0, 2.0]))
    table = np.arange(3.0)
    close(tj.grad(lambda x: x[0] * table[np.argmax(x)] + np.sum(table[np.argsort(x)] * x))(x3), np.array([3.0, 0.0, 2.0]))


# ---------------------------------------------------------------------------------------------------------- integers and booleans
def test_integer_inputs_have_zero_tangents():
    def f(x, n, mask):
        return np.sum(np.where(mask, x**n, n)) * 1.0, n + 1, ~mask

    n, mask = np.array([2, 3, 1]), np.array([True, False, True])
    (y, m, notmask), (ty, tm, tmask) = tj.jvp(f, (x3, n, mask), (np.ones(3), np.zeros(3), np.zeros(3, bool)))
    close(ty, np.float64(2 * x3[0] + 1.0))
    assert np.array_equal(tm, np.zeros(3)) and np.array_equal(m, n + 1) and np.array_equal(notmask, ~mask) and np.shape(tmask) == (3,)
    out, pull = tj.vjp(f, x3, n, mask)
    gx, gn, gmask = pull((1.0, np.zeros(3, int), np.zeros(3, bool)))
    close(gx, np.array([2 * x3[0], 0.0, 1.0]))
    assert gn.dtype == n.dtype and not gn.any() and gmask.dtype == bool and not gmask.any()
    close(tj.grad(lambda x: f(x, n, mask)[0])(x3), gx)
    close(tj.jit(tj.grad(lambda x, n, mask: f(x, n, mask)[0]))(x3, n, mask), gx)
    close(tj.vmap(tj.grad(lambda x, k: x**k), in_axes=(0, 0))(x3, n), n * x3 ** (n - 1.0))


def test_results_that_do_not_depend():
    close(tj.grad(lambda x: 3.0)(x3), np.zeros(3))
    close(tj.grad(lambda x: np.sum(np.floor(x)))(x3), np.zeros(3))
    close(tj.jit(tj.grad(lambda x: 3.0))(x3), np.zeros(3))
    close(tj.vjp(lambda x: (x, 1.0), x3)[1]((x3, 5.0)), (x3,))
    close(tj.jvp(lambda x: 3.0, (x3,), (x3,))[1], np.float64(0.0))
    close(tj.grad(tj.grad(lambda x: 3.0 * x))(2.0), np.float64(0.0))


def test_complex_arguments():
    z = np.array([1 + 2j, -0.5j])
    close(tj.grad(lambda z: np.sum(np.abs(z) ** 2))(z), 2 * np.conj(z))  # d/dx - i d/dy
    close(tj.grad(lambda z: np.sum(z**3), holomorphic=True)(z), 3 * z**2)
    close(tj.jit(tj.grad(lambda z: np.sum(np.real(z) * np.imag(z))))(z), np.imag(z) - 1j * np.real(z))
    with pytest.raises(TypeError, match="holomorphic=True needs complex"):
        tj.grad(lambda x: np.sum(x * 1j), holomorphic=True)(x3)


# ------------------------------------------------------------------------------------------------------------------- residuals
def residuals(pull):
    return pull.residuals


def test_residuals_that_are_inputs_are_the_inputs():
    a, b = np.ones((4, 4)), np.full((4, 4), 2.0)
    held = residuals(tj.vjp(lambda a, b: (a @ b, a * b), a, b)[1])
    assert {id(r) for r in held} == {id(a), id(b)}
    out, pull = tj.vjp(np.exp, a)
    assert [r is out for r in residuals(pull)] == [True]
    assert residuals(tj.vjp(lambda x: 3.0 * x[1:] + 1.0, a)[1]) == []
    assert {id(r) for r in residuals(tj.vjp(tj.jit(lambda a, b: a @ b), a, b)[1])} <= {id(a), id(b)}


def test_a_pullback_can_be_used_again_and_inside_jit():
    _, pull = tj.vjp(lambda x, y: np.sin(x) * y, x3, x3 + 1)
    first = pull(np.ones(3))
    close(pull(np.ones(3)), first)
    close(tj.jit(pull)(np.ones(3)), first)
    close(tj.vmap(pull)(np.ones((2, 3)))[0][1], first[0])
    close(tj.grad(lambda ct: np.sum(pull(ct)[0]))(np.ones(3)), np.cos(x3) * (x3 + 1))


# ------------------------------------------------------------------------------------------------------------- real functions
def mlp(params, x):
    for layer in params[:-1]:
        x = np.tanh(x @ layer["w"] + layer["b"])
    return x @ params[-1]["w"] + params[-1]["b"]


def test_a_network():
    rng = np.random.default_rng(0)
    sizes = (3, 5, 4, 2)
    params = [{"w": rng.standard_normal((m, n)), "b": rng.standard_normal(n)} for m, n in zip(sizes, sizes[1:])]
    x, y = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))

    def loss(params):
        z = mlp(params, x)
        z = z - np.max(z, axis=1, keepdims=True)
        return np.mean((z - y) ** 2) + np.sum(np.log(np.sum(np.exp(z), axis=1))) + np.std(z)

    check_grads(loss, (params,), order=2)
    check_grads(tj.jit(loss), (params,), order=2)
    close(tj.jit(tj.grad(loss))(params), tj.grad(loss)(params), rtol=1e-11)


def test_an_unrolled_integration():
    def energy(state):
        q, p = state
        for _ in range(10):
            p = p - 0.05 * np.sin(q)
            q = q + 0.1 * p
            p = p - 0.05 * np.sin(q)
        return np.sum(p**2 / 2 - np.cos(q))

    state = (np.array([0.1, 1.0]), np.array([0.5, -0.2]))
    check_grads(energy, (state,), order=3)
    check_grads(tj.jit(energy), (state,), order=2)
