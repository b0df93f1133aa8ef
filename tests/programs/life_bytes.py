"""Conway's game of life on bytes, and a smooth automaton of the same shape whose rule can be fitted."""

import numpy as np


def neighbours(Z):
    rows, cols = Z.shape
    N = np.zeros((rows, cols), dtype=Z.dtype)
    N[1:-1, 1:-1] += (
        Z[:-2, :-2] + Z[:-2, 1:-1] + Z[:-2, 2:]
        + Z[1:-1, :-2] + Z[1:-1, 2:]
        + Z[2:, :-2] + Z[2:, 1:-1] + Z[2:, 2:]
    )  # fmt: skip
    return N


def iterate(Z):
    N = neighbours(Z)
    birth = (N == 3)[1:-1, 1:-1] & (Z[1:-1, 1:-1] == 0)
    survive = ((N == 2) | (N == 3))[1:-1, 1:-1] & (Z[1:-1, 1:-1] == 1)
    Z[...] = 0
    Z[1:-1, 1:-1][birth | survive] = 1
    return Z


def smooth(A, center, width):
    N = neighbours(A)
    grow = np.exp(-(((N - center) / width) ** 2))
    return A + 0.2 * (2 * grow - 1) * A * (1 - A)


def main(Z, A, center, width):
    counts = []
    for _ in range(3):
        Z = iterate(Z)
        counts.append(int(Z.size) - np.count_nonzero(Z == 0))
        A = smooth(A, center, width)
    return Z, np.array(counts), A


def arguments(n=7):
    rng = np.random.default_rng(27)
    return rng.integers(0, 2, (n, n)).astype(np.uint8), rng.uniform(0, 1, (n, n)), 3.0, 1.2
