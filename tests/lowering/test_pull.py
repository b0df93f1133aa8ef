"""Small kernels that join the one that reads them."""

import numpy as np
import pytest

import tracejit as tj


def kernels(f, *args):
    return tj.jit(f).kernels(*args).count("# kernel")


def several_readers(a, b):
    root, quotient = np.sqrt(b), np.exp(a)
    return quotient * root + quotient / (1.0 + root) - np.sin(quotient - root)


def test_functions_of_different_inputs_are_one_kernel():
    a, b = np.linspace(0, 1, 100), np.linspace(1, 2, 100)
    np.testing.assert_allclose(tj.jit(several_readers)(a, b), several_readers(a, b), rtol=1e-13)
    assert kernels(several_readers, a, b) == 1
    rows = np.ones((30, 40))
    np.testing.assert_allclose(tj.jit(several_readers)(rows, rows), several_readers(rows, rows), rtol=1e-13)


def test_what_is_a_result_too_is_stored():
    f = lambda a, b: (several_readers(a, b), np.sqrt(b))
    a, b = np.linspace(0, 1, 100), np.linspace(1, 2, 100)
    for got, want in zip(tj.jit(f)(a, b), f(a, b)):
        np.testing.assert_allclose(got, want, rtol=1e-13)


@pytest.mark.parametrize("f", [
    lambda a, b: (lambda r: np.exp(a[:-1]) * (r[1:] + r[:-1]) + np.sin(r[1:]))(np.sqrt(b)),  # elements of other turns
    lambda a, b: (lambda r: np.exp(a) * r[::-1] + np.sin(r))(np.sqrt(b)),
    lambda a, b: (lambda r, q: q * np.sum(r) + q / r + np.sin(q))(np.sqrt(b), np.exp(a)),  # a reduction between
    lambda a, b: (lambda r, q: (q @ q) * r + np.sin(r) + q * np.cos(r))(np.sqrt(b), np.exp(a)),  # a product of arrays
], ids=["shifted", "reversed", "sum", "product"])  # fmt: skip
def test_what_is_read_otherwise(f):
    a, b = np.linspace(0, 1, 50), np.linspace(1, 2, 50)
    np.testing.assert_allclose(tj.jit(f)(a, b), f(a, b), rtol=1e-12)


def test_what_is_changed_in_between():
    def f(a, b):
        root = np.sqrt(b)
        b[3:7] = 0.0
        value = np.exp(a + b)
        return value * root + np.sin(value - root) + value / root + b

    a, b = np.linspace(0, 1, 50), np.linspace(1, 2, 50)
    np.testing.assert_allclose(tj.jit(f)(a, b.copy()), f(a, b.copy()), rtol=1e-13)
    loop = lambda a, b: tj.fori_loop(0, 5, lambda i, s: f(a + 0 * s, s * 1.0) * 0.05 + 1.0, b)
    np.testing.assert_allclose(tj.jit(loop)(a, b.copy()), loop(a, b.copy()), rtol=1e-12)


def test_what_has_taken_a_kernel_in_may_move_on():
    """The columns of the identity join their products, which join the matrix that is made of those."""
    def jacobian(x):
        columns = tj.vmap(lambda t: tj.jvp(lambda x: np.stack([x[0] + (x[0] - x[1]) ** 3, x[1] ** 2 - x[0] * x[1]]), (x,), (t,))[1])
        return columns(np.eye(2)) @ np.arange(2.0)

    x = np.array([0.3, 0.8])
    np.testing.assert_allclose(tj.jit(jacobian)(x), jacobian(x), rtol=1e-13)
    from tracejit.scipy.optimize import root

    f = lambda x: [x[0] + 0.5 * (x[0] - x[1]) ** 3 - 1.0, 0.5 * (x[1] - x[0]) ** 3 + x[1]]
    np.testing.assert_allclose(tj.jit(lambda x: root(f, x, method="lm").x)(np.zeros(2)), [0.8411639019140096, 0.1588360980859903], rtol=1e-10)
