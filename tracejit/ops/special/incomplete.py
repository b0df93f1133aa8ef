"""The incomplete gamma and beta functions and Student's distribution, with their inverses.

Derivatives are those with respect to the last argument, which is x or a probability.
"""

from __future__ import annotations

from ..elementwise import exp, log1p, sqrt, square
from .common import function, number
from .entropy import xlog1py, xlogy
from .gamma import betaln, gammaln


def gamma_density(a, x):
    """x^(a-1) e^-x / gamma(a)."""
    return exp(xlogy(a - 1, x) - x - gammaln(a))


def beta_density(a, b, x):
    """x^(a-1) (1-x)^(b-1) / beta(a, b)."""
    return exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b))


def student_density(df, t):
    """Of Student's distribution with `df` degrees of freedom."""
    return exp((df + 1) * -0.5 * log1p(square(t) / df) - betaln(df * 0.5, number(0.5, df))) / sqrt(df)


gammainc = function("gammainc", "a", lambda t, a, x, y: t * gamma_density(a, x))
gammaincc = function("gammaincc", "a", lambda t, a, x, y: -t * gamma_density(a, x))
gammaincinv = function("gammaincinv", "a", lambda t, a, p, x: t / gamma_density(a, x), singular=True)
gammainccinv = function("gammainccinv", "a", lambda t, a, p, x: -t / gamma_density(a, x), singular=True)
betainc = function("betainc", "a", "b", lambda t, a, b, x, y: t * beta_density(a, b, x))
betaincc = function("betaincc", "a", "b", lambda t, a, b, x, y: -t * beta_density(a, b, x))
betaincinv = function("betaincinv", "a", "b", lambda t, a, b, p, x: t / beta_density(a, b, x), singular=True)
betainccinv = function("betainccinv", "a", "b", lambda t, a, b, p, x: -t / beta_density(a, b, x), singular=True)
stdtr = function("stdtr", "df", lambda t, df, x, y: t * student_density(df, x))
stdtrit = function("stdtrit", "df", lambda t, df, p, x: t / student_density(df, x), singular=True)
