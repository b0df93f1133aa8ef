"""Convolutions of two axes whose kernels run along channels: what compiled programs make of those with many channels, strides and all.

    picture_product(x, w, strides, low, lhs_dilation, rhs_dilation, out, turned)
        x (examples, channels, *positions)   w (outputs, channels, *taps)   -> (examples, outputs, *out)
    picture_outer(x, y, strides, low, rhs_dilation, taps)
        y (examples, outputs, *positions)                                   -> (outputs, channels, *taps): the sum over examples and positions p of
                                                                               y[n, o, p] * x[n, c, p * strides + t * rhs_dilation - low]

Both mean what `conv_general` (conv.py) means by these names, for one group; strides or `lhs_dilation` are 1 along each axis.  Along an axis that x
is dilated on, the places of the result that leave the same remainder, a *phase*, look at the same taps: no zero between elements of x is ever
multiplied.
"""

from __future__ import annotations

from typing import NamedTuple

from ..ir import ArrayType
from .core import Op


class Axis(NamedTuple):
    """One axis: the place i of a phase looks at the elements i * step + shift for each (tap, shift) of the phase.

    `count`: places of the longest phase. `low`: zeros in front of x. `reach`: how many elements the taps of one place span.
    """

    phases: tuple[tuple[tuple[int, int], ...], ...]
    count: int
    step: int
    low: int
    reach: int


def axis(size: int, out: int, taps: int, stride: int, low: int, lhs_dilation: int, rhs_dilation: int) -> Axis:
    """Places and taps along an axis of `size` elements, without the taps that meet only zeros; shifts count from the zeros in front."""
    count, phases = -(-out // lhs_dilation), []
    for phase in range(lhs_dilation):
        looked = [(k, phase + k * rhs_dilation - low) for k in range(taps)]
        shifts = [(k, at // lhs_dilation) for k, at in looked if at % lhs_dilation == 0]
        phases.append([(k, shift) for k, shift in shifts if any(0 <= i * stride + shift < size for i in range(count))])
    first = min(shift for phase in phases for _, shift in phase)
    last = max(shift for phase in phases for _, shift in phase)
    moved = tuple(tuple((k, shift - first) for k, shift in phase) for phase in phases)
    return Axis(moved, count, stride, -first, last - first + 1)


def _high(size: int, taps: int, out: int, stride: int, low: int, lhs_dilation: int, rhs_dilation: int) -> int:
    """The zeros behind that go with `out` places."""
    return (out - 1) * stride + (taps - 1) * rhs_dilation + 1 - ((size - 1) * lhs_dilation + 1) - low


def _run_product(xp, x, w, strides, low, lhs_dilation, rhs_dilation, out, turned):
    from .conv import reference

    high = map(_high, x.shape[2:], w.shape[2:], out, strides, low, lhs_dilation, rhs_dilation)
    params = dict(strides=strides, lhs_dilation=lhs_dilation, rhs_dilation=rhs_dilation, turned=turned)
    return reference(xp, x[None], w[None], padding=tuple(zip(low, high)), **params)[0]


def _run_outer(xp, x, y, strides, low, rhs_dilation, taps):
    from .conv import reference

    high = map(_high, x.shape[2:], y.shape[2:], taps, rhs_dilation, low, (1, 1), strides)
    params = dict(strides=rhs_dilation, lhs_dilation=(1, 1), rhs_dilation=strides, turned=False)
    return reference(xp, x.swapaxes(0, 1)[None], y.swapaxes(0, 1)[None], padding=tuple(zip(low, high)), **params)[0].swapaxes(0, 1)


# Neither has rules of its own: programs are differentiated and batched before they are compiled.
picture_product = Op(
    "picture_product",
    infer=lambda x, w, out, turned, **_: ArrayType((x.shape[0], w.shape[1 if turned else 0], *out), x.dtype),
    run=_run_product,
    kind="picture",
    dear=True,
)
picture_outer = Op(
    "picture_outer",
    infer=lambda x, y, taps, **_: ArrayType((y.shape[1], x.shape[1], *taps), x.dtype),
    run=_run_outer,
    kind="picture",
    dear=True,
)
__all__ = ["Axis", "axis", "picture_outer", "picture_product"]
