"""Pooling: sums and maxima of windows that slide over the last axes of an array.

    window_sum(x, window, strides, dilation)           y[.., q] = sum over k of x[.., q * strides + k * dilation]
    window_max, window_argmax                          the largest element, and the number of its tap k in C order: the first of equal ones,
                                                       a NaN before all others
    window_pick(x, at, window, strides, dilation)      x[.., q * strides + k * dilation] where k is the tap with the number at[.., q]
    window_place(y, at, shape, window, ...)            its transpose: y[.., q] added into zeros of `shape` where `window_pick` reads it

The derivative of a maximum is that of the element that was picked.  Windows lie inside of the array: padding is `pad`.  In kernels the taps are
written out; windows of many taps are taken axis by axis.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType
from ..ir.types import INT
from ..trace import type_of
from .core import Linear, Op, define
from .elementwise import add, multiply
from .movement import all_batched, pad

# Windows of more taps than this are taken axis by axis.
WRITTEN_OUT = 16
# The dtypes and the number of windows from which the way back through a maximum goes through the windows, not through the places.
SCATTERED, FEW = (np.dtype(np.float32), np.dtype(np.float64)), 1024


# Set by lowering/eager.py: what computes large poolings of plain arrays; and from how many elements of windows on.
natively: Callable[[Op, tuple, dict[str, Any]], Any] | None = None
LARGE = 100_000


def _or_natively(op: Callable[[], Op], reference: Callable) -> Callable:
    """`run` of an op: the reference, or compiled code for large arrays of numbers."""

    def run(xp, *args, window, **params):
        params = dict(params, window=window)
        if xp is np and natively is not None and args[-1].size * math.prod(window) >= LARGE and args[0].dtype.itemsize >= 4:
            return natively(op(), args, params)
        return reference(xp, *args, **params)

    return run


def lengths(sizes, window, strides, dilation) -> tuple[int, ...]:
    """How many windows fit along each axis."""
    return tuple(max(0, (n - (k - 1) * d - 1) // s + 1) for n, k, s, d in zip(sizes, window, strides, dilation))


def _infer(name, kinds, dtype=None):
    def infer(x, window, strides, dilation):
        if x.dtype.kind not in kinds:
            raise TypeError(at_user_line(f"{name} is not defined for dtype {x.dtype}"))
        if not len(window) == len(strides) == len(dilation) <= x.ndim or min((*window, *strides, *dilation), default=1) < 1:
            how = f"windows {window} with strides {strides} and dilation {dilation}"
            raise ValueError(at_user_line(f"{name}: there are no {how} in an array of shape {x.shape}"))
        lead = x.ndim - len(window)
        return ArrayType((*x.shape[:lead], *lengths(x.shape[lead:], window, strides, dilation)), dtype or x.dtype)

    return infer


def _view(xp, x, window, strides, dilation):
    """All windows, taps behind: a strided view."""
    lead = x.ndim - len(window)
    out = lengths(x.shape[lead:], window, strides, dilation)
    steps = x.strides[lead:]
    shape = (*x.shape[:lead], *out, *window)
    if 0 in shape:
        return xp.zeros(shape, x.dtype)
    moves = (*(s * k for s, k in zip(steps, strides)), *(s * k for s, k in zip(steps, dilation)))
    return xp.lib.stride_tricks.as_strided(x, shape, (*x.strides[:lead], *moves))


def _taps(xp, x, window, strides, dilation):
    """All windows, their taps along one last axis."""
    view = _view(xp, x, window, strides, dilation)
    return xp.reshape(view, (*view.shape[: view.ndim - len(window)], math.prod(window)))


def _every(window):
    return list(itertools.product(*map(range, window)))


def _places(index, tap, strides, dilation):
    lead = len(index) - len(tap)
    return (*index[:lead], *(i * s + k * d for i, s, k, d in zip(index[lead:], strides, tap, dilation)))


def _elements(x, index, window, strides, dilation):
    return [x[_places(index, tap, strides, dilation)] for tap in _every(window)]


def _in_pairs(combine, values):
    """Combined as a tree that keeps the order: expressions are walked recursively, and a chain would be as deep as it is long."""
    while len(values) > 1:
        values = [combine(*values[i : i + 2]) if i + 1 < len(values) else values[i] for i in range(0, len(values), 2)]
    return values[0]


def _axis_by_axis(one):
    """Windows of many taps over several axes, one axis after the other."""

    def expand(x, window, strides, dilation):
        axes = [d for d, k in enumerate(window) if k > 1]
        if math.prod(window) <= WRITTEN_OUT or len(axes) < 2:
            return None
        for d in reversed(axes):
            along = tuple(tuple(v[d] if e == d else 1 for e in range(len(window))) for v in (window, strides, dilation))
            x = one()(x, window=along[0], strides=along[1], dilation=along[2])
        rest = tuple(1 if d in axes else s for d, s in enumerate(strides))
        ones = (1,) * len(window)
        return x if max(rest) == 1 else one()(x, window=ones, strides=rest, dilation=ones)

    return expand


def _batch(op):
    return lambda args, batched, **params: op()(*all_batched(args, batched), **params)


# -- sums
def _transpose_sum(ct, x, window, strides, dilation):
    """Each cotangent goes to every place of its window: the sum over windows of the cotangents with zeros between and around them."""
    shape, lead = type_of(ct).shape, x.type.ndim - len(window)
    zeros = (0,) * lead
    reach = [(k - 1) * d for k, d in zip(window, dilation)]
    spread = [(q - 1) * s + 1 if q else 0 for q, s in zip(shape[lead:], strides)]
    behind = (*zeros, *(n - q for n, q in zip(x.shape[lead:], spread)))
    padded = pad(ct, low=(*zeros, *reach), high=behind, interior=(*zeros, *(s - 1 for s in strides)), value=0)
    return (window_sum(padded, window=window, strides=(1,) * len(window), dilation=dilation),)


def _lower_sum(k, xs, index, window, strides, dilation):
    return _in_pairs(lambda a, b: k.apply("add", a, b), _elements(xs[0], index, window, strides, dilation))


window_sum = define(
    "window_sum",
    infer=_infer("window_sum", "iufc"),
    run=_or_natively(
        lambda: window_sum, lambda xp, x, window, strides, dilation: xp.sum(_taps(xp, x, window, strides, dilation), axis=-1, dtype=x.dtype)
    ),
    jvp=lambda primals, out, tangents, **params: window_sum(tangents[0], **params),
    transpose=_transpose_sum,
    batch=_batch(lambda: window_sum),
    lower=_lower_sum,
    expand=_axis_by_axis(lambda: window_sum),
    dear=True,
)


# -- maxima
def _lower_max(k, xs, index, window, strides, dilation):
    return _in_pairs(lambda a, b: k.apply("maximum", a, b), _elements(xs[0], index, window, strides, dilation))


def _jvp_max(primals, out, tangents, **params):
    (x,), (t,) = primals, tangents
    return window_pick(t, window_argmax(x, **params), **params)


window_max = define(
    "window_max",
    infer=_infer("window_max", "iuf"),
    run=_or_natively(lambda: window_max, lambda xp, x, window, strides, dilation: xp.max(_taps(xp, x, window, strides, dilation), axis=-1)),
    jvp=_jvp_max,
    batch=_batch(lambda: window_max),
    lower=_lower_max,
    expand=_axis_by_axis(lambda: window_max),
    dear=True,
)


def _lower_argmax(k, xs, index, window, strides, dilation):
    dtype = xs[0].dtype

    def better(a, b):
        wins = k.apply("greater", b[0], a[0])
        if dtype.kind == "f":  # a NaN wins over a number, the first of two NaN stays
            wins = k.apply("logical_or", wins, k.apply("logical_and", k.apply("not_equal", b[0], b[0]), k.apply("equal", a[0], a[0])))
        return k.apply("select", wins, b[0], a[0]), k.apply("select", wins, b[1], a[1])

    numbered = [(v, k.constant(n, INT)) for n, v in enumerate(_elements(xs[0], index, window, strides, dilation))]
    return _in_pairs(better, numbered)[1]


def _argmax_by_axes(x, window, strides, dilation):
    """The best tap of each row, then the best row."""
    axes = [d for d, k in enumerate(window) if k > 1]
    if math.prod(window) <= WRITTEN_OUT or len(axes) < 2:
        return None
    first = axes[0]
    only = lambda v: tuple(v[d] if d == first else 1 for d in range(len(v)))
    others = lambda v: tuple(1 if d == first else v[d] for d in range(len(v)))
    rows = dict(window=others(window), strides=others(strides), dilation=others(dilation))
    down = dict(window=only(window), strides=only(strides), dilation=only(dilation))
    in_row = _argmax_by_axes(x, **rows)
    in_row = window_argmax(x, **rows) if in_row is None else in_row
    row = window_argmax(window_max(x, **rows), **down)
    return add(multiply(row, np.int64(math.prod(window[first + 1 :]))), window_pick(in_row, row, **down))


window_argmax = define(
    "window_argmax",
    infer=_infer("window_argmax", "iuf", INT),
    run=_or_natively(
        lambda: window_argmax, lambda xp, x, window, strides, dilation: xp.argmax(_taps(xp, x, window, strides, dilation), axis=-1)
    ),
    jvp=lambda primals, out, tangents, **params: None,
    batch=_batch(lambda: window_argmax),
    lower=_lower_argmax,
    expand=_argmax_by_axes,
    dear=True,
)


# -- the elements that were found, and their places
def _run_pick(xp, x, at, window, strides, dilation):
    return xp.take_along_axis(_taps(xp, x, window, strides, dilation), at[..., None], axis=-1)[..., 0]


def _lower_pick(k, xs, index, window, strides, dilation):
    x, at = xs
    number = at[index]
    elements = _elements(x, index, window, strides, dilation)

    def choose(low: int, high: int):
        """By halves of the taps: as deep as the logarithm of their number."""
        if high - low == 1:
            return elements[low]
        middle = (low + high) // 2
        return k.apply("select", k.apply("less", number, k.constant(middle, INT)), choose(low, middle), choose(middle, high))

    return choose(0, len(elements))


window_pick = define(
    "window_pick",
    infer=lambda x, at, window, strides, dilation: ArrayType(at.shape, x.dtype),
    run=_or_natively(lambda: window_pick, _run_pick),
    jvp=lambda primals, out, tangents, **params: None if tangents[0] is None else window_pick(tangents[0], primals[1], **params),
    transpose=lambda ct, x, at, **params: (window_place(ct, at, shape=x.shape, **params) if isinstance(x, Linear) else None, None),
    batch=_batch(lambda: window_pick),
    lower=_lower_pick,
    dear=True,
)


def _run_place(xp, y, at, shape, window, strides, dilation):
    out = xp.zeros(shape, y.dtype)
    lead = len(shape) - len(window)
    for number, tap in enumerate(_every(window)):
        inside = tuple(slice(k * d, k * d + (q - 1) * s + 1 if q else k * d, s) for k, d, q, s in zip(tap, dilation, y.shape[lead:], strides))
        out[(slice(None),) * lead + inside] += xp.where(at == number, y, y.dtype.type(0))
    return out


def _lower_place(k, xs, index, shape, window, strides, dilation):
    y, at = xs
    lead = len(shape) - len(window)
    zero = k.constant(0, y.dtype)
    terms = []
    for number, tap in enumerate(_every(window)):
        tests, source = [], list(index[:lead])
        for i, t, s, d, n in zip(index[lead:], tap, strides, dilation, y.shape[lead:]):
            from_tap = i - t * d
            tests += [k.index_at_least(from_tap, 0)] + ([k.index_divisible(from_tap, s)] if s > 1 else []) + [k.index_less(from_tap // s, n)]
            source.append(from_tap // s)

        def term(source=tuple(source), number=number):
            return k.apply("select", k.apply("equal", at[source], k.constant(number, INT)), y[source], zero)

        terms.append(k.guard(tests, term, zero))
    return _in_pairs(lambda a, b: k.apply("add", a, b), terms)


def _batch_place(args, batched, shape, **params):
    y, at = all_batched(args, batched)
    return window_place(y, at, shape=(type_of(y).shape[0], *shape), **params)


def _infer_place(y, at, shape, window, strides, dilation):
    return ArrayType(shape, y.dtype)


def _expand_place(y, at, **params):
    """In compiled programs, for more than a few windows: a loop over the windows."""
    wanted = type_of(y).dtype in SCATTERED and type_of(at).dtype == INT and type_of(y).size >= FEW
    return window_scatter(y, at, **params) if wanted else None


# `window_place` as native code (lowering/cpu/pooling.py). It has no rules of its own: programs are differentiated before they are compiled.
window_scatter = Op("window_scatter", infer=_infer_place, run=_run_place, kind="pool", dear=True)
window_place = define(
    "window_place",
    infer=_infer_place,
    run=_or_natively(lambda: window_place, _run_place),
    jvp=lambda primals, out, tangents, **params: None if tangents[0] is None else window_place(tangents[0], primals[1], **params),
    transpose=lambda ct, y, at, shape, **params: (window_pick(ct, at, **params) if isinstance(y, Linear) else None, None),
    batch=_batch_place,
    lower=_lower_place,
    expand=_expand_place,
    dear=True,
)
__all__ = ["lengths", "window_argmax", "window_max", "window_pick", "window_place", "window_sum"]
