"""Functions with derivatives and batches of their own, under every transform, and what is refused."""

import numpy as np
import pytest

import tracejit as tj

# Each rule is wrong by a factor, so that a test sees that it was used: 2 for jvp, 3 for vjp.


@tj.custom_jvp
def by_jvp(x, y):
    return np.sin(x) * y


@by_jvp.defjvp
def by_jvp_rule(primals, tangents):
    (x, y), (t, s) = primals, tangents
    return by_jvp(x, y), 2 * (np.cos(x) * y * t + np.sin(x) * s)


@tj.custom_vjp
def by_vjp(x, y):
    return np.sin(x) * y


def by_vjp_fwd(x, y):
    return by_vjp(x, y), (x, y)


def by_vjp_bwd(residuals, ct):
    x, y = residuals
    return 3 * np.cos(x) * y * ct, 3 * np.sin(x) * ct


by_vjp.defvjp(by_vjp_fwd, by_vjp_bwd)
both = pytest.mark.parametrize("f, factor", [(by_jvp, 2.0), (by_vjp, 3.0)], ids=["jvp", "vjp"])
wraps = pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])
X, Y = 0.3, 2.0


def close(got, want):
    want = np.array(want) if isinstance(want, list) else want
    for g, w in zip(tj.tree.leaves(got), tj.tree.leaves(want), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-12, atol=1e-14)


@both
@wraps
class TestRules:
    def test_value(self, f, factor, wrap):
        close(wrap(f)(X, Y), np.sin(X) * Y)
        close(wrap(lambda x: f(x, y=Y))(X), np.sin(X) * Y)

    def test_first_derivatives(self, f, factor, wrap):
        want = factor * np.cos(X) * Y, factor * np.sin(X)
        close(wrap(tj.grad(f, argnums=(0, 1)))(X, Y), want)
        close(wrap(tj.jacfwd(f, argnums=(0, 1)))(X, Y), want)
        close(wrap(lambda x: tj.jvp(f, (x, Y), (1.0, 2.0))[1])(X), want[0] + 2 * want[1])
        close(tj.linearize(f, X, Y)[1](1.0, 2.0), want[0] + 2 * want[1])
        close(tj.grad(wrap(f))(X, Y), want[0])

    def test_second_derivatives_go_through_the_rules(self, f, factor, wrap):
        # In the jvp rule cos(x) y is plain code; d/dy goes through the rule's plain sin(x).
        want = np.array([[-factor * np.sin(X) * Y, factor * np.cos(X)], [factor * np.cos(X), 0.0]])
        for second in (tj.hessian, lambda g: tj.jacfwd(tj.jacfwd(g)), lambda g: tj.jacrev(tj.jacrev(g)), lambda g: tj.jacrev(tj.jacfwd(g))):
            close(wrap(second(lambda v: f(v[0], v[1])))(np.array([X, Y])), want)

    def test_batches(self, f, factor, wrap):
        x = np.array([0.1, 0.2, 0.3])
        want = factor * np.cos(x) * Y
        close(wrap(tj.vmap(tj.grad(f), in_axes=(0, None)))(x, Y), want)
        close(wrap(tj.grad(lambda x: np.sum(tj.vmap(f, in_axes=(0, None))(x, Y))))(x), want)
        close(wrap(lambda x: tj.jvp(lambda x: tj.vmap(f, in_axes=(0, None))(x, Y), (x,), (np.ones(3),))[1])(x), want)
        close(wrap(tj.grad(lambda y: np.sum(tj.vmap(f, in_axes=(0, None))(x, y))))(Y), factor * np.sum(np.sin(x)))
        close(wrap(tj.vmap(tj.vmap(tj.grad(f))))(x[:, None] + x, x[:, None] * x), factor * np.cos(x[:, None] + x) * x[:, None] * x)

    def test_loops_and_branches(self, f, factor, wrap):
        ys = np.array([0.5, 1.5, 1.0])

        def in_python(x):
            value, slope = x, 1.0
            for y in ys:
                value, slope = np.sin(value) * y + value, (factor * np.cos(value) * y + 1) * slope
            return slope

        def scanned(x):
            return tj.scan(lambda s, y: (f(s, y) + s, None), x, ys)[0]

        def turned(x):
            return tj.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, f(s[1], s[2][s[0]]) + s[1], s[2]), (0, x, ys), max_steps=4)[1]

        def branched(x):
            return tj.cond(x > 0, lambda x: f(x, Y), lambda x: x, x)

        for loop in (scanned, turned):
            close(wrap(tj.grad(loop))(X), in_python(X))
            close(wrap(tj.jacfwd(loop))(X), in_python(X))
            close(wrap(tj.vmap(tj.grad(loop)))(np.array([X, X])), [in_python(X)] * 2)
            close(wrap(tj.grad(tj.grad(loop)))(X), tj.jacfwd(tj.jacfwd(loop))(X))
        close(wrap(tj.grad(branched))(X), factor * np.cos(X) * Y)
        close(wrap(tj.grad(branched))(-X), 1.0)


