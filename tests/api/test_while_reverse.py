"""Reverse mode through loops whose number of turns depends on data: against finite differences, at every nesting, compiled and not."""

import tracemalloc

import numpy as np
import pytest

import tracejit as tj

W = np.array([[0.6, 0.2], [-0.1, 0.5]])
C, X, XS = np.array([1.3, 0.9]), np.array([0.4, 0.7]), np.array([[0.4, 0.7], [1.0, 2.0], [3.0, 0.1]])


def grown(c, x):
    """About ten turns, fewer where x begins large."""
    return tj.while_loop(lambda s: np.sum(s[0] ** 2) < 50.0, lambda s: (np.tanh(W @ s[0]) * c + s[0] * 1.1, s[1] + 1), (x, 0))[0]


def single(c, x):
    return np.sum(grown(c, x) ** 2)


def nested(c, x):
    def turn(s):
        x = grown(c, 0.3 * s[0])
        return x, s[1] + 0.2 * np.sin(s[0][0]) ** 2 + 0.5

    x, total = tj.while_loop(lambda s: s[1] < 3.0 * c[0], turn, (x, 0.2 * c[1]))
    return np.sum(x * x) * total


def in_scan(c, xs):
    def turn(h, x):
        h = grown(c, 0.2 * h + x)
        return h, np.sum(h)

    h, sums = tj.scan(turn, np.zeros(2), xs)
    return np.sum(h * h) + np.sum(sums**2)


def around_scan(c, x):
    def turn(x):
        return tj.scan(lambda h, k: (h * (1.0 + 0.05 * k * c), None), x, np.arange(3.0))[0]

    return np.sum(tj.while_loop(lambda x: np.sum(x) < 20.0, turn, x) ** 2)


def in_vmap(c, xs):
    return np.sum(tj.vmap(lambda x: single(c, x))(xs) * np.array([1.0, 2.0, 3.0]))


def nested_in_vmap(c, xs):
    return np.sum(tj.vmap(lambda x: nested(c, x))(xs))


def in_branch(c, x):
    return tj.cond(c[0] > 1.0, single, nested, c, x)


def around_branch(c, x):
    def turn(s):
        return tj.cond(s[0] > s[1], lambda s: np.array([0.9, 1.9]) * s, lambda s: s * (1.4 + 0.2 * np.sin(s)) + 0.1 * c, s)

    return np.sum(tj.while_loop(lambda s: np.sum(s) < 12.0, turn, x) ** 2)


def counted(c, x):
    turns = np.int64(2) + (x[0] > 0.0) * 3
    return np.sum(tj.fori_loop(0, turns, lambda i, s: s * c + np.sin(s * i), x))


PROGRAMS = [(f, X) for f in (single, nested, around_scan, in_branch, around_branch, counted)]
PROGRAMS += [(f, XS) for f in (in_scan, in_vmap, nested_in_vmap)]


def differences(f, *args, step=1e-6):
    result = []
    for k, x in enumerate(args):
        unit = np.eye(x.size).reshape(x.size, *x.shape) * step
        shifted = [[f(*args[:k], x + sign * u, *args[k + 1 :]) for u in unit] for sign in (1, -1)]
        slope = (np.array(shifted[0]) - np.array(shifted[1])) / (2 * step)
        result.append(np.moveaxis(slope, 0, -1).reshape(slope.shape[1:] + x.shape))
    return result


def close(got, want, tolerance=1e-6):
    for g, w in zip(tj.tree.leaves(got), tj.tree.leaves(want), strict=True):
        np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("f", "x"), PROGRAMS, ids=[f.__name__ for f, _ in PROGRAMS])
