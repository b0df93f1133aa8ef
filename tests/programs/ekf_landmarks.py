"""A robot that localises itself: an extended Kalman filter with a unicycle's motion and range-bearing measurements of known landmarks."""

import numpy as np
from math import pi

LANDMARKS = np.array([[5.0, 1.0], [-2.0, 4.0], [1.5, -3.0]])
R_noise = np.diag([0.1, 0.05]) ** 2
Q_noise = np.diag([0.02, 0.01])


def motion_model(x, u, dt):
    theta = x[2]
    v, w = u
    return np.array([x[0] + v * np.cos(theta) * dt, x[1] + v * np.sin(theta) * dt, theta + w * dt])


def motion_jacobian(x, u, dt):
    v = u[0]
    return np.array([[1.0, 0.0, -v * np.sin(x[2]) * dt], [0.0, 1.0, v * np.cos(x[2]) * dt], [0.0, 0.0, 1.0]])


def control_jacobian(x, dt):
    return np.array([[np.cos(x[2]) * dt, 0], [np.sin(x[2]) * dt, 0], [0, dt]])


def wrap(angle):
    return (angle + pi) % (2 * pi) - pi


def measurement(x, landmark):
    dx, dy = landmark - x[:2]
    r = np.hypot(dx, dy)
    H = np.array([[-dx / r, -dy / r, 0], [dy / r**2, -dx / r**2, -1.0]])
    return np.array([r, wrap(np.arctan2(dy, dx) - x[2])]), H


def main(x, P, controls, observations, dt=0.1):
    path = np.zeros((len(controls), 3))
    for k, u in enumerate(controls):
        F = motion_jacobian(x, u, dt)
        V = control_jacobian(x, dt)
        x = motion_model(x, u, dt)
        P = F @ P @ F.T + V @ Q_noise @ V.T
        for m in range(LANDMARKS.shape[0]):
            z_hat, H = measurement(x, LANDMARKS[m])
            y = observations[k, m] - z_hat
            y[1] = wrap(y[1])
            S = H @ P @ H.T + R_noise
            K = P @ H.T @ np.linalg.inv(S)
            x = x + K @ y
            P = (np.eye(3) - K @ H) @ P
        path[k] = x
    return path, P


def arguments(n=2):
    rng = np.random.default_rng(4)
    x = np.array([0.1, -0.2, 0.3])
    observations = np.empty((n, 3, 2))
    for m in range(3):
        observations[:, m] = measurement(x, LANDMARKS[m])[0] + 0.02 * rng.standard_normal((n, 2))
    return x, 0.1 * np.eye(3), rng.uniform(0.5, 1.0, (n, 2)), observations
