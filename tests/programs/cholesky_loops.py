"""Cholesky factorisation written into the lower half of its argument, column by column."""

from numpy import array, sqrt, zeros
import numpy as np


def cholesky_inplace(a):
    n = a.shape[0]
    for j in range(n):
        a[j, j] = sqrt(a[j, j] - np.dot(a[j, :j], a[j, :j]))
        for i in range(j + 1, n):
            a[i, j] = (a[i, j] - np.dot(a[i, :j], a[j, :j])) / a[j, j]
        a[j, j + 1 :] = 0
    return a


def main(a, scale=array([1.0, 2.0])):
    low = cholesky_inplace(a)
    quadratic = zeros(2)
    for k in range(2):
        quadratic[k] = scale[k] * (low @ low.T)[k, k]
    return quadratic, np.diagonal(low).prod()


def arguments(n=5):
    rng = np.random.default_rng(2)
    m = rng.standard_normal((n, n))
    return (m @ m.T + n * np.eye(n),)
