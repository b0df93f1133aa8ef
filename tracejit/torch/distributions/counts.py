"""Distributions of counts of trials: binomial, negative binomial, multinomial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..dispatch import FUNCTIONS
from ..functions.indexing import one_hot
from ..modes import no_grad
from ..nn.functional import logsigmoid
from ..tensor import Tensor
from .discrete import Categorical, _OfProbabilities
from .distribution import Distribution, tensors, unit
from .gammas import Gamma

lgamma, log1p = FUNCTIONS["lgamma"], FUNCTIONS["log1p"]
_WHOLE = ("IntegerGreaterThan(lower_bound=0)", lambda value: (value >= 0) & (value % 1 == 0))
_LOGITS = ("Real()", lambda value: value == value)


class Binomial(_OfProbabilities):
    """How many of `total_count` trials succeed, each with probability `probs`.

    >>> from tracejit import torch
    >>> torch.distributions.Binomial(2, torch.tensor(0.5)).log_prob(torch.tensor(1.0)).exp()
    tensor(0.5000)
    """

    parameters = {"total_count": _WHOLE, "probs": ("Interval(lower_bound=0.0, upper_bound=1.0)", unit), "logits": _LOGITS}
    support = ("IntegerInterval", lambda self, value: (value >= 0) & (value <= self.total_count) & (value % 1 == 0))

    def __init__(self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        given = self._take(probs, logits)
        self.total_count, self.__dict__["probs" if logits is None else "logits"] = tensors(total_count, given)
        super().__init__(self.total_count.shape, (), validate_args)

    mean = property(lambda self: self.total_count * self.probs, doc="The mean.")
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs), doc="The variance.")

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        return FUNCTIONS["minimum"](((self.total_count + 1) * self.probs).floor(), self.total_count)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return FUNCTIONS["binomial"](self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        value, n, logits = self._checked(value), self.total_count, self.logits
        positive = (logits.clamp(min=0) + logits - logits.clamp(max=0)) / 2  # half of the slope at zero goes either way
        rest = n * positive + n * log1p((-logits.abs()).exp()) - lgamma(n + 1)
        return value * logits - lgamma(value + 1) - lgamma(n - value + 1) - rest

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, along a first dimension."""
        most = int(self.total_count.max())
        if not bool((self.total_count == most).all()):
            raise NotImplementedError("enumerate_support: all distributions of a batch must have the same total_count")
        values = FUNCTIONS["arange"](1 + most, dtype=self.total_count.dtype).reshape(-1, *(1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values

    def entropy(self) -> Tensor:
        logarithms = self.log_prob(self.enumerate_support(False))
        return -(logarithms.exp() * logarithms).sum(0)


class NegativeBinomial(_OfProbabilities):
    """How many trials succeed, each with probability `probs`, before `total_count` have failed."""

    parameters = {
        "total_count": ("GreaterThanEq(lower_bound=0)", lambda value: value >= 0),
        "probs": ("HalfOpenInterval(lower_bound=0.0, upper_bound=1.0)", lambda value: (value >= 0) & (value < 1)), "logits": _LOGITS,
    }  # fmt: skip
    support = ("IntegerGreaterThan(lower_bound=0)", lambda self, value: _WHOLE[1](value))

    def __init__(self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        given = self._take(probs, logits)
        self.total_count, self.__dict__["probs" if logits is None else "logits"] = tensors(total_count, given)
        super().__init__(self.total_count.shape, (), validate_args)

    mean = property(lambda self: self.total_count * self.logits.exp(), doc="The mean.")
    mode = property(lambda self: ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0), doc="The most probable value.")
    variance = property(lambda self: self.mean / (-self.logits).sigmoid(), doc="The variance.")

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            rate = Gamma(self.total_count, (-self.logits).exp(), validate_args=False).sample(sample_shape)
            return FUNCTIONS["poisson"](rate)

    def log_prob(self, value: Tensor) -> Tensor:
        value, n = self._checked(value), self.total_count
        found = n * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
        ways = -lgamma(n + value) + lgamma(1.0 + value) + lgamma(n)
        return found - ways.masked_fill(n + value == 0.0, 0.0)


class Multinomial(Distribution):
    """How often each class comes up in `total_count` draws."""

    total_count: int
    support = ("Multinomial()", lambda self, value: (value >= 0).all(-1) & (value.sum(-1) <= self.total_count))

    def __init__(self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        if not isinstance(total_count, int):
            raise NotImplementedError(f"Multinomial: total_count must be one integer for the whole batch, got {type(total_count).__name__}")
        self.total_count = total_count
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, (self._categorical._num_events,), validate_args)

    probs = property(lambda self: self._categorical.probs, doc="The probabilities.")
    logits = property(lambda self: self._categorical.logits, doc="The logarithms of the probabilities.")
    mean = property(lambda self: self.probs * self.total_count, doc="The means.")
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs), doc="The variances.")

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = self._categorical.sample((self.total_count, *sample_shape))
        return one_hot(drawn, self._event_shape[0]).sum(0).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        logits, value = FUNCTIONS["broadcast_tensors"](self.logits, self._checked(value))
        logits = logits.masked_fill((value == 0) & (logits == -float("inf")), 0.0)
        return lgamma(value.sum(-1) + 1) - lgamma(value + 1).sum(-1) + (logits * value).sum(-1)

    def entropy(self) -> Tensor:
        n = FUNCTIONS["tensor"](float(self.total_count), dtype=self.probs.dtype)
        of_one = Binomial(self.total_count, self.probs, validate_args=False)
        counts = of_one.enumerate_support(False)[1:]
        return n * self._categorical.entropy() - lgamma(n + 1) + (of_one.log_prob(counts).exp() * lgamma(counts + 1)).sum((0, -1))

    def __repr__(self) -> str:
        return "Multinomial()"