def test_body_compiles_as_if_there_were_no_rule():
    assert "host" not in tj.jit(by_jvp).kernels(X, Y)
    assert tj.jit(tj.grad(by_vjp)).kernels(X, Y).count("kernel:") == 1


def test_python_control_flow_in_function_and_rules():
    @tj.custom_vjp
    def f(x):
        return x if x > 0 else -x

    f.defvjp(lambda x: (f(x), x), lambda x, ct: (ct if x > 0 and ct > 0 else -7 * ct,))
    assert tj.grad(f)(2.0) == 1.0
    assert tj.grad(f)(-2.0) == -7.0


def test_buffers_filled_in_rules():
    @tj.custom_jvp
    def f(x):
        return np.array([x, 2 * x])

    @f.defjvp
    def rule(primals, tangents):
        out = np.zeros(2)
        out[0], out[1] = tangents[0], 5 * tangents[0]
        return f(*primals), out

    close(tj.jacfwd(f)(1.0), [1.0, 5.0])
    close(tj.jit(tj.jacrev(f))(1.0), [1.0, 5.0])


def test_trees_integers_and_missing_cotangents():
    def product(p, n, b):
        return {"y": p["w"] @ p["x"] * n, "n": n + 1}

    def fwd(p, n, b):
        return product(p, n, b), (p, n, "kept as it is")

    def bwd(residuals, ct):
        p, n, note = residuals
        assert note == "kept as it is" and set(ct) == {"y", "n"}
        return {"w": None, "x": p["w"].T @ ct["y"] * n}, None, None

    f = tj.custom(product, vjp=(fwd, bwd))
    p = {"w": np.arange(6.0).reshape(2, 3), "x": np.ones(3)}
    for wrap in (lambda f: f, tj.jit):
        g, b = wrap(tj.grad(lambda p, b: f(p, 2, b)["y"].sum(), argnums=(0, 1)))(p, 1.0)
        close(g, {"w": np.zeros((2, 3)), "x": 2 * p["w"].sum(0)})
        close(b, 0.0)


def test_each_mode_by_its_own_rule():
    f = tj.custom(np.sin, jvp=lambda p, t: (np.sin(*p), 10 * t[0]), vjp=(lambda x: (np.sin(x), None), lambda _, ct: (20 * ct,)))
    assert tj.jvp(f, (1.0,), (1.0,))[1] == 10
    assert tj.jit(lambda x: tj.jvp(f, (x,), (1.0,))[1])(1.0) == 10
    assert tj.grad(f)(1.0) == 20
    close(tj.vmap(tj.grad(f))(np.ones(2)), [20, 20])
    close(tj.jit(tj.jacfwd(tj.vmap(f)))(np.ones(2)), 10 * np.eye(2))


class TestForwardFromBackward:
    def test_linear(self):
        matrix = np.arange(4.0).reshape(2, 2)
        f = tj.custom(lambda x: matrix @ x, vjp=(lambda x: (matrix @ x, None), lambda _, ct: (matrix.T @ ct,)))
        close(tj.jacfwd(f)(np.ones(2)), matrix)
        close(tj.jit(tj.jacfwd(f))(np.ones(2)), matrix)

    def test_refused_where_the_backward_pass_is_not_linear(self):
        f = tj.custom(lambda x: x, vjp=(lambda x: (x, None), lambda _, ct: (np.clip(ct, -1, 1),)))
        assert tj.grad(lambda x: 10 * f(x))(1.0) == 1.0
        assert tj.jit(tj.grad(lambda x: 10 * f(x)))(1.0) == 1.0
        with pytest.raises(TypeError, match=r"test_custom.py.*not linear in the cotangents.*`jvp` rule"):
            tj.jvp(f, (1.0,), (1.0,))


