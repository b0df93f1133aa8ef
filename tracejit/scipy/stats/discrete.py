"""The discrete distributions. They are functions of whole numbers, so of the parameters only `mu` and `p` have derivatives.

Their distribution functions are incomplete gamma and beta functions, whose derivatives are densities.  Quantiles are constant between steps: SciPy
computes them.
"""

from __future__ import annotations

import numpy as np

from ...ops import elementwise as ops
from ...ops import special
from .distribution import Discrete, Form


class _Counts(Form):
    def pmf(self, k, *shapes):
        return np.exp(self.logpmf(k, *shapes))


class _Poisson(_Counts):
    shapes = ("mu",)

    @staticmethod
    def valid(mu):
        return mu >= 0

    @staticmethod
    def last(mu):
        return np.inf

    def logpmf(self, k, mu):
        return special.xlogy(k, mu) - special.gammaln(k + 1.0) - mu

    def cdf(self, k, mu):
        return special.gammaincc(k + 1.0, mu)

    def sf(self, k, mu):
        return special.gammainc(k + 1.0, mu)

    def ppf(self, q, mu):
        count = np.ceil(special.scipy_ufunc(q, mu, name="pdtrik"))
        before = np.maximum(count - 1.0, 0.0)
        return np.where(special.gammaincc(before + 1.0, mu) >= q, before, count)

    def isf(self, q, mu):
        return self.ppf(1.0 - q, mu)


class _Binomial(_Counts):
    shapes = ("n", "p")

    @staticmethod
    def valid(n, p):
        return (n >= 0) & (n == np.floor(n)) & (p >= 0) & (p <= 1)

    @staticmethod
    def last(n, p):
        return ops.stop_gradient(n)

    def logpmf(self, k, n, p):
        n = ops.stop_gradient(n)
        choices = -special.betaln(n - k + 1.0, k + 1.0) - np.log(n + 1.0)
        return choices + special.xlogy(k, p) + special.xlog1py(n - k, -p)

    def cdf(self, k, n, p):
        return special.betaincc(k + 1.0, self._after(k, n), p)

    def sf(self, k, n, p):
        return special.betainc(k + 1.0, self._after(k, n), p)

    @staticmethod
    def _after(k, n):
        return np.maximum(ops.stop_gradient(n) - k, 1.0)  # k < n; other places are not looked at

    def ppf(self, q, n, p):
        return special.scipy_ufunc(q, n, p, name="_binom_ppf")

    def isf(self, q, n, p):
        return special.scipy_ufunc(q, n, p, name="_binom_isf")


poisson = Discrete("poisson", _Poisson())
binom = Discrete("binom", _Binomial())
