"""A Kalman filter for a point on a line, with the states of all times collected, and the likelihood of the measurements."""

import numpy as np
from numpy.linalg import inv, det


class KalmanFilter(object):
    def __init__(self, F, H, Q, R, x0, P0):
        self.F, self.H, self.Q, self.R = F, H, Q, R
        self.x = x0
        self.P = P0
        self.log_likelihood = 0.0

    def predict(self):
        self.x = np.dot(self.F, self.x)
        self.P = np.dot(np.dot(self.F, self.P), self.F.T) + self.Q
        return self.x

    def update(self, z):
        y = z - np.dot(self.H, self.x)
        S = self.R + np.dot(self.H, np.dot(self.P, self.H.T))
        K = np.dot(np.dot(self.P, self.H.T), inv(S))
        self.x = self.x + np.dot(K, y)
        I = np.eye(self.F.shape[1])
        self.P = np.dot(np.dot(I - np.dot(K, self.H), self.P), (I - np.dot(K, self.H)).T) + np.dot(np.dot(K, self.R), K.T)
        self.log_likelihood -= 0.5 * (y.T @ inv(S) @ y + np.log(2 * np.pi * det(S)))[0, 0]


def main(measurements, dt, q, r):
    F = np.array([[1, dt, 0.5 * dt**2], [0, 1, dt], [0, 0, 1]])
    H = np.array([1, 0, 0]).reshape(1, 3)
    Q = q * np.array([[0.05, 0.05, 0.0], [0.05, 0.05, 0.0], [0.0, 0.0, 0.01]])
    R = np.array([r]).reshape(1, 1)
    kf = KalmanFilter(F, H, Q, R, x0=np.zeros((3, 1)), P0=np.eye(3))
    predictions = []
    for z in measurements:
        predictions.append(np.dot(H, kf.predict())[0])
        kf.update(z)
    return np.array(predictions), kf.P, kf.log_likelihood


def arguments(n=5):
    t = np.linspace(0, 2, n)
    return t**2 + 2 * t - 2 + np.cos(7 * t), 0.5, 1.0, 0.5
