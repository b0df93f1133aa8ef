"""Products with a logarithm and quotients with an exponential: logit, exprel, xlogy, entr, rel_entr, kl_div, and `offset` for log-sum-exp."""

from __future__ import annotations

import math

import numpy as np

from ..core import add_tangents
from ..elementwise import absolute, equal, isfinite, isnan, less, log, log1p, logical_and, logical_not, logical_or, select
from ..elementwise_parts import FLOATS, elementwise_op
from .common import function, number

logit = function("logit", lambda t, x, y: t / (x * (1 - x)), singular=True)
entr = function("entr", lambda t, x, y: t * (-log(x) - 1), singular=True)
rel_entr = function("rel_entr", lambda t, x, y, z: t * (log(x / y) + 1), lambda t, x, y, z: -t * (x / y), singular=True)


def _lower_kl_div(k, xs, index):
    x, y = (a.broadcast(index) for a in xs)
    return k.apply("add", k.apply("subtract", k.apply("rel_entr", x, y), x), y)


kl_div = function("kl_div", lambda t, x, y, z: t * log(x / y), lambda t, x, y, z: t * (1 - x / y), singular=True, lower=_lower_kl_div)

# -- (e^x - 1) / x
_TERMS = 20


def _second(x):
    """(e^x - 1 - x) / x^2, by its power series near 0."""
    near = less(absolute(x), number(1, x))
    small, large = select(near, x, number(0, x)), select(near, number(1, x), x)
    series = number(1 / math.factorial(_TERMS + 1), x)
    for k in range(_TERMS, 1, -1):
        series = series * small + number(1 / math.factorial(k), x)
    return select(near, series, (exprel(large) - 1) / large)


exprel = function("exprel", lambda t, x, y: t * (y - _second(x)))


# -- x log(y)
def _times_log(x, y, logarithm, edge: float):
    """x log(y), and 0 with the slopes 0 where x is 0 and the logarithm is not finite. `edge` is where the logarithm begins."""
    finite = logical_and(less(number(edge, y), y), isfinite(y))
    settled = logical_and(equal(x, number(0, x)), logical_not(logical_or(finite, isnan(y))))
    return x * logarithm(select(settled, number(edge + 1, y), y))


def xlogy(x, y):
    """x log(y), 0 where x is 0."""
    return _times_log(x, y, log, 0.0)


def xlog1py(x, y):
    """x log(1 + y), 0 where x is 0."""
    return _times_log(x, y, log1p, -1.0)


# -- x - m, and 0 where the two are equal, infinite ones too: what log-sum-exp exponentiates, with the derivative of the difference everywhere
def _run_offset(x, m):
    with np.errstate(invalid="ignore"):
        return np.where(x == m, x.dtype.type(0), np.subtract(x, m))[()]


def _lower_offset(k, xs, index):
    x, m = (a.broadcast(index) for a in xs)
    return k.apply("select", k.apply("equal", x, m), k.constant(0, x.dtype), k.apply("subtract", x, m))


offset = elementwise_op(
    "offset", _run_offset, FLOATS, None, lambda primals, out, tangents: add_tangents(tangents[0], None if tangents[1] is None else -tangents[1]),
    None, _lower_offset, None, False, False, lambda x, m: f"np.where({x} == {m}, 0, {x} - {m})",
)  # fmt: skip
