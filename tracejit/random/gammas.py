"""The gamma distribution and what is made of gamma numbers: beta, Dirichlet, chi-square, Student, F, generalized normal.

Draws are computed and combined as logarithms, which do not underflow for small shapes.  They have derivatives in all parameters: that of a gamma
number in its shape is implicit (`ops/gamma_path.py`), and the others follow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import at_user_line
from ..numpy.promotion import as_array
from ..ops.elementwise import exp, isfinite, less, log, logical_and, logical_not, logical_or, logistic, select, sqrt
from ..ops.gamma_path import gamma_path
from ..trace import type_of
from .draws import continuous, detached, draw, floating, parameter
from .flat import rademacher_body, spread
from .gaussian import standard_normal
from .inversion import inside, waiting
from .keys import as_key, as_shape, fold_in
from .rejection import until_accepted


# -- gamma
def log_gamma(key, a, *, shape, dtype):
    a = spread(a, shape)
    return gamma_path(a, draw(_log_gamma, key, (detached(a),), shape, dtype))


def _log_gamma(key, a, *, shape, dtype):
    """Marsaglia and Tsang (2000); a shape below 1 is raised by 1, and a power of a uniform number makes up for that."""
    one = dtype.type(1)
    small = less(a, one)
    d = select(small, a + one, a) - dtype.type(1 / 3)
    found = log(d) + until_accepted(fold_in(key, 0), _marsaglia_tsang, (d,), shape, dtype)
    lift = waiting(fold_in(key, 1), shape=shape, dtype=dtype) / select(small, a, one)
    return select(a >= 0, select(small, found - lift, found), dtype.type(np.nan))


def _marsaglia_tsang(key, d, *, shape, dtype):
    z = standard_normal(fold_in(key, 0), shape=shape, dtype=dtype)
    u = inside(fold_in(key, 1), shape=shape, dtype=dtype)
    w = 1 + z / (3 * sqrt(d))
    positive = w > 0
    logarithm = 3 * log(select(positive, w, dtype.type(1)))
    accepted = logical_and(positive, log(u) < 0.5 * z * z + d * (1 - w * w * w + logarithm))
    # Nothing is accepted for a shape that has no distribution: it must not be drawn for ever.
    return logarithm, logical_or(accepted, logical_not(logical_and(isfinite(d), d > 0)))


def loggamma(key: Any, a: Any, shape: Any = None, dtype: Any = float) -> Any:
    """The logarithm of a gamma number of shape `a`: precise where that would underflow, for small shapes."""
    return continuous(log_gamma, "loggamma", key, shape, dtype, a)


def gamma(key: Any, a: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Density x^(a-1) exp(-x) / Gamma(a); NaN for a < 0.

    >>> import tracejit as tj
    >>> slope = tj.grad(lambda a: tj.random.gamma(tj.random.key(0), a))(2.0)
    >>> bool(slope > 0)
    True
    """
    return continuous(_gamma, "gamma", key, shape, dtype, a)


def _gamma(key, a, *, shape, dtype):
    return exp(log_gamma(key, a, shape=shape, dtype=dtype))


def chisquare(key: Any, df: Any, shape: Any = None, dtype: Any = float) -> Any:
    """The sum of the squares of `df` normal numbers; `df` need not be whole."""
    return continuous(chi_square, "chisquare", key, shape, dtype, df)


def chi_square(key, df, *, shape, dtype):
    return 2 * exp(log_gamma(key, df * 0.5, shape=shape, dtype=dtype))


