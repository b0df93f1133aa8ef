"""A character model's LSTM cell over a sequence, with the states in lists, and the cross-entropy of the next symbol."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - np.max(x))
    return e / np.sum(e)


def cell(x, h_prev, c_prev, p):
    z = np.vstack((h_prev, x))
    f = sigmoid(np.dot(p["Wf"], z) + p["bf"])
    i = sigmoid(np.dot(p["Wi"], z) + p["bi"])
    c_bar = np.tanh(np.dot(p["Wc"], z) + p["bc"])
    c = f * c_prev + i * c_bar
    o = sigmoid(np.dot(p["Wo"], z) + p["bo"])
    h = o * np.tanh(c)
    v = np.dot(p["Wv"], h) + p["bv"]
    return h, c, v, softmax(v)


def main(p, inputs, targets):
    hidden = p["Wf"].shape[0]
    vocabulary = p["Wv"].shape[0]
    h, c, y = {}, {}, {}
    h[-1] = np.zeros((hidden, 1))
    c[-1] = np.zeros((hidden, 1))
    loss = 0
    for t in range(len(inputs)):
        x = np.zeros((vocabulary, 1))
        x[inputs[t]] = 1
        h[t], c[t], v, y[t] = cell(x, h[t - 1], c[t - 1], p)
        loss += -np.log(y[t][targets[t], 0])
    return loss, h[len(inputs) - 1], np.hstack([y[t] for t in range(len(inputs))])


def arguments():
    rng = np.random.default_rng(7)
    vocabulary, hidden = 5, 4
    p = {f"W{g}": 0.5 * rng.standard_normal((hidden, hidden + vocabulary)) for g in "fico"}
    p.update({f"b{g}": 0.1 * rng.standard_normal((hidden, 1)) for g in "fico"})
    p["Wv"], p["bv"] = rng.standard_normal((vocabulary, hidden)), np.zeros((vocabulary, 1))
    return p, np.array([0, 3, 2]), np.array([3, 2, 4])
