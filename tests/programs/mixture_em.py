"""Steps of expectation and maximisation for a mixture of Gaussians, with responsibilities in an array and covariances in a list."""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal


def e_step(X, pi, mu, sigma):
    N, K = X.shape[0], len(pi)
    log_r = np.zeros((N, K))
    for k in range(K):
        log_r[:, k] = np.log(pi[k]) + multivariate_normal.logpdf(X, mean=mu[k], cov=sigma[k])
    norm = logsumexp(log_r, axis=1, keepdims=True)
    return np.exp(log_r - norm), norm.sum()


def m_step(X, r):
    N, D = X.shape
    Nk = np.sum(r, axis=0)
    pi = Nk / N
    mu = (r.T @ X) / Nk[:, None]
    sigma = []
    for k in range(len(Nk)):
        diff = X - mu[k]
        S = np.zeros((D, D))
        for n in range(N):
            S += r[n, k] * np.outer(diff[n], diff[n])
        sigma.append(S / Nk[k] + 1e-3 * np.identity(D))
    return pi, mu, sigma


def main(X, mu):
    K, D = mu.shape
    pi = np.ones(K) / K
    sigma = [np.eye(D) for _ in range(K)]
    likelihood = []
    for _ in range(2):
        r, ll = e_step(X, pi, mu, sigma)
        likelihood.append(ll)
        pi, mu, sigma = m_step(X, r)
    return pi, mu, np.stack(sigma), np.array(likelihood), r.argmax(axis=1)


def arguments(n=8):
    rng = np.random.default_rng(20)
    return rng.standard_normal((n, 2)) + 2 * (np.arange(n) % 2)[:, None], np.array([[0.1, -0.2], [1.7, 2.2]])
