"""The Mandelbrot set by masks: escape counts and a smooth colour, for a window that can be moved."""

import numpy as np


def main(center, scale, width=6):
    x = np.linspace(-1, 1, width) * scale + center[0]
    y = np.linspace(-1, 1, width) * scale + center[1]
    c = x[np.newaxis, :] + 1j * y[:, np.newaxis]
    z = np.zeros(c.shape, dtype=np.complex128)
    counts = np.zeros(c.shape, dtype=int)
    alive = np.full(c.shape, True, dtype=bool)
    smooth = np.zeros(c.shape)
    for n in range(8):
        z[alive] = z[alive] * z[alive] + c[alive]
        escaped = np.greater(np.abs(z), 4.0, out=np.full(c.shape, False), where=alive)
        smooth[escaped] = n + 1 - np.log2(np.log(np.abs(z[escaped])))
        counts[escaped] = n
        alive[escaped] = False
    return counts, smooth, alive.sum()


def arguments(n=6):
    return np.array([-0.5, 0.1]), 1.6, n


STATIC = (2,)
