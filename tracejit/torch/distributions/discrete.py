"""Distributions over integers and classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dispatch import FUNCTIONS
from ..dtypes import finfo
from ..functions.indexing import one_hot
from ..modes import no_grad
from ..tensor import Tensor
from .distribution import Distribution, tensors, unit


def _clamped(probs: Tensor) -> Tensor:
    """Probabilities that have finite logarithms."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(eps, 1 - eps)


class _OfProbabilities(Distribution):
    """A distribution that is given by `probs` or by `logits`; the other one is computed when it is asked for."""

    def _take(self, probs: Any, logits: Any) -> Tensor:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        (given,) = tensors(probs if logits is None else logits)
        self.__dict__["probs" if logits is None else "logits"] = given
        return given

    def __getattr__(self, name: str) -> Any:
        state = self.__dict__
        if name == "probs" and "logits" in state:
            return state.setdefault(name, self._probs_of(state["logits"]))
        if name == "logits" and "probs" in state:
            return state.setdefault(name, self._logits_of(state["probs"]))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @staticmethod
    def _probs_of(logits: Tensor) -> Tensor:
        return logits.sigmoid()

    @staticmethod
    def _logits_of(probs: Tensor) -> Tensor:
        clamped = _clamped(probs)
        return clamped.log() - FUNCTIONS["log1p"](-clamped)


class Bernoulli(_OfProbabilities):
    """One with probability `probs`, else zero."""

    parameters = {"probs": ("Interval(lower_bound=0.0, upper_bound=1.0)", unit), "logits": ("Real()", lambda value: value == value)}
    support = ("Boolean()", lambda self, value: (value == 0) | (value == 1))

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        super().__init__(self._take(probs, logits).shape, (), validate_args)

    mean = property(lambda self: self.probs, doc="The mean.")
    variance = property(lambda self: self.probs * (1 - self.probs), doc="The variance.")

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            return FUNCTIONS["bernoulli"](self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        from ..nn.functional import binary_cross_entropy_with_logits

        logits, value = FUNCTIONS["broadcast_tensors"](self.logits, self._checked(value))
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        from ..nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")


class Categorical(_OfProbabilities):
    """The number of a class, with the probabilities of the last dimension: `probs`, which are divided by their sum, or logits.

    >>> from tracejit import torch
    >>> torch.distributions.Categorical(torch.tensor([1.0, 1.0, 2.0])).log_prob(torch.tensor(2)).exp()
    tensor(0.5000)
    """

    parameters = {"probs": ("Simplex()", lambda value: value >= 0), "logits": ("IndependentConstraint(Real(), 1)", lambda value: value == value)}
    support = ("IntegerInterval", lambda self, value: (value >= 0) & (value < self._num_events) & (value % 1 == 0))

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        given = self._take(probs, logits)
        if given.dim() < 1:
            raise ValueError(f"`{'probs' if logits is None else 'logits'}` parameter must be at least one-dimensional.")
        self._num_events = given.shape[-1]
        if logits is None:
            if validate_args is not False and bool((given < 0).any()):
                raise ValueError(f"Expected parameter probs of distribution Categorical to satisfy the constraint Simplex(), but found:\n{given}")
            self.probs = given / given.sum(-1, keepdim=True)
        else:
            self.logits = given - given.logsumexp(-1, keepdim=True)
        super().__init__(given.shape[:-1], (), validate_args)

    @staticmethod
    def _probs_of(logits: Tensor) -> Tensor:
        return logits.softmax(-1)

    @staticmethod
    def _logits_of(probs: Tensor) -> Tensor:
        return _clamped(probs).log()

    mode = property(lambda self: self.probs.argmax(-1), doc="The most probable class.")

    @property
    def mean(self) -> Tensor:
        return FUNCTIONS["full"](self._extended_shape(), float("nan"), dtype=self.probs.dtype)

    variance = mean

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        count = int(np.prod(sample_shape, dtype=np.int64))
        with no_grad():
            rows = FUNCTIONS["multinomial"](self.probs.reshape(-1, self._num_events), count, True)
            return rows.T.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        value = self._checked(value).long().unsqueeze(-1)
        shape = FUNCTIONS["broadcast_shapes"](value.shape[:-1], self.logits.shape[:-1])
        logits = self.logits.expand((*shape, self._num_events))
        return logits.gather(-1, value.expand((*shape, 1))).squeeze(-1)

    def entropy(self) -> Tensor:
        logits = self.logits.clamp(min=finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)


class OneHotCategorical(Distribution):
    """As `Categorical`, with one-hot vectors as values."""

    support = ("OneHot()", lambda self, value: ((value == 0) | (value == 1)).all(-1) & (value.sum(-1) == 1))

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, (self._categorical._num_events,), validate_args)

    probs = mean = property(lambda self: self._categorical.probs, doc="The probabilities.")
    logits = property(lambda self: self._categorical.logits, doc="The logarithms of the probabilities.")
    variance = property(lambda self: self.probs * (1 - self.probs), doc="The variances of the entries.")

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return one_hot(self._categorical.sample(sample_shape), self._event_shape[0]).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._categorical.log_prob(self._checked(value).argmax(-1))

    def entropy(self) -> Tensor:
        return self._categorical.entropy()


class Geometric(_OfProbabilities):
    """The number of failures before the first success of probability `probs`."""

    parameters = {"probs": ("Interval(lower_bound=0.0, upper_bound=1.0)", unit), "logits": ("Real()", lambda value: value == value)}
    support = ("IntegerGreaterThan(lower_bound=0)", lambda self, value: (value >= 0) & (value % 1 == 0))

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        super().__init__(self._take(probs, logits).shape, (), validate_args)

    mean = property(lambda self: 1.0 / self.probs - 1.0, doc="The mean.")
    variance = property(lambda self: (1.0 / self.probs - 1.0) / self.probs, doc="The variance.")

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            u = FUNCTIONS["rand"](shape, dtype=self.probs.dtype).clamp(min=finfo(self.probs.dtype).tiny)
            return (u.log() / FUNCTIONS["log1p"](-self.probs.expand(shape))).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        value, probs = FUNCTIONS["broadcast_tensors"](self._checked(value), self.probs)
        return value * FUNCTIONS["log1p"](-probs) + probs.log()

    def entropy(self) -> Tensor:
        return Bernoulli(self.probs, validate_args=False).entropy() / self.probs


class Poisson(Distribution):
    """The distribution of counts with mean `rate`."""

    parameters = {"rate": ("GreaterThanEq(lower_bound=0.0)", lambda value: value >= 0)}
    support = ("IntegerGreaterThan(lower_bound=0)", lambda self, value: (value >= 0) & (value % 1 == 0))

    def __init__(self, rate: Any, validate_args: bool | None = None):
        (self.rate,) = tensors(rate)
        super().__init__(self.rate.shape, (), validate_args)

    mean = variance = property(lambda self: self.rate, doc="The mean, which is the variance too.")

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            return FUNCTIONS["poisson"](self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        rate, value = FUNCTIONS["broadcast_tensors"](self.rate, self._checked(value))
        return FUNCTIONS["xlogy"](value, rate) - rate - FUNCTIONS["lgamma"](value + 1)
