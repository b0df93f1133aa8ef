"""What the derivative is at ties, zeros, infinities and NaN: each point, forward and reverse, compiled and not, in both precisions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tracejit as tj
from tracejit.tools import gradient_table
from tracejit.tools.gradient_points import POINTS, Point
from tracejit.tools.gradient_table import arguments, total

precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
DERIVED = [name for name, p in POINTS.items() if isinstance(p.want, tuple)]
REFUSED = [name for name in POINTS if name not in DERIVED]


@pytest.fixture(autouse=True)
def quiet():
    """The functions compute what is undefined."""
    with np.errstate(all="ignore"):
        yield


def agree(got, want, dtype) -> None:
    single = np.dtype(dtype).itemsize == 4 or np.dtype(dtype) == np.complex64
    np.testing.assert_allclose(got, want, rtol=1e-5 if single else 1e-12, atol=1e-6 if single else 1e-12)


def gradients(point: Point, args: tuple) -> Callable:
    return tj.grad(total(point.f), argnums=tuple(range(len(args))))


def pushes(point: Point, args: tuple) -> Callable:
    """The derivatives along each axis of the real arguments, one after the other."""
    directions = []
    for i, a in enumerate(args):
        for at in np.ndindex(np.shape(a)) if not np.iscomplexobj(a) else ():
            tangents = [np.zeros_like(b) for b in args]
            tangents[i] = np.array(tangents[i])
            tangents[i][at] = 1
            directions.append(tuple(tangents))
    return lambda *args: [tj.jvp(total(point.f), args, d)[1] for d in directions]


def in_order(point: Point, args: tuple) -> list:
    """What `pushes` should give. NaN where another argument's slope is not finite: a product with its zero tangent is NaN."""
    found = []
    for i, (a, want) in enumerate(zip(args, point.want)):
        if not np.iscomplexobj(a):
            spoiled = not all(np.all(np.isfinite(w)) for j, w in enumerate(point.want) if j != i)
            found += [None if spoiled else w for w in np.ravel(np.asarray(want, float))]
    return found


def check(point: Point, args: tuple, reverse, forward) -> None:
    for got, want, a in zip(reverse, point.want, args, strict=True):
        assert np.asarray(got).dtype == np.asarray(a).dtype
        agree(got, want, np.asarray(a).dtype)
    for got, want in zip(forward, in_order(point, args), strict=True):
        if want is not None:
            agree(got, want, np.asarray(args[0]).dtype)


@pytest.mark.parametrize("name", DERIVED)
@precisions
def test_derivatives(name, dtype):
    point = POINTS[name]
    args = arguments(point, dtype)
    reverse, forward = gradients(point, args), pushes(point, args)
    check(point, args, reverse(*args), forward(*args))
    check(point, args, *tj.jit(lambda *args: (reverse(*args), forward(*args)))(*args))


@pytest.mark.slow
@pytest.mark.parametrize("name", DERIVED)
@precisions
def test_derivatives_of_compiled_functions(name, dtype):
    point = POINTS[name]
    args = arguments(point, dtype)
    point = point._replace(f=tj.jit(point.f))
    check(point, args, gradients(point, args)(*args), pushes(point, args)(*args))


@pytest.mark.parametrize("name", [name for name in DERIVED if POINTS[name].second is not None])
@precisions
def test_second_derivatives(name, dtype):
    """Forward over reverse and reverse over reverse, with respect to the first argument."""
    point = POINTS[name]
    x, *rest = arguments(point, dtype)

    def gradient(x):
        return tj.grad(total(point.f))(x, *rest)

    for at, want in np.ndenumerate(np.asarray(point.second, dtype)):
        t = np.array(np.zeros_like(x))
        t[at] = 1
        agree(tj.jvp(gradient, (x,), (t,))[1][at], want, dtype)
        agree(tj.grad(lambda x, at=at: gradient(x)[at] if at else gradient(x))(x)[at], want, dtype)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("transform", [tj.grad, tj.jit, lambda f: tj.jit(tj.grad(f))], ids=["grad", "jit", "jit of grad"])
def test_errors(name, transform):
    point = POINTS[name]
    with pytest.raises(point.want):
        transform(total(point.f))(*arguments(point, np.float64))


@pytest.mark.parametrize("i", [5, -4])
def test_traced_index_out_of_range(i):
    x = np.ones(3)
    with pytest.raises(IndexError):
        tj.grad(lambda x, i: x[i])(x, i)
    with pytest.raises(IndexError):
        tj.vmap(np.take, in_axes=(None, 0))(x, np.array([0, i]))
    with pytest.raises(IndexError):
        tj.vmap(lambda x: np.sum(x[[i]]))(np.ones((2, 3)))
    with pytest.raises(IndexError):
        tj.grad(lambda x, i: np.sum(x.at[i].set(0.0)))(x, i)
    with pytest.raises(IndexError):
        tj.jit(np.take)(x, i)


@pytest.mark.parametrize("transform", [lambda f: f, tj.jit], ids=["bare", "jit"])
def test_eigenvectors_of_equal_eigenvalues(transform):
    """They have no derivative but along what does not turn them."""
    turned = lambda a: np.sum(np.linalg.eigh((a + a.T) / 2)[1])
    assert np.isnan(transform(tj.grad(turned))(np.eye(2))).all()
    push = transform(lambda a, t: tj.jvp(turned, (a,), (t,))[1])
    assert push(np.eye(2), np.diag([1.0, 0.0])) == 0 and np.isnan(push(np.eye(2), np.ones((2, 2))))


def test_the_published_page():
    """Made anew by `python -m tracejit.tools.gradient_table --write docs/gradients.md`."""
    assert Path(__file__, "../../../docs/gradients.md").resolve().read_text() == gradient_table.report()
