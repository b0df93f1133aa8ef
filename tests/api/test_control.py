"""Loops and branches: values, derivatives in both modes, batches, compiled and not, and what they refuse."""
import numpy as np
import pytest

import tracejit as tj

rng = np.random.default_rng(0)
W, XS = rng.standard_normal((3, 3)), rng.standard_normal((6, 3))


def rnn(weights, xs):
    def turn(h, x):
        h = np.tanh(weights @ h + x)
        return h, h.sum()

    h, sums = tj.scan(turn, np.zeros(3), xs)
    return np.sum(h) + np.sum(sums**2)


def rnn_in_python(weights, xs):
    h, total = np.zeros(3), 0.0
    for x in xs:
        h = np.tanh(weights @ h + x)
        total = total + np.sum(h) ** 2
    return np.sum(h) + total


def close(got, want):
    for g, w in zip(tj.tree.leaves(got), tj.tree.leaves(want), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])
class TestScan:
    def test_value_and_gradients(self, wrap):
        close(wrap(rnn)(W, XS), rnn_in_python(W, XS))
        close(wrap(tj.grad(rnn, argnums=(0, 1)))(W, XS), tj.grad(rnn_in_python, argnums=(0, 1))(W, XS))
        close(wrap(tj.hessian(lambda s: rnn(s * W, XS)))(1.0), tj.hessian(lambda s: rnn_in_python(s * W, XS))(1.0))

    def test_batches(self, wrap):
        stack = np.stack([W, 2 * W])
        close(wrap(tj.vmap(rnn, in_axes=(0, None)))(stack, XS), np.array([rnn_in_python(w, XS) for w in stack]))
        close(wrap(tj.vmap(tj.grad(rnn), in_axes=(0, None)))(stack, XS), np.stack([tj.grad(rnn_in_python)(w, XS) for w in stack]))

    @pytest.mark.parametrize("unroll", [1, 3])
    @pytest.mark.parametrize("reverse", [False, True])
    def test_order_of_results(self, wrap, reverse, unroll):
        last, before = wrap(lambda x: tj.scan(lambda s, x: (s + x, s), 0.0, x, reverse=reverse, unroll=unroll))(np.arange(7.0))
        assert last == 21.0
        close(before, np.array([21.0, 20, 18, 15, 11, 6, 0]) if reverse else np.array([0.0, 0, 1, 3, 6, 10, 15]))


def test_scan_checks_out():
    tj.check_grads(rnn, (W, XS))


@pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])
class TestWhile:
    @staticmethod
    def doubled(x, max_steps=None):
        return tj.while_loop(lambda x: x < 100.0, lambda x: 2.0 * x, x, max_steps)

    def test_value(self, wrap):
        assert wrap(self.doubled)(3.0) == 192.0

    def test_forward_mode(self, wrap):
        close(wrap(lambda x: tj.jvp(lambda x: tj.while_loop(lambda x: x < 100.0, lambda x: x * x, x), (x,), (1.0,)))(3.0), (6561.0, 17496.0))

    def test_reverse_mode(self, wrap):
        assert wrap(tj.grad(self.doubled))(3.0) == 64.0
        assert wrap(tj.grad(lambda x: self.doubled(x, 10)))(3.0) == 64.0

    def test_batches_stop_one_by_one(self, wrap):
        close(wrap(tj.vmap(self.doubled))(np.array([3.0, 50.0, 200.0])), np.array([192.0, 100.0, 200.0]))


def branch(x):
    return tj.cond(x > 0, lambda x: np.sqrt(x), lambda x: x * x, x)


def test_branches():
    for wrap in (lambda f: f, tj.jit):
        close([wrap(branch)(4.0), wrap(branch)(-4.0)], [2.0, 16.0])
        close([wrap(tj.grad(branch))(4.0), wrap(tj.grad(branch))(-4.0)], [0.25, -8.0])
        close(wrap(tj.vmap(tj.grad(branch)))(np.array([4.0, -4.0, 0.0])), np.array([0.25, -8.0, 0.0]))
        close(wrap(tj.vmap(tj.grad(tj.grad(branch))))(np.array([4.0, -4.0])), np.array([-1 / 32, 2.0]))


def test_an_index_outside_is_moved_to_the_nearer_end():
    f = tj.jit(lambda i: tj.switch(i, [lambda: 0.0, lambda: 1.0, lambda: 2.0]))
    assert [f(i) for i in (-3, 0, 1, 2, 9)] == [0.0, 0.0, 1.0, 2.0, 2.0]


def test_fori_loop():
    assert tj.fori_loop(0, 5, lambda i, t: t + i, 0) == 10
    close(tj.grad(lambda x: tj.fori_loop(0, 5, lambda i, t: t * x + i, x))(2.0), 215.0)
    assert tj.jit(lambda n, x: tj.fori_loop(0, n, lambda i, t: t * x, 1.0))(5, 2.0) == 32.0


def test_map_and_associative_scan():
    for batch_size in (None, 2, 5):
        close(tj.map(lambda x: x * x, np.arange(5.0), batch_size=batch_size), np.arange(5.0) ** 2)
    close(tj.associative_scan(np.add, np.arange(1.0, 6.0)), np.cumsum(np.arange(1.0, 6.0)))
    close(tj.associative_scan(np.multiply, np.arange(1.0, 6.0), reverse=True), np.cumprod(np.arange(1.0, 6.0)[::-1])[::-1])


