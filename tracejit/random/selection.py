"""Orders and choices: permutations, samples with and without replacement, categories."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from .. import residence
from ..errors import at_user_line
from ..numpy.promotion import as_array
from ..ops.elementwise import convert
from ..ops.sorting import argsort
from ..trace import type_of
from .draws import FLOAT, detached, draw, floating, integral, parameter
from .flat import randint, unit
from .inversion import standard_gumbel
from .keys import as_key, as_shape, words


def order(key: Any, shape: tuple[int, ...], axis: int) -> Any:
    """Random orders of the positions along an axis: those of random words, of which two are equal once in 2^64 / n^2 times."""
    return argsort(words(key, shape), axis=axis, descending=False)


def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False) -> Any:
    """`x` in a random order along `axis`, or `arange(x)` for an integer. With `independent` each line along the axis has an order of its own.

    >>> import tracejit as tj
    >>> sorted(int(i) for i in tj.random.permutation(tj.random.key(0), 4))
    [0, 1, 2, 3]
    """
    key, x = as_key(key, "permutation"), as_array(x)
    (key,) = residence.gathered([key], [x])
    type_ = type_of(x)
    if not type_.shape:
        return draw(_positions, key, (), (_count(x, "permutation"),), np.dtype(np.int64))
    if not -type_.ndim <= axis < type_.ndim:
        raise ValueError(at_user_line(f"permutation: axis {axis} does not exist in an array of shape {type_.shape}"))
    axis %= type_.ndim
    if independent:
        return np.take_along_axis(x, order(key, type_.shape, axis), axis)
    return np.take(x, draw(_positions, key, (), (type_.shape[axis],), np.dtype(np.int64)), axis)


def _positions(key, *, shape, dtype):
    return order(key, shape, 0)


def _count(x: Any, what: str) -> int:
    try:
        return operator.index(x)
    except TypeError:
        raise TypeError(at_user_line(f"{what}: expected an array, or one integer that is known while tracing, got {type_of(x)}")) from None


def choice(key: Any, a: Any, shape: Any = (), replace: bool = True, p: Any = None, axis: int = 0) -> Any:
    """Elements of `a` along `axis`, or of `arange(a)`, in the places of `shape`; each with the same probability, or that in `p` of shape (n,).

    Without replacement no element comes twice, and those with the probability 0 only when there are no others.
    Raises `ValueError` for a choice of more elements than there are, or none to choose from.

    >>> import numpy as np, tracejit as tj
    >>> tj.random.choice(tj.random.key(0), np.array([2.0, 4.0, 8.0]), (2,), replace=False).size
    2
    """
    key, a, shape = as_key(key, "choice"), as_array(a), as_shape(shape, "choice")
    (key,) = residence.gathered([key], [a])
    n = type_of(a).shape[axis] if type_of(a).ndim else _count(a, "choice")
    size = math.prod(shape)
    if n <= 0 and size:
        raise ValueError(at_user_line("choice: there is nothing to choose from"))
    if not replace and size > n:
        raise ValueError(at_user_line(f"choice: cannot take {size} of {n} elements without replacement"))
    if p is not None:
        p = detached(parameter(p, FLOAT, "choice"))
        if type_of(p).shape != (n,):
            raise ValueError(at_user_line(f"choice: p has shape {type_of(p).shape}, expected ({n},)"))
    places = np.reshape(_places(key, n, size, replace, p), shape)
    return np.take(a, places, axis) if type_of(a).ndim else places


def _places(key: Any, n: int, size: int, replace: bool, p: Any) -> Any:
    if p is None:
        return randint(key, (size,), 0, n) if replace else draw(_positions, key, (), (n,), np.dtype(np.int64))[:size]
    if replace:
        total = np.cumsum(p)
        found = np.searchsorted(total, draw(_units, key, (), (size,), FLOAT) * total[-1], side="right")
        return np.minimum(found, n - 1)
    # The largest of logarithms with Gumbel noise are a sample without replacement (Yellott 1977).
    with np.errstate(divide="ignore"):
        noisy = np.log(p) + draw(standard_gumbel, key, (), (n,), FLOAT)
    return argsort(-noisy, axis=0, descending=False)[:size]


def _units(key, *, shape, dtype):
    return unit(key, shape, dtype)


def categorical(key: Any, logits: Any, axis: int = -1, shape: Any = None, dtype: Any = np.int64) -> Any:
    """Positions along `axis` of `logits`, with probabilities proportional to their exponentials. `shape` is that of the result.

    >>> import numpy as np, tracejit as tj
    >>> tj.random.categorical(tj.random.key(0), np.array([-np.inf, 0.0, -np.inf]))
    np.int64(1)
    """
    dtype, key, logits = integral(dtype, "categorical"), as_key(key, "categorical"), as_array(logits)
    (key,) = residence.gathered([key], [logits])
    logits = detached(parameter(logits, FLOAT if type_of(logits).dtype.kind != "f" else type_of(logits).dtype, "categorical"))
    if not type_of(logits).ndim:
        raise ValueError(at_user_line("categorical: logits have at least one axis, got a number"))
    moved = np.moveaxis(logits, axis, -1)
    *batch, n = type_of(moved).shape
    shape = tuple(batch) if shape is None else as_shape(shape, "categorical")
    noise = draw(standard_gumbel, key, (), (*shape, n), floating(type_of(moved).dtype, "categorical"))
    return convert(np.argmax(moved + noise, axis=-1), dtype=dtype)


__all__ = ["categorical", "choice", "permutation"]
