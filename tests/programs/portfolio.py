"""Mean-variance portfolios: the tangency portfolio, projected gradient ascent on the simplex, risk parts and drawdown."""

import numpy as np


def project_to_simplex(v):
    u = np.sort(v)[::-1]
    css = np.cumsum(u)
    ks = np.arange(1, len(v) + 1)
    rho = np.sum(u + (1.0 - css) / ks > 0)
    theta = (css - 1.0) / ks
    theta = theta[rho - 1]
    return np.maximum(v - theta, 0)


def optimise(mu, Sigma, risk_aversion, steps=4, lr=0.5):
    w = np.ones(len(mu)) / len(mu)
    for _ in range(steps):
        gradient = mu - risk_aversion * Sigma.dot(w)
        w = project_to_simplex(w + lr * gradient)
    return w


def max_drawdown(prices):
    peak = np.maximum.accumulate(prices)
    return ((peak - prices) / peak).max()


def main(returns, risk_aversion):
    T, N = returns.shape
    mu = returns.mean(0)
    Sigma = np.cov(returns, rowvar=False)
    w = optimise(mu, Sigma, risk_aversion)
    tangency = np.linalg.solve(Sigma, mu)
    tangency /= tangency.sum()
    volatility = np.sqrt(w @ Sigma @ w)
    contributions = w * (Sigma @ w) / volatility
    wealth = np.cumprod(1 + returns @ w)
    pnl = np.sort(returns @ w)
    var_95 = -np.percentile(returns @ w, 5)
    cvar = -pnl[: max(1, int(0.1 * T))].mean()
    return {"w": w, "tangency": tangency, "risk": contributions, "sharpe": mu @ w / volatility, "dd": max_drawdown(wealth), "tail": (var_95, cvar)}


def arguments(n=24):
    rng = np.random.default_rng(12)
    mixing = 0.03 * rng.standard_normal((4, 4))
    return 0.01 + rng.standard_normal((n, 4)) @ mixing, 3.0
