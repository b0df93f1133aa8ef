"""Random numbers: functions of keys, in the manner of `jax.random`, and `default_rng`, in the manner of `numpy.random`.

>>> import numpy as np, tracejit as tj
>>> key = tj.random.key(7)
>>> bool(np.all(tj.random.normal(key, (3,)) == tj.jit(lambda k: tj.random.normal(k, (3,)))(key)))
True
"""

from .counting import binomial, geometric, logseries, multinomial, negative_binomial, poisson, zipf
from .flat import bernoulli, rademacher, randint, uniform
from .gammas import ball, beta, chisquare, dirichlet, f, gamma, generalized_normal, loggamma, t
from .gaussian import double_sided_maxwell, lognormal, maxwell, multivariate_normal, normal, orthogonal, truncated_normal, wald
from .generator import Generator, default_rng
from .inversion import cauchy, exponential, gumbel, laplace, logistic, pareto, power_function, rayleigh, triangular, weibull_min
from .keys import bits, fold_in, key, key_data, split, wrap_key_data
from .selection import categorical, choice, permutation

__all__ = [
    "Generator", "ball", "bernoulli", "beta", "binomial", "bits", "categorical", "cauchy", "chisquare", "choice", "default_rng",
    "dirichlet", "double_sided_maxwell", "exponential", "f", "fold_in", "gamma", "generalized_normal", "geometric", "gumbel", "key",
    "key_data", "laplace", "loggamma", "logistic", "lognormal", "logseries", "maxwell", "multinomial", "multivariate_normal",
    "negative_binomial", "normal", "orthogonal", "pareto", "permutation", "poisson", "power_function", "rademacher", "randint", "rayleigh",
    "split", "t", "triangular", "truncated_normal", "uniform", "wald", "weibull_min", "wrap_key_data", "zipf",
]  # fmt: skip
