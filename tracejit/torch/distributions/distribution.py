"""What distributions have in common: shapes, checks of parameters and values, samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from ..dispatch import FUNCTIONS
from ..dtypes import finfo
from ..modes import no_grad
from ..tensor import Size, Tensor, wrap


def tensors(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape; numbers have the dtype of the tensors, or the default one."""
    dtype = next((v.dtype for v in values if isinstance(v, Tensor)), None)
    made = [v if isinstance(v, Tensor) else FUNCTIONS["tensor"](float(v), dtype=dtype) for v in values]
    return tuple(FUNCTIONS["broadcast_tensors"](*made))


class Distribution:
    """A distribution over values of `event_shape`, or a batch of them of `batch_shape`.

    `parameters` names what `repr` shows, each with the condition that it has to meet; `support` is the one for values. Raises `ValueError` for
    parameters and values that do not meet them, unless `validate_args` is off.
    """

    parameters: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {}
    support: tuple[str, Callable[[Any, Tensor], Tensor]] | None = None
    has_rsample = False
    _default_validate_args = True

    def __init__(self, batch_shape: Sequence[int] = (), event_shape: Sequence[int] = (), validate_args: bool | None = None):
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        self._validate_args = Distribution._default_validate_args if validate_args is None else validate_args
        if not self._validate_args:
            return
        for name, (condition, holds) in self.parameters.items():
            value = self.__dict__.get(name)
            if value is not None and not bool(holds(value).all()):
                raise ValueError(
                    f"Expected parameter {name} (Tensor of shape {tuple(value.shape)}) of distribution {self!r} to satisfy the constraint "
                    f"{condition}, but found invalid values:\n{value}"
                )

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Check parameters and values of distributions that are made from here on, or not."""
        Distribution._default_validate_args = value

    @property
    def batch_shape(self) -> Size:
        """The shape of the batch of distributions."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one value."""
        return self._event_shape

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise NotImplementedError

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.variance.sqrt()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Samples, differentiated by the parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no samples that are differentiated by its parameters: use sample()")

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Samples of shape sample_shape + batch_shape + event_shape, without a history."""
        with no_grad():
            return self.rsample(sample_shape)

    def sample_n(self, n: int) -> Tensor:
        """n samples."""
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability, or density, at values."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The entropy."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to these."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """The values up to which there are these probabilities."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """The exponential of the entropy."""
        return self.entropy().exp()

    def expand(self, batch_shape: Sequence[int]) -> Distribution:
        """The distribution with its parameters expanded to this batch."""
        made = copy(self)
        made.__dict__.update({name: self._expanded(value, batch_shape) for name, value in self.__dict__.items()})
        made._batch_shape = Size(batch_shape)
        return made

    def _expanded(self, value: Any, batch_shape: Sequence[int]) -> Any:
        if isinstance(value, Distribution):
            return value.expand((*batch_shape, *value.batch_shape[len(self._batch_shape) :]))
        own = len(self._batch_shape)
        if isinstance(value, Tensor) and value.shape[:own] == self._batch_shape:
            return value.expand((*batch_shape, *value.shape[own:]))
        return value

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _checked(self, value: Any) -> Tensor:
        """The value, if it is of the support."""
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        if self._validate_args and self.support is not None:
            condition, holds = self.support
            if not bool(holds(self, value).all()):
                raise ValueError(
                    f"Expected value argument (Tensor of shape {tuple(value.shape)}) to be within the support ({condition}) of the distribution "
                    f"{self!r}, but found invalid values:\n{value}"
                )
        return value

    def __repr__(self) -> str:
        shown = [(name, self.__dict__[name]) for name in self.parameters if name in self.__dict__]
        return f"{type(self).__name__}({', '.join(f'{k}: {v if v.numel() == 1 else v.size()}' for k, v in shown)})"


def real(value: Tensor) -> Tensor:
    return value == value


def positive(value: Tensor) -> Tensor:
    return value > 0


def unit(value: Tensor) -> Tensor:
    return (value >= 0) & (value <= 1)


def above_zero(samples: Tensor) -> Tensor:
    """Samples of positive numbers; those that have underflowed are the least normal number, with the derivatives that they had."""
    return samples + (finfo(samples.dtype).tiny - samples.detach()).clamp(min=0)


REAL = ("Real()", lambda self, value: real(value))
POSITIVE = ("GreaterThan(lower_bound=0.0)", positive)


def normal_numbers(shape: Sequence[int], like: Tensor) -> Tensor:
    """Standard normal numbers of the dtype of a tensor."""
    return FUNCTIONS["normal"](wrap(0 * like.detach()._array.reshape(-1)[:1]).expand(shape) * 1, FUNCTIONS["ones"](*shape, dtype=like.dtype))


class Independent(Distribution):
    """A distribution whose last `reinterpreted_batch_ndims` dimensions of the batch belong to the value: log-probabilities are summed over them.

    >>> from tracejit import torch
    >>> base = torch.distributions.Normal(torch.zeros(3), torch.ones(3))
    >>> torch.distributions.Independent(base, 1).log_prob(torch.zeros(3)).shape
    torch.Size([])
    """

    def __init__(self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None):
        n, shape = reinterpreted_batch_ndims, base_distribution.batch_shape
        if n > len(shape):
            raise ValueError(f"Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual {n} vs {len(shape)}")
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, n
        cut = len(shape) - n
        super().__init__(shape[:cut], (*shape[cut:], *base_distribution.event_shape), validate_args)
        self.has_rsample = base_distribution.has_rsample

    def _summed(self, t: Tensor) -> Tensor:
        n = self.reinterpreted_batch_ndims
        return t.sum(tuple(range(-n, 0))) if n else t

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._summed(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        return self._summed(self.base_dist.entropy())

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"
