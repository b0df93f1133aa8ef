"""The continuous distributions, each a standard form: its support, its functions, and which shape parameters are valid."""

from __future__ import annotations

import math

import numpy as np

from ...ops import elementwise as ops
from ...ops import special
from ...ops.special.densities import beta_density
from .distribution import Continuous, Form, pick

_LOG_TWO_PI, _LOG_PI = math.log(2 * math.pi), math.log(math.pi)


class _Normal(Form):
    def logpdf(self, x):
        return x * x * -0.5 - 0.5 * _LOG_TWO_PI

    def pdf(self, x):
        return np.exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))

    def cdf(self, x):
        return special.ndtr(x)

    def sf(self, x):
        return special.ndtr(-x)

    def logcdf(self, x):
        return special.log_ndtr(x)

    def logsf(self, x):
        return special.log_ndtr(-x)

    def ppf(self, q):
        return special.ndtri(q)

    def isf(self, q):
        return -special.ndtri(q)


class _Uniform(Form):
    low, high = 0.0, 1.0

    def pdf(self, x):
        return 0.0 * x + 1.0

    def logpdf(self, x):
        return 0.0 * x

    def cdf(self, x):
        return x

    def ppf(self, q):
        return q


class _Exponential(Form):
    low = 0.0

    def logpdf(self, x):
        return -x

    def cdf(self, x):
        return -np.expm1(-x)

    def sf(self, x):
        return np.exp(-x)

    def logsf(self, x):
        return -x

    def ppf(self, q):
        return -np.log1p(-q)

    def isf(self, q):
        return -np.log(q)


class _Gamma(Form):
    shapes = ("a",)
    low = 0.0

    @staticmethod
    def valid(a):
        return a > 0

    def logpdf(self, x, a):
        return special.xlogy(a - 1.0, x) - x - special.gammaln(a)

    def cdf(self, x, a):
        return special.gammainc(a, x)

    def sf(self, x, a):
        return special.gammaincc(a, x)

    def ppf(self, q, a):
        return special.gammaincinv(a, q)

    def isf(self, q, a):
        return special.gammainccinv(a, q)


class _Beta(Form):
    shapes = ("a", "b")
    low, high = 0.0, 1.0

    @staticmethod
    def valid(a, b):
        return (a > 0) & (b > 0)

    def logpdf(self, x, a, b):
        return special.xlog1py(b - 1.0, -x) + special.xlogy(a - 1.0, x) - special.betaln(a, b)

    def pdf(self, x, a, b):
        return beta_density(a, b, x)

    def cdf(self, x, a, b):
        return special.betainc(a, b, x)

    def sf(self, x, a, b):
        return special.betaincc(a, b, x)

    def ppf(self, q, a, b):
        return special.betaincinv(a, b, q)

    def isf(self, q, a, b):
        return special.betainccinv(a, b, q)


class _Student(Form):
    """Student's; with infinite `df` it is the normal distribution."""

    shapes = ("df",)

    @staticmethod
    def valid(df):
        return df > 0

    @staticmethod
    def _of_finite(df, finite, normal):
        """`finite(df)` where df is finite, `normal()` where it is not."""
        infinite = df == np.inf
        return pick(infinite, normal(), finite(pick(infinite, 1.0, df)))

    def logpdf(self, x, df):
        def finite(df):
            factor = np.log(special.poch(0.5 * df, np.float64(0.5))) - 0.5 * (np.log(df) + _LOG_PI)
            return factor - (df + 1.0) * 0.5 * np.log1p(x * x / df)

        return self._of_finite(df, finite, lambda: _NORMAL.logpdf(x))

    def cdf(self, x, df):
        return self._of_finite(df, lambda df: special.stdtr(df, x), lambda: special.ndtr(x))

    def sf(self, x, df):
        return self.cdf(-x, df)

    def ppf(self, q, df):
        quantile = self._of_finite(df, lambda df: special.stdtrit(df, q), lambda: special.ndtri(q))
        return np.where(q == 0, -np.inf, np.where(q == 1, np.inf, quantile))  # stdtrit(df, 0) is plus infinity, and (df, 1) NaN in older SciPy

    def isf(self, q, df):
        return -self.ppf(q, df)


class _Cauchy(Form):
    def pdf(self, x):
        return (1 / math.pi) / (1.0 + x * x)

    def logpdf(self, x):
        a = np.abs(x)
        near = a < 1.0
        square = np.square(np.where(near, a, 1.0 / np.where(near, 1.0, a)))
        return -_LOG_PI - np.log1p(square) - np.where(near, 0.0, 2.0 * np.log(np.where(near, 1.0, a)))

    def cdf(self, x):
        return np.arctan2(1.0, -x) * (1 / math.pi)

    def sf(self, x):
        return np.arctan2(1.0, x) * (1 / math.pi)

    def ppf(self, q):
        """The cotangent in the tails, where 1/2 - q would lose the digits of a small q."""
        middle = np.abs(q - 0.5) < 0.25
        near, tail = np.tan(math.pi * np.where(middle, q - 0.5, 0.25)), np.where(q < 0.5, q, 1.0 - q)
        far = 1.0 / np.tan(math.pi * np.where(middle, 0.25, tail))
        return np.where(middle, near, np.where(q < 0.5, -far, far))

    def isf(self, q):
        return -self.ppf(q)


class _Laplace(Form):
    def pdf(self, x):
        return 0.5 * np.exp(-np.abs(x))

    def logpdf(self, x):
        return -np.abs(x) - math.log(2.0)

    def cdf(self, x):
        tail = 0.5 * np.exp(-np.abs(x))
        return np.where(x > 0, 1.0 - tail, tail)

    def sf(self, x):
        return self.cdf(-x)

    def ppf(self, q):
        return np.where(q > 0.5, -np.log(2.0 * (1.0 - q)), np.log(2.0 * q))

    def isf(self, q):
        return -self.ppf(q)


class _Logistic(Form):
    def logpdf(self, x):
        a = np.abs(x)
        return -a - 2.0 * np.log1p(np.exp(-a))

    def cdf(self, x):
        return ops.logistic(x)

    def sf(self, x):
        return ops.logistic(-x)

    def logcdf(self, x):
        return -np.logaddexp(0.0, -x)

    def logsf(self, x):
        return -np.logaddexp(0.0, x)

    def ppf(self, q):
        return special.logit(q)

    def isf(self, q):
        return -special.logit(q)


_NORMAL = _Normal()
norm = Continuous("norm", _NORMAL)
uniform = Continuous("uniform", _Uniform())
expon = Continuous("expon", _Exponential())
gamma = Continuous("gamma", _Gamma())
beta = Continuous("beta", _Beta())
t = Continuous("t", _Student())
cauchy = Continuous("cauchy", _Cauchy())
laplace = Continuous("laplace", _Laplace())
logistic = Continuous("logistic", _Logistic())