# -- quotients of gamma numbers
def beta(key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Density proportional to x^(a-1) (1-x)^(b-1) on [0, 1].

    >>> import tracejit as tj
    >>> 0 <= tj.random.beta(tj.random.key(0), 0.5, 2.0) <= 1
    np.True_
    """
    return continuous(_beta, "beta", key, shape, dtype, a, b)


def _beta(key, a, b, *, shape, dtype):
    first, second = (log_gamma(fold_in(key, i), x, shape=shape, dtype=dtype) for i, x in enumerate((a, b)))
    return logistic(first - second)


def dirichlet(key: Any, alpha: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Vectors of positive numbers with the sum 1, of density proportional to the product of x^(alpha-1); `shape` is that of the batch.

    `alpha` has shape (..., n), the result `shape` + (n,).

    >>> import numpy as np, tracejit as tj
    >>> tj.random.dirichlet(tj.random.key(0), np.array([1.0, 2.0, 3.0])).sum().round(12)
    np.float64(1.0)
    """
    dtype = floating(dtype, "dirichlet")
    alpha = parameter(alpha, dtype, "dirichlet")
    if not type_of(alpha).ndim:
        raise ValueError(at_user_line("dirichlet: alpha has at least one axis, got a number"))
    *batch, n = type_of(alpha).shape
    shape = tuple(batch) if shape is None else as_shape(shape, "dirichlet")
    return draw(_dirichlet, as_key(key, "dirichlet"), (alpha,), (*shape, n), dtype)


def _dirichlet(key, alpha, *, shape, dtype):
    logarithms = log_gamma(key, alpha, shape=shape, dtype=dtype)
    weights = exp(logarithms - np.max(logarithms, axis=-1, keepdims=True))
    return weights / np.sum(weights, axis=-1, keepdims=True)


def t(key: Any, df: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Student's distribution of `df` degrees of freedom."""
    return continuous(_student, "t", key, shape, dtype, df)


def _student(key, df, *, shape, dtype):
    z = draw(standard_normal, fold_in(key, 0), (), shape, dtype)
    half = df * 0.5
    return z * exp(0.5 * (log(half) - log_gamma(fold_in(key, 1), half, shape=shape, dtype=dtype)))


def f(key: Any, dfnum: Any, dfden: Any, shape: Any = None, dtype: Any = float) -> Any:
    """The quotient of two chi-square numbers, each over its degrees of freedom."""
    return continuous(_quotient, "f", key, shape, dtype, dfnum, dfden)


def _quotient(key, dfnum, dfden, *, shape, dtype):
    above, below = (log_gamma(fold_in(key, i), df * 0.5, shape=shape, dtype=dtype) - log(df) for i, df in enumerate((dfnum, dfden)))
    return exp(above - below)


# -- powers of gamma numbers
def generalized_normal(key: Any, p: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Density proportional to exp(-|x|^p)."""
    return continuous(generalized, "generalized_normal", key, shape, dtype, p)


def generalized(key, p, *, shape, dtype):
    magnitude = exp(log_gamma(fold_in(key, 0), 1 / p, shape=shape, dtype=dtype) / p)
    return magnitude * rademacher_body(fold_in(key, 1), shape=shape, dtype=dtype)


def ball(key: Any, d: int, p: Any = 2.0, shape: Any = (), dtype: Any = float) -> Any:
    """Points uniform in the unit ball of d dimensions in the p-norm: `shape` + (d,) (Barthe, Guedon, Mendelson, Naor 2005).

    >>> import numpy as np, tracejit as tj
    >>> np.sum(tj.random.ball(tj.random.key(0), 3) ** 2) <= 1
    np.True_
    """
    dtype = floating(dtype, "ball")
    p = as_array(p)
    if type_of(p).shape:
        raise ValueError(at_user_line(f"ball: p is one number, got shape {type_of(p).shape}"))
    full = (*as_shape(shape, "ball"), *as_shape(d, "ball"))
    return draw(_ball, as_key(key, "ball"), (parameter(p, dtype, "ball"),), full, dtype)


def _ball(key, p, *, shape, dtype):
    g = generalized(fold_in(key, 0), p, shape=shape, dtype=dtype)
    e = draw(waiting, fold_in(key, 1), (), shape[:-1], dtype)
    return g / ((np.sum(np.abs(g) ** p, axis=-1) + e) ** (1 / p))[..., None]


__all__ = ["ball", "beta", "chisquare", "dirichlet", "f", "gamma", "generalized_normal", "loggamma", "t"]