class TestArgumentsWithoutDerivatives:
    def test_numbers_and_names(self):
        for how in (dict(nondiff_argnums=(0, 2)), dict(nondiff_argnames=("g", "power"))):
            f = tj.custom_jvp(lambda g, x, power: g(x) ** power, **how)
            f.defjvp(lambda g, power, primals, tangents: (g(*primals) ** power, power * tangents[0]))
            assert tj.grad(lambda x: f(np.sin, x, power=3))(1.0) == 3
            f = tj.custom_vjp(lambda g, x, power: g(x) ** power, **how)
            f.defvjp(lambda g, x, power: (g(x) ** power, x), lambda g, power, x, ct: (power * ct * x,))
            assert tj.jit(tj.grad(lambda x: f(np.sin, x, 3)))(2.0) == 6

    def test_decorators_with_arguments_and_defaults(self):
        @tj.custom(vjp=(lambda x, n=2: (x**n, None), lambda n, _, ct: (n * ct,)), nondiff_argnums=1)
        def f(x, n=2):
            return x**n

        assert tj.grad(f)(5.0) == 2
        assert tj.grad(lambda x: f(x, n=4))(5.0) == 4

    def test_methods(self):
        class Scale:
            factor = 4.0

            @tj.custom(jvp=lambda self, p, t: (self.factor * p[0], -self.factor * t[0]), nondiff_argnums=0)
            def apply(self, x):
                return self.factor * x

        assert Scale().apply(2.0) == 8
        assert tj.grad(Scale().apply)(2.0) == -4


def test_symbolic_zeros():
    seen = []

    @tj.custom_jvp
    def f(x, y):
        return x * y

    def rule(primals, tangents):
        seen.append([isinstance(t, tj.SymbolicZero) for t in tangents])
        (x, y), (t, s) = primals, tangents
        return x * y, t * y if isinstance(s, tj.SymbolicZero) else t * y + x * s

    f.defjvp(rule, symbolic_zeros=True)
    assert tj.grad(f)(2.0, 3.0) == 3 and seen == [[False, True]]

    @tj.custom_vjp
    def g(x, y):
        return x, y

    def fwd(x, y):
        seen.append([x.perturbed, y.perturbed])
        return (x.value, y.value), None

    def bwd(_, cts):
        seen.append([isinstance(ct, tj.SymbolicZero) for ct in cts])
        return cts

    seen.clear()
    g.defvjp(fwd, bwd, symbolic_zeros=True)
    assert tj.grad(lambda x: g(x, 1.0)[0])(2.0) == 1
    assert seen == [[True, False], [False, True]]


def test_defjvps():
    f = tj.custom_jvp(lambda x, y: x * y)
    f.defjvps(lambda t, out, x, y: 10 * t * y, None)
    close(tj.grad(f, argnums=(0, 1))(2.0, 3.0), (30.0, 0.0))
    close(tj.jit(tj.grad(f))(2.0, 3.0), 30.0)


class TestBatchRule:
    def test_alone(self):
        f = tj.custom(lambda x, y: x * y, batch=lambda size, batched, x, y: (100 * size * x * y, True))
        ones = np.ones(2)
        close(tj.vmap(f)(ones, ones), [200, 200])
        close(tj.jit(tj.vmap(f, in_axes=(0, None)))(ones, 1.0), [200, 200])
        assert tj.grad(f)(2.0, 3.0) == 3
        close(tj.grad(lambda x: np.sum(tj.vmap(f)(x, x)))(ones), [400, 400])

    def test_with_derivative(self):
        seen = []

        def rule(size, batched, x, y):
            seen.append((size, batched))
            return x * y, batched[0]

        f = tj.custom(lambda x, y: x * y, jvp=lambda p, t: (p[0] * p[1], 7 * t[0]), batch=rule)
        close(tj.grad(lambda x: np.sum(tj.vmap(f, in_axes=(0, None))(x, 2.0)))(np.ones(3)), [7.0] * 3)
        assert (3, (True, False)) in seen

    def test_refused(self):
        f = tj.custom(lambda x: x, batch=lambda size, batched, x: (x[0], True))
        with pytest.raises(TypeError, match=r"batch rule .*test_custom.py:\d+\).*expected float64\[2\]"):
            tj.vmap(f)(np.ones(2))


