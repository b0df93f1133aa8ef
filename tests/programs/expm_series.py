"""Matrix functions by series: scaling and squaring with a Taylor polynomial, a Pade approximant, Newton's square root, and a Markov chain."""

import numpy as np
import math


def expm_taylor(A, order=12):
    norm = np.linalg.norm(A, np.inf)
    squarings = 3
    A = A / 2.0**squarings
    n = A.shape[0]
    E = np.identity(n)
    term = np.identity(n)
    for k in range(1, order + 1):
        term = term.dot(A) / k
        E += term
    for _ in range(squarings):
        np.dot(E.copy(), E.copy(), out=E)
    return E, norm


def expm_pade(A, q=6):
    c = [math.factorial(2 * q - k) * math.factorial(q) / (math.factorial(2 * q) * math.factorial(k) * math.factorial(q - k)) for k in range(q + 1)]
    N = D = 0 * A
    P = np.eye(len(A))
    for k in range(q + 1):
        N = N + c[k] * P
        D = D + (-1) ** k * c[k] * P
        P = P @ A
    return np.linalg.solve(D, N)


def sqrtm_newton(A, steps=8):
    Y, Z = A.copy(), np.eye(A.shape[0])
    for _ in range(steps):
        Y, Z = 0.5 * (Y + np.linalg.inv(Z)), 0.5 * (Z + np.linalg.inv(Y))
    return Y


def main(Q, S, pi0):
    P, norm = expm_taylor(Q)
    pade = expm_pade(0.1 * Q)
    pi = pi0 @ np.linalg.matrix_power(P, 3)
    root = sqrtm_newton(S)
    relaxation = np.sort(np.linalg.eigvals(P).real)[:-1]
    return P, pade, pi, root, norm, -1 / np.log(relaxation)


def arguments():
    Q = np.array([[-0.7, 0.5, 0.2], [0.1, -0.4, 0.3], [0.3, 0.3, -0.6]])
    S = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, -0.2], [0.1, -0.2, 1.0]])
    return Q, S, np.array([1.0, 0.0, 0.0])
