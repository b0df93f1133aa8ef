"""The multivariate normal distribution: `pdf` and `logpdf`, by a Cholesky factor, or by a pseudo-inverse where the covariance may be singular.

As SciPy's, it reads the lower triangle of the covariance, and derivatives are those in that triangle.
"""

from __future__ import annotations

import functools
import importlib
import math
from typing import Any

import numpy as np

from ...errors import at_user_line
from ...numpy.promotion import holds_tracer
from ...ops import linalg
from .continuous import norm
from .distribution import double

_LOG_TWO_PI = math.log(2 * math.pi)
_NEGLIGIBLE = 1e6 * np.finfo(float).eps  # an eigenvalue, relative to the largest


def _parameters(mean, cov) -> tuple[int, Any, Any]:
    """The dimension, the mean as a vector and the covariance as a matrix. Raises `ValueError` where they do not fit."""
    if not hasattr(cov, "dtype") and hasattr(cov, "covariance"):
        raise TypeError(at_user_line("scipy.stats.multivariate_normal: a Covariance object has no traced form: pass its matrix, `cov.covariance`"))
    cov = double(1.0 if cov is None else cov)
    dim = (cov.shape[0] if cov.ndim == 2 else 1) if mean is None else np.size(mean)
    mean = np.zeros(dim) if mean is None else double(mean)
    if dim == 1:
        if cov.size != 1:
            raise ValueError(at_user_line(f"multivariate_normal: a covariance of shape {cov.shape} for a mean of one number"))
        return dim, np.reshape(mean, (1,)), np.reshape(cov, (1, 1))
    if mean.ndim != 1:
        raise ValueError(at_user_line(f"Array 'mean' must be a vector of length {dim}, got shape {mean.shape}."))
    if cov.ndim < 2:
        cov = np.diag(np.broadcast_to(cov, (dim,)))
    if cov.shape != (dim, dim):
        raise ValueError(at_user_line(f"Array 'cov' must be a {dim} by {dim} matrix as 'mean' has {dim} elements, but cov.shape = {cov.shape}."))
    return dim, mean, cov


def _deviations(x, mean, dim: int):
    """x - mean, with the components along the last axis; one point, or points of one component, get the axis that is missing."""
    x = double(x)
    if x.ndim == 0:
        x = np.reshape(x, (1,))
    elif x.ndim == 1:
        x = np.reshape(x, (-1, 1) if dim == 1 else (1, -1))
    return x - mean


def _log_density(deviations, cov):
    """For a positive definite covariance."""
    dim, lead = cov.shape[0], deviations.shape[:-1]
    factor = linalg.cholesky(linalg.hermitian(cov, True))
    columns = np.broadcast_to(deviations, (*lead, dim)).reshape((-1, dim)).T
    white = linalg.triangular_solve(factor, columns, lower=True, transposed=False, unit=False)
    half_log_det = np.sum(np.log(np.diagonal(factor)))
    return -0.5 * (dim * _LOG_TWO_PI + np.sum(white * white, axis=0).reshape(lead)) - half_log_det


def _log_density_of_singular(deviations, cov):
    """For a covariance that may be singular: minus infinity off the subspace that it spans."""
    cov = linalg.hermitian(cov, True)
    spectrum = linalg.eigvalsh(cov, lower=True)
    least = _NEGLIGIBLE * np.max(np.abs(spectrum))
    kept = spectrum > least
    log_det = np.sum(np.where(kept, np.log(np.where(kept, spectrum, 1.0)), 0.0))
    inverse = np.linalg.pinv(cov, rcond=_NEGLIGIBLE, hermitian=True)
    white = deviations @ inverse
    rest = deviations - white @ cov
    value = -0.5 * (np.sum(kept) * _LOG_TWO_PI + log_det + np.sum(white * deviations, axis=-1))
    return np.where((np.sum(rest * rest, axis=-1) < least * least) | np.all(kept), value, -np.inf)


class MultivariateNormal:
    """As `scipy.stats.multivariate_normal`.

    >>> import numpy as np, tracejit as tj
    >>> float(tj.jit(multivariate_normal.logpdf)(np.zeros(2), np.zeros(2), np.eye(2)))
    -1.8378770664093453
    """

    def of_scipy(self):
        """SciPy's, which is imported."""
        return importlib.import_module("scipy.stats").multivariate_normal

    def __call__(self, mean=None, cov=1, allow_singular=False, seed=None) -> FrozenNormal:
        """The distribution with these parameters."""
        return FrozenNormal(mean, cov, allow_singular)

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.of_scipy(), name)

    def logpdf(self, x, mean=None, cov=1, allow_singular=False):
        """As `scipy.stats.multivariate_normal.logpdf`: x [..., n], mean [n], cov [n, n]. Axes of length one are dropped."""
        if not any(map(holds_tracer, (x, mean, cov))):
            return self.of_scipy().logpdf(x, mean, cov, allow_singular)
        dim, mean, cov = _parameters(mean, cov)
        value = (_log_density_of_singular if allow_singular else _log_density)(_deviations(x, mean, dim), cov)
        return np.squeeze(value)

    def pdf(self, x, mean=None, cov=1, allow_singular=False):
        """As `scipy.stats.multivariate_normal.pdf`; see `logpdf`."""
        return np.exp(self.logpdf(x, mean, cov, allow_singular))

    def cdf(self, x, mean=None, cov=1, allow_singular=False, maxpts=None, abseps=1e-5, releps=1e-5, *, lower_limit=None, rng=None):
        """As `scipy.stats.multivariate_normal.cdf`; traced in one dimension without `lower_limit`, as SciPy integrates over others by random points.

        Raises `TypeError` for traced values in other dimensions.
        """
        return self._integral("cdf", x, mean, cov, allow_singular, maxpts, abseps, releps, lower_limit, rng)

    def logcdf(self, x, mean=None, cov=1, allow_singular=False, maxpts=None, abseps=1e-5, releps=1e-5, *, lower_limit=None, rng=None):
        """As `scipy.stats.multivariate_normal.logcdf`; see `cdf`."""
        return self._integral("logcdf", x, mean, cov, allow_singular, maxpts, abseps, releps, lower_limit, rng)

    def _integral(self, name: str, x, mean, cov, allow_singular, maxpts, abseps, releps, lower_limit, rng):
        if not any(map(holds_tracer, (x, mean, cov, lower_limit))):
            return getattr(self.of_scipy(), name)(x, mean, cov, allow_singular, maxpts, abseps, releps, lower_limit=lower_limit, rng=rng)
        dim, mean, cov = _parameters(mean, cov)
        if dim > 1 or lower_limit is not None:
            raise TypeError(
                at_user_line(
                    f"scipy.stats.multivariate_normal.{name} of traced values in {dim} dimensions has no traced form: "
                    "SciPy integrates over random points. With independent components use a product of scipy.stats.norm.cdf"
                )
            )
        return np.squeeze(getattr(norm, name)(_deviations(x, mean, dim)[..., 0], 0.0, np.sqrt(cov[0, 0])))


class FrozenNormal:
    """A multivariate normal distribution with its parameters."""

    def __init__(self, mean, cov, allow_singular: bool):
        self.mean, self.cov, self.allow_singular = mean, cov, allow_singular

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in ("pdf", "logpdf", "cdf", "logcdf"):
            return getattr(multivariate_normal.of_scipy()(self.mean, self.cov, self.allow_singular), name)
        return functools.partial(getattr(multivariate_normal, name), mean=self.mean, cov=self.cov, allow_singular=self.allow_singular)


multivariate_normal = MultivariateNormal()
