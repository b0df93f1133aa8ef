"""Convolutions as products of matrices: the windows of x, with an axis for each tap, times the taps.

The windows are written by one kernel, which pads and dilates on the way, along the lines of x; cuBLAS does the rest.  Where each output has one
channel alone, the product is a sum over few taps, which no matrix is made for.
"""

from __future__ import annotations

import math

from ...ir import ArrayType
from ...ops.conv import output_length
from ...ops.core import define
from ...ops.dot import dot_general
from ...ops.movement import broadcast_to, pad, reshape, reverse, slice_, transpose
from ...ops.reduction import reduce_sum
from ...trace import Tracer, type_of


def _infer_windows(x, taps, out, strides, dilation):
    groups, examples, channels = x.shape[:3]
    return ArrayType((groups, channels, *taps, examples, *out), x.dtype)


def _run_windows(xp, x, taps, out, strides, dilation):
    step = x.strides
    inner = tuple(s * d for s, d in zip(step[3:], dilation))
    outer = tuple(s * d for s, d in zip(step[3:], strides))
    shape = _infer_windows(ArrayType(x.shape, x.dtype), taps, out, strides, dilation).shape
    return xp.array(xp.lib.stride_tricks.as_strided(x, shape, (step[0], step[2], *inner, step[1], *outer)))


def _lower_windows(k, xs, index, taps, out, strides, dilation):
    group, channel, *rest = index
    tap, (example, *place) = rest[: len(taps)], rest[len(taps) :]
    return xs[0][(group, example, channel, *(q * s + t * d for q, s, t, d in zip(place, strides, tap, dilation)))]


# (groups, examples, channels, *positions) -> (groups, channels, *taps, examples, *out); made here, after every derivative has been taken.
windows = define("cuda.windows", infer=_infer_windows, run=_run_windows, lower=_lower_windows)


def convolution(x: Tracer, w: Tracer, strides, padding, lhs_dilation, rhs_dilation, turned=False) -> Tracer | None:
    """`conv_general` of a compiled program; None where there is nothing to compute."""
    if turned:
        rank = type_of(w).ndim
        w = reverse(transpose(w, permutation=(0, 2, 1, *range(3, rank))), axes=tuple(range(3, rank)))
    groups, examples, channels, *sizes = type_of(x).shape
    outputs, taps = type_of(w).shape[1], type_of(w).shape[3:]
    out = tuple(output_length(n, k, s, *p, ld, rd) for n, k, s, p, ld, rd in zip(sizes, taps, strides, padding, lhs_dilation, rhs_dilation))
    if not math.prod((groups, examples, channels, outputs, *out)):
        return None
    around = windows(_padded(x, padding, lhs_dilation), taps=taps, out=out, strides=strides, dilation=rhs_dilation)
    inner, places = channels * math.prod(taps), examples * math.prod(out)
    if channels == 1:
        spread = (groups, outputs, inner, places)
        a = broadcast_to(reshape(around, shape=(groups, 1, inner, places)), shape=spread)
        b = broadcast_to(reshape(w, shape=(groups, outputs, inner, 1)), shape=spread)
        made = reduce_sum(a * b, axes=(2,))
    else:
        flat, rows = reshape(around, shape=(groups, inner, places)), reshape(w, shape=(groups, outputs, inner))
        made = _product(rows, flat)
    shaped = reshape(made, shape=(groups, outputs, examples, *out))
    return transpose(shaped, permutation=(0, 2, 1, *range(3, 3 + len(out))))


def _product(a: Tracer, b: Tracer) -> Tracer:
    """Of matrices, one for each group."""
    if type_of(a).shape[0] > 1:
        return dot_general(a, b, contract=((2,), (1,)), batch=((0,), (0,)))
    (m, k), n = type_of(a).shape[1:], type_of(b).shape[2]
    return reshape(dot_general(reshape(a, shape=(m, k)), reshape(b, shape=(k, n)), contract=((1,), (0,)), batch=((), ())), shape=(1, m, n))


def _padded(x: Tracer, padding, dilation) -> Tracer:
    """x with zeros between and around its elements, cut where the padding is negative."""
    low, high = ((0, 0, 0, *(max(0, p[side]) for p in padding)) for side in (0, 1))
    wide = pad(x, low=low, high=high, interior=(0, 0, 0, *(d - 1 for d in dilation)), value=x.dtype.type(0).item())
    start = (0, 0, 0, *(max(0, -p[0]) for p in padding))
    stop = tuple(n - cut for n, cut in zip(type_of(wide).shape, (0, 0, 0, *(max(0, -p[1]) for p in padding))))
    return slice_(wide, start=start, stop=stop, step=(1,) * len(stop))


__all__ = ["convolution", "windows"]
