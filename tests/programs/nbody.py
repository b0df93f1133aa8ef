"""Gravitating bodies by leapfrog, with broadcasting over pairs, and the conserved quantities."""

import numpy as np

G = 6.674e-1


def acceleration(pos, mass, softening):
    x = pos[:, 0:1]
    y = pos[:, 1:2]
    z = pos[:, 2:3]
    dx = x.T - x
    dy = y.T - y
    dz = z.T - z
    inv_r3 = dx**2 + dy**2 + dz**2 + softening**2
    inv_r3[inv_r3 > 0] = inv_r3[inv_r3 > 0] ** (-1.5)
    ax = G * (dx * inv_r3) @ mass
    ay = G * (dy * inv_r3) @ mass
    az = G * (dz * inv_r3) @ mass
    return np.hstack((ax, ay, az))


def energy(pos, vel, mass):
    KE = 0.5 * np.sum(np.sum(mass * vel**2))
    d = pos[None] - pos[:, None]
    inv_r = np.sqrt((d**2).sum(-1))
    inv_r[inv_r > 0] = 1.0 / inv_r[inv_r > 0]
    PE = G * np.sum(np.sum(np.triu(-(mass * mass.T) * inv_r, 1)))
    return KE, PE


def main(pos, vel, mass, dt=0.01, Nt=3, softening=0.1):
    vel -= np.mean(mass * vel, 0) / np.mean(mass)
    acc = acceleration(pos, mass, softening)
    KE, PE = np.zeros(Nt + 1), np.zeros(Nt + 1)
    KE[0], PE[0] = energy(pos, vel, mass)
    pos_save = np.zeros((len(pos), 3, Nt + 1))
    pos_save[:, :, 0] = pos
    for i in range(Nt):
        vel += acc * dt / 2.0
        pos += vel * dt
        acc = acceleration(pos, mass, softening)
        vel += acc * dt / 2.0
        KE[i + 1], PE[i + 1] = energy(pos, vel, mass)
        pos_save[:, :, i + 1] = pos
    return KE + PE, pos_save


def arguments(n=5):
    rng = np.random.default_rng(13)
    return rng.standard_normal((n, 3)), rng.standard_normal((n, 3)), 20.0 * np.ones((n, 1)) / n
