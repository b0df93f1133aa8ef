"""Mixtures, and continuous distributions that stand for discrete ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..dispatch import FUNCTIONS
from ..modes import no_grad
from ..tensor import Tensor
from .discrete import Categorical, OneHotCategorical, _clamped, _OfProbabilities
from .distribution import Distribution, tensors, unit
from .transformed import TransformedDistribution
from .transforms import ExpTransform, SigmoidTransform

log1p = FUNCTIONS["log1p"]


class MixtureSameFamily(Distribution):
    """A mixture: a `Categorical` says which component, of those along the last dimension of the batch of another distribution, a value is drawn from.

    >>> from tracejit import torch
    >>> d = torch.distributions
    >>> mixture = d.MixtureSameFamily(d.Categorical(torch.ones(2)), d.Normal(torch.tensor([-1.0, 1.0]), torch.ones(2)))
    >>> mixture.mean
    tensor(0.)
    """

    support = ("MixtureSameFamilyConstraint", lambda self, value: value == value)

    def __init__(self, mixture_distribution: Categorical, component_distribution: Distribution, validate_args: bool | None = None):
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(" The Mixture distribution needs to be an  instance of torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution need to be an instance of torch.distributions.Distribution")
        which, of = tuple(mixture_distribution.batch_shape), tuple(component_distribution.batch_shape)[:-1]
        if any(a != b and a != 1 and b != 1 for a, b in zip(reversed(which), reversed(of))):
            raise ValueError(f"`mixture_distribution.batch_shape` ({which}) is not compatible with `component_distribution.batch_shape`({of})")
        if component_distribution.batch_shape[-1:] != mixture_distribution.logits.shape[-1:]:
            raise ValueError(
                f"`mixture_distribution component` ({mixture_distribution.logits.shape[-1]}) does not equal `component_distribution.batch_shape[-1]` "
                f"({component_distribution.batch_shape[-1]})"
            )
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        self._event_ndims = len(component_distribution.event_shape)
        super().__init__(of, component_distribution.event_shape, validate_args)

    mixture_distribution = property(lambda self: self._mixture_distribution, doc="Which component.")
    component_distribution = property(lambda self: self._component_distribution, doc="The components.")

    def _weights(self) -> Tensor:
        probs = self._mixture_distribution.probs
        return probs.reshape(*probs.shape, *(1,) * self._event_ndims)

    def _padded(self, x: Tensor) -> Tensor:
        return x.unsqueeze(-1 - self._event_ndims)

    @property
    def mean(self) -> Tensor:
        return (self._weights() * self._component_distribution.mean).sum(-1 - self._event_ndims)

    @property
    def variance(self) -> Tensor:
        of, weights = self._component_distribution, self._weights()
        spread = (weights * (of.mean - self._padded(self.mean)).pow(2)).sum(-1 - self._event_ndims)
        return (weights * of.variance).sum(-1 - self._event_ndims) + spread

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            which = self._mixture_distribution.sample(sample_shape)
            drawn = self._component_distribution.sample(sample_shape)
            place = drawn.dim() - 1 - self._event_ndims
            which = which.reshape(*which.shape, *(1,) * (1 + self._event_ndims)).expand((*drawn.shape[:place], 1, *self._event_shape))
            return drawn.gather(place, which).squeeze(place)

    def log_prob(self, value: Tensor) -> Tensor:
        found = self._component_distribution.log_prob(self._padded(self._checked(value)))
        return (found + self._mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)

    def cdf(self, value: Tensor) -> Tensor:
        return (self._component_distribution.cdf(self._padded(value)) * self._mixture_distribution.probs).sum(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self._mixture_distribution},\n  {self._component_distribution})"


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """`OneHotCategorical` with samples that are differentiated as if they were the probabilities (Bengio, Leonard, Courville 2013)."""

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class LogitRelaxedBernoulli(_OfProbabilities):
    """The logits of `RelaxedBernoulli`."""

    parameters = {"probs": ("Interval(lower_bound=0.0, upper_bound=1.0)", unit), "logits": ("Real()", lambda value: value == value)}
    support = ("Real()", lambda self, value: value == value)
    has_rsample = True

    def __init__(self, temperature: Tensor, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        self.temperature = temperature
        super().__init__(self._take(probs, logits).shape, (), validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        probs = _clamped(self.probs.expand(shape))
        u = _clamped(FUNCTIONS["rand"](shape, dtype=probs.dtype))
        return (u.log() - log1p(-u) + probs.log() - log1p(-probs)) / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        logits, value = tensors(self.logits, self._checked(value))
        away = logits - value * self.temperature
        return self.temperature.log() + away - 2 * log1p(away.exp())


class _Relaxed(TransformedDistribution):
    temperature = property(lambda self: self.base_dist.temperature, doc="The lower, the nearer to the discrete distribution.")
    probs = property(lambda self: self.base_dist.probs, doc="The probabilities.")
    logits = property(lambda self: self.base_dist.logits, doc="Their logits.")


class RelaxedBernoulli(_Relaxed):
    """Numbers in (0, 1) that are the nearer to those of `Bernoulli`, the lower the temperature, and are differentiated by its parameters.

    Jang, Gu, Poole 2017; Maddison, Mnih, Teh 2017.
    """

    support = ("Interval(lower_bound=0.0, upper_bound=1.0)", lambda self, value: (value >= 0) & (value <= 1))

    def __init__(self, temperature: Tensor, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        super().__init__(LogitRelaxedBernoulli(temperature, probs, logits), SigmoidTransform(), validate_args)


class ExpRelaxedCategorical(Distribution):
    """The logarithms of `RelaxedOneHotCategorical`."""

    support = ("IndependentConstraint(Real(), 1)", lambda self, value: value == value)
    has_rsample = True

    def __init__(self, temperature: Tensor, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        self.temperature, self._categorical = temperature, Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, (self._categorical._num_events,), validate_args)

    probs = property(lambda self: self._categorical.probs, doc="The probabilities.")
    logits = property(lambda self: self._categorical.logits, doc="Their logarithms.")

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = _clamped(FUNCTIONS["rand"](self._extended_shape(sample_shape), dtype=self.logits.dtype))
        scores = (self.logits - (-u.log()).log()) / self.temperature
        return scores - scores.logsumexp(-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        logits, value = tensors(self.logits, self._checked(value))
        n = self._event_shape[0]
        scale = FUNCTIONS["lgamma"](FUNCTIONS["full_like"](self.temperature, float(n))) + self.temperature.log() * (n - 1)
        score = logits - value * self.temperature
        return (score - score.logsumexp(-1, keepdim=True)).sum(-1) + scale


class RelaxedOneHotCategorical(_Relaxed):
    """Vectors of probabilities that are the nearer to those of `OneHotCategorical`, the lower the temperature, and are differentiated by its
    parameters: the Gumbel-softmax distribution (Jang, Gu, Poole 2017)."""

    support = ("Simplex()", lambda self, value: (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6))

    def __init__(self, temperature: Tensor, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        super().__init__(ExpRelaxedCategorical(temperature, probs, logits, validate_args), ExpTransform(), validate_args)
