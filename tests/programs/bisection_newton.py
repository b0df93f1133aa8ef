"""Root finding with loops that stop on data: Newton with a tolerance, bisection on brackets, and Kepler's equation for several anomalies."""

import numpy as np


def newton(f, df, x0, tol=1e-10, max_iter=50):
    x = x0
    n = 0
    while abs(f(x)) > tol and n < max_iter:
        x = x - f(x) / df(x)
        n += 1
    return x, n


def bisect(f, a, b, tol=1e-3):
    fa = f(a)
    while b - a > tol:
        c = 0.5 * (a + b)
        fc = f(c)
        if fa * fc <= 0:
            b = c
        else:
            a, fa = c, fc
    return 0.5 * (a + b)


def kepler(M, e):
    E = M.copy()
    for _ in range(6):
        E -= (E - e * np.sin(E) - M) / (1 - e * np.cos(E))
    return E


def main(a, M, e):
    cube_root, steps = newton(lambda x: x**3 - a, lambda x: 3 * x**2, 1.0)
    low = bisect(lambda x: np.cos(x) - a * x, a * 0.0, a * 0.0 + 1.5, tol=0.1)
    E = kepler(M, e)
    if e > 0.9:
        anomaly = E
    else:
        anomaly = 2 * np.arctan2(np.sqrt(1 + e) * np.sin(E / 2), np.sqrt(1 - e) * np.cos(E / 2))
    return cube_root, low, E, anomaly, steps


def arguments():
    return 2.5, np.array([0.3, 1.2, 2.5]), 0.3