class TestGradient:
    def test_equals_finite_differences(self, f, x):
        want = differences(f, C, x)
        compiled = tj.jit(tj.grad(f, argnums=(0, 1)))
        close(compiled(C, x), want)
        close(compiled(0.7 * C, 1.2 * x), differences(f, 0.7 * C, 1.2 * x))  # other numbers of turns in the same program
        close(tj.grad(f, argnums=(0, 1))(C, x), want)
        close(tj.grad(tj.jit(f), argnums=(0, 1))(C, x), want)

    def test_second_order(self, f, x):
        want = differences(tj.jit(tj.grad(f)), C, x)
        close(tj.jit(tj.jacrev(tj.grad(f), argnums=(0, 1)))(C, x), want, 1e-5)
        close(tj.jit(tj.jacfwd(tj.grad(f)))(C, x), want[0], 1e-5)

    def test_needs_no_step_in_python(self, f, x):
        compiled = tj.jit(tj.grad(f))
        assert "host" not in compiled.kernels(C, x)


def test_third_order():
    def f(x):
        return tj.while_loop(lambda s: s[0] < 10.0, lambda s: (s[0] * s[1], s[1]), (x, 0.9 * x))[0]

    def power(x):  # the same for x = 1.7, which takes five turns
        return x * (0.9 * x) ** 5

    for _ in range(4):
        assert tj.jit(f)(1.7) == pytest.approx(power(1.7), rel=1e-12)
        f, power = tj.grad(f), tj.grad(power)


def test_with_checkpoints_inside_and_outside():
    def turn(s):
        return np.sin(np.exp(0.1 * s)) + 1.1 * s

    def inside(x):
        return np.sum(tj.while_loop(lambda s: np.sum(s) < 20.0, tj.checkpoint(turn), x) ** 2)

    def outside(x):
        return np.sum(tj.checkpoint(lambda x: tj.while_loop(lambda s: np.sum(s) < 20.0, turn, x))(x) ** 2)

    def within(x):
        def turn(s):
            return tj.fori_loop(0, 6, lambda i, h: 1.02 * h + 0.01 * np.sin(h * i), s, checkpoints=2) + 0.1

        return np.sum(tj.while_loop(lambda s: np.sum(s) < 20.0, turn, x) ** 2)

    for f in (inside, outside, within):
        (want,) = differences(f, X)
        close(tj.jit(tj.grad(f))(X), want)
        close(tj.grad(f)(X), want)


def test_complex_state_and_rules_of_the_user():
    @tj.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, ct: (3.0 * x * x * ct,))

    def f(x):
        z = tj.while_loop(lambda s: np.abs(s) < 5.0, lambda s: s * (1.1 + 0.2j) * (1.0 + x[0]) + x[1], x[0] + 1j * x[1])
        return np.sum(np.abs(z) ** 2) + np.sum(tj.while_loop(lambda s: np.sum(s) < 20.0, lambda s: s + 0.1 * cube(s) + 0.1, x))

    close(tj.jit(tj.grad(f))(X), differences(f, X)[0])


def test_batches_of_gradients():
    stack = np.stack([C, 0.8 * C, 1.5 * C])
    for g in (tj.grad(nested), tj.hessian(single)):
        want = np.stack([g(c, x) for c, x in zip(stack, XS)])
        close(tj.jit(tj.vmap(g))(stack, XS), want, 1e-9)
        close(tj.jit(tj.vmap(g, in_axes=(0, None)))(stack, X), np.stack([g(c, X) for c in stack]), 1e-9)


def test_a_loop_that_does_not_turn():
    def f(x):
        return tj.while_loop(lambda s: s < 0.0, lambda s: s * s, 3.0 * x)

    assert tj.grad(f)(1.0) == tj.jit(tj.grad(f))(1.0) == 3.0


def test_a_program_with_steps_in_python():
    """A body with an operation that has no native form runs in Python, with the same tape."""

    def f(a):
        def turn(s):
            values = np.linalg.eigvals(s)
            return s * 1.3 + 0.01 * np.real(np.sum(values * values)) * np.eye(2)

        return np.sum(tj.while_loop(lambda s: np.sum(s * s) < 30.0, turn, a) ** 2)

    a = np.array([[1.0, 0.5], [0.2, 2.0]])
    close(tj.jit(tj.grad(f))(a), differences(f, a)[0])


