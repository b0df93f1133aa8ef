"""Random tensors, in torch's own stream (`tracejit.torch.random`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes, random
from ..dispatch import function
from ..inplace import check_writable, overwrite
from ..modes import state
from ..random import Generator
from ..tensor import Tensor, wrap
from .operands import extents


def _source(generator: Generator | None) -> Any:
    if isinstance(generator, _Examples):
        return generator
    source: Any = random.default_generator if generator is None else generator
    for recording in state.recordings:
        if recording.randomness == "error":
            raise RuntimeError(
                "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' randomness flags on vmap: "
                "vmap(..., randomness='same') has the same numbers for all examples. Or draw outside and pass the numbers."
            )
        if recording.randomness == "different":
            source = _Examples(source, recording)
    return source


class _Examples:
    """Draws for each example of a function that is batched, all at once."""

    def __init__(self, source: Any, recording: Any):
        self._source, self._recording = source, recording

    def _rows(self, name: str, n: int, *args: Any) -> Any:
        examples = self._recording.examples
        return self._recording.draw(getattr(self._source, name)(examples * n, *args).reshape(examples, n))

    def uniform(self, n: int, dtype: np.dtype, low: float = 0.0, high: float = 1.0) -> Any:
        return self._rows("uniform", n, dtype, low, high)

    def normal(self, n: int, dtype: np.dtype, mean: float = 0.0, std: float = 1.0) -> Any:
        return self._rows("normal", n, dtype, mean, std)

    def integers(self, n: int, low: int, high: int) -> Any:
        return self._rows("integers", n, low, high)

    def permutation(self, n: int) -> Any:
        return self._recording.draw(np.stack([self._source.permutation(n) for _ in range(self._recording.examples)]))

    def normals_in_turn(self, n: int) -> Any:
        return self._rows("normals_in_turn", n)


def _dtype(dtype: Any) -> np.dtype:
    return dtypes.get_default_dtype().numpy if dtype is None else dtypes.as_numpy(dtype)


def _leaf(array: np.ndarray, requires_grad: bool) -> Tensor:
    made = wrap(array)
    return made.requires_grad_() if requires_grad else made


@function("rand", method=False)
def rand(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False, out: Any = None
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    shape, d = extents(size), _dtype(dtype)
    return _leaf(_source(generator).uniform(math.prod(shape), d).reshape(shape), requires_grad)


@function("randn", method=False)
def randn(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False, out: Any = None
) -> Tensor:
    """Normal numbers of mean 0 and deviation 1."""
    shape, d = extents(size), _dtype(dtype)
    if d.kind == "c":
        parts = _source(generator).normal(2 * math.prod(shape), np.dtype(f"f{d.itemsize // 2}"), 0.0, math.sqrt(0.5)).reshape(*shape, 2)
        return _leaf((parts[..., 0] + parts[..., 1] * d.type(1j)).astype(d), requires_grad)
    return _leaf(_source(generator).normal(math.prod(shape), d).reshape(shape), requires_grad)


@function("randint", method=False)
def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Integers in [low, high): `randint(high, size)` or `randint(low, high, size)`."""
    if size is None and not isinstance(high, int):
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    shape = extents((size,)) if not isinstance(size, int) else (size,)
    made = _source(generator).integers(math.prod(shape), int(low), int(high)).reshape(shape)
    return _leaf(made.astype(np.int64 if dtype is None else dtypes.as_numpy(dtype)), requires_grad)


@function("randperm", method=False)
def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The integers below n in random order."""
    made = _source(generator).permutation(n)
    return _leaf(made if dtype is None else made.astype(dtypes.as_numpy(dtype)), requires_grad)


def _like(f: Any, name: str) -> None:
    def like(
        input: Tensor,
        *,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        generator: Generator | None = None,
        memory_format: Any = None,
    ) -> Tensor:
        return f(input._data.shape, dtype=input.dtype if dtype is None else dtype, requires_grad=requires_grad, generator=generator)

    like.__name__ = like.__qualname__ = name
    like.__doc__ = f"`{name[:-5]}` with the shape and dtype of a tensor."
    function(name, method=False)(like)


_like(rand, "rand_like")
_like(randn, "randn_like")


@function("randint_like", method=False)
def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """`randint` with the shape and dtype of a tensor."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input._data.shape, dtype=input.dtype if dtype is None else dtype, requires_grad=requires_grad)


