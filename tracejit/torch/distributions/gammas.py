"""Distributions made of gamma numbers: gamma, beta, Dirichlet, Student's t, Fisher and Snedecor's F."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..dispatch import FUNCTIONS
from ..dtypes import finfo
from ..rejection import standard_gamma
from ..tensor import Tensor
from .distribution import POSITIVE, REAL, Distribution, above_zero, normal_numbers, real, tensors

lgamma, digamma, xlogy, log1p, where = (FUNCTIONS[name] for name in ("lgamma", "digamma", "xlogy", "log1p", "where"))


class Gamma(Distribution):
    """The gamma distribution of shape `concentration` and inverse scale `rate`.

    >>> from tracejit import torch
    >>> torch.distributions.Gamma(1.0, 1.0).log_prob(torch.tensor(2.0))
    tensor(-2.)
    """

    parameters = {"concentration": POSITIVE, "rate": POSITIVE}
    support = ("GreaterThanEq(lower_bound=0.0)", lambda self, value: value >= 0)
    has_rsample = True

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None):
        self.concentration, self.rate = tensors(concentration, rate)
        super().__init__(self.concentration.shape, (), validate_args)

    mean = property(lambda self: self.concentration / self.rate, doc="The mean.")
    mode = property(lambda self: ((self.concentration - 1) / self.rate).clamp(min=0), doc="The most probable value.")
    variance = property(lambda self: self.concentration / self.rate.pow(2), doc="The variance.")

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return above_zero(standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        value = self._checked(value)
        return xlogy(self.concentration, self.rate) + xlogy(self.concentration - 1, value) - self.rate * value - lgamma(self.concentration)

    def cdf(self, value: Tensor) -> Tensor:
        return FUNCTIONS["igamma"](self.concentration, self.rate * self._checked(value))

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - self.rate.log() + lgamma(a) + (1.0 - a) * digamma(a)


class Chi2(Gamma):
    """The distribution of the sum of the squares of `df` normal numbers."""

    parameters = {"df": POSITIVE}

    def __init__(self, df: Any, validate_args: bool | None = None):
        (self.df,) = tensors(df)
        super().__init__(0.5 * self.df, 0.5, validate_args)

    def __repr__(self) -> str:
        return "Chi2()"  # as torch, whose own has the parameters of a gamma distribution


class InverseGamma(Distribution):
    """The distribution of the inverse of gamma numbers."""

    parameters = {"concentration": POSITIVE, "rate": POSITIVE}
    support = ("GreaterThan(lower_bound=0.0)", lambda self, value: value > 0)
    has_rsample = True

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None):
        self.concentration, self.rate = tensors(concentration, rate)
        super().__init__(self.concentration.shape, (), validate_args)

    mode = property(lambda self: self.rate / (self.concentration + 1), doc="The most probable value.")

    @property
    def mean(self) -> Tensor:
        return where(self.concentration > 1, self.rate / (self.concentration - 1), math.inf)

    @property
    def variance(self) -> Tensor:
        a = self.concentration
        return where(a > 2, self.rate.square() / ((a - 1).square() * (a - 2)), math.inf)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return Gamma(self.concentration, self.rate, validate_args=False).rsample(sample_shape).reciprocal()

    def log_prob(self, value: Tensor) -> Tensor:
        value = self._checked(value)
        return Gamma(self.concentration, self.rate, validate_args=False).log_prob(value.reciprocal()) - 2 * value.log()

    def entropy(self) -> Tensor:
        a = self.concentration
        return a + self.rate.log() + lgamma(a) - (1 + a) * digamma(a)


class Dirichlet(Distribution):
    """The distribution of probabilities of classes with `concentration` (..., n). Samples are torch's; their derivatives are those of the gamma
    numbers that they are made of, which on average are torch's.

    >>> from tracejit import torch
    >>> torch.distributions.Dirichlet(torch.ones(3)).log_prob(torch.tensor([0.2, 0.3, 0.5])).exp()
    tensor(2.)
    """

    parameters = {"concentration": ("IndependentConstraint(GreaterThan(lower_bound=0.0), 1)", lambda value: value > 0)}
    support = ("Simplex()", lambda self, value: (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6))
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None):
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Tensor:
        less = (self.concentration - 1).clamp(min=0.0)
        made = less / less.sum(-1, True)
        unbounded = (self.concentration < 1).all(-1, keepdim=True)
        highest = FUNCTIONS["eye"](self._event_shape[0], dtype=made.dtype)[self.concentration.argmax(-1)]
        return where(unbounded, highest, made)

    @property
    def variance(self) -> Tensor:
        a, total = self.concentration, self.concentration.sum(-1, True)
        return a * (total - a) / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        dtype = self.concentration.dtype
        drawn = standard_gamma(self.concentration.expand(self._extended_shape(sample_shape)), dtype="float64")
        return (drawn / drawn.sum(-1, True)).to(dtype).clamp(finfo(dtype).tiny, 1 - finfo(dtype).eps / 2)

    def log_prob(self, value: Tensor) -> Tensor:
        a = self.concentration
        return xlogy(a - 1.0, self._checked(value)).sum(-1) + lgamma(a.sum(-1)) - lgamma(a).sum(-1)

    def entropy(self) -> Tensor:
        a, n = self.concentration, self._event_shape[0]
        total = a.sum(-1)
        return lgamma(a).sum(-1) - lgamma(total) - (n - total) * digamma(total) - ((a - 1.0) * digamma(a)).sum(-1)


class Beta(Distribution):
    """The beta distribution on [0, 1], with density proportional to x^(concentration1 - 1) (1 - x)^(concentration0 - 1)."""

    parameters = {"concentration1": POSITIVE, "concentration0": POSITIVE}
    support = ("Interval(lower_bound=0.0, upper_bound=1.0)", lambda self, value: (value >= 0) & (value <= 1))
    has_rsample = True

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None):
        self.concentration1, self.concentration0 = tensors(concentration1, concentration0)
        self._dirichlet = Dirichlet(FUNCTIONS["stack"]([self.concentration1, self.concentration0], -1), validate_args=False)
        super().__init__(self.concentration1.shape, (), validate_args)

    mode = property(lambda self: self._dirichlet.mode[..., 0], doc="The most probable value.")

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self) -> Tensor:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._dirichlet.rsample(sample_shape).select(-1, 0)

    def log_prob(self, value: Tensor) -> Tensor:
        value = self._checked(value)
        return self._dirichlet.log_prob(FUNCTIONS["stack"]([value, 1.0 - value], -1))

    def entropy(self) -> Tensor:
        return self._dirichlet.entropy()

    def __repr__(self) -> str:
        return "Beta()"  # as torch, whose own has no parameters but a Dirichlet distribution


class StudentT(Distribution):
    """Student's t distribution of `df` degrees of freedom, moved by `loc` and scaled by `scale`."""

    parameters = {"df": POSITIVE, "loc": ("Real()", real), "scale": POSITIVE}
    support = REAL
    has_rsample = True

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None):
        self.df, self.loc, self.scale = tensors(df, loc, scale)
        super().__init__(self.df.shape, (), validate_args)

    mode = property(lambda self: self.loc, doc="The most probable value.")

    @property
    def mean(self) -> Tensor:
        return where(self.df > 1, self.loc, math.nan)

    @property
    def variance(self) -> Tensor:
        finite = self.scale.pow(2) * self.df / (self.df - 2)
        return where(self.df > 2, finite, where(self.df > 1, math.inf, math.nan))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        x = normal_numbers(self._extended_shape(sample_shape), self.df)
        z = Chi2(self.df, validate_args=False).rsample(sample_shape)
        return self.loc + self.scale * (x * (z / self.df).rsqrt())

    def log_prob(self, value: Tensor) -> Tensor:
        y = (self._checked(value) - self.loc) / self.scale
        z = self.scale.log() + 0.5 * self.df.log() + 0.5 * math.log(math.pi) + lgamma(0.5 * self.df) - lgamma(0.5 * (self.df + 1.0))
        return -0.5 * (self.df + 1.0) * log1p(y**2.0 / self.df) - z

    def entropy(self) -> Tensor:
        half, more = 0.5 * self.df, 0.5 * (self.df + 1)
        beta = lgamma(half) + math.lgamma(0.5) - lgamma(more)
        return self.scale.log() + more * (digamma(more) - digamma(half)) + 0.5 * self.df.log() + beta


class FisherSnedecor(Distribution):
    """The distribution of the quotient of two chi-square numbers, each over its degrees of freedom."""

    parameters = {"df1": POSITIVE, "df2": POSITIVE}
    support = ("GreaterThan(lower_bound=0.0)", lambda self, value: value > 0)
    has_rsample = True

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None):
        self.df1, self.df2 = tensors(df1, df2)
        super().__init__(self.df1.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        return where(self.df2 > 2, self.df2 / (self.df2 - 2), math.nan)

    @property
    def variance(self) -> Tensor:
        a, b = self.df1, self.df2
        return where(b > 4, 2 * b.pow(2) * (a + b - 2) / (a * (b - 2).pow(2) * (b - 4)), math.nan)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        above, below = [Gamma(df * 0.5, df * 0.5, validate_args=False).rsample(sample_shape) for df in (self.df1, self.df2)]
        return above_zero(above / above_zero(below))

    def log_prob(self, value: Tensor) -> Tensor:
        value, a, b = self._checked(value), self.df1 * 0.5, self.df2 * 0.5
        ratio = self.df1 / self.df2
        return lgamma(a + b) - lgamma(a) - lgamma(b) + a * ratio.log() + (a - 1) * value.log() - (a + b) * log1p(ratio * value)
