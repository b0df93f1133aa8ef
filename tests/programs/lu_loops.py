"""LU factorisation by loops, as in the textbook, and the solution of a linear system with it."""

import numpy as np


def lu(A):
    n = A.shape[0]
    L = np.eye(n)
    U = A.copy()
    for k in range(n - 1):
        for i in range(k + 1, n):
            L[i, k] = U[i, k] / U[k, k]
            for j in range(k, n):
                U[i, j] -= L[i, k] * U[k, j]
    return L, U


def forward_substitution(L, b):
    n = len(b)
    y = np.zeros(n)
    for i in range(n):
        y[i] = b[i]
        for j in range(i):
            y[i] = y[i] - L[i, j] * y[j]
    return y


def back_substitution(U, y):
    n = len(y)
    x = np.zeros(n)
    for i in range(n - 1, -1, -1):
        s = 0.0
        for j in range(i + 1, n):
            s += U[i, j] * x[j]
        x[i] = (y[i] - s) / U[i, i]
    return x


def main(A, b):
    L, U = lu(A)
    x = back_substitution(U, forward_substitution(L, b))
    logdet = 0.0
    for i in range(len(b)):
        logdet += np.log(np.abs(U[i, i]))
    return x, L, U, logdet


def arguments(n=5):
    rng = np.random.default_rng(1)
    return rng.standard_normal((n, n)) + n * np.eye(n), rng.standard_normal(n)
