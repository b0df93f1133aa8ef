"""One-dimensional finite elements: element matrices added into the global one by np.add.at and by loops, boundary rows, and a truss."""

import numpy as np
from scipy.linalg import solve


def assemble(nodes, stiffness):
    n = len(nodes)
    elements = np.column_stack((np.arange(n - 1), np.arange(1, n)))
    h = nodes[elements[:, 1]] - nodes[elements[:, 0]]
    Ke = stiffness[:, None, None] / h[:, None, None] * np.array([[1.0, -1.0], [-1.0, 1.0]])
    K = np.zeros((n, n))
    np.add.at(K, (elements[:, :, None], elements[:, None, :]), Ke)
    F = np.zeros(n)
    for e in range(n - 1):
        for a in range(2):
            F[elements[e, a]] += 0.5 * h[e]
    return K, F


def truss_stiffness(coords, bars, EA):
    K = np.zeros((2 * len(coords), 2 * len(coords)))
    for (i, j), ea in zip(bars, EA):
        d = coords[j] - coords[i]
        L = np.sqrt(d @ d)
        c, s = d / L
        t = np.array([-c, -s, c, s])
        dofs = [2 * i, 2 * i + 1, 2 * j, 2 * j + 1]
        K[np.ix_(dofs, dofs)] += ea / L * np.outer(t, t)
    return K


def main(nodes, stiffness, coords, EA):
    K, F = assemble(nodes, stiffness)
    K[0, :] = 0
    K[0, 0] = 1
    F[0] = 0.0
    u = solve(K, F)
    compliance = F @ u
    T = truss_stiffness(coords, [(0, 1), (1, 2), (0, 2), (2, 3), (1, 3)], EA)
    free = np.arange(4, 8)
    load = np.array([0.0, -1.0, 0.5, 0.0])
    displacement = np.zeros(8)
    displacement[free] = np.linalg.solve(T[np.ix_(free, free)], load)
    return u, compliance, displacement, T @ displacement


def arguments(n=6):
    rng = np.random.default_rng(31)
    nodes = np.linspace(0, 1, n) + np.r_[0, 0.02 * rng.standard_normal(n - 2), 0]
    coords = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.1], [1.1, 1.0]])
    return nodes, rng.uniform(1, 2, n - 1), coords, rng.uniform(1, 3, 5)
