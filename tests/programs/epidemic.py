"""Compartment models: SIR with age groups and a contact matrix, and Lotka-Volterra, by Euler and Heun steps into arrays."""

import numpy as np


def derivs(S, I, R, beta, gamma, contacts):
    N = S + I + R
    force = np.array([sum(beta * contacts[a, b] * I[b] / N[b] for b in range(len(N))) for a in range(len(N))])
    new = force * S
    return -new, new - gamma * I, gamma * I


def sir(S, I, R, beta, gamma, contacts, days, dt=0.5):
    n = int(days / dt)
    out = np.zeros((n, 3, S.shape[0]))
    for k in range(n):
        dS, dI, dR = derivs(S, I, R, beta, gamma, contacts)
        S = S + dS * dt
        I = I + dI * dt
        R = R + dR * dt
        out[k, 0, :], out[k, 1, :], out[k, 2, :] = S, I, R
    return out


def lotka_volterra(y, alpha, beta, delta, gamma, h=0.05, steps=4):
    f = lambda v: np.array([alpha * v[0] - beta * v[0] * v[1], delta * v[0] * v[1] - gamma * v[1]])
    trajectory = [y]
    for _ in range(steps):
        k1 = f(y)
        k2 = f(y + h * k1)
        y = y + h / 2 * (k1 + k2)
        trajectory.append(y)
    return np.asarray(trajectory)


def main(beta, gamma, contacts, prey):
    S = np.array([990.0, 480.0])
    I = np.array([10.0, 20.0])
    R = np.zeros(2)
    out = sir(S, I, R, beta, gamma, contacts, days=2)
    infected = out[:, 1].sum(axis=-1)
    peak_day = np.argmax(infected)
    r0 = np.max(np.abs(np.linalg.eigvals(beta / gamma * contacts)))
    return out, infected.max(), peak_day, r0, lotka_volterra(prey, 1.1, 0.4, 0.1, 0.4)


def arguments():
    return 0.3, 0.1, np.array([[0.8, 0.3], [0.2, 0.6]]), np.array([8.0, 4.0])