def test_singular_states_of_examples_that_are_done_do_no_harm():
    def f(w, x):  # at its end the state is 0, where the body's derivative is infinite
        return np.sum(tj.vmap(lambda x: tj.while_loop(lambda s: s > 0.5, lambda s: w * np.sqrt(s) * (s > 1.5), x))(x) + x)

    got = tj.jit(tj.grad(f))(1.2, np.array([1.0, 40.0, 3.0]))
    assert np.isfinite(got)


class TestLimit:
    @staticmethod
    def f(x):
        return tj.while_loop(lambda s: s < 100.0, lambda s: 1.1 * s, x, max_steps=5)

    @pytest.mark.parametrize("wrap", [lambda f: f, tj.jit, tj.grad, lambda f: tj.jit(tj.grad(f)), lambda f: tj.grad(tj.jit(f))])
    def test_raises_where_more_turns_are_needed(self, wrap):
        function = wrap(self.f)
        for _ in range(3):
            with pytest.raises(RuntimeError, match=r"test_while_reverse.py:\d+ in TestLimit.f: while_loop: .* max_steps=5"):
                function(1.0)
        assert np.isfinite(function(80.0))

    def test_holds_for_each_example_and_each_turn_outside(self):
        with pytest.raises(RuntimeError, match="max_steps=5"):
            tj.jit(tj.vmap(self.f))(np.array([90.0, 1.0]))
        with pytest.raises(RuntimeError, match="max_steps=5"):
            tj.jit(lambda x: tj.while_loop(lambda s: s < 1000.0, lambda s: self.f(s), x))(1.0)
        close(tj.jit(tj.vmap(self.f))(np.array([90.0, 99.0])), 1.1 * np.array([90.0, 99.0]) * np.array([1.1, 1.0]))

    def test_is_known_while_tracing(self):
        with pytest.raises(TypeError, match="max_steps"):
            tj.while_loop(lambda s: s < 1.0, lambda s: s + 1.0, 0.0, max_steps="many")


class TestMemory:
    @staticmethod
    def peak(function, *args):
        function(*args)
        tracemalloc.start()
        try:
            function(*args)
            current, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert current < 20_000  # all tapes are freed
        return peak

    def test_grows_with_the_turns(self):
        gradient = tj.jit(tj.grad(lambda x, n: np.sum(tj.fori_loop(0, n, lambda i, s: np.sin(s), x))))
        x = np.ones(1000)
        peaks = {n: self.peak(gradient, x, n) for n in (8, 64, 512)}
        for n, peak in peaks.items():  # one value of 8000 bytes a turn; the capacity is a power of two
            assert peak <= 8000 * max(n, 32) + 30_000

    def test_of_a_scan_of_loops_is_that_of_one_turn(self):
        def f(x):
            return np.sum(tj.scan(lambda h, k: (tj.fori_loop(0, k, lambda i, s: np.sin(s), h), None), x, np.full(20, 32))[0])

        assert self.peak(tj.jit(tj.grad(f)), np.ones(1000)) <= 8000 * 32 + 30_000

    def test_is_freed_after_an_error(self):
        gradient = tj.jit(tj.grad(lambda x: np.sum(tj.while_loop(lambda s: s[0] < 2.0, np.sin, x, max_steps=100))))
        with pytest.raises(RuntimeError):
            gradient(np.ones(1000))
        tracemalloc.start()
        try:
            with pytest.raises(RuntimeError):
                gradient(np.ones(1000))
            assert tracemalloc.get_traced_memory()[0] < 200_000
        finally:
            tracemalloc.stop()

    def test_does_not_hold_what_can_be_had_otherwise(self):
        """A constant of the loop is not stored, nor is what cheap work makes of a stored value."""
        gradient = tj.jit(tj.grad(lambda w, n: np.sum(tj.fori_loop(0, n, lambda i, s: s * w + 2.0 * w, w)), argnums=0))
        assert self.peak(gradient, np.ones(1000), 64) <= 8000 * 64 + 30_000
