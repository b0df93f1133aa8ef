"""Burgers' equation by Godunov's method with a loop over the cell faces, and by Lax-Friedrichs with slices."""

import numpy as np


def flux(u):
    return 0.5 * u * u


def godunov_flux(ul, ur):
    smallest = np.where(ul * ur < 0, 0.0, np.minimum(flux(ul), flux(ur)))
    largest = np.maximum(flux(ul), flux(ur))
    return np.where(ul <= ur, smallest, largest)


def godunov(u, dt, dx):
    n = len(u)
    F = np.zeros(n + 1)
    for i in range(1, n):
        F[i] = godunov_flux(u[i - 1], u[i])
    F[0] = F[-1] = godunov_flux(u[-1], u[0])
    u -= dt / dx * (F[1:] - F[:-1])


def lax_friedrichs(u, dt, dx):
    up = np.roll(u, -1)
    um = np.roll(u, 1)
    return 0.5 * (up + um) - 0.5 * dt / dx * (flux(up) - flux(um))


def main(u, dt):
    dx = 1.0 / len(u)
    v = np.copy(u)
    for n in range(3):
        godunov(u, dt, dx)
        v = lax_friedrichs(v, dt, dx)
    return v, np.sum(u) * dx, np.abs(np.diff(u)).sum()


def arguments(n=8):
    x = (np.arange(n) + 0.5) / n
    return np.sin(2 * np.pi * x) + 0.2 * np.cos(5 * x) + 0.37, 0.02
