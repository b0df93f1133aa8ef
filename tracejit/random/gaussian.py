"""The normal distribution and what is made of normal numbers: truncated, log-normal, Maxwell, Wald, multivariate, random rotations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..numpy.promotion import as_array
from ..ops.elementwise import exp, maximum, minimum, root, select, sqrt
from ..ops.special import erfinv, ndtr, ndtri
from ..trace import type_of
from .draws import continuous, draw, fitting, floating, parameter
from .flat import between, rademacher_body, unit
from .inversion import inside
from .keys import as_key, as_shape, fold_in

_SQRT2 = math.sqrt(2.0)


def normal(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Standard normal numbers, by the inverse of the distribution function, as `jax.random.normal`.

    >>> import tracejit as tj
    >>> tj.random.normal(tj.random.key(0), (3,)).round(4)
    array([-0.2058, -0.7848,  1.8161])
    """
    return continuous(standard_normal, "normal", key, shape, dtype)


def standard_normal(key, *, shape, dtype):
    u = between(key, np.nextafter(dtype.type(-1), dtype.type(0)), dtype.type(1), shape=shape, dtype=dtype)
    return dtype.type(_SQRT2) * erfinv(u)


def lognormal(key: Any, sigma: Any = 1.0, shape: Any = None, dtype: Any = float) -> Any:
    """exp(sigma z) of a normal z."""
    return continuous(_lognormal, "lognormal", key, shape, dtype, sigma)


def _lognormal(key, sigma, *, shape, dtype):
    return exp(sigma * draw(standard_normal, key, (), shape, dtype))


