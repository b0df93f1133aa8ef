"""Random tensors, in torch's own stream (`tracejit.torch.random`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import residence
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


def _shape(size: Any) -> tuple[int, ...]:
    shape = extents(size)
    if shape and min(shape) < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    return shape


def _require_inexact(d: np.dtype, name: str) -> None:
    if d.kind not in "fc":
        raise NotImplementedError(f'"{name}" not implemented for \'{dtypes.of(d).legacy}\': draw numbers of a floating dtype, and convert them')


def _by_memory(array: Any) -> list[int]:
    """The dimensions of a tensor in the order in which torch goes through its memory: that of the greatest distance first."""
    if type(array) is not np.ndarray or array.flags.c_contiguous:
        return list(range(array.ndim))
    return sorted(range(array.ndim), key=lambda d: -abs(array.strides[d]))


def _laid(drawn: Any, array: Any, order: list[int]) -> Any:
    """Numbers that were drawn one after the other, in the places in which torch writes them into a tensor."""
    if order == sorted(order):
        return drawn.reshape(array.shape)
    return drawn.reshape([array.shape[d] for d in order]).transpose(np.argsort(order))


def _leaf(array: np.ndarray, requires_grad: bool) -> Tensor:
    made = wrap(array)
    return made.requires_grad_() if requires_grad else made


@function("rand", method=False)
def rand(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uniform numbers in [0, 1)."""
    shape, d = _shape(size), _dtype(dtype)
    _require_inexact(d, "check_uniform_bounds")
    if d.kind == "c":
        parts = _source(generator).uniform(2 * math.prod(shape), np.dtype(f"f{d.itemsize // 2}")).reshape(*shape, 2)
        return _leaf((parts[..., 0] + parts[..., 1] * d.type(1j)).astype(d), requires_grad)
    return _leaf(_source(generator).uniform(math.prod(shape), d).reshape(shape), requires_grad)


