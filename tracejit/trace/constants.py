"""Constant proxies: arrays that a traced function made itself, and whose values are known.

They stand in for plain arrays because a plain array cannot hold a traced value: `out = np.zeros(n); out[0] = x` rebinds `out` to a traced value.
Until then they act as the arrays that they are.  They belong to `CONSTANTS`, a trace outside of all others that computes at once; an operation on a
constant and a traced value is emitted into the trace of the latter, like any other.

The values are never changed in place, so they can be captured and viewed freely: a write makes a copy, unless nobody else has seen the array.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import residence
from ..errors import TracerConversionError, at_user_line
from ..ir import ArrayType, supported
from .tracer import Tracer
from .views import link, root, stay_inside


class Constant:
    """The atom of a constant proxy: an array that is never changed."""

    __slots__ = ("value", "type")

    def __init__(self, value: np.ndarray):
        self.value = value
        self.type = ArrayType(value.shape, value.dtype)

    def kept(self) -> Constant:
        """What will hold the value as it is now: itself."""
        return self


class Reference(Constant):
    """The atom of a proxy that stands for an array from outside (see closed_over.py). `read`: whether anything has looked at what is in it."""

    __slots__ = ("read", "source")

    def __init__(self, source: np.ndarray):
        self.source, self.read = source, False
        self.type = ArrayType(source.shape, source.dtype)

    @property
    def value(self) -> np.ndarray:
        self.read = True
        value = self.source.view()
        value.flags.writeable = False
        return value

    def kept(self) -> Constant:
        """The value as it is now, which later writes into the array do not change."""
        return Constant(np.array(self.source))


class _Active(threading.local):
    def __init__(self) -> None:
        self.traces: list = []


_active = _Active()


def active_traces() -> list:
    """The traces whose functions are running in this thread, the innermost last."""
    return _active.traces


@contextmanager
def outside_of_traces() -> Iterator[None]:
    """While it runs, no trace is active in this thread: for what a compiled program calls, which computes on plain arrays."""
    traces = _active.traces
    _active.traces = []
    try:
        yield
    finally:
        _active.traces = traces


class Constants:
    """The trace that constant proxies belong to."""

    depth = 0
    alive = True
    kept = False
    what = "traced function"

    def emit(self, op, args: tuple, params: dict[str, Any]):
        """The result of `op`, computed at once."""
        if residence.classes and _active.traces and residence.meeting(args) is not None:
            return _active.traces[-1].emit(op, args, params)
        values = [a.atom.value if type(a) is Tracer else a for a in args]
        with np.errstate(all="ignore"):
            results = op.run(np, *values, **params)
        if op.multiple:
            return [constant(r) for r in results]
        if op.view is None or not args or type(args[0]) is not Tracer:
            return constant(results)
        part = _proxy(results)
        link(part, op, args, params)
        return part

    def call(self, function, args: tuple, kwargs: dict[str, Any]) -> Any:
        """What NumPy's own function gives, where all arguments are known and none is written into; else `NotImplemented`."""
        if kwargs.get("out") is not None or not known(args) or not known(kwargs):
            return NotImplemented
        return wrapped(function(*plain(args), **plain(kwargs)))

    def read_only(self, x: Tracer) -> np.ndarray:
        """The array that a proxy stands for, for its attributes that the proxy has none of itself."""
        view = x.atom.value.view()
        view.flags.writeable = False
        return view

    def stands(self, x: Tracer) -> bool:
        """Whether x stands for an array outside, as opposed to a number that is computed from it."""
        return type(x.atom) is Reference

    @property
    def inner(self):
        """The innermost active trace: where new constants are at home."""
        return _active.traces[-1] if _active.traces else None

    def knows(self, atom) -> bool:
        return True

    def ambient(self, atom) -> Any:
        return atom.value


CONSTANTS = Constants()


def _proxy(value) -> Tracer:
    made = Tracer(CONSTANTS, Constant(np.asarray(value)))
    made.home = CONSTANTS.inner
    return made


def reference(array: np.ndarray) -> Tracer:
    """A proxy that acts as this very array, also when it is written into."""
    return Tracer(CONSTANTS, Reference(array))


def constant(value: Any) -> Any:
    """A computed array as a constant proxy. Numbers stay numbers, and outside of all traces arrays stay arrays."""
    if not isinstance(value, np.ndarray):
        return value
    if value.ndim == 0:
        return value[()]
    return _proxy(value) if _active.traces else value


def copied_on_write(x: Any) -> Any:
    """An array that is not the traced function's own as a proxy of it, a constant one if it is on the host. Anything else stays as it is."""
    if type(x) in residence.classes:
        from .beside import stand_in

        return stand_in(x)
    return constant(x) if type(x) is np.ndarray and x.ndim and supported(x.dtype) and x.dtype.isnative else x


def as_proxy(value: Any) -> Tracer:
    """`value`, a proxy, an array or a NumPy scalar, as what `views.assign` takes."""
    return value if type(value) is Tracer else _proxy(value)


def is_constant(x: Any) -> bool:
    """Whether x is a constant proxy."""
    return type(x) is Tracer and x.owner is CONSTANTS


def known(x: Any) -> bool:
    """Whether nothing in x, which may be a nested list, tuple, dict or slice, is traced."""
    kind = type(x)
    if kind is Tracer:
        return x.owner is CONSTANTS
    if kind is dict:
        return all(map(known, x.values()))
    if kind is slice:
        return known(x.start) and known(x.stop) and known(x.step)
    return all(map(known, x)) if kind is tuple or kind is list else True


def plain(x: Any) -> Any:
    """x with arrays in place of constant proxies. Nobody may write into them."""
    kind = type(x)
    if kind is Tracer:
        return x.atom.value
    if kind is slice:
        return slice(plain(x.start), plain(x.stop), plain(x.step))
    if kind is dict:
        return {key: plain(value) for key, value in x.items()}
    return kind(map(plain, x)) if kind is tuple or kind is list else x


def wrapped(x: Any) -> Any:
    """What a NumPy function returned, with constant proxies in place of arrays."""
    return type(x)(map(wrapped, x)) if type(x) in (tuple, list) else constant(x)


def released(x: Any) -> Any:
    """x, a leaf that leaves the function that made it: a constant becomes an array, or a constant of the trace outside."""
    if not is_constant(x):
        return x
    return x.atom.source if type(x.atom) is Reference else constant(np.array(x.atom.value))


def _references(x: Tracer) -> tuple[int, int]:
    atom = x.atom
    return sys.getrefcount(atom), sys.getrefcount(atom.value)


_ALONE = _references(_proxy(np.empty(1)))


def writable_value(x: Tracer) -> np.ndarray:
    """The value of a constant proxy to write into: its own array where nobody else refers to that, so that a loop that fills a buffer copies it once
    and not in each step; else a copy."""
    stay_inside(root(x), x)
    value = x.atom.value
    mine = value.flags.writeable and value.base is None
    del value
    return x.atom.value if mine and _references(x) == _ALONE else np.array(x.atom.value)


def refuse_plain(array: np.ndarray) -> None:
    """Raise the error for a traced value that is written into a plain array."""
    raise TracerConversionError(
        at_user_line(
            f"a traced value cannot be written into a plain array ({array.dtype}[{','.join(map(str, array.shape))}]), which holds numbers only. "
            f"Pass the array as an argument, or copy it inside of the traced function (`np.array(a)`), and write into that."
        )
    )
