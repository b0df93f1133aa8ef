"""Advection and diffusion of a tracer in a channel: upwind differences with np.roll, explicit steps into a history, inflow from a table."""

import numpy as np

INFLOW = [0.0, 0.5, 1.0, 0.4]


class Grid:
    def __init__(self, length, n):
        self.n = n
        self.dx = length / n
        self.x = np.linspace(0.5 * self.dx, length - 0.5 * self.dx, n)
        self.history = []

    def gradient_upwind(self, c, velocity):
        backward = (c - np.roll(c, 1)) / self.dx
        forward = (np.roll(c, -1) - c) / self.dx
        return np.where(velocity > 0, backward, forward)

    def laplacian(self, c):
        return (np.roll(c, 1) - 2 * c + np.roll(c, -1)) / self.dx**2

    def record(self, c):
        self.history.append(c.copy())


def main(c, velocity, diffusivity, decay):
    grid = Grid(1.0, len(c))
    profile = velocity * (1 + 0.2 * np.sin(2 * np.pi * grid.x))
    dt = 0.005
    for inflow in INFLOW:
        c += dt * (-profile * grid.gradient_upwind(c, profile) + diffusivity * grid.laplacian(c) - decay * c)
        c[0] = inflow
        c[-1] = c[-2]
        grid.record(c)
    history = np.array(grid.history)
    moments = [np.trapezoid(history * grid.x**p, grid.x, axis=1) for p in range(3)]
    return history, np.column_stack(moments)


def arguments(n=10):
    x = (np.arange(n) + 0.5) / n
    return np.exp(-((x - 0.4) ** 2) / 0.02), 0.8, 0.01, 0.3
