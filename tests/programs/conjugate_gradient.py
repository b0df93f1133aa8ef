"""Conjugate gradients until the residual is small, with a preconditioner, and a line search with backtracking."""

import numpy as np


def cg(A, b, x, tol=1e-6, maxiter=10):
    A = 0.5 * (A + A.T)
    r = b - A.dot(x)
    d = 1.0 / np.diag(A)
    z = d * r
    p = z.copy()
    rz = r.dot(z)
    for k in range(maxiter):
        Ap = A.dot(p)
        alpha = rz / p.dot(Ap)
        x += alpha * p
        r -= alpha * Ap
        if np.linalg.norm(r) < tol:
            break
        z = d * r
        rz_new = r.dot(z)
        p = z + (rz_new / rz) * p
        rz = rz_new
    return x, k + 1


def backtracking(f, grad, x, t=1.0, beta=0.5, c=1e-4):
    g = grad(x)
    fx = f(x)
    while f(x - t * g) > fx - c * t * (g @ g):
        t *= beta
    return x - t * g


def main(A, b):
    x, iterations = cg(A, b, np.zeros_like(b))
    f = lambda v: 0.5 * v @ A @ v - b @ v + 0.1 * np.sum(v**4)
    grad = lambda v: A @ v - b + 0.4 * v**3
    y = np.zeros(len(b))
    for _ in range(2):
        y = backtracking(f, grad, y)
    return x, y, f(y), iterations


def arguments(n=4):
    rng = np.random.default_rng(23)
    m = rng.standard_normal((n, n))
    return m @ m.T + n * np.eye(n), rng.standard_normal(n)
