"""Probability distributions, as `torch.distributions`: samples in torch's stream, log-probabilities that are differentiated.

>>> from tracejit import torch
>>> coin = torch.distributions.Bernoulli(torch.tensor(0.25))
>>> coin.log_prob(torch.tensor(1.0)).exp()
tensor(0.2500)
"""

from ..absent import of_module
from .continuous import Exponential, Laplace, LogNormal, MultivariateNormal, Normal, Uniform
from .discrete import Bernoulli, Categorical, Geometric, OneHotCategorical, Poisson
from .distribution import Distribution, Independent
from .divergence import kl_divergence, register_kl

__all__ = [
    "Bernoulli", "Categorical", "Distribution", "Exponential", "Geometric", "Independent", "Laplace", "LogNormal", "MultivariateNormal", "Normal",
    "OneHotCategorical", "Poisson", "Uniform", "kl_divergence", "register_kl",
]  # fmt: skip
__getattr__ = of_module(globals())
