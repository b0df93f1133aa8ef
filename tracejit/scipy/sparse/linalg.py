"""Linear equations by iteration, for matrices that are known by their products with vectors: `cg`, `bicgstab`, `gmres`.

Arguments and results are those of `scipy.sparse.linalg`, on dense arrays or functions instead of sparse matrices, and on trees of arrays.  The
iterations are compiled loops. Derivatives, to any order and in both modes, are linear solves of the same kind (`tj.custom_linear_solve`), whatever
the number of iterations was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import tree
from ...api import custom_linear_solve, linear_transpose, stop_gradient, while_loop
from ...errors import at_user_line
from ...trace import type_of

__all__ = ["bicgstab", "cg", "gmres"]

Map = Callable[[Any], Any]


# -- trees as vectors
def _dot(x: Any, y: Any) -> Any:
    return sum(np.vdot(a, b) for a, b in zip(tree.leaves(x), tree.leaves(y)))


def _norm(x: Any) -> Any:
    return np.sqrt(np.real(_dot(x, x)))


def _plus(x: Any, factor: Any, y: Any) -> Any:
    """x + factor * y"""
    return tree.map(lambda a, b: a + factor * b, x, y)


def _minus(x: Any, y: Any) -> Any:
    return tree.map(np.subtract, x, y)


def _over(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0: an iteration that has arrived stays."""
    zero = b == 0
    return np.where(zero, 0, a / np.where(zero, 1, b))


# -- arguments
def _as_map(matrix: Any, what: str) -> Map:
    if callable(matrix):
        return matrix
    shape = np.shape(matrix)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(at_user_line(f"{what}: expected a square matrix or a function, got shape {shape}"))
    return lambda x: matrix @ x


def _preconditioners(matrix: Any, b: Any, what: str) -> tuple[Map, Map]:
    """The preconditioner and its transpose."""
    if matrix is None:
        return (lambda x: x), (lambda x: x)
    if not callable(matrix):
        return _as_map(matrix, what), _as_map(np.transpose(matrix), what)
    return matrix, lambda x: linear_transpose(matrix, b)(x)[0]


def _solved(what: str, iterate: Callable, A: Any, b: Any, x0: Any, rtol: float, atol: float, maxiter: int | None, M: Any, symmetric: bool):
    """The solution and SciPy's `info`. `iterate(matvec, b, precondition, limit, maxiter)` starts from zero and gives x and the norm that is left."""
    product = _as_map(A, what)
    b = tree.map(lambda x: x if type_of(x).dtype.kind in "fc" else np.asarray(x, float), b)
    if maxiter is None:
        maxiter = 10 * sum(type_of(x).size for x in tree.leaves(b))
    forward, backward = _preconditioners(M, b, what)
    start = None if x0 is None else tree.map(stop_gradient, x0)

    def solver(precondition: Map) -> Callable:
        def solve(matvec: Map, right: Any) -> tuple[Any, Any]:
            limit = np.maximum(rtol * _norm(right), atol)
            x, left = iterate(matvec, right, precondition, limit, maxiter)
            return x, np.where(left <= limit, 0, maxiter)

        return solve

    right = b if start is None else _minus(b, product(start))
    real = all(type_of(x).dtype.kind != "c" for x in tree.leaves(b))
    x, info = custom_linear_solve(product, right, solver(forward), solver(backward), symmetric=symmetric and real, has_aux=True)
    return (x if start is None else tree.map(np.add, start, x)), info


def _zeros(b: Any) -> Any:
    return tree.map(lambda x: 0 * x, b)


# -- the solvers
def cg(A: Any, b: Any, x0: Any = None, *, rtol: float = 1e-5, atol: float = 0.0, maxiter: int | None = None, M: Any = None) -> tuple[Any, Any]:
    """The solution of `A x = b` for a symmetric (Hermitian) positive definite A, by conjugate gradients; as `scipy.sparse.linalg.cg`.

    `A` is a matrix or a linear function of a tree like `b`, `M` an approximation of its inverse in the same form. Returns x and `info`, which is 0,
    or `maxiter` where so many steps (10 for each unknown, unless given) did not make the residual smaller than `max(rtol * |b|, atol)`; with `x0`,
    which has no derivative, b stands for the first residual. Source: Hestenes and Stiefel (1952).

    >>> import numpy as np, tracejit as tj
    >>> from tracejit.scipy.sparse.linalg import cg
    >>> A = np.array([[4.0, 1.0], [1.0, 3.0]])
    >>> tj.grad(lambda b: cg(A, b, rtol=1e-12)[0].sum())(np.ones(2)).round(6)
    array([0.181818, 0.272727])
    """
    return _solved("cg", _conjugate_gradients, A, b, x0, rtol, atol, maxiter, M, symmetric=True)


