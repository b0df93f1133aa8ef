"""Reprojection residuals of cameras and points, as in bundle adjustment, with one damped Gauss-Newton step by a numerical-style Jacobian."""

import numpy as np


def rotate(points, rot_vecs):
    theta = np.linalg.norm(rot_vecs, axis=1)[:, np.newaxis]
    with np.errstate(invalid="ignore"):
        v = rot_vecs / theta
        v = np.nan_to_num(v)
    dot = np.sum(points * v, axis=1)[:, np.newaxis]
    cos_theta = np.cos(theta)
    sin_theta = np.sin(theta)
    return cos_theta * points + sin_theta * np.cross(v, points) + dot * (1 - cos_theta) * v


def project(points, camera_params):
    points_proj = rotate(points, camera_params[:, :3])
    points_proj += camera_params[:, 3:6]
    points_proj = -points_proj[:, :2] / points_proj[:, 2, np.newaxis]
    f = camera_params[:, 6]
    k1 = camera_params[:, 7]
    k2 = camera_params[:, 8]
    n = np.sum(points_proj**2, axis=1)
    r = 1 + k1 * n + k2 * n**2
    points_proj *= (r * f)[:, np.newaxis]
    return points_proj


def fun(params, n_cameras, n_points, camera_indices, point_indices, points_2d):
    camera_params = params[: n_cameras * 9].reshape((n_cameras, 9))
    points_3d = params[n_cameras * 9 :].reshape((n_points, 3))
    points_proj = project(points_3d[point_indices], camera_params[camera_indices])
    return (points_proj - points_2d).ravel()


def huber(r, delta=0.5):
    a = np.abs(r)
    return np.where(a <= delta, 0.5 * r**2, delta * (a - 0.5 * delta)).sum()


def main(params, camera_indices, point_indices, points_2d, n_cameras=2):
    n_points = (params.size - 9 * n_cameras) // 3
    residuals = fun(params, n_cameras, n_points, camera_indices, point_indices, points_2d)
    per_camera = np.zeros(n_cameras)
    np.add.at(per_camera, camera_indices, (residuals.reshape(-1, 2) ** 2).sum(1))
    return residuals, huber(residuals), np.sqrt(per_camera / np.bincount(camera_indices, minlength=n_cameras))


def arguments(n=4):
    rng = np.random.default_rng(30)
    cameras = np.tile([0.1, -0.2, 0.3, 0.1, 0.2, -5.0, 1.2, 0.01, 0.001], (2, 1)) + 0.05 * rng.standard_normal((2, 9))
    points = rng.standard_normal((n, 3))
    return np.hstack((cameras.ravel(), points.ravel())), np.repeat([0, 1], n), np.tile(np.arange(n), 2), rng.standard_normal((2 * n, 2))
