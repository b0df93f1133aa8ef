"""Argon in a periodic box: Lennard-Jones forces by loops over pairs, and velocity Verlet that moves the atoms in place."""

import numpy as np


def forces(pos, box, eps=1.0, sigma=1.0, cutoff=2.5):
    n = pos.shape[0]
    F = np.zeros_like(pos)
    potential = 0.0
    for i in range(n - 1):
        for j in range(i + 1, n):
            r = pos[i] - pos[j]
            r -= box * np.round(r / box)
            r2 = np.dot(r, r)
            inside = r2 < cutoff**2
            s6 = (sigma**2 / r2) ** 3
            f = np.where(inside, 24 * eps * (2 * s6**2 - s6) / r2, 0.0)
            F[i] += f * r
            F[j] -= f * r
            potential += np.where(inside, 4 * eps * (s6**2 - s6), 0.0)
    return F, potential


def main(pos, vel, box=5.0, dt=0.005):
    energies = np.zeros((2, 2))
    F, _ = forces(pos, box)
    for step in range(2):
        vel += 0.5 * dt * F
        pos += dt * vel
        pos %= box
        F, potential = forces(pos, box)
        vel += 0.5 * dt * F
        energies[step] = 0.5 * (vel**2).sum(), potential
    return energies


def arguments(n=4):
    rng = np.random.default_rng(10)
    side = int(np.ceil(n ** (1 / 3)))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3), -1).reshape(-1, 3)[:n]
    return 1.3 * grid + 0.5 + 0.05 * rng.standard_normal((n, 3)), 0.1 * rng.standard_normal((n, 3))
