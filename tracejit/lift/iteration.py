"""What a `for` goes over, as a function of the turn's number: ranges with traced bounds, arrays, `enumerate`, `zip`, `reversed` of these."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..ir.types import INT
from ..ops.elementwise import convert
from ..trace import Tracer, type_of
from ..trace.constants import constant, is_constant


def symbolic(x: Any) -> bool:
    """Whether x is traced and its value is not known without asking the arguments of the call (`guards`)."""
    while type(x) is Tracer and not is_constant(x):
        if not x.owner.knows(x.atom):
            return True
        x = x.owner.ambient(x.atom)
    return False


def as_index(x: Any) -> Any:
    """A traced number as an int64 that acts as a Python int."""
    x = convert(x, dtype=INT) if type_of(x).dtype != INT else x
    return Tracer(x.owner, x.atom, True) if type(x) is Tracer else int(x)


class Iteration:
    """`count` turns, a number that may be traced; `item(k)` is what the turn number k gets; `plain()` is the Python iterable."""

    def __init__(self, count: Any, item: Callable[[Any], Any], plain: Callable[[], Any]):
        self.count, self.item, self.plain = count, item, plain

    def __iter__(self) -> Iterator:
        return iter(self.plain())


def range_(*bounds: Any) -> Any:
    """`range`, whose bounds may be traced."""
    bounds = tuple(int(b) if type(b) is Tracer and not symbolic(b) else b for b in bounds)
    if not any(type(b) is Tracer for b in bounds):
        return builtins.range(*bounds)
    for b in bounds:
        if type(b) is Tracer and (b.dtype.kind not in "iu" or b.shape):
            return builtins.range(*bounds)  # raises Python's own error
    start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    if type(step) is Tracer:
        return builtins.range(*bounds)
    start, stop = (as_index(b) if type(b) is Tracer else b for b in (start, stop))
    span = stop - start if step > 0 else start - stop
    count = span if step in (1, -1) else (span + (builtins.abs(step) - 1)) // builtins.abs(step)
    return Iteration(count, lambda k: start + k * step, lambda: builtins.range(*bounds))


def over(x: Any) -> Iteration | None:
    """The iteration over x, or None where it is one of Python's."""
    if isinstance(x, Iteration):
        return x
    if type(x) is builtins.range:
        return Iteration(len(x), lambda k: x.start + k * x.step if type(k) is Tracer else x[k], lambda: x)
    if isinstance(x, np.ndarray) and x.ndim:
        x = constant(x)
    if type(x) is Tracer and x.ndim:
        return Iteration(x.shape[0], lambda k: x[k], lambda: x)
    return None


def enumerate_(x: Any, start: Any = 0) -> Any:
    inner = over(x)
    if inner is None or type(x) is range:
        return builtins.enumerate(x, start)
    return Iteration(inner.count, lambda k: (start + k, inner.item(k)), lambda: builtins.enumerate(inner.plain(), start))


def zip_(*xs: Any, strict: bool = False) -> Any:
    inner = [over(x) for x in xs]
    if not inner or any(i is None or type(i.count) is Tracer for i in inner) or strict or all(type(x) is range for x in xs):
        return builtins.zip(*xs, strict=strict)
    return Iteration(min(i.count for i in inner), lambda k: tuple(i.item(k) for i in inner), lambda: builtins.zip(*(i.plain() for i in inner)))


def reversed_(x: Any) -> Any:
    inner = over(x)
    if inner is None or type(x) is range:
        return builtins.reversed(x) if inner is None else x[::-1]
    last = inner.count - 1
    return Iteration(inner.count, lambda k: inner.item(last - k), lambda: builtins.reversed(list(inner.plain())))


REPLACED: dict[Any, Callable] = {builtins.range: range_, builtins.enumerate: enumerate_, builtins.zip: zip_, builtins.reversed: reversed_}

__all__ = ["REPLACED", "Iteration", "as_index", "over", "symbolic"]
