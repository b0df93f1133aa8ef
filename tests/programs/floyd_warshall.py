"""Shortest paths between all pairs of vertices, by Floyd and Warshall, and a smooth measure of the network's reach."""

import numpy as np


def shortest_paths(weights):
    n = weights.shape[0]
    dist = weights.copy()
    dist[np.diag_indices(n)] = 0
    for k in range(n):
        for i in range(n):
            dist[i, :] = np.minimum(dist[i, :], dist[i, k] + dist[k, :])
    return dist


def main(weights, decay=1.5):
    n = len(weights)
    dist = shortest_paths(weights)
    closeness = np.zeros(n)
    for v in range(n):
        others = np.delete(dist[v], v)
        closeness[v] = (n - 1) / others.sum()
    efficiency = 0.0
    for i in range(n):
        for j in range(i + 1, n):
            efficiency += np.exp(-decay * dist[i, j])
    return dist, closeness, efficiency * 2 / (n * (n - 1)), dist.max()


def arguments(n=5):
    rng = np.random.default_rng(8)
    weights = rng.uniform(0.2, 1.0, (n, n))
    weights[rng.uniform(size=(n, n)) < 0.3] = 10.0
    np.fill_diagonal(weights, 0.0)
    return (weights,)
