"""`scipy.stats` on traced values: densities, distribution functions and quantiles, with derivatives in the point and in the parameters.

The distributions have SciPy's names, arguments, results and rules outside of the support and for parameters that are not valid; on plain arrays they
are SciPy's own.  While a function is traced, the methods of SciPy's distributions stand for these (see trace/methods.py), so that plain
`scipy.stats.norm.cdf(x)` is traced, and so is a distribution that was frozen before.

    continuous      norm uniform expon gamma beta t cauchy laplace logistic: pdf logpdf cdf logcdf sf logsf ppf isf
    discrete        poisson binom: pmf logpmf cdf logcdf sf logsf ppf isf
    multivariate    multivariate_normal: pdf logpdf

Quantiles are differentiated by the rule of implicit functions.  Derivatives of discrete distributions are those in `mu` and `p`: in the count and in
`n` they are zero, as of any function of whole numbers.

>>> import numpy as np, scipy.stats, tracejit as tj
>>> tj.grad(lambda x: scipy.stats.norm.cdf(x))(0.0)
np.float64(0.3989422804014327)
>>> tj.grad(lambda a: scipy.stats.gamma.ppf(0.5, a))(1.0)
np.float64(0.968...)
"""

from .continuous import beta, cauchy, expon, gamma, laplace, logistic, norm, t, uniform
from .discrete import binom, poisson
from .methods import namesakes
from .multivariate import multivariate_normal

__all__ = [
    "beta", "binom", "cauchy", "expon", "gamma", "laplace", "logistic", "multivariate_normal", "namesakes", "norm", "poisson", "t", "uniform",
]
