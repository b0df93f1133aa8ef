"""Kernels that write into their arrays element by element or row by row, compiled and differentiated."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tracejit as tj


def jacobi(u, f):
    new = np.empty_like(u)
    for _ in range(4):
        new[:] = u
        u[1:-1, 1:-1] = 0.25 * (new[2:, 1:-1] + new[:-2, 1:-1] + new[1:-1, 2:] + new[1:-1, :-2] - f[1:-1, 1:-1])
    return u


def gauss_seidel(u, f):
    n = u.shape[0]
    for i in range(1, n - 1):
        for j in range(1, n - 1):
            u[i, j] = 0.25 * (u[i + 1, j] + u[i - 1, j] + u[i, j + 1] + u[i, j - 1] - f[i, j])
    return u


def lu(a, b):
    n = a.shape[0]
    for k in range(n):
        a[k, k] += 4
    for k in range(n):
        a[k + 1 :, k] /= a[k, k]
        for i in range(k + 1, n):
            a[i, k + 1 :] -= a[i, k] * a[k, k + 1 :]
    y = np.array(b)
    for i in range(n):
        for k in range(i):
            y[i] -= a[i, k] * y[k]
    return y


def cholesky(a, b):
    m = a @ a.T + 2 * np.eye(a.shape[0])
    factor = np.zeros_like(m)
    for i in range(a.shape[0]):
        for j in range(i + 1):
            rest = m[i, j] - np.dot(factor[i, :j], factor[j, :j])
            factor[i, j] = np.sqrt(rest) if i == j else rest / factor[j, j]
    return factor


def floyd_warshall(a, b):
    for k in range(a.shape[0]):
        a[:] = np.minimum(a, a[:, k, None] + a[None, k, :])
    return a


def running(a, b):
    total = np.zeros(a.shape[0] + 1)
    for i in range(a.shape[0]):
        total[i + 1] = 0.5 * total[i] + np.sum(a[i] * b[i])
    return total


def trapezoids(a, b):
    path = np.zeros((5, a.shape[0]))
    path[0] = a[0]
    for t in range(1, 5):
        path[t] = path[t - 1] + 0.1 * np.sin(path[t - 1]) @ b
    return path


@pytest.mark.parametrize("kernel", [jacobi, gauss_seidel, lu, cholesky, floyd_warshall, running, trapezoids], ids=lambda f: f.__name__)
def test_kernels(kernel):
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0.1, 1, (4, 4)), rng.uniform(0.1, 1, (4, 4))
    expected_a, held_a = a.copy(), a.copy()
    expected = kernel(expected_a, b)
    np.testing.assert_allclose(tj.jit(kernel)(held_a, b), expected, rtol=1e-13)
    np.testing.assert_allclose(held_a, expected_a, rtol=1e-13)

    def loss(a):
        out = kernel(a, b)
        return np.sum(out * np.cos(np.arange(math.prod(out.shape))).reshape(out.shape))

    h, units = 1e-6, np.eye(a.size).reshape(-1, *a.shape)
    expected = np.reshape([(loss(a + h * u) - loss(a - h * u)) / (2 * h) for u in units], a.shape)
    held_a = a.copy()
    np.testing.assert_allclose(tj.grad(loss)(held_a), expected, atol=1e-7)
    np.testing.assert_allclose(tj.jit(tj.grad(loss))(held_a), expected, atol=1e-7)
    np.testing.assert_array_equal(held_a, a)
