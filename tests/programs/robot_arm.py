"""A planar arm and a spatial one by Denavit-Hartenberg matrices: forward kinematics, the geometric Jacobian, and damped inverse kinematics."""

import numpy as np
from numpy import cos, sin

DH = [(0.0, 0.4, np.pi / 2), (0.5, 0.0, 0.0), (0.3, 0.1, -np.pi / 2)]


def transform(theta, a, d, alpha):
    return np.array(
        [
            [cos(theta), -sin(theta) * cos(alpha), sin(theta) * sin(alpha), a * cos(theta)],
            [sin(theta), cos(theta) * cos(alpha), -cos(theta) * sin(alpha), a * sin(theta)],
            [0, sin(alpha), cos(alpha), d],
            [0, 0, 0, 1],
        ]
    )


def chain(q):
    T = np.eye(4)
    frames = [T]
    for theta, (a, d, alpha) in zip(q, DH):
        T = T @ transform(theta, a, d, alpha)
        frames.append(T)
    return frames


def jacobian(q):
    frames = chain(q)
    tip = frames[-1][:3, 3]
    J = np.zeros((6, len(q)))
    for i in range(len(q)):
        z, p = frames[i][:3, 2], frames[i][:3, 3]
        J[:3, i] = np.cross(z, tip - p)
        J[3:, i] = z
    return J


def main(q, target):
    q = q.copy()
    for _ in range(2):
        error = target - chain(q)[-1][:3, 3]
        J = jacobian(q)[:3]
        q += J.T @ np.linalg.solve(J @ J.T + 0.01 * np.eye(3), error)
    R = chain(q)[-1][:3, :3]
    angle = np.arccos((np.trace(R) - 1) / 2)
    manipulability = np.sqrt(np.abs(np.linalg.det(jacobian(q)[:3])))
    return q, angle, manipulability


def arguments():
    return np.array([0.3, 0.6, -0.4]), np.array([0.35, 0.25, 0.7])
