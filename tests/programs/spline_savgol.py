"""Curves through data: natural cubic splines by a tridiagonal system, Savitzky-Golay filters, trapezoids, and a lifting wavelet in place."""

import numpy as np
from scipy.special import factorial


def natural_spline(x, y):
    n = len(x)
    h = np.diff(x)
    A = np.zeros((n, n))
    r = np.zeros(n)
    A[0, 0] = A[n - 1, n - 1] = 1.0
    for i in range(1, n - 1):
        A[i, i - 1] = h[i - 1]
        A[i, i] = 2 * (h[i - 1] + h[i])
        A[i, i + 1] = h[i]
        r[i] = 3 * ((y[i + 1] - y[i]) / h[i] - (y[i] - y[i - 1]) / h[i - 1])
    c = np.linalg.solve(A, r)
    b = (y[1:] - y[:-1]) / h - h * (2 * c[:-1] + c[1:]) / 3
    d = (c[1:] - c[:-1]) / (3 * h)
    return b, c, d


def evaluate(xq, x, y, coefficients):
    b, c, d = coefficients
    i = np.clip(np.searchsorted(x, xq) - 1, 0, len(x) - 2)
    t = xq - x[i]
    return y[i] + b[i] * t + c[i] * t**2 + d[i] * t**3


def savitzky_golay(y, window, order, deriv=0):
    half = (window - 1) // 2
    B = np.array([[k**i for i in range(order + 1)] for k in range(-half, half + 1)])
    m = np.linalg.pinv(B)[deriv] * factorial(deriv)
    first = y[0] - np.abs(y[1 : half + 1][::-1] - y[0])
    last = y[-1] + np.abs(y[-half - 1 : -1][::-1] - y[-1])
    return np.convolve(m[::-1], np.concatenate((first, y, last)), mode="valid")


def haar_lift(s):
    even, odd = s[::2], s[1::2]
    odd -= even
    even += 0.5 * odd
    return s


def main(x, y, xq):
    coefficients = natural_spline(x, y)
    yq = evaluate(xq, x, y, coefficients)
    area = np.trapezoid(yq, xq)
    smooth = savitzky_golay(y, 5, 2)
    return yq, area, smooth, haar_lift(y)


def arguments(n=8):
    rng = np.random.default_rng(28)
    x = np.sort(rng.uniform(0, 4, n)) + 0.1 * np.arange(n)
    return x, np.sin(x) + 0.1 * rng.standard_normal(n), np.linspace(0.9, 3.7, 6)


CONSTANT = (2,)
