"""Option prices: Black-Scholes with its Greeks, a binomial tree with early exercise, and Monte Carlo with given normal numbers."""

import numpy as np
from scipy.stats import norm
from scipy.special import ndtr


def black_scholes(S, K, T, r, sigma):
    d1 = (np.log(S / K) + (r + 0.5 * sigma**2) * T) / (sigma * np.sqrt(T))
    d2 = d1 - sigma * np.sqrt(T)
    call = S * norm.cdf(d1) - K * np.exp(-r * T) * norm.cdf(d2)
    put = K * np.exp(-r * T) * ndtr(-d2) - S * ndtr(-d1)
    vega = S * norm.pdf(d1) * np.sqrt(T)
    return call, put, vega


def american_put(S0, K, T, r, sigma, N=6):
    dt = T / N
    u = np.exp(sigma * np.sqrt(dt))
    d = 1 / u
    q = (np.exp(r * dt) - d) / (u - d)
    disc = np.exp(-r * dt)
    S = np.zeros(N + 1)
    S[0] = S0 * d**N
    for j in range(1, N + 1):
        S[j] = S[j - 1] * u / d
    V = np.maximum(0, K - S)
    for i in np.arange(N - 1, -1, -1):
        for j in range(0, i + 1):
            S = S0 * u**j * d ** (i - j)
            V[j] = np.maximum(K - S, disc * (q * V[j + 1] + (1 - q) * V[j]))
    return V[0]


def asian_call(S0, K, T, r, sigma, Z):
    steps = Z.shape[1]
    dt = T / steps
    paths = np.empty((Z.shape[0], steps + 1))
    paths[:, 0] = S0
    for t in range(steps):
        paths[:, t + 1] = paths[:, t] * np.exp((r - 0.5 * sigma**2) * dt + sigma * np.sqrt(dt) * Z[:, t])
    payoff = np.maximum(paths[:, 1:].mean(axis=1) - K, 0)
    return np.exp(-r * T) * payoff.mean(), payoff.std(ddof=1) / np.sqrt(len(payoff))


def main(S, K, T, r, sigma, Z):
    strikes = np.array([0.8 * K, K, 1.2 * K])
    call, put, vega = black_scholes(S, strikes, T, r, sigma)
    price, error = asian_call(S, K, T, r, sigma, Z)
    return dict(call=call, put=put, vega=vega, american=american_put(S, K, T, r, sigma), asian=price, error=error)


def arguments():
    return 101.0, 98.0, 0.7, 0.03, 0.25, np.random.default_rng(18).standard_normal((20, 4))


CONSTANT = (5,)
