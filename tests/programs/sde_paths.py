"""Stochastic models with given noise: Euler-Maruyama, Milstein, Heston with full truncation, and an autocorrelation estimate."""

import numpy as np

PARAMETERS = dict(theta=1.2, mu=0.5, sigma=0.3)


def euler_maruyama(x0, dW, dt, theta, mu, sigma):
    X = np.zeros(len(dW) + 1)
    X[0] = x0
    for i, dw in enumerate(dW):
        X[i + 1] = X[i] + theta * (mu - X[i]) * dt + sigma * dw
    return X


def milstein(S0, dW, dt, mu, sigma):
    S = [S0]
    for dw in dW:
        s = S[-1]
        S.append(s + mu * s * dt + sigma * s * dw + 0.5 * sigma**2 * s * (dw**2 - dt))
    return np.array(S)


def heston(S0, v0, kappa, theta, xi, rho, Z, dt):
    n, paths = Z.shape[0], Z.shape[2]
    S = np.full((n + 1, paths), S0, dtype=float)
    v = np.full((n + 1, paths), v0, dtype=float)
    for t in range(n):
        z1 = Z[t, 0]
        z2 = rho * z1 + np.sqrt(1 - rho**2) * Z[t, 1]
        vp = np.maximum(v[t], 0)
        S[t + 1] = S[t] * np.exp(-0.5 * vp * dt + np.sqrt(vp * dt) * z1)
        v[t + 1] = v[t] + kappa * (theta - vp) * dt + xi * np.sqrt(vp * dt) * z2
    return S, v


def autocorrelation(x, lags):
    x = x - x.mean()
    return np.array([1.0] + [(x[:-k] * x[k:]).sum() / (x * x).sum() for k in range(1, lags)])


def main(x0, S0, v0, rho, dW, Z, dt=0.1):
    X = euler_maruyama(x0, dW, dt, **PARAMETERS)
    S = milstein(S0, dW, dt, 0.05, 0.2)
    H, v = heston(S0, v0, 1.5, 0.04, 0.3, rho, Z, dt)
    return X, S, H[-1], v.mean(axis=1), autocorrelation(X, 3)


def arguments(n=5):
    rng = np.random.default_rng(32)
    return 0.9, 1.1, 0.05, -0.4, np.sqrt(0.1) * rng.standard_normal(n), rng.standard_normal((n, 2, 3))


CONSTANT = (4, 5)
