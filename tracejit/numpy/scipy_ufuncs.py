"""The ufuncs of `scipy.special`. Entered when one of them first meets a traced value: SciPy is not imported for them.

`_BODIES` are those that the ops express, with derivatives; every other one with one result is computed by SciPy itself, without.
"""
from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from ..errors import at_user_line
from ..ops import elementwise as ops
from ..ops import special
from ..trace import dispatch
from .loops import elementwise, with_options


def _number(value, like):
    return like.dtype.type(value)


def _log_expit(x):
    return ops.negative(ops.logaddexp(_number(0, x), ops.negative(x)))


def _loggamma(x):
    """log gamma, which is real for positive arguments only."""
    return special.gammaln(ops.select(ops.less(x, _number(0, x)), _number(math.nan, x), x))


def _rgamma(x):
    """1 / gamma(x), 0 at the poles."""
    pole = ops.logical_and(ops.less_equal(x, _number(0, x)), ops.equal(x, ops.rint(x)))
    return ops.select(pole, _number(0, x), ops.divide(_number(1, x), special.gamma(ops.select(pole, _number(1, x), x))))


def _huber(delta, r):
    """A parabola up to |r| = delta, straight lines beyond; infinite for a negative delta."""
    a = ops.absolute(r)
    inside = ops.less_equal(a, delta)
    loss = ops.select(inside, ops.square(r) * _number(0.5, r), delta * (a - delta * _number(0.5, r)))
    return ops.select(ops.less(delta, _number(0, r)), _number(math.inf, r), loss)


def _pseudo_huber(delta, r):
    """delta^2 (sqrt(1 + (r/delta)^2) - 1), infinite for a negative delta; written as r^2 over a sum, which is accurate for small r."""
    safe = ops.select(ops.less_equal(delta, _number(0, r)), _number(1, r), delta)
    loss = ops.divide(ops.square(r), ops.sqrt(1 + ops.square(r / safe)) + 1)
    return ops.select(ops.less(delta, _number(0, r)), _number(math.inf, r), ops.select(ops.equal(delta, _number(0, r)), _number(0, r), loss))


def _boxcox(log: Callable) -> Callable:
    """(x^lambda - 1) / lambda, the logarithm at lambda = 0: log(x) exprel(lambda log x), smooth in lambda."""
    def body(x, lmbda):
        logarithm = log(x)
        return logarithm * special.exprel(lmbda * logarithm)
    return body


def _complex_by_scipy(name: str) -> Callable:
    """Our op of real numbers, SciPy's function of complex ones."""
    def body(x):
        return getattr(special, name)(x) if x.dtype.kind == "f" else special.scipy_ufunc(x, name=name)
    return body


_BODIES: dict[str, Callable] = {
    **{name: getattr(special, name) for name in special.__all__ if name not in ("polygamma", "zeta", "scipy_ufunc", "offset", "digamma")},
    **{name: _complex_by_scipy(name) for name in ("dawsn", "erfi", "exp1", "expi")},
    "psi": special.digamma, "_zeta": special.zeta, "loggamma": _loggamma, "rgamma": _rgamma,
    "expit": ops.logistic, "log_expit": _log_expit, "erf": ops.erf, "erfc": ops.erfc,
    "exp2": ops.exp2, "exp10": lambda x: ops.power(_number(10, x), x), "expm1": ops.expm1, "log1p": ops.log1p, "cbrt": ops.cbrt,
    "huber": _huber, "pseudo_huber": _pseudo_huber, "boxcox": _boxcox(ops.log), "boxcox1p": _boxcox(ops.log1p),
}  # fmt: skip


def _of_scipy(ufunc: np.ufunc) -> Callable:
    """The traced version that SciPy computes."""
    def body(*operands):
        if ufunc.nout > 1:
            raise TypeError(at_user_line(f"scipy.special.{ufunc.__name__} has {ufunc.nout} results and no traced form"))
        return special.scipy_ufunc(*operands, name=ufunc.__name__)
    return body


def enter_ufuncs() -> None:
    """Fill the table with SciPy's ufuncs."""
    from scipy.special import _ufuncs
    for name, ufunc in vars(_ufuncs).items():
        if not isinstance(ufunc, np.ufunc) or ufunc in dispatch.ufuncs:
            continue
        body = _BODIES.get(name) or _of_scipy(ufunc)
        if ufunc.nin <= 2 and name in _BODIES:
            elementwise(ufunc, body)
        else:
            dispatch.ufuncs[ufunc] = functools.partial(_general, ufunc, body)


def _general(ufunc: np.ufunc, body: Callable, *operands, **options):
    return with_options(ufunc, body, operands, options)


dispatch.libraries["scipy.special"] = enter_ufuncs
