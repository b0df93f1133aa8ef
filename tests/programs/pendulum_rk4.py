"""A double pendulum by the classical Runge-Kutta method, the right side as a closure over a dict of parameters."""

import numpy as np
from numpy import sin, cos


def make_rhs(params):
    m1, m2 = params["m1"], params["m2"]
    l1, l2 = params["l1"], params["l2"]
    g = params.get("g", 9.81)

    def rhs(t, y):
        dydt = np.zeros_like(y)
        dydt[0] = y[1]
        delta = y[2] - y[0]
        den1 = (m1 + m2) * l1 - m2 * l1 * cos(delta) * cos(delta)
        dydt[1] = (
            m2 * l1 * y[1] * y[1] * sin(delta) * cos(delta)
            + m2 * g * sin(y[2]) * cos(delta)
            + m2 * l2 * y[3] * y[3] * sin(delta)
            - (m1 + m2) * g * sin(y[0])
        ) / den1
        dydt[2] = y[3]
        den2 = (l2 / l1) * den1
        dydt[3] = (
            -m2 * l2 * y[3] * y[3] * sin(delta) * cos(delta)
            + (m1 + m2) * g * sin(y[0]) * cos(delta)
            - (m1 + m2) * l1 * y[1] * y[1] * sin(delta)
            - (m1 + m2) * g * sin(y[2])
        ) / den2
        return dydt

    return rhs


def rk4(f, y0, t):
    y = np.zeros((len(t), len(y0)))
    y[0] = y0
    for i in range(len(t) - 1):
        h = t[i + 1] - t[i]
        k1 = f(t[i], y[i])
        k2 = f(t[i] + h / 2.0, y[i] + k1 * h / 2.0)
        k3 = f(t[i] + h / 2.0, y[i] + k2 * h / 2.0)
        k4 = f(t[i] + h, y[i] + k3 * h)
        y[i + 1] = y[i] + (h / 6.0) * (k1 + 2 * k2 + 2 * k3 + k4)
    return y


def main(params, y0):
    y = rk4(make_rhs(params), y0, np.linspace(0, 0.1, 4))
    x2 = params["l1"] * sin(y[:, 0]) + params["l2"] * sin(y[:, 2])
    return y, x2


def arguments():
    return {"m1": 1.0, "m2": 0.8, "l1": 1.0, "l2": 0.7}, np.array([1.2, 0.0, 0.7, 0.3])
