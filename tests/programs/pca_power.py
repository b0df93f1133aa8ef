"""Principal components by power iteration with deflation, compared to the SVD, and whitening."""

import numpy as np
from numpy import linalg as LA


def power_iteration(A, num_iterations):
    b = np.ones(A.shape[1])
    for _ in range(num_iterations):
        b1 = np.dot(A, b)
        b = b1 / np.linalg.norm(b1)
    return b, (b @ A @ b) / (b @ b)


def main(X, k=2):
    X = X - X.mean(axis=0)
    C = X.T.dot(X) / (X.shape[0] - 1)
    components = np.empty((k, X.shape[1]))
    values = np.empty(k)
    for i in range(k):
        v, lam = power_iteration(C, 15)
        components[i, :] = v
        values[i] = lam
        C -= lam * np.outer(v, v)
    U, s, Vt = LA.svd(X, full_matrices=False)
    explained = s**2 / (s**2).sum()
    overlap = abs((components * Vt[:k]).sum(axis=1))
    w, V = LA.eigh(np.cov(X.T))
    whitened = X @ V @ np.diag(1 / np.sqrt(w)) @ V.T
    return values, overlap, explained, whitened


def arguments(n=10):
    rng = np.random.default_rng(22)
    return (rng.standard_normal((n, 3)) * np.array([3.0, 1.2, 0.4]) @ rng.standard_normal((3, 3)),)
