"""Which methods of SciPy's distributions stand for the traced ones while a function is traced: see trace/methods.py."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

from ...errors import at_user_line
from ...numpy.promotion import holds_tracer
from .continuous import beta, cauchy, expon, gamma, laplace, logistic, norm, t, uniform
from .discrete import binom, poisson
from .distribution import METHODS
from .multivariate import multivariate_normal

UNIVARIATE = {d.name: d for d in (norm, uniform, expon, gamma, beta, t, cauchy, laplace, logistic, poisson, binom)}


def namesakes() -> list[tuple[type, str, Callable, Callable]]:
    """Classes of `scipy.stats`, which has been imported, with the names of methods, SciPy's functions and those that stand for them."""
    stats = sys.modules["scipy.stats"]
    ours = {type(getattr(stats, name)): distribution for name, distribution in UNIVARIATE.items()}
    found = [
        (kind, name, original, _univariate(name, original, ours))
        for kind in (stats.rv_continuous, stats.rv_discrete)
        for name in METHODS
        if (original := vars(kind).get(name)) is not None
    ]
    normal = type(stats.multivariate_normal)
    for name in ("pdf", "logpdf", "cdf", "logcdf", "__call__"):
        found.append((normal, name, vars(normal)[name], _multivariate(name, vars(normal)[name])))
    return found


def _traced(args: tuple, kwargs: dict) -> bool:
    return any(map(holds_tracer, args)) or any(map(holds_tracer, kwargs.values()))


def _univariate(name: str, original: Callable, ours: dict[type, object]) -> Callable:
    @functools.wraps(original, updated=())
    def method(self, *args, **kwargs):
        if not _traced(args, kwargs):
            return original(self, *args, **kwargs)
        distribution = ours.get(type(self))
        if distribution is None or (self.a, self.b) != _support(distribution):
            raise TypeError(
                at_user_line(
                    f"scipy.stats.{self.name}.{name} of traced values has no traced form: those of {', '.join(UNIVARIATE)} and "
                    "multivariate_normal have one. Write it with functions of numpy and scipy.special"
                )
            )
        return getattr(distribution, name)(*args, **kwargs)

    return method


@functools.cache
def _support(distribution) -> tuple[float, float]:
    """What SciPy's own instance has: others of its class may have been cut off."""
    instance = distribution.of_scipy()
    return instance.a, instance.b


def _multivariate(name: str, original: Callable) -> Callable:
    @functools.wraps(original, updated=())
    def method(self, *args, **kwargs):
        return getattr(multivariate_normal, name)(*args, **kwargs) if _traced(args, kwargs) else original(self, *args, **kwargs)

    return method
