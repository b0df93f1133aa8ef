"""One-dimensional electrostatic plasma: charges are deposited with np.add.at, the field comes from an FFT, particles leap-frog."""

import numpy as np


def deposit(x, q, cells):
    rho = np.zeros(cells)
    scaled = x * cells
    left = np.floor(scaled).astype(int)
    right_share = scaled - left
    np.add.at(rho, left % cells, q * (1 - right_share))
    np.add.at(rho, (left + 1) % cells, q * right_share)
    return rho, left % cells, right_share


def field(rho):
    n = rho.size
    k = 2 * np.pi * np.fft.rfftfreq(n, 1 / n)
    spectrum = np.fft.rfft(rho)
    spectrum[0] = 0
    potential = np.zeros_like(spectrum)
    potential[1:] = spectrum[1:] / k[1:] ** 2
    return np.fft.irfft(1j * k * -potential, n)


def main(x, v, q):
    cells, dt = 16, 0.02
    energies = []
    for _ in range(3):
        rho, left, share = deposit(x, q, cells)
        e = field(rho)
        v += dt * (e[left] * (1 - share) + e[(left + 1) % cells] * share)
        x += dt * v
        x %= 1.0
        energies.append(0.5 * np.sum(v**2) + 0.5 * np.mean(e**2))
    return x, v, np.array(energies)


def arguments(n=12):
    rng = np.random.default_rng(1)
    return rng.uniform(0, 1, n), 0.1 * rng.standard_normal(n), rng.uniform(0.5, 1.5, n)
