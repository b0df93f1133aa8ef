"""The ufuncs of `scipy.special` that the ops express. Entered when one of them first meets a traced value: SciPy is not imported for them."""
from __future__ import annotations

import math

import numpy as np

from ..ops import elementwise as ops
from ..trace import dispatch
from .loops import elementwise


def _logit(x):
    return ops.subtract(ops.log(x), ops.log1p(ops.negative(x)))


def _log_expit(x):
    return ops.negative(ops.logaddexp(x.dtype.type(0), ops.negative(x)))


def _ndtr(x):
    """The normal distribution, from erfc, which keeps its relative accuracy in the far left tail."""
    return ops.multiply(ops.erfc(ops.multiply(x, x.dtype.type(-math.sqrt(0.5)))), x.dtype.type(0.5))


def _times_log(x, y, log, edge: float):
    """x log(y), and 0 with the slopes 0 where x is 0 and the logarithm is not finite. `edge` is where the logarithm begins."""
    zero, finite = x.dtype.type(0), ops.logical_and(ops.greater(y, y.dtype.type(edge)), ops.isfinite(y))
    settled = ops.logical_and(ops.equal(x, zero), ops.logical_not(ops.logical_or(finite, ops.isnan(y))))
    return ops.multiply(x, log(ops.select(settled, y.dtype.type(edge + 1), y)))


_BODIES = {
    "expit": ops.logistic, "logit": _logit, "log_expit": _log_expit,
    "erf": ops.erf, "erfc": ops.erfc, "ndtr": _ndtr,
    "xlogy": lambda x, y: _times_log(x, y, ops.log, 0.0), "xlog1py": lambda x, y: _times_log(x, y, ops.log1p, -1.0),
    "exp2": ops.exp2, "exp10": lambda x: ops.power(x.dtype.type(10), x), "expm1": ops.expm1, "log1p": ops.log1p, "cbrt": ops.cbrt,
}


def enter_ufuncs() -> None:
    """Fill the table with SciPy's ufuncs."""
    import scipy.special
    for name, body in _BODIES.items():
        ufunc = getattr(scipy.special, name)
        if isinstance(ufunc, np.ufunc) and ufunc not in dispatch.ufuncs:
            elementwise(ufunc, body)


dispatch.libraries["scipy.special"] = enter_ufuncs
