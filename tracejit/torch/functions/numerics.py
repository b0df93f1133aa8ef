"""Numerical mathematics on tensors: differences, running integrals, statistics without NaN, parts of floating numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import rejection
from ..dispatch import FUNCTIONS, function
from ..return_types import printed_as
from ..tensor import Tensor, wrap
from .operands import axes, axis
from .ordering import median_, quantile


@function("gradient", method=False)
def gradient(input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """The derivative along each dimension by differences of second order, of first or second order (`edge_order`) at the ends.

    `spacing` is the distance of places, one for each dimension, or the coordinates of places as tensors.
    """
    spacing = 1 if spacing is None else spacing
    ndim = input._data.ndim
    dims = tuple(range(ndim)) if dim is None else axes(dim, ndim)
    spacings = list(spacing) if isinstance(spacing, (tuple, list)) else [spacing] * len(dims)
    if len(spacings) != len(dims):
        raise RuntimeError(f"torch.gradient expected spacing to be unspecified, a scalar, or a list of {len(dims)} entries, got {len(spacings)}")
    made = []
    for d, h in zip(dims, spacings):
        n = input._data.shape[d]
        if n < edge_order + 1:
            raise RuntimeError(f"torch.gradient expected each dimension size to be at least edge_order+1, got {n} for dimension {d}")
        made.append(_derivative(input, h, d, n, edge_order))
    return tuple(made)


def _derivative(x: Tensor, h: Any, d: int, n: int, order: int) -> Tensor:
    def at(a: int, b: int) -> Tensor:
        return x.narrow(d, a, b - a)

    shape = [-1 if e == d else 1 for e in range(x._data.ndim)]
    steps = (h[1:] - h[:-1]).reshape(shape) if isinstance(h, Tensor) and h._data.ndim else None

    def step(i: int) -> Any:
        return h if steps is None else steps.narrow(d, i % (n - 1), 1)

    parts = []
    first, last = (at(1, 2) - at(0, 1)) / step(0), (at(n - 1, n) - at(n - 2, n - 1)) / step(-1)
    if order == 2:
        first, last = (
            _one_sided(at(0, 1), at(1, 2), at(2, 3), step(0), step(1)),
            -_one_sided(at(n - 1, n), at(n - 2, n - 1), at(n - 3, n - 2), step(-1), step(-2)),
        )
    parts.append(first)
    if n > 2:
        before, here, after = at(0, n - 2), at(1, n - 1), at(2, n)
        if steps is None:
            parts.append((after - before) / (2 * h))
        else:
            a, b = steps.narrow(d, 0, n - 2), steps.narrow(d, 1, n - 2)
            parts.append(before * (-b / (a * (a + b))) + here * ((b - a) / (a * b)) + after * (a / (b * (a + b))))
    parts.append(last)
    return FUNCTIONS["cat"](parts, d)


def _one_sided(x0: Tensor, x1: Tensor, x2: Tensor, a: Any, b: Any) -> Tensor:
    return x0 * (-(2 * a + b) / (a * (a + b))) + x1 * ((a + b) / (a * b)) - x2 * (a / (b * (a + b)))


@function("cumulative_trapezoid", method=False)
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1.0, dim: int = -1) -> Tensor:
    """The running integral by the trapezoidal rule."""
    d = axis(dim, y._data.ndim)
    n = y._data.shape[d]
    both = y.narrow(d, 1, n - 1) + y.narrow(d, 0, n - 1)
    if x is None:
        return (dx * both).cumsum(d) / 2
    places = x if x._data.ndim > 1 else x.reshape([-1 if e == d else 1 for e in range(y._data.ndim)])
    steps = places.narrow(d if x._data.ndim > 1 else d, 1, n - 1) - places.narrow(d, 0, n - 1)
    return (both * steps).cumsum(d) / 2


@printed_as("nanmedian")
class nanmedian_result(NamedTuple):
    """What `torch.nanmedian` gives."""

    values: Tensor
    indices: Tensor


@function("nanmedian")
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower median of the elements that are not NaN; along `dim`, with its places."""
    if input._data.dtype.kind != "f":
        return median_(input, dim, keepdim)
    if dim is None:
        kept = input[~input.isnan()]
        return median_(kept) if kept._data.size else input.sum() * float("nan")
    d = axis(dim, input._data.ndim)
    if not input._data.ndim:
        return nanmedian_result(input.clone(), wrap(np.zeros((), np.int64)))
    values, places = input.nan_to_num(float("inf"), float("inf"), float("-inf")).sort(d)
    missing = input.isnan()
    counts = (~missing).sum(d, keepdim=True)
    middle = ((counts - 1) // 2).clamp_min(0)
    found, at = values.gather(d, middle), places.gather(d, middle)
    found = found.masked_fill(counts == 0, float("nan"))
    return nanmedian_result(found, at) if keepdim else nanmedian_result(found.squeeze(d), at.squeeze(d))


@function("nanquantile")
def nanquantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """Quantiles of the elements that are not NaN, of all or along `dim`."""
    if not input._data.ndim:
        return quantile(input, q, dim, keepdim, interpolation=interpolation)

    def of(row: Tensor) -> Tensor:
        kept = row[~row.isnan()]
        return quantile(kept if kept._data.size else row[:1], q, interpolation=interpolation)

    if dim is None:
        made = of(input.reshape(-1))
        return made.reshape((*made._data.shape, *(1,) * input._data.ndim)) if keepdim else made
    d = axis(dim, input._data.ndim)
    rows = input.movedim(d, -1)
    lead = rows._data.shape[:-1]
    flat = rows.reshape(-1, rows._data.shape[-1])
    parts = [of(row) for row in flat]
    made = FUNCTIONS["stack"](parts, -1)
    made = made.reshape((*made._data.shape[:-1], *lead))
    return made.unsqueeze(d + made._data.ndim - len(lead)) if keepdim else made


@printed_as("frexp")
class frexp_result(NamedTuple):
    """What `frexp` gives."""

    mantissa: Tensor
    exponent: Tensor


@function("frexp")
def frexp(input: Tensor) -> frexp_result:
    """Mantissas of absolute value in [0.5, 1), and exponents, with input = mantissa * 2 ** exponent."""
    if input._data.dtype.kind != "f":
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    exponent = wrap(np.frexp(input.detach()._array)[1].astype(np.int32))
    return frexp_result(input / FUNCTIONS["pow"](2.0, exponent.to(input.dtype)), exponent)


@printed_as("histogram")
class histogram_result(NamedTuple):
    """What `histogram` gives."""

    hist: Tensor
    bin_edges: Tensor


@function("histogram")
def histogram(input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None, density: bool = False) -> histogram_result:
    """How many elements, or what sum of weights, lie in each bin: so many of one width in `range`, or between edges."""
    array = input.detach()._array.reshape(-1)
    edges = np.asarray(bins.detach()._array) if isinstance(bins, Tensor) else int(bins)
    weights = None if weight is None else weight.detach()._array.reshape(-1)
    counts, edges = np.histogram(array, edges, range, density=density, weights=weights)
    return histogram_result(wrap(counts.astype(array.dtype)), wrap(edges.astype(array.dtype)))


@function("poisson", method=False)
def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Counts of Poisson distributions with these rates."""
    return rejection.poisson(input, generator)


@function("binomial", method=False)
def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """Counts of successes among `count` trials of probability `prob`."""
    return rejection.binomial(count, prob, generator)


@function("put", inplace=True)
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """With elements of `source` in places of the tensor in one row, or added there."""
    if source._data.dtype != input._data.dtype:
        raise RuntimeError(f"put_(): self and source expected to have the same dtype, but got {input.dtype} and {source.dtype}")
    if index._data.size != source._data.size:
        raise RuntimeError(f"put_(): Expected source and index to have the same number of elements, got {source.numel()} and {index.numel()}")
    flat = input.reshape(-1)
    return flat.index_put((index.reshape(-1),), source.reshape(-1), accumulate).reshape(input._data.shape)


@function("nonzero_static")
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The first `size` places of elements that are not zero, as rows; `fill_value` where there are fewer."""
    found = FUNCTIONS["nonzero"](input)._array[:size]
    made = np.full((size, input._data.ndim), fill_value, np.int64)
    made[: len(found)] = found
    return wrap(made)
