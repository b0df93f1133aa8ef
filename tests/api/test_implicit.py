"""Roots, linear solves and fixed points: their derivatives to third order, forward and reverse, compiled and batched, whatever the solver does."""

import numpy as np
import pytest

import tracejit as tj

wraps = pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])
rng = np.random.default_rng(0)
M, B = rng.standard_normal((4, 4)) + 4 * np.eye(4), rng.standard_normal(4)


def close(got, want, rtol=1e-10):
    want = np.array(want) if isinstance(want, list) else want
    for g, w in zip(tj.tree.leaves(got), tj.tree.leaves(want), strict=True):
        np.testing.assert_allclose(g, w, rtol=rtol, atol=1e-11)


def newton(f, x):
    for _ in range(20):
        x = x - f(x) / tj.grad(f)(x)
    return x


def cube_root(a):
    return tj.custom_root(lambda x: x**3 - a, 1.0, newton)


@wraps
class TestRoot:
    def test_derivatives(self, wrap):
        a = 2.0
        first, second, third = a ** (-2 / 3) / 3, -2 / 9 * a ** (-5 / 3), 10 / 27 * a ** (-8 / 3)
        close(wrap(cube_root)(a), a ** (1 / 3))
        for d in (tj.grad, tj.jacfwd):
            close(wrap(d(cube_root))(a), first)
            for e in (tj.grad, tj.jacfwd):
                close(wrap(e(d(cube_root)))(a), second)
        close(wrap(tj.grad(tj.hessian(cube_root)))(a), third)
        close(tj.grad(wrap(cube_root))(a), first)
        close(wrap(tj.vmap(tj.grad(cube_root)))(np.array([1.0, a])), [1 / 3, first])
        close(wrap(tj.grad(lambda a: np.sum(tj.vmap(cube_root)(a))))(np.array([1.0, a])), [1 / 3, first])

    def test_solver_with_python_control_flow_and_aux(self, wrap):
        def bisect(f, interval):
            low, high = interval["low"], interval["high"]
            steps = 0
            while steps < 60:
                middle = 0.5 * (low + high)
                if f({"low": middle, "high": middle})["low"] > 0:
                    high = middle
                else:
                    low = middle
                steps += 1
            return {"low": low, "high": high}, {"steps": steps}

        def f(a):
            equations = lambda x: {"low": np.exp(x["low"]) - a, "high": np.exp(x["high"]) - a * a}
            return tj.custom_root(equations, {"low": 0.0, "high": 4.0}, bisect, has_aux=True)

        if wrap is not tj.jit:  # sixty decisions are more than a compiled function is made for
            root, aux = f(3.0)
            assert aux["steps"] == 60
            close(root["low"], np.log(3.0))
            slopes = tj.jacrev(lambda a: f(a)[0])(3.0)
            close(slopes["low"], 1 / 3)

    def test_inside_loops(self, wrap):
        def f(a):
            return tj.scan(lambda s, _: (tj.custom_root(lambda x: x**3 - s - a, 1.0, newton), s), a, None, 3)[0]

        tj.check_grads(wrap(f), (1.5,), order=2)


def test_root_of_a_system():
    def f(p):
        def equations(x):
            return {"u": p[0] * x["u"] ** 3 + x["v"] - p, "v": x["v"] + p[1] * np.sum(x["u"])}

        def solve(f, x):
            flat, unravel = tj.tree.ravel(x)
            g = lambda v: tj.tree.ravel(f(unravel(v)))[0]
            for _ in range(12):
                flat = flat - np.linalg.solve(tj.jacfwd(g)(flat), g(flat))
            return unravel(flat)

        return tj.custom_root(equations, {"u": np.ones(2), "v": 0.0}, solve)

    tj.check_grads(f, (np.array([1.3, 0.4]),), order=2)
    tj.check_grads(tj.jit(f), (np.array([1.3, 0.4]),), order=1)


def solved(matrix, b):
    def solve(matvec, b):
        return np.linalg.solve(tj.jacfwd(matvec, holomorphic=b.dtype.kind == "c")(b), b)

    return tj.custom_linear_solve(lambda x: matrix @ x, b, solve, solve)


