"""`conv_general(x, w, strides, padding, lhs_dilation, rhs_dilation, turned)`: the one convolution (a correlation, as neural networks mean it).

    x   (groups, examples, channels, *positions)      w   (groups, outputs, channels, *taps)

    y[g, n, o, q] = sum over c, k of  X[g, n, c, q * strides + k * rhs_dilation - low] * w[g, o, c, k]

where X is x with `lhs_dilation - 1` zeros between neighbours, and zero outside; `padding` has a pair (low, high) for each axis of positions, negative
where x is cut.  Any number of such axes.  `turned`: w is given as its own transposed convolution has it, (groups, channels, outputs, *taps) with the
taps in reverse, so that nobody needs to copy it.  With the groups as an axis of their own the family is closed: the derivative with respect to x is a
convolution with the taps turned round and strides and dilation of x exchanged, that with respect to w one of x with the cotangent, examples in the
place of channels; a batch is one more axis of groups, examples or outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType
from ..trace import type_of
from .conv_expansion import COMPILED, dilated, expand, output_length
from .core import Linear, Op, add_tangents, define
from .movement import reshape, reverse, transpose

# Set by lowering/eager.py: what computes a large convolution of plain arrays; and how many multiplications that is.
natively: Callable[[Op, tuple, dict[str, Any]], Any] | None = None
LARGE = 1_000_000


def _infer(x, w, strides, padding, lhs_dilation, rhs_dilation, turned=False):
    if x.dtype != w.dtype:
        raise TypeError(at_user_line(f"a convolution needs equal dtypes, got {x} and {w}"))
    if x.dtype.kind not in "iufc":
        raise TypeError(at_user_line(f"conv_general is not defined for dtype {x.dtype}"))
    if x.ndim != w.ndim or x.ndim < 4:
        wanted = "(groups, examples, channels, *positions) and (groups, outputs, channels, *taps)"
        raise ValueError(at_user_line(f"conv_general takes {wanted}, got {x} and {w}"))
    outputs, channels = w.shape[1:3][:: -1 if turned else 1]
    if x.shape[0] != w.shape[0] or x.shape[2] != channels:
        raise ValueError(at_user_line(f"groups and channels of {x.shape} and {w.shape} do not match"))
    if any(k == 0 for k in w.shape[3:]) or any(min(t) < 1 for t in (strides, lhs_dilation, rhs_dilation)):
        raise ValueError(at_user_line("a convolution needs at least one tap along every axis, and positive strides and dilations"))
    if not len(strides) == len(padding) == len(lhs_dilation) == len(rhs_dilation) == x.ndim - 3:
        raise ValueError(at_user_line(f"a convolution over {x.ndim - 3} axes needs as many strides, paddings and dilations"))
    lengths = [
        output_length(n, k, s, *p, ld, rd) for n, k, s, p, ld, rd in zip(x.shape[3:], w.shape[3:], strides, padding, lhs_dilation, rhs_dilation)
    ]
    return ArrayType((x.shape[0], x.shape[1], outputs, *lengths), x.dtype)


def _run(xp, x, w, strides, padding, lhs_dilation, rhs_dilation, turned=False):
    params = dict(strides=strides, padding=padding, lhs_dilation=lhs_dilation, rhs_dilation=rhs_dilation, turned=turned)
    if xp is np and natively is not None and x.dtype in COMPILED:
        places = math.prod(_infer(ArrayType(x.shape, x.dtype), ArrayType(w.shape, w.dtype), **params).shape[3:])
        if x.shape[1] * places * w.size >= LARGE:
            return natively(conv_general, (x, w), params)
    return reference(xp, x, w, **params)


def reference(xp, x, w, strides, padding, lhs_dilation, rhs_dilation, turned):
    """What a convolution means: all windows, as the rows of a matrix product."""
    if turned:
        w = xp.flip(xp.swapaxes(w, 1, 2), tuple(range(3, w.ndim)))
    groups, examples, channels, *_ = x.shape
    out = _infer(ArrayType(x.shape, x.dtype), ArrayType(w.shape, w.dtype), strides, padding, lhs_dilation, rhs_dilation).shape
    taps = w.shape[3:]
    for d, ((low, high), gap) in enumerate(zip(padding, lhs_dilation), 3):
        n = dilated(x.shape[d], gap)
        spread = xp.zeros((*x.shape[:d], max(0, n + low + high), *x.shape[d + 1 :]), x.dtype)
        first = max(0, -(low // gap))  # the first element that is not cut, and how many are left
        count = max(0, min(x.shape[d], -((low - spread.shape[d]) // gap)) - first)
        if count:
            inside = (slice(None),) * d
            at = low + first * gap
            spread[(*inside, slice(at, at + (count - 1) * gap + 1, gap))] = x[(*inside, slice(first, first + count))]
        x = spread
    if 0 in out:
        return xp.zeros(out, x.dtype)
    steps = x.strides[3:]
    window = xp.lib.stride_tricks.as_strided(
        x,
        (groups, examples, *out[3:], channels, *taps),
        (*x.strides[:2], *(s * k for s, k in zip(steps, strides)), x.strides[2], *(s * k for s, k in zip(steps, rhs_dilation))),
    )
    places, inner = math.prod(out[3:]), channels * math.prod(taps)
    flat = xp.reshape(window, (groups, examples * places, inner))
    product = xp.matmul(flat, xp.swapaxes(xp.reshape(w, (groups, w.shape[1], inner)), 1, 2))
    return xp.moveaxis(xp.reshape(product, (groups, examples, *out[3:], w.shape[1])), -1, 2)


def _jvp(primals, out, tangents, **params):
    (x, w), (tx, tw) = primals, tangents
    return add_tangents(None if tx is None else conv_general(tx, w, **params), None if tw is None else conv_general(x, tw, **params))


def _swap(x):
    """Examples (or outputs) and channels exchanged."""
    return transpose(x, permutation=(0, 2, 1, *range(3, type_of(x).ndim)))


def _transpose(ct, x, w, strides, padding, lhs_dilation, rhs_dilation, turned=False):
    sizes, taps, out = x.shape[3:], (w.shape if isinstance(w, Linear) else type_of(w).shape)[3:], type_of(ct).shape[3:]
    spans = [(dilated(n, ld), dilated(k, rd), dilated(q, s)) for n, k, q, s, ld, rd in zip(sizes, taps, out, strides, lhs_dilation, rhs_dilation)]
    if isinstance(x, Linear):
        around = tuple((k - 1 - low, n + low - q) for (n, k, q), (low, _) in zip(spans, padding))
        got = conv_general(ct, w, strides=lhs_dilation, padding=around, lhs_dilation=strides, rhs_dilation=rhs_dilation, turned=not turned)
        return got, None
    around = tuple((low, k + q - 1 - n - low) for (n, k, q), (low, _) in zip(spans, padding))
    exchanged = dict(strides=rhs_dilation, lhs_dilation=lhs_dilation, rhs_dilation=strides)
    got = conv_general(_swap(x), _swap(ct), padding=around, turned=False, **exchanged)  # (groups, channels, outputs, *taps)
    return None, reverse(got, axes=tuple(range(3, 3 + len(taps)))) if turned else _swap(got)


def _batch(args, batched, **params):
    x, w = args
    (sx, sw), rest = (type_of(a).shape for a in args), tuple(range(4, max(type_of(a).ndim for a in args)))
    if all(batched):
        merged = conv_general(reshape(x, shape=(sx[0] * sx[1], *sx[2:])), reshape(w, shape=(sw[0] * sw[1], *sw[2:])), **params)
        return reshape(merged, shape=(sx[0], sx[1], *type_of(merged).shape[1:]))
    if batched[0]:  # the batch joins the examples
        n, groups, examples, *inner = sx
        joined = reshape(transpose(x, permutation=(1, 0, 2, 3, *rest)), shape=(groups, n * examples, *inner))
        got = conv_general(joined, w, **params)
        shape = type_of(got).shape
        split = reshape(got, shape=(groups, n, examples, *shape[2:]))
        return transpose(split, permutation=(1, 0, *range(2, len(shape) + 1)))
    n, groups, first, second, *taps = sw  # or the outputs
    if params["turned"]:
        joined = reshape(transpose(w, permutation=(1, 2, 0, 3, *rest)), shape=(groups, first, n * second, *taps))
    else:
        joined = reshape(transpose(w, permutation=(1, 0, 2, 3, *rest)), shape=(groups, n * first, second, *taps))
    got = conv_general(x, joined, **params)
    shape = type_of(got).shape
    split = reshape(got, shape=(*shape[:2], n, shape[2] // n, *shape[3:]))
    return transpose(split, permutation=(2, 0, 1, *range(3, len(shape) + 1)))


conv_general = define("conv_general", infer=_infer, run=_run, jvp=_jvp, transpose=_transpose, batch=_batch, expand=expand, dear=True, singular=True)
__all__ = ["conv_general", "dilated", "output_length"]
