"""Gaussian-process regression: squared-exponential covariance, marginal likelihood, predictions with variances."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular


def kernel(X1, X2, l=1.0, sigma_f=1.0):
    sqdist = np.sum(X1**2, 1).reshape(-1, 1) + np.sum(X2**2, 1) - 2 * np.dot(X1, X2.T)
    return sigma_f**2 * np.exp(-0.5 / l**2 * sqdist)


def nll(theta, X, y):
    K = kernel(X, X, l=theta[0], sigma_f=theta[1]) + theta[2] ** 2 * np.eye(len(X))
    L = cholesky(K, lower=True)
    S1 = solve_triangular(L, y, lower=True)
    S2 = solve_triangular(L.T, S1, lower=False)
    return np.sum(np.log(np.diagonal(L))) + 0.5 * y.dot(S2) + 0.5 * len(X) * np.log(2 * np.pi)


def predict(X_s, X, y, theta):
    K = kernel(X, X, theta[0], theta[1])
    K[np.diag_indices_from(K)] += theta[2] ** 2
    K_s = kernel(X, X_s, theta[0], theta[1])
    factor = cho_factor(K, lower=True)
    mu = K_s.T @ cho_solve(factor, y)
    cov = kernel(X_s, X_s, theta[0], theta[1]) - K_s.T @ cho_solve(factor, K_s)
    return mu, np.sqrt(np.diag(cov))


def main(theta, X, y, X_s):
    mu, std = predict(X_s, X, y, theta)
    return nll(theta, X, y), mu, std


def arguments(n=6):
    rng = np.random.default_rng(19)
    X = rng.uniform(-2, 2, (n, 1))
    return np.array([0.8, 1.1, 0.3]), X, np.sin(X[:, 0]) + 0.1 * rng.standard_normal(n), np.linspace(-2, 2, 3)[:, None]
