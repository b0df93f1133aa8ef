"""A quantum particle in a well: split-step Fourier for the time-dependent equation (complex), and the bound states by finite differences."""

import numpy as np
import scipy.linalg


class Wave(object):
    def __init__(self, x, psi, V, dt, m=1.0):
        self.x, self.dt, self.m = x, dt, m
        self.dx = x[1] - x[0]
        self.psi = psi
        self.k = 2 * np.pi * np.fft.fftfreq(len(x), self.dx)
        self.half = np.exp(-0.5j * V * dt)
        self.kinetic = np.exp(-0.5j * self.k**2 * dt / m)

    def step(self):
        self.psi = self.psi * self.half
        self.psi = np.fft.ifft(np.fft.fft(self.psi) * self.kinetic)
        self.psi *= self.half

    def expect(self):
        p = abs(self.psi) ** 2
        return (self.x * p).sum() * self.dx, np.vdot(self.psi, self.psi).real * self.dx


def levels(x, V, count=3):
    n, dx = len(x), x[1] - x[0]
    H = np.zeros((n, n))
    np.fill_diagonal(H, 1 / dx**2 + V)
    i = np.arange(n - 1)
    H[i, i + 1] = H[i + 1, i] = -0.5 / dx**2
    return scipy.linalg.eigh(H, eigvals_only=True)[:count]


def main(psi, V):
    x = np.linspace(-4, 4, len(V), endpoint=False)
    wave = Wave(x, psi, V, 0.05)
    positions = []
    for _ in range(3):
        wave.step()
        positions.append(wave.expect())
    return wave.psi, np.array(positions), levels(x, V)


def arguments(n=16):
    x = np.linspace(-4, 4, n, endpoint=False)
    return np.exp(-((x - 1) ** 2)) * np.exp(0.5j * x), 0.5 * x**2
