"""A hidden Markov model: the forward algorithm with scaling, the backward pass, posteriors, and Viterbi's path."""

import numpy as np


def forward(A, B, pi, obs):
    T, N = len(obs), A.shape[0]
    alpha = np.zeros((T, N))
    scale = np.zeros(T)
    alpha[0] = pi * B[:, obs[0]]
    scale[0] = alpha[0].sum()
    alpha[0] /= scale[0]
    for t in range(1, T):
        for j in range(N):
            alpha[t, j] = alpha[t - 1].dot(A[:, j]) * B[j, obs[t]]
        scale[t] = alpha[t].sum()
        alpha[t] /= scale[t]
    return alpha, scale


def backward(A, B, obs, scale):
    T, N = len(obs), A.shape[0]
    beta = np.zeros((T, N))
    beta[T - 1] = 1
    for t in range(T - 2, -1, -1):
        beta[t] = np.dot(A, B[:, obs[t + 1]] * beta[t + 1]) / scale[t + 1]
    return beta


def viterbi(A, B, pi, obs):
    T, N = len(obs), len(pi)
    delta = np.log(pi) + np.log(B[:, obs[0]])
    psi = np.zeros((T, N), dtype=int)
    for t in range(1, T):
        candidates = delta[:, None] + np.log(A)
        psi[t] = np.argmax(candidates, axis=0)
        delta = np.max(candidates, axis=0) + np.log(B[:, obs[t]])
    path = np.zeros(T, dtype=int)
    path[T - 1] = np.argmax(delta)
    for t in range(T - 2, -1, -1):
        path[t] = psi[t + 1, path[t + 1]]
    return path, np.max(delta)


def main(A, B, pi, obs):
    alpha, scale = forward(A, B, pi, obs)
    beta = backward(A, B, obs, scale)
    posterior = alpha * beta
    posterior /= posterior.sum(axis=1, keepdims=True)
    path, best = viterbi(A, B, pi, obs)
    return np.log(scale).sum(), posterior, path, best


def arguments(n=5):
    rng = np.random.default_rng(16)
    A, B, pi = rng.uniform(0.1, 1, (3, 3)), rng.uniform(0.1, 1, (3, 4)), rng.uniform(0.1, 1, 3)
    return A / A.sum(1, keepdims=True), B / B.sum(1, keepdims=True), pi / pi.sum(), rng.integers(0, 4, n)