def truncated_normal(key: Any, lower: Any, upper: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Normal numbers, given that they lie in (lower, upper); with derivatives in both.

    >>> import tracejit as tj
    >>> tj.random.truncated_normal(tj.random.key(0), -1.0, 1.0).round(4)
    np.float64(-0.14)
    """
    return continuous(_truncated, "truncated_normal", key, shape, dtype, lower, upper)


def _truncated(key, lower, upper, *, shape, dtype):
    # Computed in the left tail, where the distribution function loses nothing: an interval right of the origin is mirrored.
    flip = lower + upper > 0
    a, b = select(flip, -upper, lower), select(flip, -lower, upper)
    u = draw(inside, key, (), shape, dtype)
    low, high = ndtr(a), ndtr(b)
    x = ndtri(low + u * (high - low))
    x = select(flip, -x, x)
    return minimum(maximum(x, lower, tie=0.5), upper, tie=0.5)


def maxwell(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Length of a vector of three independent normal numbers."""
    return continuous(_maxwell, "maxwell", key, shape, dtype)


def _maxwell(key, *, shape, dtype):
    return root(np.sum(standard_normal(key, shape=(*shape, 3), dtype=dtype) ** 2, axis=-1))


def double_sided_maxwell(key: Any, loc: Any, scale: Any, shape: Any = None, dtype: Any = float) -> Any:
    """loc + scale m, where m is Maxwell distributed with a random sign."""
    return continuous(_double_sided, "double_sided_maxwell", key, shape, dtype, loc, scale)


def _double_sided(key, loc, scale, *, shape, dtype):
    m = draw(_maxwell, fold_in(key, 0), (), shape, dtype)
    return loc + scale * (m * rademacher_body(fold_in(key, 1), shape=shape, dtype=dtype))


def wald(key: Any, mean: Any, shape: Any = None, dtype: Any = float, scale: Any = 1.0) -> Any:
    """The inverse Gaussian distribution of this mean and scale (Michael, Schucany, Haas 1976)."""
    return continuous(_wald, "wald", key, shape, dtype, mean, scale)


def _wald(key, mean, scale, *, shape, dtype):
    y = mean * draw(standard_normal, fold_in(key, 0), (), shape, dtype) ** 2
    # The smaller root of the quadratic, by way of the larger one, which does not cancel.
    larger = mean + mean * (y + sqrt(y * (4 * scale + y))) / (2 * scale)
    smaller = mean * mean / larger
    return select(unit(fold_in(key, 1), shape, dtype) * (mean + smaller) <= mean, smaller, larger)


# -- vectors
def multivariate_normal(key: Any, mean: Any, cov: Any, shape: Any = None, dtype: Any = None, method: str = "cholesky") -> Any:
    """Normal vectors of this mean (..., n) and covariance (..., n, n); `shape` is that of the batch. With derivatives in both.

    `method` factors the covariance: "cholesky", which needs a positive definite one, "eigh" or "svd".

    >>> import numpy as np, tracejit as tj
    >>> tj.random.multivariate_normal(tj.random.key(0), np.zeros(2), np.eye(2)).round(4)
    array([-0.2058, -0.7848])
    """
    if method not in _FACTORS:
        raise ValueError(at_user_line(f"multivariate_normal: method is one of {', '.join(_FACTORS)}, got {method!r}"))
    mean, cov = as_array(mean), as_array(cov)
    dtype = floating(np.result_type(mean.dtype, cov.dtype, np.float16) if dtype is None else dtype, "multivariate_normal")
    mean, cov = parameter(mean, dtype, "multivariate_normal"), parameter(cov, dtype, "multivariate_normal")
    n = type_of(mean).shape[-1] if type_of(mean).ndim else 0
    if not n or type_of(cov).shape[-2:] != (n, n):
        raise ValueError(
            at_user_line(f"multivariate_normal: mean has shape (..., n) and cov (..., n, n), got {type_of(mean).shape} and {type_of(cov).shape}")
        )
    batch = np.broadcast_shapes(type_of(mean).shape[:-1], type_of(cov).shape[:-2])
    shape = batch if shape is None else fitting("multivariate_normal", shape, batch)
    return draw(_VECTORS[method], as_key(key, "multivariate_normal"), (mean, cov), (*shape, n), dtype)


def _cholesky(cov):
    return np.linalg.cholesky(cov)


def _eigh(cov):
    values, vectors = np.linalg.eigh(cov)
    return vectors * root(maximum(values, values.dtype.type(0), tie=0.5))[..., None, :]


def _svd(cov):
    left, values, _ = np.linalg.svd(cov)
    return left * root(values)[..., None, :]


_FACTORS = {"cholesky": _cholesky, "eigh": _eigh, "svd": _svd}


def _vectors(factor):
    def body(key, mean, cov, *, shape, dtype):
        z = draw(standard_normal, key, (), shape, dtype)
        return mean + np.matmul(factor(cov), z[..., None])[..., 0]

    return body


_VECTORS = {name: _vectors(factor) for name, factor in _FACTORS.items()}


def orthogonal(key: Any, n: int, shape: Any = (), dtype: Any = float) -> Any:
    """Orthogonal matrices, uniform (by Haar's measure): `shape` + (n, n) (Mezzadri 2007).

    >>> import numpy as np, tracejit as tj
    >>> q = tj.random.orthogonal(tj.random.key(0), 3)
    >>> np.allclose(q.T @ q, np.eye(3))
    True
    """
    dtype, shape = floating(dtype, "orthogonal"), as_shape(shape, "orthogonal")
    return draw(_orthogonal, as_key(key, "orthogonal"), (), (*shape, *as_shape((n, n), "orthogonal")), dtype)


def _orthogonal(key, *, shape, dtype):
    q, r = np.linalg.qr(standard_normal(key, shape=shape, dtype=dtype))
    diagonal = np.diagonal(r, axis1=-2, axis2=-1)
    return q * select(diagonal < 0, dtype.type(-1), dtype.type(1))[..., None, :]


__all__ = [
    "double_sided_maxwell", "lognormal", "maxwell", "multivariate_normal", "normal", "orthogonal", "truncated_normal", "wald",
]  # fmt: skip
