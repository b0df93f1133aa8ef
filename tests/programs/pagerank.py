"""PageRank by the power method on a weighted graph given as lists of edges, with dangling vertices."""

import numpy as np


def transition(src, dst, weight, n):
    M = np.zeros((n, n))
    np.add.at(M, (dst, src), weight)
    out = M.sum(axis=0)
    dangling = out == 0
    M = M / np.where(dangling, 1.0, out)
    M[:, dangling] = 1.0 / n
    return M


def main(src, dst, weight, damping=0.85):
    n = 6
    M = transition(src, dst, weight, n)
    rank = np.ones(n) / n
    change = []
    for k in range(6):
        new = (1 - damping) / n + damping * M @ rank
        new /= np.linalg.norm(new, 1)
        change.append(np.abs(new - rank).sum())
        rank = new
    order = np.argsort(-rank)
    entropy = -np.sum(rank * np.log(rank))
    return rank, order, entropy, change


def arguments():
    rng = np.random.default_rng(17)
    src = np.array([0, 0, 1, 2, 2, 3, 4, 4, 1, 0])
    dst = np.array([1, 2, 2, 0, 3, 4, 0, 1, 5, 1])
    return src, dst, rng.uniform(0.5, 2, len(src))
