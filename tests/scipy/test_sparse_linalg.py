"""Iterative solvers: solutions, derivatives, batches, preconditioners, trees; and where they do not converge."""

import numpy as np
import pytest

import tracejit as tj
from tracejit.scipy.sparse.linalg import bicgstab, cg, gmres

rng = np.random.default_rng(0)
N = 8
GENERAL = rng.standard_normal((N, N)) + 6 * np.eye(N)
DEFINITE = GENERAL @ GENERAL.T / N
B = rng.standard_normal(N)
solvers = pytest.mark.parametrize("solver, matrix", [(cg, DEFINITE), (bicgstab, GENERAL), (gmres, GENERAL)], ids=["cg", "bicgstab", "gmres"])
wraps = pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])


@solvers
@wraps
class TestSolvers:
    def test_solution(self, solver, matrix, wrap):
        x, info = wrap(lambda a, b: solver(a, b, rtol=1e-12))(matrix, B)
        np.testing.assert_allclose(x, np.linalg.solve(matrix, B), rtol=1e-9)
        assert info == 0

    def test_gradients(self, solver, matrix, wrap):
        def symmetric(a):
            return (a + a.T) / 2 if solver is cg else a

        got = wrap(tj.grad(lambda a, b: np.sum(solver(symmetric(a), b, rtol=1e-13)[0] ** 2), argnums=(0, 1)))(matrix, B)
        want = tj.grad(lambda a, b: np.sum(np.linalg.solve(symmetric(a), b) ** 2), argnums=(0, 1))(matrix, B)
        for g, w in zip(got, want):
            np.testing.assert_allclose(g, w, rtol=1e-8, atol=1e-11)
        got = wrap(lambda b, t: tj.jvp(lambda b: solver(matrix, b, rtol=1e-13)[0], (b,), (t,))[1])(B, B[::-1])
        np.testing.assert_allclose(got, np.linalg.solve(matrix, B[::-1]), rtol=1e-9)

    def test_batches(self, solver, matrix, wrap):
        got = wrap(tj.vmap(tj.grad(lambda b: np.sum(solver(matrix, b, rtol=1e-13)[0] ** 2))))(np.stack([B, 2 * B]))
        want = tj.grad(lambda b: np.sum(np.linalg.solve(matrix, b) ** 2))(B)
        np.testing.assert_allclose(got, [want, 2 * want], rtol=1e-8, atol=1e-11)


@solvers
class TestOptions:
    def test_preconditioners(self, solver, matrix):
        inverse = np.linalg.inv(matrix)
        for m in (inverse, lambda x: inverse @ x):
            x, info = solver(matrix, B, M=m, maxiter=2, rtol=1e-10)
            assert info == 0
            g = tj.grad(lambda b, m=m: np.sum(solver(matrix, b, M=m, maxiter=2, rtol=1e-10)[0]))(B)
            np.testing.assert_allclose(g, np.linalg.solve(matrix.T, np.ones(N)), rtol=1e-8)

    def test_start(self, solver, matrix):
        x, info = solver(matrix, B, x0=np.linalg.solve(matrix, B), atol=1e-8, maxiter=1)
        assert info == 0
        g = tj.grad(lambda b: np.sum(solver(matrix, b, x0=np.ones(N), rtol=1e-13)[0]))(B)
        np.testing.assert_allclose(g, np.linalg.solve(matrix.T, np.ones(N)), rtol=1e-8)

    def test_trees_and_functions(self, solver, matrix):
        def product(x):
            y = matrix @ np.concatenate([x["u"], x["v"]])
            return {"u": y[:3], "v": y[3:]}

        x, _ = solver(product, {"u": B[:3], "v": B[3:]}, rtol=1e-12)
        np.testing.assert_allclose(np.concatenate([x["u"], x["v"]]), np.linalg.solve(matrix, B), rtol=1e-8)

    def test_complex(self, solver, matrix):
        skew = 0.1j * (GENERAL - GENERAL.T)
        x, info = solver(matrix + skew, B + 1j, rtol=1e-12)
        np.testing.assert_allclose(x, np.linalg.solve(matrix + skew, B + 1j), rtol=1e-8)

    def test_single_precision(self, solver, matrix):
        x, info = tj.jit(solver)(matrix.astype(np.float32), B.astype(np.float32))
        assert x.dtype == np.float32 and info == 0

    def test_not_converged(self, solver, matrix):
        kwargs = {"restart": 2} if solver is gmres else {}
        assert solver(matrix, B, rtol=1e-14, maxiter=1, **kwargs)[1] == 1

    def test_refused(self, solver, matrix):
        with pytest.raises(ValueError, match="square matrix"):
            solver(np.ones((2, 3)), np.ones(2))


def test_many_unknowns():
    """The Laplacian of a line, which is never made."""
    n = 200

    def laplace(x):
        padded = np.pad(x, 1)
        return 2 * x - padded[2:] - padded[:-2]

    b = np.sin(np.arange(n) / 10)
    f = tj.jit(lambda b: cg(laplace, b, rtol=1e-12)[0])
    np.testing.assert_allclose(laplace(f(b)), b, atol=1e-9)
    np.testing.assert_allclose(tj.jit(tj.grad(lambda b: np.sum(f(b))))(b), f(np.ones(n)), rtol=1e-8)