@function("randn", method=False)
def randn(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Normal numbers of mean 0 and deviation 1."""
    shape, d = _shape(size), _dtype(dtype)
    _require_inexact(d, "normal_kernel_cpu")
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
    shape = _shape((size,)) if not isinstance(size, int) else _shape(size if isinstance(size, tuple) else (size,))
    d = np.dtype(np.int64) if dtype is None else dtypes.as_numpy(dtype)
    _require_range(int(low), int(high), d)
    made = _source(generator).integers(math.prod(shape), int(low), int(high)).reshape(shape)
    return _leaf(made.astype(d), requires_grad)


def _require_range(low: int, high: int, d: np.dtype) -> None:
    """Raise `RuntimeError` where integers in [low, high) do not fit in a dtype."""
    least, most = (-(1 << np.finfo(d).nmant + 1), 1 << np.finfo(d).nmant + 1) if d.kind == "f" else (0, 1) if d.kind == "b" else (
        np.iinfo(d).min, np.iinfo(d).max
    )
    for name, value in (("from", low), ("to - 1", high - 1)):
        if d.kind != "f" and not least <= value <= most:
            raise RuntimeError(f"{name} is out of bounds for {dtypes.of(d).name}: {value} is not in [{least}, {most}]")


@function("randperm", method=False)
def randperm(
    n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """The integers below n in random order."""
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    made = _source(generator).permutation(n)
    return _leaf(made if dtype is None else made.astype(dtypes.as_numpy(dtype)), requires_grad)


def _like(f: Any, name: str, fill: Any) -> None:
    def like(
        input: Tensor,
        *,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        generator: Generator | None = None,
        layout: Any = None,
        memory_format: Any = None,
    ) -> Tensor:
        kind = input.dtype if dtype is None else dtype
        order = _by_memory(input._data)
        if order == sorted(order):
            return f(input._data.shape, dtype=kind, requires_grad=requires_grad, generator=generator)
        room = np.empty([input._data.shape[d] for d in order], dtypes.as_numpy(kind)).transpose(np.argsort(order))
        made = fill(wrap(room), generator=generator)
        return made.requires_grad_() if requires_grad else made

    like.__name__ = like.__qualname__ = name
    like.__doc__ = f"`{name[:-5]}` with the shape and dtype of a tensor."
    function(name, method=False)(like)


_like(rand, "rand_like", lambda t, generator: t.uniform_(generator=generator))
_like(randn, "randn_like", lambda t, generator: t.normal_(generator=generator))


@function("randint_like", method=False)
def randint_like(
    input: Tensor, low: int, high: int | None = None, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, layout: Any = None, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """`randint` with the shape and dtype of a tensor."""
    low, high = (0, low) if high is None else (low, high)
    kind = input.dtype if dtype is None else dtype
    return randint(low, high, input._data.shape, generator=generator, dtype=kind, requires_grad=requires_grad)


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
    if isinstance(std, Tensor):
        if type(std._array) is np.ndarray and (std._array < 0).any():
            raise RuntimeError("normal expects all elements of std >= 0.0")
    elif isinstance(std, (int, float)) and std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    if size is not None:
        shape = _shape((size,))
        return _leaf(_source(generator).normal(math.prod(shape), _dtype(dtype), float(mean), float(std)).reshape(shape), requires_grad)
    like = mean if isinstance(mean, Tensor) else std
    shape = np.broadcast_shapes(*[t._data.shape for t in (mean, std) if isinstance(t, Tensor)])
    return wrap(_source(generator).normal(math.prod(shape), like._data.dtype).reshape(shape)) * std + mean


@function("bernoulli")
def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """Ones with the probabilities that the elements give, else zeros."""
    if input.is_cuda:  # numbers are drawn on the host
        return bernoulli(input.detach().cpu(), p, generator=generator).to(input.device)
    array = input.detach()._array
    if p is not None:
        order = _by_memory(array)
        return wrap(_laid(_coins(array.shape, p, generator), array, order).astype(array.dtype))
    if array.dtype.kind != "f":
        raise NotImplementedError(f'"bernoulli_tensor_cpu_p_" not implemented for \'{input.dtype.legacy}\': probabilities are floating, x.float()')
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
            order = _by_memory(self._data)
            drawn = draw(self, _source(generator), *args, **kwargs)
            overwrite(self, _laid(drawn, self._data, order).astype(self._data.dtype))
            return self

        fill.__name__ = fill.__qualname__ = name
        fill.__doc__ = draw.__doc__
        return function(name, namespace=False)(fill)

    return enter


@_filled("uniform_")
def _uniform(t: Tensor, source: Generator, a: float = 0.0, b: float = 1.0, **limits: float) -> np.ndarray:
    """Fill with uniform numbers in [from, to)."""
    low, high = limits.get("from", a), limits.get("to", b)
    _require_inexact(t._data.dtype, "check_uniform_bounds")
    if low > high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
    return source.uniform(t._data.size, t._data.dtype, low, high)


@_filled("normal_")
def _normal(t: Tensor, source: Generator, mean: float = 0.0, std: float = 1.0) -> np.ndarray:
    """Fill with normal numbers."""
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    _require_inexact(t._data.dtype, "normal_kernel_cpu")
    if type(t._data) is np.ndarray and not t._data.flags.c_contiguous:
        return source.normals_in_turn(t._data.size) * std + mean
    return source.normal(t._data.size, t._data.dtype, mean, std)


@_filled("bernoulli_")
def _bernoulli(t: Tensor, source: Generator, p: Any = 0.5) -> np.ndarray:
    """Fill with ones with probability p, else zeros."""
    if isinstance(p, Tensor):
        try:
            probabilities = np.broadcast_to(residence.on_host(p.detach()._array), t._data.shape)
        except ValueError:
            raise RuntimeError(
                f"The expanded size of the tensor {list(t._data.shape)} must match that of the probabilities, {list(p._data.shape)}"
            ) from None
        work = np.dtype(np.float64 if probabilities.dtype == np.float64 else np.float32)
        order = _by_memory(t._data)
        return source.uniform(t._data.size, work) < probabilities.transpose(order).reshape(-1)
    return _coins(t._data.shape, p, source)


@_filled("random_")
def _random(t: Tensor, source: Generator, low: int = 0, high: int | None = None) -> np.ndarray:
    """Fill with integers in [low, high), or up to the largest of the dtype."""
    d = t._data.dtype
    if high is not None:
        if low >= high:
            raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
        _require_range(low, high, d)
    if high is None:
        largest = 1 if d.kind == "b" else 1 << np.finfo(d).nmant + 1 if d.kind == "f" else np.iinfo(d).max
        low, high = (0, low) if low else (0, int(largest) + 1)
    return source.integers(t._data.size, low, high)


@_filled("exponential_")
def _exponential(t: Tensor, source: Generator, lambd: float = 1.0) -> np.ndarray:
    """Fill with exponential numbers."""
    if t._data.dtype.kind != "f":
        raise RuntimeError(f"Exponential distribution is a continuous probability distribution. dtype must be a floating point but you got {t.dtype}")
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    return -np.log1p(-source.uniform(t._data.size, np.dtype(np.float64))) / lambd


@_filled("geometric_")
def _geometric(t: Tensor, source: Generator, p: float) -> np.ndarray:
    """Fill with the number of trials up to the first success of probability p."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    return np.ceil(np.log(source.uniform(t._data.size, np.dtype(np.float64))) / math.log1p(-p))


@_filled("log_normal_")
def _log_normal(t: Tensor, source: Generator, mean: float = 1.0, std: float = 2.0) -> np.ndarray:
    """Fill with exponentials of normal numbers."""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    return np.exp(source.normals_in_turn(t._data.size) * std + mean)


@_filled("cauchy_")
def _cauchy(t: Tensor, source: Generator, median: float = 0.0, sigma: float = 1.0) -> np.ndarray:
    """Fill with numbers of the Cauchy distribution."""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    return median + sigma * np.tan(math.pi * (source.uniform(t._data.size, np.dtype(np.float64)) - 0.5))


@function("multinomial")
def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Tensor:
    """Places drawn with the weights of the elements of each row. Raises `RuntimeError` for weights that are negative, all zero or not finite."""
    if input.is_cuda:
        return multinomial(input.detach().cpu(), num_samples, replacement, generator=generator).to(input.device)
    if input._data.dtype.kind != "f":
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {input.dtype}: write x.float()")
    if input._data.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, got {input._data.ndim}")
    if num_samples <= 0:
        raise RuntimeError(f"cannot sample n_sample <= 0 samples, got {num_samples}")
    weights = np.atleast_2d(input.detach()._array)
    if not replacement and num_samples > weights.shape[1]:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if type(weights) is np.ndarray:
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
        if weights.size and not (weights.sum(1) > 0).all():
            raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    source = _source(generator)
    if replacement and num_samples > 1:
        weights = weights.astype(np.float64)
        cumulative = np.cumsum(weights, 1) / weights.sum(1, keepdims=True)
        u = source.uniform(len(weights) * num_samples, np.dtype(np.float64)).reshape(len(weights), num_samples)
        made = np.stack([np.searchsorted(c, r, "left") for c, r in zip(cumulative, u)])
    else:
        q = (-np.log1p(-source.uniform(weights.size, np.dtype(np.float64)))).reshape(weights.shape).astype(weights.dtype)
        made = np.argsort(-weights / np.maximum(q, np.finfo(weights.dtype).tiny), 1, kind="stable")[:, :num_samples]
    return wrap(made if input._data.ndim == 2 else made[0])
