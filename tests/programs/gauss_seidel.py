"""Gauss-Seidel iterations on a linear system, with over-relaxation, the unknowns updated one after the other."""

import numpy as np


class Solver:
    def __init__(self, A, omega=1.1):
        self.A = A
        self.n = len(A)
        self.omega = omega
        self.x = np.zeros(self.n)
        self.residuals = []

    def step(self, b):
        for i in range(self.n):
            sigma = 0
            for j in range(self.n):
                if j != i:
                    sigma += self.A[i, j] * self.x[j]
            self.x[i] = (1 - self.omega) * self.x[i] + self.omega * (b[i] - sigma) / self.A[i, i]

    def run(self, b, steps):
        for _ in range(steps):
            self.step(b)
            self.residuals.append(np.linalg.norm(b - self.A @ self.x))
        return self.x


def main(A, b):
    solver = Solver(A)
    x = solver.run(b, 3)
    return x, np.array(solver.residuals)


def arguments(n=4):
    rng = np.random.default_rng(3)
    return rng.standard_normal((n, n)) + 2 * n * np.eye(n), rng.standard_normal(n)
