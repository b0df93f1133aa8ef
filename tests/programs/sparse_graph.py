"""A graph as lists and dictionaries: spring relaxation, random-walk scores and a spanning tree."""

import itertools
from collections import defaultdict

import numpy as np


def neighbours(edges):
    found = defaultdict(list)
    for i, j in edges:
        found[i].append(j)
        found[j].append(i)
    return dict(found)


def relax(position, edges, stiffness):
    force = np.zeros_like(position)
    for (i, j), k in zip(edges, stiffness):
        d = position[j] - position[i]
        pull = k * (1 - 1 / np.sqrt(d @ d)) * d
        force[i] += pull
        force[j] -= pull
    for i, j in itertools.combinations(range(len(position)), 2):
        d = position[j] - position[i]
        force[i] -= 0.01 * d / (d @ d)
        force[j] += 0.01 * d / (d @ d)
    position += 0.1 * force


def spanning_tree(lengths, edges, n):
    parent = list(range(n))

    def find(i):
        return i if parent[i] == i else find(parent[i])

    total = 0.0
    for e in np.argsort(lengths):
        i, j = edges[int(e)]
        if find(i) != find(j):
            parent[find(i)] = find(j)
            total += lengths[e]
    return total


def main(position, stiffness):
    edges = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (3, 4)]
    around = neighbours(edges)
    for _ in range(2):
        relax(position, edges, stiffness)
    lengths = np.array([np.linalg.norm(position[i] - position[j]) for i, j in edges])
    score = np.ones(len(position))
    for _ in range(3):
        score = np.array([0.15 + 0.85 * sum(score[j] / len(around[j]) for j in around[i]) for i in sorted(around)])
    return position, lengths, score * position[:, 0], spanning_tree(lengths, edges, len(position))


def arguments():
    rng = np.random.default_rng(4)
    return rng.standard_normal((5, 2)), rng.uniform(0.5, 1.5, 6)
