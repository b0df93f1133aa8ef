"""Distributions of transformed variables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..dispatch import FUNCTIONS
from ..dtypes import finfo
from ..modes import no_grad
from ..tensor import Tensor
from .continuous import Exponential, Normal, Uniform
from .distribution import POSITIVE, Distribution, Independent, real, tensors
from .transforms import AffineTransform, ComposeTransform, ExpTransform, PowerTransform, StickBreakingTransform, Transform, summed

EULER = 0.57721566490153286060


class TransformedDistribution(Distribution):
    """The distribution of what transforms, one after the other, make of the values of another distribution.

    >>> from tracejit import torch
    >>> d = torch.distributions
    >>> d.TransformedDistribution(d.Normal(0.0, 1.0), [d.ExpTransform()]).log_prob(torch.tensor(1.0))
    tensor(-0.9189)
    """

    def __init__(self, base_distribution: Distribution, transforms: Transform | list[Transform], validate_args: bool | None = None):
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        if not all([isinstance(t, Transform) for t in self.transforms]):
            raise ValueError(f"transforms must be a Transform or list, but was {transforms}")
        whole = ComposeTransform(self.transforms)
        base, own = base_distribution, len(base_distribution.event_shape)
        shape = (*base.batch_shape, *base.event_shape)
        if len(shape) < whole.domain_dim:
            raise ValueError(f"base_distribution needs to have shape with size at least {whole.domain_dim}, but got {tuple(shape)}.")
        made = whole.forward_shape(shape)
        needed = whole.inverse_shape(made)
        if tuple(needed) != tuple(shape):
            base = base.expand(needed[: len(needed) - own])
        if whole.domain_dim > own:
            base = Independent(base, whole.domain_dim - own)
        self.base_dist = base
        cut = len(made) - (whole.codomain_dim + max(own - whole.domain_dim, 0))
        super().__init__(made[:cut], made[cut:], validate_args)
        self.has_rsample = base.has_rsample

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            return self._transformed(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._transformed(self.base_dist.rsample(sample_shape))

    def _transformed(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        y, dim, total = self._checked(value), len(self._event_shape), 0.0
        for transform in reversed(self.transforms):
            x = transform._inverse(y)
            dim += transform.domain_dim - transform.codomain_dim
            total = total - summed(transform.log_abs_det_jacobian(x, y), dim - transform.domain_dim)
            y = x
        return total + summed(self.base_dist.log_prob(y), dim - len(self.base_dist.event_shape))

    def _rises(self, p: Tensor) -> Tensor:
        """A probability, or its complement where the transforms fall."""
        sign = ComposeTransform(self.transforms).sign
        return p if isinstance(sign, int) and sign == 1 else sign * (p - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Tensor:
        for transform in reversed(self.transforms):
            value = transform._inverse(value)
        return self._rises(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        return self._transformed(self.base_dist.icdf(self._rises(value)))

    def expand(self, batch_shape: Sequence[int]) -> Distribution:
        base = self.base_dist.expand((*batch_shape, *self.base_dist.batch_shape[len(self._batch_shape) :]))
        return TransformedDistribution(base, self.transforms, validate_args=False)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Named(TransformedDistribution):
    """A transformed distribution that is known by parameters of its own."""

    def _made(self, base: Distribution, transforms: list[Transform], validate_args: bool | None) -> None:
        TransformedDistribution.__init__(self, base, transforms, validate_args)

    def expand(self, batch_shape: Sequence[int]) -> Distribution:
        given = {name: self.__dict__[name].expand(batch_shape) for name in self.parameters}
        return type(self)(**given, validate_args=False)

    __repr__ = Distribution.__repr__


class _Half(_Named):
    """The distribution of |x|, where x is distributed evenly to both sides of 0."""

    parameters = {"scale": POSITIVE}
    support = ("GreaterThanEq(lower_bound=0.0)", lambda self, value: value >= 0)

    mode = property(lambda self: FUNCTIONS["zeros_like"](self.scale), doc="The most probable value.")

    def cdf(self, value: Tensor) -> Tensor:
        return 2 * self.base_dist.cdf(self._checked(value)) - 1

    def icdf(self, value: Tensor) -> Tensor:
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() - math.log(2)


class HalfNormal(_Half):
    """The distribution of |x|, where x is normal with mean 0 and standard deviation `scale`."""

    def __init__(self, scale: Any, validate_args: bool | None = None):
        (self.scale,) = tensors(scale)
        self._made(Normal(0, self.scale, validate_args=False), [_Folded()], validate_args)

    mean = property(lambda self: self.scale * math.sqrt(2 / math.pi), doc="The mean.")
    variance = property(lambda self: self.scale.pow(2) * (1 - 2 / math.pi), doc="The variance.")

    def __repr__(self) -> str:
        return "HalfNormal()"  # as torch, whose own has no parameters but a normal distribution


class _Folded(Transform):
    """|x| of a symmetric distribution: both halves come together."""

    def _call(self, x: Tensor) -> Tensor:
        return x.abs()

    def _inverse(self, y: Tensor) -> Tensor:
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return FUNCTIONS["full_like"](x, -math.log(2))


class Cauchy(Distribution):
    """The Cauchy distribution with median `loc` and half width at half maximum `scale`."""

    parameters = {"loc": ("Real()", real), "scale": POSITIVE}
    support = ("Real()", lambda self, value: real(value))
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        self.loc, self.scale = tensors(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    mode = property(lambda self: self.loc, doc="The median.")
    mean = property(lambda self: FUNCTIONS["full_like"](self.loc, math.nan), doc="There is none.")
    variance = property(lambda self: FUNCTIONS["full_like"](self.loc, math.inf), doc="It is infinite.")

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = FUNCTIONS["empty"](*self._extended_shape(sample_shape), dtype=self.loc.dtype).cauchy_()
        return self.loc + drawn * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        away = (self._checked(value) - self.loc) / self.scale
        return -math.log(math.pi) - self.scale.log() - FUNCTIONS["log1p"](away**2)

    def cdf(self, value: Tensor) -> Tensor:
        return ((self._checked(value) - self.loc) / self.scale).atan() / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        return (math.pi * (value - 0.5)).tan() * self.scale + self.loc

    def entropy(self) -> Tensor:
        return math.log(4 * math.pi) + self.scale.log()


class HalfCauchy(_Half):
    """The distribution of |x|, where x has a Cauchy distribution with median 0."""

    def __init__(self, scale: Any, validate_args: bool | None = None):
        (self.scale,) = tensors(scale)
        self._made(Cauchy(0, self.scale, validate_args=False), [_Folded()], validate_args)

    mean = property(lambda self: FUNCTIONS["full_like"](self.scale, math.inf), doc="It is infinite.")
    variance = property(lambda self: self.base_dist.variance, doc="It is infinite.")

    def __repr__(self) -> str:
        return "HalfCauchy()"


class Gumbel(_Named):
    """The Gumbel distribution of largest values."""

    parameters = {"loc": ("Real()", real), "scale": POSITIVE}
    support = ("Real()", lambda self, value: real(value))

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        self.loc, self.scale = tensors(loc, scale)
        info = finfo(self.loc.dtype)
        base = Uniform(FUNCTIONS["full_like"](self.loc, info.tiny), FUNCTIONS["full_like"](self.loc, 1 - info.eps), validate_args=False)
        steps = [ExpTransform().inv, AffineTransform(0, -FUNCTIONS["ones_like"](self.scale)), ExpTransform().inv]
        self._made(base, [*steps, AffineTransform(self.loc, -self.scale)], validate_args)

    mean = property(lambda self: self.loc + self.scale * EULER, doc="The mean.")
    mode = property(lambda self: self.loc, doc="The most probable value.")
    stddev = property(lambda self: math.pi / math.sqrt(6) * self.scale, doc="The standard deviation.")
    variance = property(lambda self: self.stddev.pow(2), doc="The variance.")

    def log_prob(self, value: Tensor) -> Tensor:
        y = (self.loc - self._checked(value)) / self.scale
        return (y - y.exp()) - self.scale.log()

    def entropy(self) -> Tensor:
        return self.scale.log() + (1 + EULER)


class Pareto(_Named):
    """The Pareto distribution: density proportional to x^(-alpha - 1) from `scale` on."""

    parameters = {"alpha": POSITIVE, "scale": POSITIVE}
    support = ("GreaterThanEq", lambda self, value: value >= self.scale)

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None):
        self.scale, self.alpha = tensors(scale, alpha)
        self._made(Exponential(self.alpha, validate_args=False), [ExpTransform(), AffineTransform(0, self.scale)], validate_args)

    mode = property(lambda self: self.scale, doc="The most probable value.")

    @property
    def mean(self) -> Tensor:
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    @property
    def variance(self) -> Tensor:
        a = self.alpha.clamp(min=2)
        return self.scale.pow(2) * a / ((a - 1).pow(2) * (a - 2))

    def entropy(self) -> Tensor:
        return (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())


class Weibull(_Named):
    """The Weibull distribution of shape `concentration`."""

    parameters = {"scale": POSITIVE, "concentration": POSITIVE}
    support = ("GreaterThan(lower_bound=0.0)", lambda self, value: value > 0)

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None):
        self.scale, self.concentration = tensors(scale, concentration)
        base = Exponential(FUNCTIONS["ones_like"](self.scale), validate_args=False)
        self._made(base, [PowerTransform(self.concentration.reciprocal()), AffineTransform(0, self.scale)], validate_args)

    mean = property(lambda self: self.scale * self._gamma(1), doc="The mean.")
    variance = property(lambda self: self.scale.pow(2) * (self._gamma(2) - self._gamma(1) ** 2), doc="The variance.")

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        c = self.concentration
        return self.scale * ((c - 1) / c) ** c.reciprocal()

    def _gamma(self, k: int) -> Tensor:
        return FUNCTIONS["lgamma"](1 + k / self.concentration).exp()

    def entropy(self) -> Tensor:
        inverse = self.concentration.reciprocal()
        return EULER * (1 - inverse) + (self.scale * inverse).log() + 1


class Kumaraswamy(_Named):
    """The Kumaraswamy distribution on [0, 1], with the distribution function 1 - (1 - x^concentration1)^concentration0."""

    parameters = {"concentration1": POSITIVE, "concentration0": POSITIVE}
    support = ("Interval(lower_bound=0.0, upper_bound=1.0)", lambda self, value: (value >= 0) & (value <= 1))

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None):
        self.concentration1, self.concentration0 = tensors(concentration1, concentration0)
        zeros, ones = FUNCTIONS["zeros_like"](self.concentration0), FUNCTIONS["ones_like"](self.concentration0)
        steps = [PowerTransform(self.concentration0.reciprocal()), AffineTransform(1.0, -1.0), PowerTransform(self.concentration1.reciprocal())]
        self._made(Uniform(zeros, ones, validate_args=False), steps, validate_args)

    mean = property(lambda self: self._moment(1), doc="The mean.")
    variance = property(lambda self: self._moment(2) - self._moment(1) ** 2, doc="The variance.")

    def _moment(self, n: int) -> Tensor:
        lgamma, b = FUNCTIONS["lgamma"], self.concentration0
        first = 1 + n / self.concentration1
        return b * (lgamma(first) + lgamma(b) - lgamma(first + b)).exp()

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        harmonic = FUNCTIONS["digamma"](b + 1) + EULER
        return (1 - b.reciprocal()) + (1 - a.reciprocal()) * harmonic - a.log() - b.log()


class LogisticNormal(TransformedDistribution):
    """Probabilities of n + 1 classes, made of n normal numbers by breaking a stick."""

    support = ("Simplex()", lambda self, value: (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6))

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        base = Normal(loc, scale, validate_args)
        super().__init__(base if base.batch_shape else base.expand((1,)), StickBreakingTransform(), validate_args)

    loc = property(lambda self: self.base_dist.base_dist.loc, doc="The means of the normal numbers.")
    scale = property(lambda self: self.base_dist.base_dist.scale, doc="Their standard deviations.")
