"""A simulation as a class: fields that are written in place, a clock, a buffer and a history."""

import numpy as np


class Diffusion:
    courant = 0.2

    def __init__(self, u, conductivity):
        self.u = u.copy()
        self.k = conductivity
        self.flux = np.zeros((u.shape[0] + 1, u.shape[1]))
        self.t = 0.0
        self.steps = 0
        self.history = []

    def laplacian(self):
        u = self.u
        return u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]

    def step(self):
        dt = self.courant / (1 + self.k**2)
        self.flux[1:-1] = self.k * np.diff(self.u, axis=0)
        self.u[1:-1, 1:-1] += dt * self.k * self.laplacian()
        self.u[0], self.u[-1] = self.u[1], self.u[-2]
        self.t += dt
        self.steps += 1
        if self.steps % 2 == 0:
            self.history.append(np.abs(self.flux).max() + self.u.mean())

    def run(self, n):
        for _ in range(n):
            self.step()
        return self.u, self.flux, self.t, np.array(self.history)


def main(u, conductivity):
    return Diffusion(u, conductivity).run(4)


def arguments(n=6):
    return np.random.default_rng(0).standard_normal((n, n + 1)), 0.7
