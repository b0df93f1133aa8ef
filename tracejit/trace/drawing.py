"""What stands for `np.random.default_rng` while functions are traced (see creation.py).

Arrays of random numbers that a traced function draws from a generator of its own are constant proxies, as what creation functions give: they can be
written into.  This module is imported by the first trace, since `numpy.random` takes 10 ms, and before any name is swapped: compiled modules that are
imported while NumPy's functions are swapped would hold the wrappers.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

import numpy as np

from ..config import config
from .constants import active_traces, known, plain, wrapped
from .user_code import in_library


class Drawing(np.random.Generator):
    """A generator that a traced function makes for itself."""


def generators(original: Callable) -> Callable:
    """In place of `np.random.default_rng`."""

    @functools.wraps(original, updated=())
    def default_rng(seed=None):
        made = original(seed)
        users = active_traces() and config.trace_creation and not in_library(sys._getframe(1).f_code.co_filename)
        return Drawing(made.bit_generator) if users and type(made) is np.random.Generator else made

    return default_rng


def _drawing(name: str) -> Callable:
    original = getattr(np.random.Generator, name)

    @functools.wraps(original)
    def draw(self, *args, **kwargs):
        if kwargs.get("out") is not None or not known((args, kwargs)):
            return original(self, *args, **kwargs)
        return wrapped(original(self, *plain(args), **plain(kwargs)))

    return draw


for _name in (
    "beta", "binomial", "chisquare", "choice", "dirichlet", "exponential", "gamma", "geometric", "gumbel", "integers", "laplace", "logistic",
    "lognormal", "multinomial", "multivariate_normal", "normal", "pareto", "permutation", "permuted", "poisson", "random", "rayleigh",
    "standard_cauchy", "standard_exponential", "standard_gamma", "standard_normal", "standard_t", "triangular", "uniform", "vonmises", "weibull",
):  # fmt: skip
    setattr(Drawing, _name, _drawing(_name))


__all__ = ["Drawing", "generators"]
