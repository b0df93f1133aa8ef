"""`scipy.spatial.distance` on traced values: `cdist`, `pdist`, `squareform`.

The euclidean distance of two equal points has the derivative zero, as `np.linalg.norm` has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import at_user_line
from ...numpy.promotion import as_array
from ..delegate import scipy_function

__all__ = ["cdist", "pdist", "squareform"]

_distance = scipy_function("scipy.spatial.distance")


def _cosine(a: Any, b: Any) -> Any:
    return 1 - np.sum(a * b, axis=-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))


def _correlation(a: Any, b: Any) -> Any:
    return _cosine(a - np.mean(a, axis=-1, keepdims=True), b - np.mean(b, axis=-1, keepdims=True))


_METRICS: dict[str, Callable[[Any, Any], Any]] = {
    "euclidean": lambda a, b: np.linalg.norm(a - b, axis=-1),
    "sqeuclidean": lambda a, b: np.sum((a - b) ** 2, axis=-1),
    "cityblock": lambda a, b: np.sum(np.abs(a - b), axis=-1),
    "chebyshev": lambda a, b: np.max(np.abs(a - b), axis=-1),
    "cosine": _cosine,
    "correlation": _correlation,
    "braycurtis": lambda a, b: np.sum(np.abs(a - b), axis=-1) / np.sum(np.abs(a + b), axis=-1),
}


def _metric(what: str, metric: Any, p: Any) -> Callable[[Any, Any], Any]:
    if metric == "minkowski":
        return lambda a, b: np.sum(np.abs(a - b) ** p, axis=-1) ** (1 / p)
    found = _METRICS.get(metric) if isinstance(metric, str) else None
    if found is None:
        raise TypeError(at_user_line(f"{what}: metric {metric!r} has no traced form: {', '.join([*_METRICS, 'minkowski'])} have one"))
    return found


def _points(what: str, x: Any) -> Any:
    x = as_array(x)
    if x.ndim != 2:
        raise ValueError(at_user_line(f"{what}: expected an array of shape (points, coordinates), got {x.shape}"))
    return x.astype(float)


@_distance
def cdist(XA, XB, metric="euclidean", *, p=2):
    """As `scipy.spatial.distance.cdist`: the distances of all pairs of rows, of shape (rows of XA, rows of XB).

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(cdist)(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 1.0]]))
    array([[5., 1.]])
    """
    a, b = _points("cdist", XA), _points("cdist", XB)
    if a.shape[1] != b.shape[1]:
        raise ValueError(at_user_line(f"cdist: points of {a.shape[1]} and of {b.shape[1]} coordinates"))
    return _metric("cdist", metric, p)(a[:, None, :], b[None, :, :])


@_distance
def pdist(X, metric="euclidean", *, p=2):
    """As `scipy.spatial.distance.pdist`: the distances of each pair of rows i < j, in one line.

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(pdist)(np.array([[0.0], [1.0], [3.0]]))
    array([1., 3., 2.])
    """
    x = _points("pdist", X)
    i, j = np.triu_indices(x.shape[0], 1)
    return _metric("pdist", metric, p)(x[i], x[j])


@_distance
def squareform(X, force="no", checks=True):
    """As `scipy.spatial.distance.squareform`: a line of distances as a matrix, and back. Values are not checked.

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(squareform)(np.array([1.0, 3.0, 2.0]))[0]
    array([0., 1., 3.])
    """
    x = as_array(X)
    if x.ndim == 2 and force != "tovector" and force != "no" or x.ndim == 1 and force == "tovector":
        raise ValueError(at_user_line(f"squareform: force={force!r} for an array of {x.ndim} axes"))
    if x.ndim == 2:
        if x.shape[0] != x.shape[1]:
            raise ValueError(at_user_line(f"squareform: the matrix must be square, got {x.shape}"))
        return x[np.triu_indices(x.shape[0], 1)]
    n = int(np.ceil(np.sqrt(2 * x.size)))
    if x.ndim != 1 or n * (n - 1) != 2 * x.size:
        raise ValueError(at_user_line(f"squareform: {x.shape} is not the shape of the distances of some points"))
    i, j = np.triu_indices(n, 1)
    whole = np.zeros((n, n), x.dtype)
    where = np.zeros((n, n), int)
    where[i, j] = where[j, i] = np.arange(x.size)
    return np.where(np.eye(n, dtype=bool), whole, x[where])
