"""A periodic Poisson problem by FFT, and the field's energy by Parseval's theorem."""

import numpy as np
from numpy.fft import fft2, fftfreq, ifft2


def laplacian_symbol(n, length):
    k = 2 * np.pi * fftfreq(n, d=length / n)
    kx, ky = np.meshgrid(k, k, indexing="ij")
    return -(kx**2 + ky**2), kx, ky


def solve(rho, length=2 * np.pi):
    n = rho.shape[0]
    symbol, kx, ky = laplacian_symbol(n, length)
    symbol[0, 0] = 1.0
    rho_hat = fft2(rho)
    phi_hat = rho_hat / symbol
    phi_hat[0, 0] = 0.0
    phi = np.real(ifft2(phi_hat))
    ex = -ifft2(1j * kx * phi_hat).real
    ey = -ifft2(1j * ky * phi_hat).real
    return phi, np.array([ex, ey]), phi_hat


def main(rho):
    phi, field, phi_hat = solve(rho - rho.mean())
    energy = 0.5 * np.sum(field**2)
    spectrum = np.abs(phi_hat[: len(phi_hat) // 2, 0]) ** 2
    return phi, energy, spectrum


def arguments(n=8):
    return (np.random.default_rng(9).standard_normal((n, n)),)
