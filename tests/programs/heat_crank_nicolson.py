"""Crank-Nicolson for the heat equation in a rod, with the Thomas algorithm for the tridiagonal systems."""

import numpy as np


def thomas(a, b, c, d):
    """Solve a tridiagonal system: sub-diagonal a, diagonal b, super-diagonal c."""
    n = len(d)
    cp = np.zeros(n)
    dp = np.zeros(n)
    cp[0] = c[0] / b[0]
    dp[0] = d[0] / b[0]
    for i in range(1, n):
        m = b[i] - a[i] * cp[i - 1]
        cp[i] = c[i] / m if i < n - 1 else 0.0
        dp[i] = (d[i] - a[i] * dp[i - 1]) / m
    x = np.zeros(n)
    x[-1] = dp[-1]
    for i in reversed(range(n - 1)):
        x[i] = dp[i] - cp[i] * x[i + 1]
    return x


def main(u, alpha, dt):
    nx = u.size
    dx = 1.0 / (nx + 1)
    r = alpha * dt / (2 * dx**2)
    lower = np.full(nx, -r)
    upper = np.full(nx, -r)
    diagonal = np.full(nx, 1 + 2 * r)
    energies = []
    for n in range(3):
        rhs = np.empty(nx)
        rhs[0] = (1 - 2 * r) * u[0] + r * u[1]
        rhs[-1] = (1 - 2 * r) * u[-1] + r * u[-2]
        for i in range(1, nx - 1):
            rhs[i] = r * u[i - 1] + (1 - 2 * r) * u[i] + r * u[i + 1]
        u[:] = thomas(lower, diagonal, upper, rhs)
        energies.append(dx * np.sum(u**2))
    return np.array(energies)


def arguments(n=6):
    x = np.linspace(0, 1, n + 2)[1:-1]
    return np.sin(np.pi * x) + 0.3 * np.sin(3 * np.pi * x), 0.7, 0.01
