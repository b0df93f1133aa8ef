"""Proxies in the places of the arrays that a function closes over, while it is traced.

Which places these are is found by `closed_over.places`; here is what is put there, and how long it stays. A compiled function that is called
meanwhile is another program, with its own look at the arrays: `originals_in_place` gives them back for that time, and `standing_for` tells what
stands for them where it is called.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .. import residence
from .cells import Outside
from .closed_over import Put, places
from .constants import CONSTANTS, Reference, active_traces, reference
from .tracer import Tracer
from .views import rebind

replacing = threading.RLock()
"""Held while proxies stand in places that other threads may look at, and while a compiled function looks at its surroundings."""


class StandIn(NamedTuple):
    """`proxy` stands for `array`; `atom` is what it was at first, before anything was written into it."""

    array: Any
    proxy: Tracer
    atom: Any

    def untouched(self) -> bool:
        """Whether nothing has looked at the array but the graph and its guards."""
        return not (type(self.atom) is Reference and self.atom.read)

    def release(self) -> None:
        """Once the trace is over: who has kept the proxy, in the closure of a callback, has the very array."""
        if type(self.array) is np.ndarray and type(self.atom) is not Reference:
            rebind(self.proxy, CONSTANTS, Reference(self.array), None)


class _Level:
    """The stand-ins of one trace, and the places in which they are."""

    def __init__(self) -> None:
        self.stand_ins: dict[int, StandIn] = {}  # by identity of the array
        self.placed: list[tuple[Put, StandIn]] = []


class _Levels(threading.local):
    def __init__(self) -> None:
        self.active: list[_Level] = []  # of symbolic traces, the innermost last


_levels = _Levels()


@contextmanager
def references_in_place(f: Any, trace: Any, written: Sequence[np.ndarray] = ()) -> Iterator[list[StandIn]]:
    """While it runs, proxies stand for the arrays that `f` closes over, in `trace`, whose function it is. `written` are arrays of integers or
    booleans that it is known to write into. Gives the stand-ins."""
    level = _Level()
    found = level.stand_ins
    symbolic = trace.values is None
    with replacing:
        if symbolic:
            _levels.active.append(level)
        try:
            for array, put in list(places(f)):
                stand_in = found.get(id(array))
                if stand_in is None:
                    proxy = _proxy(array, trace, any(array is w for w in written))
                    stand_in = found[id(array)] = StandIn(array, proxy, proxy.atom)
                put(array, stand_in.proxy)
                level.placed.append((put, stand_in))
            yield list(found.values())
        finally:
            for put, stand_in in level.placed:
                put(stand_in.proxy, stand_in.array)
            if symbolic:
                _levels.active.remove(level)


def _proxy(array: Any, trace: Any, written: bool) -> Tracer:
    on_device = type(array) in residence.classes
    inexact = array.dtype.kind in "fc" or on_device
    if trace.values is None:
        if inexact or written:
            return trace.cell(Outside(array), lambda: array)
        return reference(array)  # sizes, positions and tables, which are known
    symbolic = [t for t in active_traces() if t.values is None]
    if symbolic and inexact or on_device:
        reader = symbolic[-1] if symbolic else trace
        proxy = Tracer(reader, reader.atom(array))
    else:
        proxy = reference(array)
    proxy.home = trace  # what is written into it stays in the trace
    return proxy


@contextmanager
def originals_in_place() -> Iterator[None]:
    """While it runs, the arrays themselves stand where proxies of symbolic traces do. What has been written into stays a proxy."""
    levels = _levels.active
    placed = [(put, s) for level in levels for put, s in level.placed if s.proxy.atom is s.atom]
    _levels.active = []
    try:
        for put, s in placed:
            put(s.proxy, s.array)
        yield
    finally:
        for put, s in placed:
            put(s.array, s.proxy)
        _levels.active = levels


def standing_for(array: Any) -> Any:
    """The proxy that stands for an array in the innermost symbolic trace that has one; the array where there is none."""
    for level in reversed(_levels.active):
        found = level.stand_ins.get(id(array))
        if found is not None:
            return found.proxy
    return array


def as_it_is(array: Any) -> Any:
    """What is in an array, as the symbolic traces know it: the array itself, or a proxy that later writes do not change."""
    proxy = standing_for(array)
    if proxy is array or type(proxy.atom) is Reference:
        return array
    return Tracer(proxy.owner, proxy.atom)


def look_at(array: Any) -> None:
    """Note in the symbolic traces that plain Python has read an array."""
    proxy = standing_for(array)
    if proxy is not array:
        np.asarray(proxy)


__all__ = ["StandIn", "as_it_is", "look_at", "originals_in_place", "references_in_place", "replacing", "standing_for"]
