"""Distributions whose distribution function has an inverse in closed form: a uniform number is put into it, so all parameters have derivatives.

Shapes and dtypes are those of `jax.random`: `shape` is that of the result, to which the parameters broadcast; None takes their own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops.elementwise import absolute, exp, expm1, less, log, log1p, power, select, sign, sqrt, tan
from .draws import continuous, draw
from .flat import between, unit


# -- one tail
def exponential(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Density exp(-x) for x >= 0.

    >>> import tracejit as tj
    >>> tj.random.exponential(tj.random.key(0)).round(4)
    np.float64(0.5421)
    """
    return continuous(waiting, "exponential", key, shape, dtype)


def waiting(key, *, shape, dtype):
    return -log1p(-unit(key, shape, dtype))


def weibull_min(key: Any, scale: Any, concentration: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Distribution function 1 - exp(-(x/scale)^concentration) for x >= 0."""
    return continuous(_weibull, "weibull_min", key, shape, dtype, scale, concentration)


def _weibull(key, scale, concentration, *, shape, dtype):
    return scale * power(draw(waiting, key, (), shape, dtype), 1 / concentration)


def pareto(key: Any, b: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Density b / x^(b+1) for x >= 1."""
    return continuous(_pareto, "pareto", key, shape, dtype, b)


def _pareto(key, b, *, shape, dtype):
    return exp(draw(waiting, key, (), shape, dtype) / b)


def rayleigh(key: Any, scale: Any = 1.0, shape: Any = None, dtype: Any = float) -> Any:
    """Length of a vector of two independent normal numbers of standard deviation `scale`."""
    return continuous(_rayleigh, "rayleigh", key, shape, dtype, scale)


def _rayleigh(key, scale, *, shape, dtype):
    return scale * sqrt(2 * draw(waiting, key, (), shape, dtype))


def power_function(key: Any, a: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Density a x^(a-1) on [0, 1]: `numpy.random.Generator.power`."""
    return continuous(_power_function, "power_function", key, shape, dtype, a)


def _power_function(key, a, *, shape, dtype):
    return power(-expm1(-draw(waiting, key, (), shape, dtype)), 1 / a)


# -- two tails
def laplace(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Density exp(-|x|) / 2."""
    return continuous(_laplace, "laplace", key, shape, dtype)


def _laplace(key, *, shape, dtype):
    u = between(key, dtype.type(-1) + np.finfo(dtype).epsneg, dtype.type(1), shape=shape, dtype=dtype)
    return -sign(u) * log1p(-absolute(u))


def logistic(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Distribution function 1 / (1 + exp(-x))."""
    return continuous(_logistic, "logistic", key, shape, dtype)


def _logistic(key, *, shape, dtype):
    u = inside(key, shape=shape, dtype=dtype)
    return log(u) - log1p(-u)


def gumbel(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Distribution function exp(-exp(-x)).

    >>> import tracejit as tj
    >>> tj.random.gumbel(tj.random.key(0)).round(4)
    np.float64(0.1379)
    """
    return continuous(standard_gumbel, "gumbel", key, shape, dtype)


def standard_gumbel(key, *, shape, dtype):
    return -log(-log(inside(key, shape=shape, dtype=dtype)))


def cauchy(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Density 1 / (pi (1 + x^2))."""
    return continuous(_cauchy, "cauchy", key, shape, dtype)


def _cauchy(key, *, shape, dtype):
    return tan(math.pi * (inside(key, shape=shape, dtype=dtype) - 0.5))


def triangular(key: Any, left: Any, mode: Any, right: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Density that rises linearly from 0 at `left` to `mode`, and falls to 0 at `right`."""
    return continuous(_triangular, "triangular", key, shape, dtype, left, mode, right)


def _triangular(key, left, mode, right, *, shape, dtype):
    u = draw(inside, key, (), shape, dtype)
    width, one = right - left, dtype.type(1)
    rising = less(u * width, mode - left)
    up = left + sqrt(select(rising, u * width * (mode - left), one))
    down = right - sqrt(select(rising, one, (1 - u) * width * (right - mode)))
    return select(rising, up, down)


# -- shared
def inside(key, *, shape, dtype):
    """Uniform in the open interval (0, 1), symmetric about 1/2."""
    return unit(key, shape, dtype) + dtype.type(2.0 ** -(np.finfo(dtype).nmant + 1))


__all__ = ["cauchy", "exponential", "gumbel", "laplace", "logistic", "pareto", "power_function", "rayleigh", "triangular", "weibull_min"]
