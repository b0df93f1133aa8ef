"""The incomplete gamma and beta functions and Student's distribution, with their inverses.

The derivative with respect to the last argument, x, is a density; those with respect to the parameters are in shape_slopes.py.  Each inverse has
them by the rule of implicit functions: where F(a, x) = p stays, dx = (dp - dF/da da) / (dF/dx).
"""

from __future__ import annotations

from ..elementwise import sign, square
from .common import function, number
from .densities import beta_density, gamma_density, student_density
from .shape_slopes import betainc_slope, gammainc_slope


def _in_b(a, b, x):
    """The derivative of betainc with respect to b: I_x(a, b) = 1 - I_(1-x)(b, a)."""
    return -betainc_slope(b, a, 1 - x)


def _in_df(df, t):
    """The derivative of stdtr with respect to df: stdtr is 1 - I_x(df/2, 1/2) / 2 with x = df / (df + t^2) for t > 0, and odd but for a constant."""
    half, x = number(0.5, df), df / (df + square(t))
    slope = half * betainc_slope(df * 0.5, half, x)
    moved = beta_density(df * 0.5, half, x) * square(x * t / df)  # dx/d(df) = t^2 / (df + t^2)^2
    return sign(t) * (-0.5 * (slope + moved))


gammainc = function("gammainc", lambda t, a, x, y: t * gammainc_slope(a, x), lambda t, a, x, y: t * gamma_density(a, x))
gammaincc = function("gammaincc", lambda t, a, x, y: -t * gammainc_slope(a, x), lambda t, a, x, y: -t * gamma_density(a, x))
gammaincinv = function(
    "gammaincinv", lambda t, a, p, x: -t * (gammainc_slope(a, x) / gamma_density(a, x)), lambda t, a, p, x: t / gamma_density(a, x), singular=True,
)  # fmt: skip
gammainccinv = function(
    "gammainccinv", lambda t, a, p, x: -t * (gammainc_slope(a, x) / gamma_density(a, x)), lambda t, a, p, x: -t / gamma_density(a, x), singular=True,
)  # fmt: skip
betainc = function(
    "betainc",
    lambda t, a, b, x, y: t * betainc_slope(a, b, x),
    lambda t, a, b, x, y: t * _in_b(a, b, x),
    lambda t, a, b, x, y: t * beta_density(a, b, x),
)
betaincc = function(
    "betaincc",
    lambda t, a, b, x, y: -t * betainc_slope(a, b, x),
    lambda t, a, b, x, y: -t * _in_b(a, b, x),
    lambda t, a, b, x, y: -t * beta_density(a, b, x),
)
betaincinv = function(
    "betaincinv",
    lambda t, a, b, p, x: -t * (betainc_slope(a, b, x) / beta_density(a, b, x)),
    lambda t, a, b, p, x: -t * (_in_b(a, b, x) / beta_density(a, b, x)),
    lambda t, a, b, p, x: t / beta_density(a, b, x),
    singular=True,
)
betainccinv = function(
    "betainccinv",
    lambda t, a, b, p, x: -t * (betainc_slope(a, b, x) / beta_density(a, b, x)),
    lambda t, a, b, p, x: -t * (_in_b(a, b, x) / beta_density(a, b, x)),
    lambda t, a, b, p, x: -t / beta_density(a, b, x),
    singular=True,
)
stdtr = function("stdtr", lambda t, df, x, y: t * _in_df(df, x), lambda t, df, x, y: t * student_density(df, x))
stdtrit = function(
    "stdtrit", lambda t, df, p, x: -t * (_in_df(df, x) / student_density(df, x)), lambda t, df, p, x: t / student_density(df, x), singular=True,
)  # fmt: skip
