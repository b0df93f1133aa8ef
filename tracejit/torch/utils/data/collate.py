"""Making batches of examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....errors import at_user_line
from ...dtypes import float64, int64
from ...functions.creation import tensor
from ...functions.joining import stack
from ...tensor import Tensor, wrap


def default_collate(batch: Sequence[Any]) -> Any:
    """The batch of some examples: tensors and arrays are stacked, numbers become a tensor, tuples and dictionaries are gone into, texts stay a list.

    Raises `TypeError` for examples of other types, and `RuntimeError` for such as differ in shape or length.

    >>> from tracejit.torch.utils.data import default_collate
    >>> default_collate([(1, "a"), (2, "b")])
    [tensor([1, 2]), ('a', 'b')]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        if any(t.shape != first.shape for t in batch):
            shapes = sorted({tuple(t.shape) for t in batch})
            raise RuntimeError(at_user_line(f"stack expects each tensor to be equal size, but the examples have shapes {shapes}: give a collate_fn"))
        return stack(list(batch), 0)
    if isinstance(first, np.ndarray | np.generic):
        if first.dtype.kind in "SUO":
            raise TypeError(at_user_line(f"default_collate: batch must contain tensors, numbers, dicts or lists; found an array of {first.dtype}"))
        return default_collate([wrap(np.array(x)) for x in batch])
    if isinstance(first, float):
        return tensor(batch, dtype=float64)
    if isinstance(first, int):
        return tensor(batch, dtype=None if isinstance(first, bool) else int64)
    if isinstance(first, str | bytes):
        return batch if isinstance(batch, tuple) else list(batch)
    if isinstance(first, Mapping):
        return {key: default_collate([example[key] for example in batch]) for key in first}
    if isinstance(first, tuple | list):
        if any(len(example) != len(first) for example in batch):
            raise RuntimeError(at_user_line("each element in list of batch should be of equal size: give a collate_fn for other examples"))
        columns = [default_collate(column) for column in zip(*batch)]
        return type(first)(*columns) if hasattr(first, "_fields") else columns
    raise TypeError(
        at_user_line(f"default_collate: batch must contain tensors, numbers, dicts or lists; found {type(first)}: give a collate_fn for such")
    )


def default_convert(data: Any) -> Any:
    """An example on its own: arrays become tensors, tuples and dictionaries are gone into, anything else stays.

    >>> import numpy as np
    >>> from tracejit.torch.utils.data import default_convert
    >>> default_convert((np.ones(2), "a"))
    [tensor([1., 1.], dtype=torch.float64), 'a']
    """
    if isinstance(data, np.ndarray | np.generic) and data.dtype.kind not in "SUO":
        return wrap(np.array(data))
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, tuple | list):
        parts = [default_convert(value) for value in data]
        return type(data)(*parts) if hasattr(data, "_fields") else parts
    return data
