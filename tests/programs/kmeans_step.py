"""Lloyd's algorithm for k-means, with the loop over clusters and boolean masks."""

import numpy as np


def assign(X, centroids):
    distances = np.zeros((X.shape[0], centroids.shape[0]))
    for k in range(centroids.shape[0]):
        distances[:, k] = np.linalg.norm(X - centroids[k], axis=1)
    return np.argmin(distances, axis=1), distances


def move(X, labels, centroids):
    new = np.zeros_like(centroids)
    for k in range(len(centroids)):
        members = labels == k
        new[k] = (X * members[:, None]).sum(axis=0) / members.sum()
    return new


def main(X, centroids):
    for it in range(3):
        labels, d = assign(X, centroids)
        centroids[...] = move(X, labels, centroids)
    inertia = np.sum(np.min(d, axis=1) ** 2)
    return labels, inertia, inertia / len(X)


def arguments(n=30):
    rng = np.random.default_rng(5)
    centers = np.array([[0.0, 0.0], [4.0, 1.0], [-1.0, 5.0]])
    return centers[np.arange(n) % 3] + 0.6 * rng.standard_normal((n, 2)), centers + 0.4
