"""An embedded Runge-Kutta pair with step-size control: accepts or rejects steps by an error estimate, until the end of the interval."""

import numpy as np


def rhs(t, y, mu):
    return np.array([y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]])


def step(t, y, h, mu):
    k1 = rhs(t, y, mu)
    k2 = rhs(t + h / 2, y + h / 2 * k1, mu)
    k3 = rhs(t + 3 * h / 4, y + 3 * h / 4 * k2, mu)
    y_new = y + h * (2 / 9 * k1 + 1 / 3 * k2 + 4 / 9 * k3)
    k4 = rhs(t + h, y_new, mu)
    z = y + h * (7 / 24 * k1 + 1 / 4 * k2 + 1 / 3 * k3 + 1 / 8 * k4)
    return y_new, np.max(np.abs(y_new - z))


def main(y, mu, t_end=0.6, tol=1e-3):
    t, h = 0.0, 0.2
    accepted = rejected = 0
    times = [t]
    while t < t_end - 1e-12:
        h = min(h, t_end - t)
        y_new, error = step(t, y, h, mu)
        if error < tol:
            t += h
            y = y_new
            times.append(t)
            accepted += 1
            h *= 1.5
        else:
            h /= 2
            rejected += 1
    return y, np.array(times), accepted, rejected


def arguments():
    return np.array([2.0, 0.3]), 1.5
