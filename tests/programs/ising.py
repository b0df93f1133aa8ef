"""Energies of spin lattices with couplings, mean-field magnetisations by iteration, and a deterministic checkerboard relaxation of the spins."""

import numpy as np


def energy(spins, J, h):
    e = 0.0
    rows, cols = spins.shape
    for i in range(rows):
        for j in range(cols):
            s = spins[i, j]
            neighbours = spins[(i + 1) % rows, j] + spins[i, (j + 1) % cols]
            e += -J * s * neighbours - h[i, j] * s
    return e


def mean_field(m, J, h, beta, sweeps=3):
    for _ in range(sweeps):
        for parity in (0, 1):
            local = J * (np.roll(m, 1, 0) + np.roll(m, -1, 0) + np.roll(m, 1, 1) + np.roll(m, -1, 1)) + h
            new = np.tanh(beta * local)
            rows, cols = np.indices(m.shape)
            black = (rows + cols) % 2 == parity
            m[black] = new[black]
    return m


def main(spins, J, h, beta):
    m = mean_field(0.1 * spins.astype(float), J, h, beta)
    aligned = np.sign(m).astype(np.int8)
    flips = np.count_nonzero(aligned != spins)
    return energy(m, J, h), m.mean(), energy(spins, J, h), aligned, flips


def arguments(n=4):
    rng = np.random.default_rng(15)
    return rng.choice(np.array([-1, 1], dtype=np.int8), size=(n, n)), 0.4, 0.3 * rng.standard_normal((n, n)), 0.9


CONSTANT = (0,)
