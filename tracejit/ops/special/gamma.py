"""The gamma function and its relatives: log-gamma, polygamma, beta, binomial coefficients, Hurwitz's zeta."""

from __future__ import annotations

import math

from ..core import Op, define
from ..elementwise_parts import batch_elementwise
from .common import function

# -- gamma and its logarithmic derivatives
gammaln = function("gammaln", lambda t, x, y: t * digamma(x))
gamma = function("gamma", lambda t, x, y: t * (y * digamma(x)))
digamma = function("digamma", lambda t, x, y: t * polygamma(x, order=1))


def _factor(order: int) -> float:
    """(-1)^(n+1) n!, which times zeta(n + 1, x) is polygamma(n, x)."""
    return (-1.0) ** (order + 1) * (float(math.factorial(order)) if order <= 170 else math.inf)


def _run_polygamma(xp, x, order):
    import scipy.special

    return scipy.special.polygamma(order, x).astype(x.dtype, copy=False)[()]


def _lower_polygamma(k, xs, index, order):
    x = xs[0].broadcast(index)
    if order == 1:
        return k.apply("trigamma", x)
    return k.apply("multiply", k.constant(_factor(order), x.dtype), k.apply("zeta", k.constant(order + 1, x.dtype), x))


_polygamma: list[Op] = []
polygamma = define(
    "polygamma", infer=lambda x, order: digamma.infer(x), run=_run_polygamma,
    jvp=lambda primals, out, tangents, order: tangents[0] * polygamma(*primals, order=order + 1),
    batch=batch_elementwise(_polygamma), lower=_lower_polygamma, dear=True, elementwise=True,
    show=lambda x, order: f"scipy.special.polygamma({order}, {x}).astype(np.{x.type.dtype.name})[()]",
)  # fmt: skip
_polygamma.append(polygamma)

# -- of two arguments
beta = function("beta", lambda t, a, b, z: t * (z * (digamma(a) - digamma(a + b))), lambda t, a, b, z: t * (z * (digamma(b) - digamma(a + b))))
betaln = function("betaln", lambda t, a, b, z: t * (digamma(a) - digamma(a + b)), lambda t, a, b, z: t * (digamma(b) - digamma(a + b)))
binom = function(
    "binom",
    lambda t, n, k, z: t * (z * (digamma(n + 1) - digamma(n - k + 1))),
    lambda t, n, k, z: t * (z * (digamma(n - k + 1) - digamma(k + 1))),
)
poch = function("poch", lambda t, a, m, z: t * (z * (digamma(a + m) - digamma(a))), lambda t, a, m, z: t * (z * digamma(a + m)))
zeta = function("zeta", "x", lambda t, s, q, z: t * (-s * zeta(s + 1, q)))

