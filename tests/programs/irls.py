"""Generalised linear models by iteratively reweighted least squares: logistic and Poisson regression with standard errors."""

import numpy as np
import numpy.linalg as la
from scipy.special import expit, gammaln


class GLM:
    """A small base class in the manner of statistics packages."""

    def __init__(self, n_iter=4, ridge=1e-6):
        self.n_iter = n_iter
        self.ridge = ridge

    def fit(self, X, y):
        n, p = X.shape
        self.coef_ = np.zeros(p)
        self.deviances_ = []
        for _ in range(self.n_iter):
            eta = X @ self.coef_
            mu, w = self.link(eta)
            z = eta + (y - mu) / w
            WX = w[:, None] * X
            self.hessian_ = X.T @ WX + self.ridge * np.eye(p)
            self.coef_ = la.solve(self.hessian_, WX.T @ z)
            self.deviances_.append(self.deviance(y, mu))
        self.se_ = np.sqrt(np.diag(la.inv(self.hessian_)))
        return self


class Logistic(GLM):
    def link(self, eta):
        mu = expit(eta)
        return mu, mu * (1 - mu)

    def deviance(self, y, mu):
        return -2 * np.sum(y * np.log(mu) + (1 - y) * np.log1p(-mu))


class Poisson(GLM):
    def link(self, eta):
        mu = np.exp(np.clip(eta, -10, 10))
        return mu, mu

    def deviance(self, y, mu):
        return -2 * (y * np.log(mu) - mu - gammaln(y + 1)).sum()


def main(X, labels, counts):
    design = np.c_[np.ones(len(X)), X]
    logistic = Logistic().fit(design, labels)
    poisson = Poisson(n_iter=3).fit(design, counts)
    return logistic.coef_, logistic.se_, np.array(logistic.deviances_), poisson.coef_, poisson.se_


def arguments(n=16):
    rng = np.random.default_rng(21)
    X = rng.standard_normal((n, 2))
    return X, (rng.uniform(size=n) < expit(X[:, 0])).astype(int), rng.poisson(np.exp(0.3 * X[:, 1]))