def _conjugate_gradients(matvec: Map, b: Any, precondition: Map, limit: Any, maxiter: int):
    z = precondition(b)

    def turn(state):
        count, x, r, p, gamma = state
        q = matvec(p)
        alpha = _over(gamma, np.real(_dot(p, q)))
        x, r = _plus(x, alpha, p), _plus(r, -alpha, q)
        z = precondition(r)
        last, gamma = gamma, np.real(_dot(r, z))
        return count + 1, x, r, _plus(z, _over(gamma, last), p), gamma

    start = (0, _zeros(b), b, z, np.real(_dot(b, z)))
    _, x, r, _, _ = while_loop(lambda s: (s[0] < maxiter) & (_norm(s[2]) > limit), turn, start)
    return x, _norm(r)


def bicgstab(A: Any, b: Any, x0: Any = None, *, rtol: float = 1e-5, atol: float = 0.0, maxiter: int | None = None, M: Any = None) -> tuple[Any, Any]:
    """The solution of `A x = b` for any regular A, by stabilised biconjugate gradients; as `scipy.sparse.linalg.bicgstab`. Arguments as in `cg`.

    Source: van der Vorst (1992).

    >>> import numpy as np
    >>> from tracejit.scipy.sparse.linalg import bicgstab
    >>> bicgstab(np.array([[4.0, 1.0], [0.0, 2.0]]), np.array([1.0, 2.0]), rtol=1e-12)[0].round(6)
    array([0., 1.])
    """
    return _solved("bicgstab", _stabilised, A, b, x0, rtol, atol, maxiter, M, symmetric=False)


def _stabilised(matvec: Map, b: Any, precondition: Map, limit: Any, maxiter: int):
    def turn(state):
        count, x, r, p, rho = state
        p_hat = precondition(p)
        v = matvec(p_hat)
        alpha = _over(rho, _dot(b, v))
        s = _plus(r, -alpha, v)
        s_hat = precondition(s)
        t = matvec(s_hat)
        omega = _over(_dot(t, s), _dot(t, t))
        x = _plus(_plus(x, alpha, p_hat), omega, s_hat)
        r = _plus(s, -omega, t)
        last, rho = rho, _dot(b, r)
        beta = _over(rho, last) * _over(alpha, omega)
        return count + 1, x, r, _plus(r, beta, _plus(p, -omega, v)), rho

    start = (0, _zeros(b), b, b, _dot(b, b))
    _, x, r, _, _ = while_loop(lambda s: (s[0] < maxiter) & (_norm(s[2]) > limit), turn, start)
    return x, _norm(r)


def gmres(
    A: Any, b: Any, x0: Any = None, *, rtol: float = 1e-5, atol: float = 0.0, restart: int | None = None, maxiter: int | None = None, M: Any = None
) -> tuple[Any, Any]:
    """The solution of `A x = b` for any regular A, by the generalised minimal residual method; as `scipy.sparse.linalg.gmres`. Arguments as in `cg`.

    The residual is tested after each `restart` products (20, or the number of unknowns where that is smaller), and `maxiter` counts restarts.
    Source: Saad and Schultz (1986), with the preconditioner on the right.

    >>> import numpy as np
    >>> from tracejit.scipy.sparse.linalg import gmres
    >>> gmres(np.array([[4.0, 1.0], [0.0, 2.0]]), np.array([1.0, 2.0]), rtol=1e-12)[0].round(6)
    array([0., 1.])
    """
    n = sum(type_of(x).size for x in tree.leaves(b))
    size = min(n, 20 if restart is None else restart)

    def iterate(matvec, b, precondition, limit, maxiter):
        return _minimal_residuals(matvec, b, precondition, limit, maxiter, size)

    return _solved("gmres", iterate, A, b, x0, rtol, atol, maxiter, M, symmetric=False)


def _minimal_residuals(matvec: Map, b: Any, precondition: Map, limit: Any, maxiter: int, size: int):
    flat, unravel = tree.ravel(b)
    dtype = type_of(flat).dtype

    def product(v: Any) -> Any:
        return tree.ravel(matvec(precondition(unravel(v))))[0]

    def cycle(state):
        count, x, r = state
        beta = np.sqrt(np.real(np.vdot(r, r)))
        basis = [_over(r, beta)]
        columns = []
        for j in range(size):  # the matrix is small: what is compiled is `size` products and as many projections
            w = product(basis[j])
            entries = []
            for _ in range(2):  # projecting twice keeps the basis orthogonal to rounding
                known = np.stack(basis)
                part = np.conj(known) @ w
                w = w - part @ known
                entries.append(part)
            length = np.sqrt(np.real(np.vdot(w, w)))
            columns.append(np.concatenate([entries[0] + entries[1], np.stack([length + 0 * part[0]]), np.zeros(size - j - 1, dtype)]))
            basis.append(_over(w, length))
        hessenberg = np.stack(columns, axis=1)
        target = np.concatenate([np.stack([beta + 0 * hessenberg[0, 0]]), np.zeros(size, dtype)])
        step = np.linalg.pinv(hessenberg) @ target @ np.stack(basis[:size])
        x = x + step
        return count + 1, x, flat - product(x)

    _, x, r = while_loop(lambda s: (s[0] < maxiter) & (np.sqrt(np.real(np.vdot(s[2], s[2]))) > limit), cycle, (0, 0 * flat, flat))
    return precondition(unravel(x)), np.sqrt(np.real(np.vdot(r, r)))
