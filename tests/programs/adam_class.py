"""Logistic regression by an optimizer written as a class, with running averages of the features."""

import numpy as np


class Adam:
    def __init__(self, size, rate):
        self.m, self.v = np.zeros(size), np.zeros(size)
        self.k, self.rate = 0, rate

    def update(self, x, gradient):
        self.k += 1
        self.m = 0.9 * self.m + 0.1 * gradient
        self.v *= 0.99
        self.v += 0.01 * gradient**2
        m, v = self.m / (1 - 0.9**self.k), self.v / (1 - 0.99**self.k)
        return x - self.rate * m / (np.sqrt(v) + 1e-3)


class Normalizer:
    mean = 0.0
    scale = 1.0

    def __call__(self, x):
        self.mean = 0.5 * self.mean + 0.5 * x.mean(axis=0)
        self.scale = 0.5 * self.scale + 0.5 * x.std(axis=0)
        return (x - self.mean) / self.scale


def main(features, labels, rate):
    normalize, optimizer = Normalizer(), Adam(features.shape[1], rate)
    w, losses = np.zeros(features.shape[1]), []
    for batch in np.split(np.arange(len(labels)), 3):
        x, y = normalize(features[batch]), labels[batch]
        p = 1 / (1 + np.exp(-x @ w))
        losses.append(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
        w = optimizer.update(w, x.T @ (p - y) / len(y))
    return w, np.array(losses), optimizer.k, normalize.mean


def arguments(n=12):
    rng = np.random.default_rng(3)
    return rng.standard_normal((n, 4)) + 1.0, rng.uniform(0, 1, n), 0.1
