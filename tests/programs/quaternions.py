"""Rigid bodies: quaternion products and integration, rotation matrices, Rodrigues' formula and Kabsch alignment."""

import numpy as np
from numpy import cross, dot, eye, outer
from numpy.linalg import det, norm, svd


def qmul(p, q):
    w0, x0, y0, z0 = p
    w1, x1, y1, z1 = q
    return np.array(
        [
            w0 * w1 - x0 * x1 - y0 * y1 - z0 * z1,
            w0 * x1 + x0 * w1 + y0 * z1 - z0 * y1,
            w0 * y1 - x0 * z1 + y0 * w1 + z0 * x1,
            w0 * z1 + x0 * y1 - y0 * x1 + z0 * w1,
        ]
    )


def to_matrix(q):
    q = q / norm(q)
    w, (x, y, z) = q[0], q[1:]
    R = np.empty((3, 3))
    R[0] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    R[1] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    R[2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)
    return R


def skew(v):
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])


def rodrigues(axis, angle):
    k = axis / norm(axis)
    return eye(3) * np.cos(angle) + (1 - np.cos(angle)) * outer(k, k) + np.sin(angle) * skew(k)


def kabsch(P, Q):
    H = (P - P.mean(0)).T @ (Q - Q.mean(0))
    U, S, Vt = svd(H)
    d = np.sign(det(Vt.T @ U.T))
    return Vt.T @ np.diag([1, 1, d]) @ U.T


def main(q, omega, inertia, points):
    for _ in range(3):
        alpha = (-cross(omega, inertia * omega)) / inertia
        omega = omega + 0.01 * alpha
        q = q + 0.5 * 0.01 * qmul(q, np.concatenate(([0.0], omega)))
        q /= norm(q)
    R = to_matrix(q)
    moved = (R @ points.T).T + np.array([1.0, 2.0, 3.0])
    recovered = kabsch(points, moved)
    energy = 0.5 * dot(omega, inertia * omega)
    return q, R, rodrigues(omega, 0.3), recovered, energy


def arguments(n=5):
    rng = np.random.default_rng(29)
    return np.array([0.9, 0.1, -0.3, 0.2]), np.array([1.0, 2.0, 0.5]), np.array([1.0, 2.0, 3.0]), rng.standard_normal((n, 3))
