"""Datasets: what can be indexed, or iterated over, and datasets made of others."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ....errors import at_user_line
from ... import random
from ...random import Generator
from ...tensor import Tensor, wrap


class Dataset:
    """Examples by number. Subclasses define `__getitem__`, and `__len__` where samplers need it.

    >>> from tracejit.torch.utils.data import Dataset
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, i):
    ...         return i * i
    >>> (Squares() + Squares())[4]
    1
    """

    def __class_getitem__(cls, item: Any) -> type:
        return cls  # `Dataset[int]` is a note to readers

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])

    def _batch(self, indices: Sequence[int]) -> Any:
        """What `default_collate` makes of these examples, where it can be had at once; else None."""
        return None

    def _gives_those_of(self, base: type[Dataset]) -> bool:
        """Whether a subclass has left alone how `base` gives its examples."""
        kind = type(self)
        return kind.__getitem__ is base.__getitem__ and getattr(kind, "__getitems__", None) is getattr(base, "__getitems__", None)


class IterableDataset(Dataset):
    """Examples in an order of their own. Subclasses define `__iter__`; with workers, each one iterates (see `get_worker_info`).

    >>> from tracejit.torch.utils.data import DataLoader, IterableDataset
    >>> class Countdown(IterableDataset):
    ...     def __iter__(self):
    ...         return iter([3, 2, 1])
    >>> [batch.tolist() for batch in DataLoader(Countdown(), batch_size=2)]
    [[3, 2], [1]]
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")

    def __add__(self, other: Dataset) -> ChainDataset:
        return ChainDataset([self, other])


class TensorDataset(Dataset):
    """Tensors with one example in each row. Raises `ValueError` where they have different numbers of rows.

    >>> from tracejit import torch
    >>> torch.utils.data.TensorDataset(torch.tensor([1.0, 2.0]), torch.tensor([5, 6]))[1]
    (tensor(2.), tensor(6))
    """

    def __init__(self, *tensors: Tensor):
        if any(t.shape[0] != tensors[0].shape[0] for t in tensors):
            raise ValueError(at_user_line(f"Size mismatch between tensors: they have {', '.join(str(t.shape[0]) for t in tensors)} rows"))
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def _batch(self, indices: Sequence[int]) -> Any:
        if not self._gives_those_of(TensorDataset) or any(t.requires_grad for t in self.tensors):
            return None
        rows = np.asarray(indices, np.intp)
        return [wrap(t._array[rows]) for t in self.tensors]


class StackDataset(Dataset):
    """Datasets side by side: example i is a tuple of theirs, or with keywords a dictionary.

    >>> from tracejit.torch.utils.data import StackDataset
    >>> StackDataset(x=[1, 2], y=["a", "b"])[1]
    {'x': 2, 'y': 'b'}
    """

    def __init__(self, *args: Any, **kwargs: Any):
        if args and kwargs:
            raise ValueError(at_user_line("give the datasets in a row, for tuples, or by name, for dictionaries, but not both"))
        self.datasets: Any = args or kwargs
        lengths = [len(d) for d in (args or kwargs.values())]
        if not lengths:
            raise ValueError(at_user_line("At least one dataset should be passed"))
        if len(set(lengths)) > 1:
            raise ValueError(at_user_line(f"Size mismatch between datasets: they have {lengths} examples"))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: d[index] for name, d in self.datasets.items()}
        return tuple(d[index] for d in self.datasets)

    def __len__(self) -> int:
        return len(next(iter(self.datasets.values())) if isinstance(self.datasets, dict) else self.datasets[0])


class ConcatDataset(Dataset):
    """Datasets one after the other.

    >>> from tracejit.torch.utils.data import ConcatDataset
    >>> ConcatDataset(["ab", "cd"])[2]
    'c'
    """

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError(at_user_line("datasets should not be an empty iterable"))
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise ValueError(at_user_line("ConcatDataset does not support IterableDataset: use ChainDataset"))
        self.cumulative_sizes = list(itertools.accumulate(len(d) for d in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(at_user_line(f"index {index} of a dataset of {len(self)} examples"))
        index %= len(self)
        i = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[i][index - (self.cumulative_sizes[i - 1] if i else 0)]


class ChainDataset(IterableDataset):
    """Iterable datasets one after the other.

    >>> from tracejit.torch.utils.data import ChainDataset
    >>> list(ChainDataset([[1, 2], [3]]))
    [1, 2, 3]
    """

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(len(d) for d in self.datasets)


class Subset(Dataset):
    """Some examples of a dataset, by their numbers.

    >>> from tracejit.torch.utils.data import Subset
    >>> list(Subset("abcd", [3, 0]))
    ['d', 'a']
    """

    def __init__(self, dataset: Any, indices: Sequence[int]):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)

    def _batch(self, indices: Sequence[int]) -> Any:
        if not self._gives_those_of(Subset) or not isinstance(self.dataset, Dataset):
            return None
        return self.dataset._batch([self.indices[i] for i in indices])


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Subsets of a dataset that do not overlap, drawn at random, with torch's order for the same seed.

    lengths: how many examples each has, or which part of them; what is left over by rounding goes one by one to the first.

    >>> from tracejit import torch
    >>> torch.manual_seed(0) and None
    >>> [len(part) for part in torch.utils.data.random_split(range(10), [0.7, 0.3])]
    [7, 3]
    """
    n = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for i, part in enumerate(lengths):
            if not 0 <= part <= 1:
                raise ValueError(at_user_line(f"Fraction at index {i} is not between 0 and 1: {part}"))
        lengths = [math.floor(n * part) for part in lengths]
        for i in range(n - sum(lengths)):
            lengths[i % len(lengths)] += 1
        for i, length in enumerate(lengths):
            if length == 0:
                warnings.warn(at_user_line(f"Length of split at index {i} is 0. This might result in an empty dataset."), stacklevel=2)
    if sum(lengths) != n:
        raise ValueError(at_user_line(f"Sum of input lengths does not equal the length of the input dataset: {list(lengths)} of {n} examples"))
    order = (random.default_generator if generator is None else generator).permutation(n).tolist()
    ends = list(itertools.accumulate(lengths))
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths)]