def test_loops_in_loops_and_branches_in_loops():
    def f(x):
        def outer(total, row):
            inner = tj.fori_loop(0, 3, lambda i, t: t * row, 1.0)
            return tj.cond(inner > 1.0, lambda a: a + inner, lambda a: a - inner, total), None

        return tj.scan(outer, 0.0, x)[0]

    x = np.array([0.5, 2.0, 1.5])
    want = -(0.5**3) + 2.0**3 + 1.5**3
    for wrap in (lambda f: f, tj.jit):
        close(wrap(f)(x), want)
        close(wrap(tj.grad(f))(x), 3 * x**2 * np.array([-1.0, 1.0, 1.0]))


def test_the_state_is_promoted_until_it_settles():
    out = tj.scan(lambda s, x: (s + x, None), 0, np.ones(3, np.float32))[0]
    assert out.dtype == np.float32 and out == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tj.scan(lambda s, x: (np.stack([s, s]), x), 0.0, np.ones(3)), r"changes the state"),
        (lambda: tj.scan(lambda s, x: s, 0.0, np.ones(3)), r"must return a pair"),
        (lambda: tj.while_loop(lambda s: s, lambda s: s, np.ones(2)), r"must return one bool"),
        (lambda: tj.jit(lambda x: tj.cond(x > 0, lambda: np.ones(2), lambda: np.ones(3)))(1.0), r"different shapes"),
        (lambda: tj.jit(lambda x: tj.cond(x > 0, lambda: 1.0, lambda: (1.0, 2.0)))(1.0), r"different structure"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def ones(*shape):
    return np.ones(shape)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tj.scan(lambda s, x: ((s[0],), x), (1.0, 2.0), ones(3)), r"scan: the result of the body .*expected tuple of length 2"),
        (lambda: tj.scan(lambda s, x: (s, x), "abc", ones(3)), r"scan: argument 0 of .* cannot be traced: it is a builtins.str"),
        (lambda: tj.scan(lambda s, x: (s, x), 1.0, {"a": "b"}), r'scan: argument xs\["a"\] of .* cannot be traced'),
        (lambda: tj.scan(lambda s, x: (s, x), 1.0, None, 2.5), r"scan: length is a whole number, got 2.5"),
        (lambda: tj.scan(lambda s, x: (s, x), 1.0, None, -2), r"scan: length is at least 0, got -2"),
        (lambda: tj.scan(lambda s, x: (s, x), 1.0, ones(3), unroll=0), r"scan: unroll is at least 1, got 0"),
        (lambda: tj.while_loop(lambda s: s < 1, lambda s: (s, s), 1.0), r"while_loop: the result of the body .*expected a leaf"),
        (lambda: tj.fori_loop(0, 3.5, lambda i, s: s, 1.0), r"fori_loop: the bounds are integers, got float64"),
        (lambda: tj.jit(lambda n: tj.fori_loop(0, n, lambda i, s: s, 1.0))(ones(2).astype(int)), r"the bounds are integers, got int64\[2\]"),
        (lambda: tj.map(np.sin, ones(3), batch_size=0), r"map: batch_size is at least 1, got 0"),
        (lambda: tj.map(lambda x: x, (ones(3), ones(4)), batch_size=2), r"map: xs\[1\] has shape \(4,\), expected 3 elements along axis 0"),
        (lambda: tj.map(np.sin, []), r"map: xs holds no array"),
        (lambda: tj.associative_scan(np.add, 1.0), r"associative_scan: xs has shape \(\), and no axis 0"),
        (lambda: tj.associative_scan(np.add, (ones(3), ones(4))), r"associative_scan: xs\[1\] has shape \(4,\), expected 3 elements"),
        (lambda: tj.associative_scan(lambda a, b: (a,), ones(3)), r"associative_scan: the result of .*expected a leaf"),
        (lambda: tj.associative_scan(lambda a, b: a.sum(), ones(3)), r"associative_scan: the result of .* has shape \(\), expected \(2,\)"),
        (lambda: tj.cond(np.nan, lambda: 1.0, lambda: 2.0), r"cond: the condition must be one bool, got float64.*NaN is neither"),
        (lambda: tj.jit(lambda p: tj.cond(p, lambda: 1.0, lambda: 2.0))(np.nan), r"cond: the condition must be one bool, got float64"),
        (lambda: tj.cond(None, lambda: 1.0, lambda: 2.0), r"cond: the condition must be one bool, got None"),
        (lambda: tj.switch(1.5, [lambda: 1.0, lambda: 2.0]), r"switch: the index must be one integer, got float64"),
        (lambda: tj.jit(lambda x: tj.cond(x > 0, lambda: {"a": 1.0}, lambda: {"b": 1.0}))(1.0), r"different structure: the result of"),
    ],
)
def test_refusals_name_the_line_and_the_place(call, message):
    with pytest.raises((TypeError, ValueError), match=r"^\S*test_control.py:\d+ in .*" + message):
        call()


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="length"):
        tj.scan(lambda s, x: (s, x), 0.0)
    with pytest.raises(ValueError, match="expected 3 elements"):
        tj.scan(lambda s, x: (s, s), 0.0, (np.ones(3), np.ones(4)))
