"""What compiled programs make of `conv_general` (conv.py): which of its native forms serves best.

Taps and places that meet nothing but zeros around x (in a deep layer, a picture of one element under 3 x 3 taps) cost nothing.
    Winograd's formula (winograd.py)                 3 x 3 taps that move by one
    a product along channels (picture_products.py)   many channels, two axes or one
    a product along places (taps.py)                 everything else
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..trace import type_of
from .movement import pad, reshape, slice_, transpose
from .picture_products import picture_outer, picture_product
from .taps import as_taps
from .winograd import tile_for, winograd_outer, winograd_product

# The dtypes that have kernels.
COMPILED = (np.dtype(np.float32), np.dtype(np.float64))
# With at least so many channels and outputs vectors run along them, with fewer along the places.
MANY_CHANNELS = 16
# Blocks are cut between rows, so rows are not longer than this there.
WIDEST = 1024


def dilated(n: int, dilation: int) -> int:
    """The length of `n` elements with `dilation - 1` zeros between neighbours."""
    return (n - 1) * dilation + 1 if n else 0


def output_length(n: int, taps: int, stride: int, low: int, high: int, lhs_dilation: int, rhs_dilation: int) -> int:
    """At how many places a row of taps fits into a padded row of `n` elements."""
    return max(0, (dilated(n, lhs_dilation) + low + high - dilated(taps, rhs_dilation)) // stride + 1)


def expand(x: Any, w: Any, strides, padding, lhs_dilation, rhs_dilation, turned: bool = False) -> Any:
    """The result of `conv_general` by other ops; None where the dtype has no kernels, or nothing is computed."""
    sizes, taps = type_of(x).shape[3:], type_of(w).shape[3:]
    axes = (sizes, taps, strides, padding, lhs_dilation, rhs_dilation)
    out = tuple(output_length(n, k, s, *p, ld, rd) for n, k, s, p, ld, rd in zip(*axes))
    outputs = type_of(w).shape[2 if turned else 1]
    if type_of(x).dtype not in COMPILED or 0 in (*type_of(x).shape, *out) or outputs == 0:
        return None
    low = tuple(p[0] for p in padding)
    met = [_met(*axis) for axis in zip(sizes, taps, out, strides, low, lhs_dilation, rhs_dilation)]
    if any(not used for used, _ in met):
        return _zeros(x, (*type_of(x).shape[:2], outputs, *out))
    if type_of(x).shape[0] == 1 and len(out) <= 2:
        got = _AlongChannels(x, w, out, strides, low, lhs_dilation, rhs_dilation, turned).result()
        if got is not None:
            return got
    kept, places = [(u[0], u[-1] + 1) for u, _ in met], [(q[0], q[-1] + 1) for _, q in met]
    if any(b - a < k for (a, b), k in zip(kept, taps)):
        ends = [(k - b, k - a) for (a, b), k in zip(kept, taps)] if turned else kept
        shape = type_of(w).shape
        w = slice_(w, start=(0, 0, 0, *(a for a, _ in ends)), stop=(*shape[:3], *(b for _, b in ends)), step=(1,) * len(shape))
    low = tuple(b - k * rd - q * s for b, (k, _), rd, (q, _), s in zip(low, kept, rhs_dilation, places, strides))
    inner, reach = [b - a for a, b in places], [dilated(b - a, rd) for (a, b), rd in zip(kept, rhs_dilation)]
    high = [(q - 1) * s + r - dilated(n, ld) - b for q, s, r, n, ld, b in zip(inner, strides, reach, sizes, lhs_dilation, low)]
    got = as_taps(x, w, tuple(inner), strides, tuple(zip(low, high)), lhs_dilation, rhs_dilation, turned)
    if any(b - a < q for (a, b), q in zip(places, out)):
        before, behind = (0, 0, 0, *(a for a, _ in places)), (0, 0, 0, *(q - b for (_, b), q in zip(places, out)))
        got = pad(got, low=before, high=behind, interior=(0,) * len(before), value=0)
    return got


def _zeros(x: Any, shape: tuple[int, ...]) -> Any:
    """Zeros in the trace of x."""
    nothing = slice_(x, start=(0,) * len(shape), stop=(0,) * len(shape), step=(1,) * len(shape))
    return pad(nothing, low=(0,) * len(shape), high=shape, interior=(0,) * len(shape), value=0)


def _met(n: int, taps: int, out: int, stride: int, low: int, lhs_dilation: int, rhs_dilation: int) -> tuple[list[int], list[int]]:
    """Along one axis, the taps that look at some element of x from some place, and the places that look at some element."""
    at = np.arange(out)[:, None] * stride + np.arange(taps) * rhs_dilation - low
    inside = (at >= 0) & (at <= (n - 1) * lhs_dilation) & (at % lhs_dilation == 0)
    return np.flatnonzero(inside.any(0)).tolist(), np.flatnonzero(inside.any(1)).tolist()


class _AlongChannels:
    """A convolution of one group by kernels whose vectors run along channels, where these are many; a single axis is the first of two.

    In the derivative by the taps examples and channels of both operands are `exchanged`, and those of the result are exchanged back: there the forms
    of the derivative serve, which need none of that.
    """

    def __init__(self, x, w, out, strides, low, lhs_dilation, rhs_dilation, turned: bool):
        self.line = len(out) == 1
        self.x, self.w, self.turned = x, w, turned
        _, self.examples, self.channels, *_ = type_of(x).shape
        self.outputs = type_of(w).shape[2 if turned else 1]
        self.whole = (self.examples, self.outputs, *out)
        self.sizes, self.taps, self.out = self._two(type_of(x).shape[3:], 1), self._two(type_of(w).shape[3:], 1), self._two(out, 1)
        self.low = self._two(low, 0)
        self.strides, self.lhs_dilation, self.rhs_dilation = (self._two(v, 1) for v in (strides, lhs_dilation, rhs_dilation))
        # One example is not exchanged visibly: then the longer of the two is the cotangent.
        found = _is_swapped(x) and _is_swapped(w) if self.channels > 1 else math.prod(self.taps) > math.prod(self.out)
        self.exchanged = found and not turned and max(self.lhs_dilation) == 1

    def _two(self, values, other: int) -> tuple[int, int]:
        return (*values, other) if self.line else tuple(values)

    def _image(self, a) -> Any:
        return reshape(a, shape=(*type_of(a).shape[1:3], *self._two(type_of(a).shape[3:], 1)))

    def result(self) -> Any:
        """The result, or None where other kernels serve better."""
        if max(self.sizes[1], self.taps[1], self.out[1]) > WIDEST:
            return None
        closely = {*self.strides, *self.lhs_dilation, *self.rhs_dilation} == {1}
        return self._outer(closely) if self.exchanged else self._product(closely)

    def _outer(self, closely: bool) -> Any:
        by_winograd = closely and self.out == (3, 3)
        tile = tile_for(type_of(self.x).dtype, self.examples, self.outputs, self.taps, self.channels) if by_winograd else None
        if tile is None and min(self.examples, self.outputs) < MANY_CHANNELS:
            return None
        x, y = self._image(_swap(self.x)), self._image(_swap(self.w))
        if tile:
            got = winograd_outer(x, y, low=self.low, tile=tile)
        else:
            got = picture_outer(x, y, strides=self.rhs_dilation, low=self.low, rhs_dilation=self.strides, taps=self.out)
        return _swap(reshape(got, shape=(1, self.outputs, self.examples, *self.whole[2:])))

    def _product(self, closely: bool) -> Any:
        by_winograd = closely and self.taps == (3, 3)
        tile = tile_for(type_of(self.x).dtype, self.channels, self.outputs, self.out, self.examples) if by_winograd else None
        if tile:
            got = winograd_product(self._image(self.x), self._image(self.w), low=self.low, out=self.out, tile=tile, turned=self.turned)
        elif min(self.channels, self.outputs) < MANY_CHANNELS or any(1 not in pair for pair in zip(self.strides, self.lhs_dilation)):
            return None
        else:
            params = dict(lhs_dilation=self.lhs_dilation, rhs_dilation=self.rhs_dilation, out=self.out, turned=self.turned)
            got = picture_product(self._image(self.x), self._image(self.w), strides=self.strides, low=self.low, **params)
        return reshape(got, shape=(1, *self.whole))


def _swap(x):
    """Examples (or outputs) and channels exchanged."""
    return transpose(x, permutation=(0, 2, 1, *range(3, type_of(x).ndim)))


def _is_swapped(x: Any) -> bool:
    """Whether examples (or outputs) come after channels in the array that the value is a transpose of."""
    made = x.owner.builder.produced_by(x.atom, transpose)
    return made is not None and made.params["permutation"][1] > made.params["permutation"][2]


__all__ = ["COMPILED", "dilated", "expand", "output_length"]