class TestRefused:
    @pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])
    def test_derivative_of_what_is_closed_over(self, wrap):
        def loss(w):
            f = tj.custom(lambda x: w * x, jvp=lambda p, t: (w * p[0], w * t[0]))
            return f(2.0)

        with pytest.raises(TypeError, match=r"closes over.*pass it as a differentiable argument"):
            wrap(tj.grad(loss))(3.0)
        # With respect to an argument it is fine, whatever else is traced.
        assert wrap(lambda w: tj.grad(tj.custom(lambda x: w * x, jvp=lambda p, t: (w * p[0], w * t[0])))(2.0))(3.0) == 3

    def test_rules_that_outlive_what_they_close_over(self):
        def f(w, x):
            return tj.custom(lambda x: w * x, jvp=lambda p, t: (w * p[0], w * t[0]))(x)

        assert tj.jit(tj.grad(f, argnums=1))(3.0, 2.0) == 3.0
        with pytest.raises(tj.LeakedTracerError, match=r"the rule .*test_custom.py:\d+\).*pass it as a differentiable argument"):
            tj.grad(tj.jit(f), argnums=1)(3.0, 2.0)

    def test_without_rules(self):
        for f, match in ((tj.custom(np.sin), "no rules"), (tj.custom_jvp(np.sin), "defjvp"), (tj.custom_vjp(np.sin), "defvjp")):
            with pytest.raises(TypeError, match=match):
                f(1.0)

    @pytest.mark.parametrize(
        "rule, match",
        [
            (lambda p, t: p[0], r"must return a pair \(out, out_tangent\)"),
            (lambda p, t: (p[0], (t[0],)), "structure|expected"),
            (lambda p, t: (p[0], np.ones(3)), r"has shape \(3,\), expected \(2,\)"),
            (lambda p, t: (p[0][:1], t[0]), r"has shape \(1,\)"),
            (lambda p, t: ([p[0]], t[0]), "structure"),
            (lambda p, t: (p[0], 1j * t[0]), "complex128, expected float64"),
        ],
    )
    def test_wrong_results_of_jvp(self, rule, match):
        f = tj.custom(lambda x: x, jvp=rule)
        with pytest.raises(TypeError, match=match) as error:
            tj.jvp(f, (np.ones(2),), (np.ones(2),))
        assert "test_custom.py" in str(error.value)

    @pytest.mark.parametrize(
        "fwd, bwd, match",
        [
            (lambda x, y: x, None, r"must return a pair \(out, residuals\)"),
            (None, lambda _, ct: ct, "tuple of 2 cotangents"),
            (None, lambda _, ct: (ct,), "tuple of 2 cotangents, .* got 1"),
            (None, lambda _, ct: (ct, np.ones(5)), r"shape \(5,\), expected \(2,\)"),
            (None, lambda _, ct: (ct, {"a": ct}), "structure|expected"),
        ],
    )
    def test_wrong_results_of_vjp(self, fwd, bwd, match):
        f = tj.custom(lambda x, y: x, vjp=(fwd or (lambda x, y: (x, None)), bwd or (lambda _, ct: (ct, ct))))
        with pytest.raises(TypeError, match=match) as error:
            tj.grad(lambda x, y: np.sum(f(x, y)), argnums=(0, 1))(np.ones(2), np.ones(2))
        assert "test_custom.py" in str(error.value)

    def test_arguments(self):
        f = tj.custom(lambda x, how: x, jvp=lambda p, t: (p[0], t[0]))
        with pytest.raises(TypeError, match="cannot be traced.*nondiff_argnums|cannot be traced"):
            tj.grad(lambda x: f(x, "how"))(1.0)
        g = tj.custom(lambda x, *, how: x, jvp=lambda p, t: (p[0], t[0]))
        with pytest.raises(TypeError, match="keyword-only argument 'how'"):
            tj.grad(lambda x: g(x, how=1.0))(1.0)
        with pytest.raises(ValueError, match="nondiff_argnames"):
            tj.custom_jvp(lambda x: x, nondiff_argnames="y")


class TestLinearCall:
    @staticmethod
    def divided(d, x):  # the transpose is wrong by a factor of 7
        return tj.linear_call(lambda d, x: {"y": x / d}, lambda d, ct: 7 * ct["y"] / d, d, x)["y"]

    @wraps
    def test_modes(self, wrap):
        close(wrap(self.divided)(2.0, 3.0), 1.5)
        close(wrap(tj.grad(self.divided, argnums=1))(2.0, 3.0), 3.5)
        close(wrap(tj.jacfwd(self.divided, argnums=1))(2.0, 3.0), 0.5)
        close(wrap(tj.grad(self.divided))(2.0, 3.0), -0.75)
        close(wrap(tj.vmap(tj.grad(self.divided, argnums=1)))(np.array([1.0, 2.0]), np.ones(2)), [7.0, 3.5])

    def test_the_transpose_of_the_transpose_is_the_function(self):
        transposed = tj.linear_transpose(lambda x: self.divided(2.0, x), 1.0)
        close(transposed(1.0), (3.5,))
        close(tj.linear_transpose(lambda ct: transposed(ct)[0], 1.0)(1.0), (0.5,))

    def test_closures_are_residuals(self):
        def f(d, x):
            return tj.linear_call(lambda _, x: x / d, lambda _, ct: ct / d, (), x)

        close(tj.grad(f, argnums=(0, 1))(2.0, 3.0), (-0.75, 0.5))

    def test_refused(self):
        with pytest.raises(TypeError, match="linear_call.*expected what"):
            tj.linear_call(lambda r, x: x, lambda r, ct: (ct, ct), (), 1.0)