class TestLinearSolve:
    @wraps
    def test_derivatives(self, wrap):
        close(wrap(solved)(M, B), np.linalg.solve(M, B))
        tj.check_grads(wrap(solved), (M, B), order=2)
        want = tj.grad(lambda m, b: np.sum(np.linalg.solve(m, b) ** 2), argnums=(0, 1))(M, B)
        close(wrap(tj.grad(lambda m, b: np.sum(solved(m, b) ** 2), argnums=(0, 1)))(M, B), want)
        stack = np.stack([M, 2 * M])
        close(wrap(tj.vmap(tj.grad(lambda m: np.sum(solved(m, B) ** 2))))(stack), np.stack([want[0], want[0] / 8]))

    def test_reverse_mode_uses_the_transposed_solver(self):
        seen = []

        def solve(matvec, b):
            seen.append("forward")
            return np.linalg.solve(M, b)

        def transpose_solve(vecmat, ct):
            seen.append("transposed")
            close(vecmat(ct), M.T @ ct)
            return np.linalg.solve(M.T, ct)

        f = lambda b: np.sum(tj.custom_linear_solve(lambda x: M @ x, b, solve, transpose_solve))
        close(tj.grad(f)(B), np.linalg.solve(M.T, np.ones(4)))
        assert seen == ["forward", "transposed"]

    def test_symmetric_and_aux(self):
        matrix = M + M.T

        def solve(matvec, b):
            return np.linalg.solve(matrix, b), {"name": "direct"}

        def f(b):
            x, aux = tj.custom_linear_solve(lambda x: matrix @ x, b, solve, symmetric=True, has_aux=True)
            assert aux == {"name": "direct"}
            return np.sum(x)

        close(tj.grad(f)(B), np.linalg.solve(matrix, np.ones(4)))

    def test_complex(self):
        matrix, b = M + 1j * M[::-1], B + 2j
        close(tj.jit(solved)(matrix, b), np.linalg.solve(matrix, b))
        want = tj.grad(lambda b: np.sum(np.abs(np.linalg.solve(matrix, b)) ** 2))(b)
        close(tj.grad(lambda b: np.sum(np.abs(solved(matrix, b)) ** 2))(b), want)

    @pytest.mark.parametrize(
        "matvec, match",
        [
            (lambda x: x**2, "not linear in its argument"),
            (lambda x: x + 1, "not zero at zero"),
            (lambda x: x[:2], r"returns .*float64\[2\], expected"),
            (lambda x: (x, x), "returns"),
        ],
    )
    def test_refused(self, matvec, match):
        with pytest.raises(TypeError, match=match) as error:
            tj.custom_linear_solve(matvec, B, lambda matvec, b: b)
        assert "test_implicit.py" in str(error.value)

    def test_without_a_transposed_solver(self):
        f = lambda b: np.sum(tj.custom_linear_solve(lambda x: M @ x, b, lambda matvec, b: np.linalg.solve(M, b)))
        close(tj.jvp(f, (B,), (B,))[1], np.sum(np.linalg.solve(M, B)))
        with pytest.raises(TypeError, match="transpose_solve"):
            tj.grad(f)(B)

    def test_wrong_result_of_the_solver(self):
        with pytest.raises(TypeError, match=r"result of .*test_implicit.py.*shape \(2,\), expected \(4,\)"):
            tj.custom_linear_solve(lambda x: x, B, lambda matvec, b: b[:2])


class TestFixedPoint:
    @staticmethod
    def coupled(a):
        def f(x, p):
            return {"u": np.cos(x["u"]) * p, "v": 0.5 * x["u"] + 0.3 * x["v"]}

        return tj.fixed_point(f, {"u": np.ones(2), "v": np.zeros(2)}, a, tol=1e-14)

    @wraps
    def test_derivatives(self, wrap):
        x = wrap(self.coupled)(0.5)
        close(x["u"], 0.5 * np.cos(x["u"]))
        tj.check_grads(wrap(self.coupled), (0.5,), order=2)
        close(wrap(tj.vmap(tj.jacrev(self.coupled)))(np.array([0.5, 0.4]))["v"][0], tj.jacfwd(self.coupled)(0.5)["v"])

    @wraps
    def test_many_unknowns(self, wrap):
        a = np.linspace(0, 1, 200)
        f = lambda a: tj.fixed_point(lambda x: 0.5 * np.sin(x) + a, np.zeros(200), tol=1e-14)
        x = wrap(f)(a)
        close(wrap(tj.grad(lambda a: np.sum(f(a))))(a), 1 / (1 - 0.5 * np.cos(x)))

    def test_no_fixed_point(self):
        with pytest.raises(RuntimeError, match=r"test_implicit.py.*not settled after 50 steps"):
            tj.fixed_point(lambda x: 2 * x + 1, 1.0, max_steps=50)
        with pytest.raises(RuntimeError, match="not settled"):
            tj.grad(lambda a: tj.fixed_point(lambda x: 2 * x + a, 1.0, max_steps=50))(1.0)
        assert np.isnan(tj.jit(lambda a: tj.fixed_point(lambda x: 2 * x + a, 1.0, max_steps=50))(1.0))

    def test_refused(self):
        with pytest.raises(TypeError, match="dtype int64"):
            tj.fixed_point(lambda x: x, 1)
        with pytest.raises(TypeError, match="returns"):
            tj.fixed_point(lambda x: (x, x), 1.0)
