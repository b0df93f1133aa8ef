"""Gray-Scott reaction and diffusion on a torus, with ghost cells and views of the interior."""

from numpy import *


def laplacian(Z):
    return Z[0:-2, 1:-1] + Z[1:-1, 0:-2] - 4 * Z[1:-1, 1:-1] + Z[1:-1, 2:] + Z[2:, 1:-1]


def periodic(Z):
    Z[0, :] = Z[-2, :]
    Z[-1, :] = Z[1, :]
    Z[:, 0] = Z[:, -2]
    Z[:, -1] = Z[:, 1]


def main(U, V, F, k):
    Du, Dv, dt = 0.16, 0.08, 1.0
    u, v = U[1:-1, 1:-1], V[1:-1, 1:-1]
    for i in range(4):
        Lu = laplacian(U)
        Lv = laplacian(V)
        uvv = u * v * v
        u += dt * (Du * Lu - uvv + F * (1 - u))
        v += dt * (Dv * Lv + uvv - (F + k) * v)
        periodic(U)
        periodic(V)
    pattern = zeros(u.shape)
    pattern[:] = v
    return pattern, abs(v).max(), concatenate((u.mean(axis=0), v.mean(axis=1)))


def arguments(n=8):
    rng = random.default_rng(11)
    U = ones((n + 2, n + 2))
    V = zeros((n + 2, n + 2))
    r = n // 4
    U[n // 2 - r : n // 2 + r, n // 2 - r : n // 2 + r] = 0.5
    V[n // 2 - r : n // 2 + r, n // 2 - r : n // 2 + r] = 0.25
    U += 0.05 * rng.uniform(-1, 1, U.shape)
    V += 0.05 * rng.uniform(-1, 1, V.shape)
    return U, V, 0.04, 0.06
