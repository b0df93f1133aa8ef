"""Samplers: in which order the examples of a dataset are taken, in torch's own random order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

import numpy as np

from ....errors import at_user_line
from ... import random
from ...functions.random import multinomial
from ...random import Generator
from ...tensor import Tensor, wrap

_BLOCK = 32  # how many numbers torch draws at a time with replacement, which decides the order


def draw_seed(generator: Generator | None = None) -> int:
    """A seed of 63 bits from a stream, by default the global one."""
    source = random.default_generator if generator is None else generator
    return int(source.long_words(1)[0]) & ((1 << 63) - 1)


class Sampler:
    """An order of examples, anew each time it is iterated over. Subclasses define `__iter__`, and `__len__` where it is known."""

    def __class_getitem__(cls, item: Any) -> type:
        return cls

    def __init__(self, data_source: Any = None):
        pass

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")


class SequentialSampler(Sampler):
    """One after the other.

    >>> from tracejit.torch.utils.data import SequentialSampler
    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """At random: all once, or with `replacement` each independent of the others; `num_samples` of them, by default as many as there are.

    >>> from tracejit import torch
    >>> g = torch.Generator().manual_seed(0)
    >>> list(torch.utils.data.RandomSampler(range(4), generator=g))
    [0, 1, 3, 2]
    """

    def __init__(self, data_source: Sized, replacement: bool = False, num_samples: int | None = None, generator: Generator | None = None):
        self.data_source, self.replacement, self._num_samples, self.generator = data_source, replacement, num_samples, generator
        if not isinstance(replacement, bool):
            raise TypeError(at_user_line(f"replacement should be a boolean value, but got replacement={replacement}"))
        _positive("num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many examples are drawn."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, source = len(self.data_source), self.generator
        if source is None:
            source = Generator().manual_seed(draw_seed())
        left = self.num_samples
        while left > 0 or not self.replacement:
            if self.replacement:
                drawn = source.integers(min(left, _BLOCK), 0, n).tolist()
            else:
                drawn = source.permutation(n).tolist()  # one is drawn, too, of which nothing is left to take
            yield from drawn[:left]
            if left < len(drawn):
                return
            left -= len(drawn)

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """These examples, at random, all once.

    >>> from tracejit import torch
    >>> g = torch.Generator().manual_seed(0)
    >>> list(torch.utils.data.SubsetRandomSampler([10, 20, 30, 40], generator=g))
    [10, 20, 40, 30]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None):
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        source = random.default_generator if self.generator is None else self.generator
        for i in source.permutation(len(self.indices)).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """At random by weights, which need not add up to 1.

    >>> from tracejit.torch.utils.data import WeightedRandomSampler
    >>> list(WeightedRandomSampler([0.0, 3.0, 0.0], 2))
    [1, 1]
    """

    def __init__(self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator: Generator | None = None):
        _positive("num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(at_user_line(f"replacement should be a boolean value, but got replacement={replacement}"))
        array = np.asarray(weights.detach().numpy() if isinstance(weights, Tensor) else weights, np.float64)
        if array.ndim != 1:
            raise ValueError(at_user_line(f"weights should be a 1d sequence but given weights have shape {array.shape}"))
        self.weights, self.num_samples, self.replacement, self.generator = wrap(array), num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        return iter(multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` examples of another sampler; a last one that is shorter is left out with `drop_last`.

    >>> from tracejit.torch.utils.data import BatchSampler
    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool):
        _positive("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(at_user_line(f"drop_last should be a boolean value, but got drop_last={drop_last}"))
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        return len(self.sampler) // self.batch_size if self.drop_last else -(-len(self.sampler) // self.batch_size)


def _positive(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(at_user_line(f"{name} should be a positive integer value, but got {name}={value}"))
