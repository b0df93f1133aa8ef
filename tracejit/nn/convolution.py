"""Convolutions over one to three axes, channels first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..lowering import eager as _eager  # noqa: F401  (large convolutions of plain arrays are compiled)
from ..numpy.promotion import as_array, cast, common_dtype
from ..ops.conv import conv_general, dilated
from ..ops.movement import reshape, transpose
from ..trace import type_of

Sizes = int | Sequence[int]
Padding = str | int | Sequence[int] | Sequence[tuple[int, int]]


def conv(x: Any, weight: Any, bias: Any = None, *, strides: Sizes = 1, padding: Padding = "valid", dilation: Sizes = 1, input_dilation: Sizes = 1,
         groups: int = 1) -> Any:
    """The convolution (as networks mean it: a correlation) of `x`, of shape (examples, channels, *positions), with `weight`, of shape
    (outputs, channels / groups, *taps); `bias` has shape (outputs,). One axis of positions or more.

    `padding` is "valid" (none), "same" (as many places as x has, over the stride; an odd zero goes behind), a number or one for each axis, or pairs
    (in front, behind); negative numbers cut. `dilation` is the distance between taps, `input_dilation` that between the elements of x.
    Outputs and channels are split into `groups`, each with its own.
    Raises ValueError for shapes that do not fit together.

    >>> conv(np.arange(5.0).reshape(1, 1, 5), np.array([[[1.0, 1.0]]]), padding="same")
    array([[[1., 3., 5., 7., 4.]]])
    """
    x, weight = _operands(x, weight)
    n = x.ndim - 2
    outputs, channels, *taps = weight.shape
    if n < 1 or weight.ndim != n + 2:
        wanted = "x (examples, channels, *positions) and weight (outputs, channels, *taps)"
        raise ValueError(at_user_line(f"conv takes {wanted}; got {x.shape} and {weight.shape}"))
    if groups < 1 or x.shape[1] != channels * groups or outputs % groups:
        raise ValueError(at_user_line(f"conv: x of shape {x.shape} has {x.shape[1]} channels and weight of shape {weight.shape} takes {channels} in "
                                      f"each of {groups} groups; outputs must be a multiple of the groups"))
    strides, dilation, input_dilation = (per_axis(v, n, what) for v, what in ((strides, "strides"), (dilation, "dilation"),
                                                                              (input_dilation, "input_dilation")))
    pairs = padding_pairs(padding, x.shape[2:], taps, strides, dilation)
    got = conv_general(_grouped(x, groups), reshape(weight, shape=(groups, outputs // groups, channels, *taps)), strides=strides, padding=pairs,
                       lhs_dilation=input_dilation, rhs_dilation=dilation, turned=False)
    return _ungrouped(got, bias)


def conv_transpose(x: Any, weight: Any, bias: Any = None, *, strides: Sizes = 1, padding: Sizes = 0, output_padding: Sizes = 0, dilation: Sizes = 1,
                   groups: int = 1) -> Any:
    """The transpose of `conv` with `weight` of shape (channels of x, outputs / groups, *taps): what takes the derivative back through it.

    An axis of n positions becomes (n - 1) * stride + (taps - 1) * dilation + 1 - 2 * padding + output_padding. Raises ValueError for shapes that do
    not fit together, or where `output_padding` is not below the stride or the dilation.

    >>> conv_transpose(np.array([[[1.0, 10.0]]]), np.array([[[1.0, 2.0, 3.0]]]), strides=2)
    array([[[ 1.,  2., 13., 20., 30.]]])
    """
    x, weight = _operands(x, weight)
    n = x.ndim - 2
    channels, outputs, *taps = weight.shape
    if n < 1 or weight.ndim != n + 2 or groups < 1 or x.shape[1] != channels or channels % groups:
        raise ValueError(at_user_line(f"conv_transpose takes x (examples, channels, *positions) and weight (channels, outputs / groups, *taps); got "
                                      f"{x.shape} and {weight.shape} with {groups} groups"))
    strides, padding, extra, dilation = (per_axis(v, n, what) for v, what in ((strides, "strides"), (padding, "padding"),
                                                                              (output_padding, "output_padding"), (dilation, "dilation")))
    if any(e >= max(s, d) or e < 0 for e, s, d in zip(extra, strides, dilation)):
        raise ValueError(at_user_line(f"conv_transpose: output_padding {extra} must be smaller than either strides {strides} or dilation {dilation}"))
    reach = [dilated(k, d) - 1 for k, d in zip(taps, dilation)]
    pairs = tuple((r - p, r - p + e) for r, p, e in zip(reach, padding, extra))
    got = conv_general(_grouped(x, groups), reshape(weight, shape=(groups, channels // groups, outputs, *taps)), strides=(1,) * n, padding=pairs,
                       lhs_dilation=strides, rhs_dilation=dilation, turned=True)
    return _ungrouped(got, bias)


def per_axis(value: Sizes, n: int, what: str) -> tuple[int, ...]:
    """A number for each of `n` axes, from one for all or a sequence."""
    sizes = tuple(int(v) for v in value) if np.iterable(value) else (int(value),) * n
    if len(sizes) == 1:
        sizes *= n
    if len(sizes) != n:
        raise ValueError(at_user_line(f"{what}: one number or {n} of them, got {value!r}"))
    return sizes


def padding_pairs(padding: Padding, sizes: Sequence[int], taps: Sequence[int], strides: Sequence[int],
                  dilation: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Zeros in front and behind for each axis."""
    if isinstance(padding, str):
        if padding.lower() == "valid":
            return ((0, 0),) * len(sizes)
        if padding.lower() != "same":
            raise ValueError(at_user_line(f"padding is 'same', 'valid', numbers or pairs of numbers, got {padding!r}"))
        total = [max(0, (-(-n // s) - 1) * s + dilated(k, d) - n) for n, k, s, d in zip(sizes, taps, strides, dilation)]
        return tuple((t // 2, t - t // 2) for t in total)
    if np.iterable(padding) and len(padding) and all(np.iterable(p) for p in padding):
        pairs = tuple((int(a), int(b)) for a, b in padding)
        if len(pairs) != len(sizes):
            raise ValueError(at_user_line(f"padding: a pair for each of {len(sizes)} axes, got {padding!r}"))
        return pairs
    return tuple((p, p) for p in per_axis(padding, len(sizes), "padding"))


def _operands(x: Any, weight: Any) -> tuple[Any, Any]:
    x, weight = as_array(x), as_array(weight)
    dtype = common_dtype(x, weight)
    return cast(x, dtype), cast(weight, dtype)


def _grouped(x: Any, groups: int) -> Any:
    """(examples, channels, ...) as (groups, examples, channels of a group, ...)."""
    examples, channels, *sizes = x.shape
    split = reshape(x, shape=(examples, groups, channels // groups, *sizes))
    return transpose(split, permutation=(1, 0, *range(2, 3 + len(sizes))))


def _ungrouped(y: Any, bias: Any) -> Any:
    groups, examples, outputs, *sizes = type_of(y).shape
    joined = reshape(transpose(y, permutation=(1, 0, *range(2, 3 + len(sizes)))), shape=(examples, groups * outputs, *sizes))
    return joined if bias is None else joined + np.reshape(bias, (-1, *(1,) * len(sizes)))


__all__ = ["conv", "conv_transpose", "padding_pairs", "per_axis"]
