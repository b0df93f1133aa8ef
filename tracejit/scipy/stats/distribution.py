"""What distributions have in common: SciPy's calls, with shape parameters, `loc` and `scale`, around a standard form.

A `Form` is the distribution with loc 0 and scale 1, as functions of arrays of doubles.  It is asked about points in its support only and says nothing
of parameters that are not valid: `Continuous` and `Discrete` put in what SciPy gives there.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import at_user_line
from ...ir.types import FLOAT
from ...numpy.promotion import as_array, cast, holds_tracer
from ...ops import elementwise as ops
from ...trace import Tracer


class Form:
    """A standard form. Subclasses define `logpdf` or `pdf` (`logpmf`), `cdf` and `ppf`, and what is more accurate than the definitions here."""

    shapes: tuple[str, ...] = ()
    low, high = -np.inf, np.inf  # the support
    inside = 0.5  # a point of it

    @staticmethod
    def valid(*shapes):
        """Whether the shape parameters are."""
        return True

    def pdf(self, x, *shapes):
        return np.exp(self.logpdf(x, *shapes))

    def logpdf(self, x, *shapes):
        return np.log(self.pdf(x, *shapes))

    def sf(self, x, *shapes):
        return 1.0 - self.cdf(x, *shapes)

    def logcdf(self, x, *shapes):
        return np.log(self.cdf(x, *shapes))

    def logsf(self, x, *shapes):
        return np.log(self.sf(x, *shapes))

    def isf(self, q, *shapes):
        return self.ppf(1.0 - q, *shapes)


# -- conditions, most of which are known while tracing
def known(condition, value: bool) -> bool:
    """Whether a condition is known to be `value` everywhere."""
    return type(condition) is not Tracer and bool(np.all(condition) if value else not np.any(condition))


def pick(condition, a, b):
    """`np.where`, and one of the two itself where the condition is known to hold everywhere or nowhere."""
    return a if known(condition, True) else b if known(condition, False) else np.where(condition, a, b)


def double(x):
    """An array, scalar or traced value of doubles. Raises `TypeError` for complex numbers."""
    x = as_array(x)
    if x.dtype.kind not in "biuf":
        raise TypeError(at_user_line(f"scipy.stats takes real numbers, got {x.dtype}"))
    return cast(x, FLOAT)


def _method(name: str, point: str = "x") -> Callable:
    def method(self, x, *args, **kwds):
        if not any(map(holds_tracer, (x, *args, *kwds.values()))):
            return getattr(self.of_scipy(), name)(x, *args, **kwds)
        return self.traced(name, x, args, kwds)

    method.__name__ = name
    method.__qualname__ = f"Distribution.{name}"
    method.__doc__ = f"As `scipy.stats.rv_continuous.{name}`: `{point}`, the shape parameters, `loc` and `scale` are arrays that broadcast together."
    return method


class Distribution:
    """A distribution under its name in `scipy.stats`."""

    options: dict[str, float] = {}  # the parameters that every distribution has, with their defaults

    def __init__(self, name: str, form: Form):
        self.name, self.form = name, form
        self.__doc__ = f"As `scipy.stats.{name}`."

    def of_scipy(self):
        """The distribution of that name in SciPy, which is imported."""
        return getattr(importlib.import_module("scipy.stats"), self.name)

    def __call__(self, *args, **kwds) -> Frozen:
        """The distribution with these parameters."""
        return Frozen(self, args, kwds)

    freeze = __call__

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.of_scipy(), name)

    def __repr__(self) -> str:
        return f"<{self.name} on traced values>"

    def traced(self, method: str, x, args: tuple, kwds: dict[str, Any]):
        """The method where something is traced."""
        with np.errstate(all="ignore"):
            parameters = [double(p) for p in self._parameters(method, args, kwds)]
            point = double(x)
            result = self._evaluated(method, point, parameters)
            shape = np.broadcast_shapes(*[np.shape(v) for v in (point, *parameters)])
            return result if np.shape(result) == shape else np.broadcast_to(result, shape)

    def _evaluated(self, method: str, x, parameters: list):
        raise NotImplementedError

    def _parameters(self, method: str, args: tuple, kwds: dict[str, Any]) -> list:
        """The shape parameters and the others in order. Raises `TypeError` where one is missing, given twice or unknown."""
        names = (*self.form.shapes, *self.options)
        call = f"scipy.stats.{self.name}.{method}"
        if len(args) > len(names):
            raise TypeError(at_user_line(f"{call}() takes the parameters {', '.join(names)}, got {len(args)} of them"))
        given = dict(zip(names, args))
        for name, value in kwds.items():
            if name not in names or name in given:
                raise TypeError(at_user_line(f"{call}() got {'multiple values for' if name in given else 'an unexpected'} argument {name!r}"))
            given[name] = value
        missing = [name for name in self.form.shapes if name not in given]
        if missing:
            raise TypeError(at_user_line(f"{call}() missing the shape parameter {', '.join(map(repr, missing))}"))
        return [given.get(name, self.options.get(name)) for name in names]

    cdf, logcdf, sf, logsf = _method("cdf"), _method("logcdf"), _method("sf"), _method("logsf")
    ppf, isf = _method("ppf", "q"), _method("isf", "q")


class Frozen:
    """A distribution with its parameters: the methods take the point alone."""

    def __init__(self, dist: Distribution, args: tuple, kwds: dict[str, Any]):
        self.dist, self.args, self.kwds = dist, args, kwds

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in METHODS:
            return getattr(self.dist.of_scipy()(*self.args, **self.kwds), name)
        return functools.partial(self._call, getattr(self.dist, name))

    def _call(self, method: Callable, x):
        return method(x, *self.args, **self.kwds)


METHODS = ("pdf", "logpdf", "pmf", "logpmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf")
OUTSIDE = {  # below and above the support
    "pdf": (0.0, 0.0), "logpdf": (-np.inf, -np.inf), "cdf": (0.0, 1.0), "logcdf": (-np.inf, 0.0), "sf": (1.0, 0.0), "logsf": (0.0, -np.inf),
}  # fmt: skip


class Continuous(Distribution):
    """A continuous distribution."""

    options = {"loc": 0.0, "scale": 1.0}
    pdf, logpdf = _method("pdf"), _method("logpdf")

    def _evaluated(self, method: str, x, parameters: list):
        *shapes, loc, scale = parameters
        valid = self.form.valid(*shapes) & (scale > 0)
        if method in ("ppf", "isf"):
            result = getattr(self.form, method)(x, *shapes) * scale + loc
            return pick(valid & (x >= 0) & (x <= 1) & (loc == loc), result, np.nan)
        result = self._inside(method, (x - loc) / scale, shapes)
        result = result / scale if method == "pdf" else result - np.log(scale) if method == "logpdf" else result
        return pick(valid, result, np.nan)

    def _inside(self, method: str, z, shapes: list):
        """The method at z, and what it is outside of the support. NaN passes through."""
        form, function = self.form, getattr(self.form, method)
        if form.low == -np.inf and form.high == np.inf:
            return function(z, *shapes)
        outside = z < form.low if form.high == np.inf else (z < form.low) | (z > form.high)
        result = function(np.where(outside, form.inside, z), *shapes)
        below, above = OUTSIDE[method]
        if form.high == np.inf or below == above:
            return np.where(outside, below, result)
        return np.where(outside, np.where(z < form.low, below, above), result)


class Discrete(Distribution):
    """A distribution of whole numbers from 0 on: `form.last(*shapes)` is the last of them."""

    options = {"loc": 0.0}
    pmf, logpmf = _method("pmf", "k"), _method("logpmf", "k")

    def _evaluated(self, method: str, x, parameters: list):
        *shapes, loc = parameters
        form, last = self.form, self.form.last(*shapes)
        valid = form.valid(*shapes)
        if method in ("ppf", "isf"):
            first, end = (0, 1) if method == "ppf" else (1, 0)
            q = ops.stop_gradient(x)
            result = getattr(form, method)(q, *map(ops.stop_gradient, shapes))
            result = np.where(q == first, -1.0, np.where(q == end, last, result)) + loc
            return pick(valid & (q >= 0) & (q <= 1) & (loc == loc), result, np.nan)
        z = ops.stop_gradient(x) - ops.stop_gradient(loc)
        k = np.floor(z)
        below, above = OUTSIDE[{"pmf": "pdf", "logpmf": "logpdf"}.get(method, method)]
        if method in ("pmf", "logpmf"):
            outside = (z < 0) | (z > last) | (k != z)
        else:
            outside = (z < 0) | (z >= last) | ~np.isfinite(z)
        result = getattr(form, method)(np.where(outside, 0.0, k), *shapes)
        result = np.where(outside, below if below == above else np.where(z < 0, below, above), result)
        return pick(valid & (z == z), result, np.nan)
