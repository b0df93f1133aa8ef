"""Time series: GARCH likelihood, exponential smoothing by Holt and Winters, ARMA residuals, and a spectral estimate with a taper."""

import numpy as np
import scipy.special as sc


def garch_loglik(params, r):
    omega, alpha, beta = params
    T = r.shape[0]
    h = np.empty(T)
    h[0] = np.var(r)
    for t in range(1, T):
        h[t] = omega + alpha * r[t - 1] ** 2 + beta * h[t - 1]
    return -0.5 * np.sum(np.log(2 * np.pi) + np.log(h) + r**2 / h), h


def student_t_loglik(nu, r):
    n = len(r)
    return n * (sc.gammaln((nu + 1) / 2) - sc.gammaln(nu / 2) - 0.5 * np.log(np.pi * (nu - 2))) - (nu + 1) / 2 * np.log1p(r**2 / (nu - 2)).sum()


def holt_winters(y, alpha, beta, gamma, period=2):
    level, trend = y[0], y[1] - y[0]
    seasonal = list(y[:period] - y[:period].mean())
    fitted = []
    for t, value in enumerate(y):
        s = seasonal[t % period]
        fitted.append(level + trend + s)
        last = level
        level = alpha * (value - s) + (1 - alpha) * (level + trend)
        trend = beta * (level - last) + (1 - beta) * trend
        seasonal[t % period] = gamma * (value - level) + (1 - gamma) * s
    return np.array(fitted)


def arma_residuals(y, phi, theta):
    e = np.zeros(len(y))
    for t in range(len(y)):
        ar = phi * y[t - 1] if t > 0 else 0.0
        ma = theta * e[t - 1] if t > 0 else 0.0
        e[t] = y[t] - ar - ma
    return e


def main(params, nu, r, smoothing):
    loglik, h = garch_loglik(params, r)
    e = arma_residuals(r, 0.4, params[1])
    fitted = holt_winters(r, *smoothing)
    taper = np.hanning(len(r))
    spectrum = np.abs(np.fft.rfft(taper * r)) ** 2 / (taper**2).sum()
    return {"loglik": loglik, "t": student_t_loglik(nu, r), "h": h, "e": e, "fitted": fitted, "spectrum": spectrum}


def arguments(n=8):
    rng = np.random.default_rng(34)
    return np.array([0.05, 0.1, 0.8]), 5.0, 0.5 * rng.standard_normal(n), (0.5, 0.3, 0.2)
