"""The densities of the gamma, beta and Student distributions: the derivatives of their distribution functions."""

from __future__ import annotations

from ..elementwise import exp, log1p, sqrt, square
from .common import number
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
