"""Convolutions as products at shifted places: what compiled programs make of `conv_general` where channels are few (see conv_expansion.py).

Written out along one line, with its zeros, a row of an image after the other and an image after the other, x is shifted by a fixed number of
elements for each tap, whatever the number of axes:

    taps_product   y[g, o, p]    = sum over c, t of  w[g, o, c, t] * x[g, c, p + offsets[t]]       (`turned`: w[g, c, o, t])
    taps_outer     w[g, o, c, t] = sum over p    of  y[g, o, p]    * x[g, c, p + offsets[t]]

The places p run over all of the line. Those where taps reach over the end of a row, or over that of an image, are computed too and read by nobody:
for a picture of 56 by 56 they are 4 of 100, and zeros behind a row serve in front of the next.  No matrix of patches ever exists.  With strides
x is sorted into the places that leave the same remainder (its phases), and the phase is part of a tap's offset.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..ir import ArrayType
from ..trace import type_of
from .core import Op
from .movement import concatenate, pad, reshape, reverse, slice_, transpose

# Lines are cut into vectors of up to 16 elements; places are a multiple of that.
WHOLE = 16


def _columns(x, offsets, length):
    """The shifted lines, (g, c, t, length)."""
    line = x.reshape(*x.shape[:2], -1)
    return np.stack([line[:, :, o : o + length] for o in offsets], 2)


def _run_product(xp, x, w, offsets, length, turned):
    patches = _columns(x, offsets, length)
    g, c, t, _ = patches.shape
    w = xp.swapaxes(w, 1, 2) if turned else w
    return xp.matmul(w.reshape(g, -1, c * t), patches.reshape(g, c * t, length))


def _run_outer(xp, y, x, offsets, length):
    g, o, *_ = y.shape
    line = y.reshape(g, o, -1)
    patches = _columns(x, offsets, length)
    return xp.matmul(line[:, :, :length], patches.reshape(g, -1, length).transpose(0, 2, 1)).reshape(g, o, x.shape[1], len(offsets))


# Neither has rules of its own: programs are differentiated and batched before they are compiled.
taps_product = Op(
    "taps_product",
    infer=lambda x, w, offsets, length, turned: ArrayType((x.shape[0], w.shape[2 if turned else 1], length), x.dtype),
    run=_run_product,
    kind="taps",
    dear=True,
)
taps_outer = Op(
    "taps_outer",
    infer=lambda y, x, offsets, length: ArrayType((y.shape[0], y.shape[1], x.shape[1], len(offsets)), x.dtype),
    run=_run_outer,
    kind="taps",
    dear=True,
)


def as_taps(x: Any, w: Any, out: tuple[int, ...], strides, padding, lhs_dilation, rhs_dilation, turned: bool) -> Any:
    """The result of `conv_general`, of `out` places, by one of the two products."""
    taps = type_of(w).shape[3:]
    if math.prod(taps) > math.prod(out):  # the derivative with respect to the taps: they are what runs along the line
        if turned:
            w = reverse(transpose(w, permutation=(0, 2, 1, *range(3, 3 + len(taps)))), axes=tuple(range(3, 3 + len(taps))))
        return _outer(spread(x, lhs_dilation), w, out, strides, padding, rhs_dilation)
    if max(lhs_dilation) == 1:
        return _product(x, w, out, strides, padding, rhs_dilation, turned)
    if max(strides) == 1:
        return _by_phases(x, w, out, padding, lhs_dilation, rhs_dilation, turned)
    return _product(spread(x, lhs_dilation), w, out, strides, padding, rhs_dilation, turned)


def spread(x: Any, dilation: tuple[int, ...]) -> Any:
    """x with `dilation - 1` zeros between neighbours along the last axes."""
    lead = (0,) * (type_of(x).ndim - len(dilation))
    zeros = (*lead, *(0 for _ in dilation))
    return pad(x, low=zeros, high=zeros, interior=(*lead, *(d - 1 for d in dilation)), value=0)


def place(x: Any, low: tuple[int, ...], lengths: tuple[int, ...]) -> Any:
    """The last axes of x, with `low` zeros in front and of these lengths: zeros fill them, what is too much is cut."""
    shape = type_of(x).shape
    lead = len(shape) - len(low)
    start = (0,) * lead + tuple(max(0, -b) for b in low)
    stop = shape[:lead] + tuple(max(s, min(n, m - b)) for s, n, b, m in zip(start[lead:], shape[lead:], low, lengths))
    if any(start) or stop != shape:
        x = slice_(x, start=start, stop=stop, step=(1,) * len(shape))
    before = (0,) * lead + tuple(max(0, b) for b in low)
    behind = (0,) * lead + tuple(m - max(0, b) - (e - s) for m, b, s, e in zip(lengths, low, start[lead:], stop[lead:]))
    return pad(x, low=before, high=behind, interior=(0,) * len(shape), value=0) if any((*before, *behind)) else x


class _Line:
    """The line that x is written out along: images of `pitch` elements along each axis, sorted by phases, and the offsets of taps in it.

    Arguments: `sizes`, of x along its axes; `count`, how many images there are; `low`, the zeros in front; the tap k of `taps` along an axis looks at
    place q * step + k * dilation for each place q of `out`.
    """

    def __init__(self, sizes, count: int, low, out, taps, steps, dilations):
        self.steps, self.low, self.count = steps, low, count
        reach = [(k - 1) * d for k, d in zip(taps, dilations)]
        self.pitch = []
        for n, b, q, s, r in zip(sizes, low, out, steps, reach):
            behind = (q - 1) * s + r + 1 - b - n
            # Zeros behind a row and those in front of the next are the same zeros.
            shared = min(b, behind, r) if s == 1 and b > 0 and behind > 0 else 0
            self.pitch.append(max(q, q + r // s - shared))
        self.image = math.prod(self.pitch)
        self.places = -(-count * self.image // WHOLE) * WHOLE
        rows = [math.prod(self.pitch[d + 1 :]) for d in range(len(taps))]
        every = [[divmod(k * d, s) for k in range(t)] for t, d, s in zip(taps, dilations, steps)]
        tap_list = list(itertools.product(*every))
        self.phases = sorted({tuple(phase for _, phase in tap) for tap in tap_list})
        shifts = [sum(shift * row for (shift, _), row in zip(tap, rows)) for tap in tap_list]
        self.images = -(-(self.places + max(shifts)) // self.image)
        self.offsets = tuple(
            shift + self.phases.index(tuple(phase for _, phase in tap)) * self.images * self.image for tap, shift in zip(tap_list, shifts)
        )

    def write(self, x: Any) -> Any:
        """x of shape (groups, channels, images, *sizes) along the line: (groups, channels, *some shape)."""
        axes = len(self.pitch)
        lengths = tuple(p * s for p, s in zip(self.pitch, self.steps))
        x = place(x, (0, *self.low), (self.images, *lengths))
        if max(self.steps) == 1:
            return x
        shape = type_of(x).shape[:2]
        split = reshape(x, shape=(*shape, self.images, *itertools.chain(*zip(self.pitch, self.steps))))
        sorted_ = transpose(split, permutation=(0, 1, *range(4, 4 + 2 * axes, 2), 2, *range(3, 3 + 2 * axes, 2)))
        picture = (self.images, *self.pitch)

        def phase(which: tuple[int, ...]) -> Any:
            start = (0, 0, *which, *(0 for _ in picture))
            stop = (*shape, *(p + 1 for p in which), *picture)
            return reshape(slice_(sorted_, start=start, stop=stop, step=(1,) * len(start)), shape=(*shape, 1, *picture))

        if len(self.phases) == math.prod(self.steps):
            return reshape(sorted_, shape=(*shape, len(self.phases), *picture))
        parts = [phase(which) for which in self.phases]
        return concatenate(*parts, axis=2) if len(parts) > 1 else parts[0]


def _outputs_and_channels(w, turned: bool) -> tuple[int, int]:
    first, second = type_of(w).shape[1:3]
    return (second, first) if turned else (first, second)


def _product(x, w, out, strides, padding, rhs_dilation, turned):
    groups, examples, _, *sizes = type_of(x).shape
    outputs, _ = _outputs_and_channels(w, turned)
    taps = type_of(w).shape[3:]
    line = _Line(sizes, examples, tuple(low for low, _ in padding), out, taps, strides, rhs_dilation)
    rest = range(3, 3 + len(sizes))
    written = line.write(transpose(x, permutation=(0, 2, 1, *rest)))
    lined = reshape(w, shape=(*type_of(w).shape[:3], math.prod(taps)))
    offsets = line.offsets[::-1] if turned else line.offsets
    y = taps_product(written, lined, offsets=offsets, length=line.places, turned=turned)
    used = slice_(y, start=(0, 0, 0), stop=(groups, outputs, examples * line.image), step=(1, 1, 1))
    images = reshape(used, shape=(groups, outputs, examples, *line.pitch))
    cut = slice_(images, start=(0,) * (3 + len(out)), stop=(groups, outputs, examples, *out), step=(1,) * (3 + len(out)))
    return transpose(cut, permutation=(0, 2, 1, *rest))


def _outer(x, w, out, strides, padding, rhs_dilation):
    """Here the taps are places: they, and the channels as images, are what is summed over; each place of the result is a tap."""
    groups, examples, channels, *sizes = type_of(x).shape
    _, outputs, _, *taps = type_of(w).shape
    line = _Line(sizes, channels, tuple(low for low, _ in padding), taps, out, rhs_dilation, strides)
    written = line.write(x)
    images = -(-line.places // line.image)
    factors = place(w, (0,) * (1 + len(taps)), (images, *line.pitch))
    got = taps_outer(factors, written, offsets=line.offsets, length=line.places)  # (groups, outputs, examples, places of the result)
    rest = range(3, 3 + len(sizes))
    return transpose(reshape(got, shape=(groups, outputs, examples, *out)), permutation=(0, 2, 1, *rest))


def _by_phases(x, w, out, padding, lhs_dilation, rhs_dilation, turned):
    """A convolution of a dilated x is several of x itself, each with the taps that meet its elements, whose results take turns."""
    groups, examples, _, *sizes = type_of(x).shape
    outputs, _ = _outputs_and_channels(w, turned)
    taps = type_of(w).shape[3:]
    long = tuple(-(-q // d) for q, d in zip(out, lhs_dilation))
    steps = [d // math.gcd(d, r) for d, r in zip(lhs_dilation, rhs_dilation)]
    parts = []
    for phase in itertools.product(*map(range, lhs_dilation)):
        starts = [
            next((k for k in range(min(step, t)) if (k * r + f - low) % d == 0), None)
            for step, t, r, f, (low, _), d in zip(steps, taps, rhs_dilation, phase, padding, lhs_dilation)
        ]
        if None in starts:
            parts.append(None)
            continue
        places = [(k, t, step) for k, t, step in zip(starts, taps, steps)]
        if turned:  # tap k stands at t - 1 - k
            places = [((t - 1 - k) % step, t - k, step) for k, t, step in places]
        start, stop = (0, 0, 0, *(a for a, _, _ in places)), (*type_of(w).shape[:3], *(b for _, b, _ in places))
        some = slice_(w, start=start, stop=stop, step=(1, 1, 1, *steps))
        first = [(k * r + f - low) // d for k, r, f, (low, _), d in zip(starts, rhs_dilation, phase, padding, lhs_dilation)]
        closer = tuple(step * r // d for step, r, d in zip(steps, rhs_dilation, lhs_dilation))
        parts.append(_product(x, some, long, (1,) * len(out), tuple((-at, 0) for at in first), closer, turned))
    zeros = np.broadcast_to(np.zeros((), type_of(x).dtype), (groups, examples, outputs, *long))
    turns = [reshape(zeros if p is None else p, shape=(groups, examples, outputs, *long, 1)) for p in parts]
    joined = reshape(concatenate(*turns, axis=3 + len(out)) if len(turns) > 1 else turns[0], shape=(groups, examples, outputs, *long, *lhs_dilation))
    n = len(out)
    woven = transpose(joined, permutation=(0, 1, 2, *itertools.chain(*((3 + d, 3 + n + d) for d in range(n)))))
    whole = reshape(woven, shape=(groups, examples, outputs, *(q * d for q, d in zip(long, lhs_dilation))))
    return slice_(whole, start=(0,) * (3 + n), stop=(groups, examples, outputs, *out), step=(1,) * (3 + n))


__all__ = ["WHOLE", "as_taps", "taps_outer", "taps_product"]
