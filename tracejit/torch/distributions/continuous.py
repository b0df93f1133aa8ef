"""Distributions over real numbers and vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import linalg
from ..dispatch import FUNCTIONS
from ..dtypes import finfo
from ..modes import no_grad
from ..tensor import Tensor
from .distribution import POSITIVE, REAL, Distribution, normal_numbers, real, tensors


class Normal(Distribution):
    """The normal distribution with mean `loc` and standard deviation `scale`.

    >>> from tracejit import torch
    >>> torch.distributions.Normal(0.0, 1.0).log_prob(torch.tensor(0.0))
    tensor(-0.9189)
    """

    parameters = {"loc": ("Real()", real), "scale": POSITIVE}
    support = REAL
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        self.loc, self.scale = tensors(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    mean = mode = property(lambda self: self.loc, doc="The mean.")
    stddev = property(lambda self: self.scale, doc="The standard deviation.")
    variance = property(lambda self: self.scale.pow(2), doc="The variance.")

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return FUNCTIONS["normal"](self.loc.expand(shape), self.scale.expand(shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.loc + normal_numbers(self._extended_shape(sample_shape), self.loc) * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        value = self._checked(value)
        return -((value - self.loc) ** 2) / (2 * self.scale**2) - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Tensor) -> Tensor:
        return 0.5 * (1 + FUNCTIONS["erf"]((self._checked(value) - self.loc) * self.scale.reciprocal() / math.sqrt(2)))

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * FUNCTIONS["erfinv"](2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()


class LogNormal(Distribution):
    """The distribution of exponentials of normal numbers with mean `loc` and standard deviation `scale`."""

    parameters = {"loc": ("Real()", real), "scale": POSITIVE}
    support = ("GreaterThan(lower_bound=0.0)", lambda self, value: value > 0)
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        self.loc, self.scale = tensors(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    mean = property(lambda self: (self.loc + self.scale.pow(2) / 2).exp(), doc="The mean.")

    @property
    def variance(self) -> Tensor:
        squared = self.scale.pow(2)
        return FUNCTIONS["expm1"](squared) * (2 * self.loc + squared).exp()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return (self.loc + normal_numbers(self._extended_shape(sample_shape), self.loc) * self.scale).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        logs = self._checked(value).log()
        return Normal(self.loc, self.scale, validate_args=False).log_prob(logs) - logs

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log() + self.loc

    def __repr__(self) -> str:
        return "LogNormal()"  # as torch, whose own is a transformed normal one


class Uniform(Distribution):
    """The uniform distribution on [low, high)."""

    parameters = {"low": ("Real()", real), "high": ("Real()", real)}
    support = ("Interval", lambda self, value: (value >= self.low) & (value <= self.high))
    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None):
        self.low, self.high = tensors(low, high)
        super().__init__(self.low.shape, (), validate_args)
        if self._validate_args and not bool((self.low < self.high).all()):
            raise ValueError("Uniform is not defined when low >= high")

    mean = property(lambda self: (self.high + self.low) / 2, doc="The mean.")
    variance = property(lambda self: (self.high - self.low).pow(2) / 12, doc="The variance.")

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.low + FUNCTIONS["rand"](self._extended_shape(sample_shape), dtype=self.low.dtype) * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        value = self._checked(value)
        inside = (self.low <= value) & (self.high > value)
        return inside.to(self.low.dtype).log() - (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        return ((self._checked(value) - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()


class Exponential(Distribution):
    """The exponential distribution: density rate * exp(-rate * x)."""

    parameters = {"rate": POSITIVE}
    support = ("GreaterThanEq(lower_bound=0.0)", lambda self, value: value >= 0)
    has_rsample = True

    def __init__(self, rate: Any, validate_args: bool | None = None):
        (self.rate,) = tensors(rate)
        super().__init__(self.rate.shape, (), validate_args)

    mean = stddev = property(lambda self: self.rate.reciprocal(), doc="The mean, which is the standard deviation too.")
    variance = property(lambda self: self.rate.pow(-2), doc="The variance.")

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return FUNCTIONS["empty"](*self._extended_shape(sample_shape), dtype=self.rate.dtype).exponential_() / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        return self.rate.log() - self.rate * self._checked(value)

    def cdf(self, value: Tensor) -> Tensor:
        return 1 - (-self.rate * self._checked(value)).exp()

    def icdf(self, value: Tensor) -> Tensor:
        return -FUNCTIONS["log1p"](-value) / self.rate

    def entropy(self) -> Tensor:
        return 1.0 - self.rate.log()


class Laplace(Distribution):
    """The distribution with density exp(-|x - loc| / scale) / (2 scale)."""

    parameters = {"loc": ("Real()", real), "scale": POSITIVE}
    support = REAL
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        self.loc, self.scale = tensors(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    mean = mode = property(lambda self: self.loc, doc="The mean.")
    variance = property(lambda self: 2 * self.scale.pow(2), doc="The variance.")

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        least = finfo(self.loc.dtype).eps
        u = FUNCTIONS["empty"](*self._extended_shape(sample_shape), dtype=self.loc.dtype).uniform_(least - 1, 1)
        return self.loc - self.scale * u.sign() * FUNCTIONS["log1p"](-u.abs())

    def log_prob(self, value: Tensor) -> Tensor:
        return -(2 * self.scale).log() - (self._checked(value) - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        away = self._checked(value) - self.loc
        return 0.5 - 0.5 * away.sign() * FUNCTIONS["expm1"](-away.abs() / self.scale)

    def icdf(self, value: Tensor) -> Tensor:
        term = value - 0.5
        return self.loc - self.scale * term.sign() * FUNCTIONS["log1p"](-2 * term.abs())

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()


class MultivariateNormal(Distribution):
    """The normal distribution of vectors with mean `loc` (..., n) and a covariance, its inverse, or its Cholesky factor (..., n, n)."""

    support = REAL
    has_rsample = True

    def __init__(
        self, loc: Tensor, covariance_matrix: Tensor | None = None, precision_matrix: Tensor | None = None, scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ):  # fmt: skip
        given = [t for t in (covariance_matrix, precision_matrix, scale_tril) if t is not None]
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        if given[0].dim() < 2:
            raise ValueError(
                "covariance_matrix, precision_matrix or scale_tril must be at least two-dimensional, with optional leading batch dimensions"
            )
        batch = FUNCTIONS["broadcast_shapes"](given[0].shape[:-2], loc.shape[:-1])
        n = loc.shape[-1]
        self.loc = loc.expand((*batch, n))
        self._given = "covariance_matrix" if covariance_matrix is not None else "precision_matrix" if precision_matrix is not None else "scale_tril"
        matrix = given[0].expand((*batch, n, n))
        try:
            if self._given == "scale_tril":
                factor = matrix
            elif self._given == "covariance_matrix":
                factor = linalg.cholesky(matrix)
            else:
                factor = linalg.cholesky(linalg.inv(matrix))
        except linalg.LinAlgError as error:
            raise ValueError(
                f"Expected parameter {self._given} of distribution MultivariateNormal to satisfy the constraint PositiveDefinite(), but: {error}"
            ) from None
        self._factor, self._matrix = factor, matrix
        super().__init__(batch, (n,), validate_args)

    scale_tril = property(lambda self: self._factor, doc="The Cholesky factor of the covariance.")
    covariance_matrix = property(lambda self: self._factor @ self._factor.mT, doc="The covariance.")
    precision_matrix = property(lambda self: FUNCTIONS["cholesky_inverse"](self._factor), doc="The inverse of the covariance.")
    mean = mode = property(lambda self: self.loc, doc="The mean.")
    variance = property(lambda self: self._factor.pow(2).sum(-1).expand(self._extended_shape()), doc="The variances of the entries.")

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        eps = normal_numbers(self._extended_shape(sample_shape), self.loc)
        return self.loc + (self._factor @ eps.unsqueeze(-1)).squeeze(-1)

    def _half_log_det(self) -> Tensor:
        return self._factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        away = (self._checked(value) - self.loc).unsqueeze(-1)
        factor = self._factor.expand((*away.shape[:-2], *self._factor.shape[-2:]))
        scaled = linalg.solve_triangular(factor, away, upper=False).squeeze(-1)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + scaled.pow(2).sum(-1)) - self._half_log_det()

    def entropy(self) -> Tensor:
        return 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._half_log_det()

    def __repr__(self) -> str:
        return f"MultivariateNormal(loc: {self.loc.size()}, {self._given}: {self._matrix.size()})"