@function("normal", method=False)
def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers of given means and deviations: numbers with a `size`, or tensors."""
    if size is not None:
        shape = extents((size,))
        return _leaf(_source(generator).normal(math.prod(shape), _dtype(dtype), float(mean), float(std)).reshape(shape), requires_grad)
    like = mean if isinstance(mean, Tensor) else std
    shape = np.broadcast_shapes(*[t._data.shape for t in (mean, std) if isinstance(t, Tensor)])
    return wrap(_source(generator).normal(math.prod(shape), like._data.dtype).reshape(shape)) * std + mean


@function("bernoulli")
def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """Ones with the probabilities that the elements give, else zeros."""
    array = input.detach()._array
    if p is not None:
        return wrap(_coins(array.shape, p, generator).astype(array.dtype))
    if isinstance(array, np.ndarray) and array.size and not (array.min() >= 0 and array.max() <= 1):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    u = _source(generator).uniform(array.size, array.dtype if array.dtype == np.float64 else np.dtype(np.float32)).reshape(array.shape)
    return wrap((u < array).astype(array.dtype))


def _coins(shape: tuple[int, ...], p: float, generator: Generator | None) -> np.ndarray:
    """Booleans that are true with probability p."""
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    return (_source(generator).uniform(math.prod(shape), np.dtype(np.float64)) < p).reshape(shape)


# -- in place
def _filled(name: str) -> Any:
    def enter(draw: Any) -> Any:
        def fill(self: Tensor, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
            check_writable(self)
            overwrite(self, draw(self, _source(generator), *args, **kwargs).reshape(self._data.shape).astype(self._data.dtype))
            return self

        fill.__name__ = fill.__qualname__ = name
        fill.__doc__ = draw.__doc__
        return function(name, namespace=False)(fill)

    return enter


@_filled("uniform_")
def _uniform(t: Tensor, source: Generator, a: float = 0.0, b: float = 1.0, **limits: float) -> np.ndarray:
    """Fill with uniform numbers in [from, to)."""
    low, high = limits.get("from", a), limits.get("to", b)
    if low > high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
    return source.uniform(t._data.size, t._data.dtype, low, high)


@_filled("normal_")
def _normal(t: Tensor, source: Generator, mean: float = 0.0, std: float = 1.0) -> np.ndarray:
    """Fill with normal numbers."""
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    return source.normal(t._data.size, t._data.dtype, mean, std)


@_filled("bernoulli_")
def _bernoulli(t: Tensor, source: Generator, p: Any = 0.5) -> np.ndarray:
    """Fill with ones with probability p, else zeros."""
    if isinstance(p, Tensor):
        probabilities = np.broadcast_to(p.detach()._array, t._data.shape)
        return source.uniform(t._data.size, np.dtype(np.float32)).reshape(t._data.shape) < probabilities
    return _coins(t._data.shape, p, source)


@_filled("random_")
def _random(t: Tensor, source: Generator, low: int = 0, high: int | None = None) -> np.ndarray:
    """Fill with integers in [low, high), or up to the largest of the dtype."""
    d = t._data.dtype
    if high is None:
        largest = 1 if d.kind == "b" else 1 << np.finfo(d).nmant + 1 if d.kind == "f" else np.iinfo(d).max
        low, high = (0, low) if low else (0, int(largest) + 1)
    return source.integers(t._data.size, low, high)


@_filled("exponential_")
def _exponential(t: Tensor, source: Generator, lambd: float = 1.0) -> np.ndarray:
    """Fill with exponential numbers."""
    return -np.log1p(-source.uniform(t._data.size, np.dtype(np.float64))) / lambd


@_filled("geometric_")
def _geometric(t: Tensor, source: Generator, p: float) -> np.ndarray:
    """Fill with the number of trials up to the first success of probability p."""
    return np.ceil(np.log(source.uniform(t._data.size, np.dtype(np.float64))) / math.log1p(-p))


@_filled("log_normal_")
def _log_normal(t: Tensor, source: Generator, mean: float = 1.0, std: float = 2.0) -> np.ndarray:
    """Fill with exponentials of normal numbers."""
    return np.exp(source.normals_in_turn(t._data.size) * std + mean)


@_filled("cauchy_")
def _cauchy(t: Tensor, source: Generator, median: float = 0.0, sigma: float = 1.0) -> np.ndarray:
    """Fill with numbers of the Cauchy distribution."""
    return median + sigma * np.tan(math.pi * (source.uniform(t._data.size, np.dtype(np.float64)) - 0.5))


@function("multinomial")
def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Tensor:
    """Places drawn with the weights of the elements of each row."""
    weights = np.atleast_2d(input.detach()._array).astype(np.float64)
    if not replacement and num_samples > weights.shape[1]:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    source = _source(generator)
    if replacement and num_samples > 1:
        cumulative = np.cumsum(weights, 1) / weights.sum(1, keepdims=True)
        u = source.uniform(len(weights) * num_samples, np.dtype(np.float64)).reshape(len(weights), num_samples)
        made = np.stack([np.searchsorted(c, r, "left") for c, r in zip(cumulative, u)])
    else:
        q = -np.log1p(-source.uniform(weights.size, np.dtype(np.float64))).reshape(weights.shape)
        made = np.argsort(-weights / np.maximum(q, 1e-300), 1, kind="stable")[:, :num_samples]
    return wrap(made if input._data.ndim == 2 else made[0])
