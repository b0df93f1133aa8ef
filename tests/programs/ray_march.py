"""Sphere tracing of a signed distance field, and Lambert shading by the normal from differences."""

import numpy as np

CENTER = np.array([0.0, 0.0, 3.0])
LIGHT = np.array([0.577, 0.577, -0.577])


def sdf_sphere(p, c, r):
    return np.sqrt(np.sum((p - c) ** 2, axis=-1)) - r


def scene(p, radius, height):
    ball = sdf_sphere(p, CENTER, radius)
    floor = p[..., 1] + height
    return np.minimum(ball, floor)


def normal(p, radius, height, eps=1e-3):
    n = np.zeros(p.shape)
    for i in range(3):
        d = np.zeros(3)
        d[i] = eps
        n[:, i] = scene(p + d, radius, height) - scene(p - d, radius, height)
    return n / np.linalg.norm(n, axis=1, keepdims=True)


def main(radius, height, width=4):
    u, v = np.meshgrid(np.linspace(-0.4, 0.41, width), np.linspace(-0.4, 0.43, width))
    direction = np.stack([u.ravel(), v.ravel(), np.ones(u.size)], axis=1)
    direction /= np.linalg.norm(direction, axis=1)[:, np.newaxis]
    t = np.zeros(len(direction))
    for _ in range(12):
        position = t[:, None] * direction
        t += scene(position, radius, height)
    hit = t < 20.0
    position = np.where(hit, t, 0.0)[:, None] * direction
    shade = np.clip(normal(position, radius, height) @ LIGHT, 0.0, None)
    image = np.where(hit, 0.1 + 0.9 * shade, 0.0).reshape(u.shape)
    return image, hit.reshape(u.shape)


def arguments():
    return 1.0, 1.3
